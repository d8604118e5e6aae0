package plan

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
)

// Names of the columns that window steps make.
const (
	WindowStart    = "window_start"
	WindowEnd      = "window_end"
	SliceStart     = "slice_start"
	SliceEnd       = "slice_end"
	FirstEnd       = "first_end"
	EventTime      = "_time"     // of forwarded rows
	LateFor        = "_late_for" // of late rows: for how many windows
	AgentsSeen     = "_agents_seen"
	AgentsExpected = "_agents_expected"
	Revision       = "_revision"
)

func timestampColumn(name string) *Column {
	return &Column{Name: name, Type: uint32(batch.Timestamp)}
}

func intColumn(name string) *Column { return &Column{Name: name, Type: uint32(batch.Int)} }

// Session tells whether the windows are sessions, which stand alone.
func (w *Window) Session() bool {
	return len(w.GetWindows()) == 1 && w.Windows[0].GetKind() == WindowSpec_SESSION
}

// HasFirstEnd tells whether partials carry first_end: where a slice feeds
// more than one window.
func (w *Window) HasFirstEnd() bool {
	return !w.Session() && (len(w.GetWindows()) != 1 || w.Windows[0].GetKind() != WindowSpec_TUMBLING)
}

// PartialColumns are the columns of a window's partials: keys, slice_start,
// slice_end, first_end where slices feed more than one window, states.
func PartialColumns(w *Window) ([]*Column, error) {
	cols := append([]*Column(nil), w.Keys...)
	cols = append(cols, timestampColumn(SliceStart), timestampColumn(SliceEnd))
	if w.HasFirstEnd() {
		cols = append(cols, timestampColumn(FirstEnd))
	}
	for i, a := range w.Accumulators {
		types, err := aggregate.StateTypes(aggregate.Spec{Kind: a.GetKind(), In: batch.Type(a.GetType()), Param: a.GetParam()})
		if err != nil {
			return nil, fmt.Errorf("accumulator %d: %w", i, err)
		}
		for k, t := range types {
			name := fmt.Sprintf("_%d_%s", i, a.Kind)
			if len(types) > 1 {
				name += fmt.Sprintf("_%d", k)
			}
			cols = append(cols, &Column{Name: name, Type: uint32(t)})
		}
	}
	return cols, nil
}

// RowColumns are the columns of the rows that a window forwards: keys, event
// time, first_end, and the accumulators' columns, each once, in order of their positions.
func RowColumns(w *Window) []*Column {
	cols := append([]*Column(nil), w.Keys...)
	cols = append(cols, timestampColumn(EventTime), timestampColumn(FirstEnd))
	for _, at := range w.ArgumentColumns() {
		for _, a := range w.Accumulators {
			if a.Column == at {
				cols = append(cols, &Column{Name: fmt.Sprintf("_arg%d", at), Type: a.Type})
				break
			}
		}
	}
	return cols
}

// ArgumentColumns are the columns of the row batch that accumulators take,
// each once, ascending.
func (w *Window) ArgumentColumns() []int32 {
	var at []int32
	for _, a := range w.Accumulators {
		if a.GetColumn() >= 0 && !slices.Contains(at, a.Column) {
			at = append(at, a.Column)
		}
	}
	slices.Sort(at)
	return at
}

// FinalColumns are the columns of a window's results: window_start,
// window_end, keys, results, where asked for the agents seen and expected, and _revision.
func FinalColumns(w *Window) []*Column {
	cols := []*Column{timestampColumn(WindowStart), timestampColumn(WindowEnd)}
	cols = append(cols, w.Keys...)
	for _, r := range w.Results {
		cols = append(cols, &Column{Name: r.GetName(), Type: r.GetType()})
	}
	if w.Completeness {
		cols = append(cols, intColumn(AgentsSeen), intColumn(AgentsExpected))
	}
	return append(cols, intColumn(Revision))
}

// LateColumns are the columns of a window's late rows, given those of its input.
func LateColumns(in []*Column) []*Column {
	return append(append([]*Column(nil), in...), intColumn(LateFor))
}
