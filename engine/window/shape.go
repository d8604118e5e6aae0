package window

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// shape is a window of the plan, checked: what both halves know of it.
type shape struct {
	*slicer
	keys     batch.Schema
	lateness int64
	early    int64 // unfinished windows are emitted that often; 0 = never
	complete bool  // results say how many agents were seen
	firstEnd int   // column of first_end in partials; -1 = none: a slice is a window
	accs     []accumulator
	results  []result

	partial    batch.Schema // keys, slice_start, slice_end, first_end?, states
	rows       batch.Schema // keys, _time, first_end, arguments
	arguments  []int        // columns of the row batch, as rows has them
	resultCols batch.Schema // window_start, window_end, keys, results, _agents_seen?, _agents_expected?, _revision
}

type accumulator struct {
	spec   aggregate.Spec
	column int // of the row batch; -1 = none
	states []batch.Type
	at     int // first state column of the partial batch
}

type result struct {
	field    batch.Field
	function string
	param    float64
	accs     []int
}

// newShape checks a window and takes the rules of its time zone, nil for UTC.
func newShape(w *plan.Window, z *zone.Zone) (*shape, error) {
	s, err := checkShape(w)
	if err != nil {
		return nil, err
	}
	return s, s.setZone(w.TimeZone, z)
}

// checkShape checks all but the zone.
func checkShape(w *plan.Window) (*shape, error) {
	sl, err := newSlicer(w)
	if err != nil {
		return nil, err
	}
	s := &shape{slicer: sl, lateness: w.AllowedLatenessMicros + w.InnerLatenessMicros, early: w.EarlyMicros, complete: w.Completeness, firstEnd: -1}
	if s.lateness < 0 || s.lateness > maxTime {
		return nil, fmt.Errorf("%w: allowed lateness of %d us", ErrPlan, s.lateness)
	}
	s.keys = plan.SchemaOf(w.Keys)
	for _, k := range s.keys {
		if !k.Type.Valid() {
			return nil, fmt.Errorf("%w: key %q has type %d", ErrPlan, k.Name, k.Type)
		}
	}
	if w.HasFirstEnd() {
		s.firstEnd = len(s.keys) + 2
	}
	if err := s.accumulators(w); err != nil {
		return nil, err
	}
	if err := s.resultsOf(w); err != nil {
		return nil, err
	}
	return s, s.schemas(w)
}

func (s *shape) schemas(w *plan.Window) error {
	cols, err := plan.PartialColumns(w)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPlan, err)
	}
	s.partial, s.rows, s.resultCols = plan.SchemaOf(cols), plan.SchemaOf(plan.RowColumns(w)), plan.SchemaOf(plan.FinalColumns(w))
	for _, c := range w.ArgumentColumns() {
		s.arguments = append(s.arguments, int(c))
	}
	return nil
}

func (s *shape) accumulators(w *plan.Window) error {
	at := len(s.keys) + 2
	if s.firstEnd >= 0 {
		at++
	}
	for i, p := range w.Accumulators {
		a := accumulator{column: int(p.GetColumn()), at: at,
			spec: aggregate.Spec{Kind: p.GetKind(), In: batch.Type(p.GetType()), Param: p.GetParam()}}
		var err error
		if a.states, err = aggregate.StateTypes(a.spec); err != nil {
			return fmt.Errorf("%w: accumulator %d: %w", ErrPlan, i, err)
		}
		if a.column < 0 && a.spec.Kind != aggregate.Count {
			return fmt.Errorf("%w: accumulator %d (%s) has no column", ErrPlan, i, a.spec)
		}
		at += len(a.states)
		s.accs = append(s.accs, a)
	}
	return nil
}

func (s *shape) resultsOf(w *plan.Window) error {
	for _, p := range w.Results {
		r := result{field: batch.Field{Name: p.GetName(), Type: batch.Type(p.GetType())}, function: p.GetFunction(), param: p.GetParam()}
		var specs []aggregate.Spec
		arg, star := batch.Type(0), false
		for _, k := range p.GetAccumulators() {
			if int(k) >= len(s.accs) {
				return fmt.Errorf("%w: result %q takes accumulator %d of %d", ErrPlan, r.field.Name, k, len(s.accs))
			}
			r.accs = append(r.accs, int(k))
			specs = append(specs, s.accs[k].spec)
			arg, star = s.accs[k].spec.In, s.accs[k].spec.Kind == aggregate.Count
		}
		want, typ, err := aggregate.Resolve(r.function, star, arg, r.param)
		if err != nil {
			return fmt.Errorf("%w: result %q: %w", ErrPlan, r.field.Name, err)
		}
		if !slices.Equal(want, specs) || typ != r.field.Type {
			return fmt.Errorf("%w: result %q is %s of type %s over accumulators %v, want type %s over %v", ErrPlan, r.field.Name, r.function, r.field.Type, specs, typ, want)
		}
		s.results = append(s.results, r)
	}
	return nil
}

// PartialSchema is the schema of partial batches: the keys, slice_start and
// slice_end, first_end where a slice feeds more than one window, then the state columns of each accumulator.
func PartialSchema(w *plan.Window) (batch.Schema, error) {
	s, err := checkShape(w)
	if err != nil {
		return nil, err
	}
	return s.partial, nil
}

// RowsSchema is the schema of forwarded rows: the keys, the event time, first_end, then the columns that the
// accumulators take, each once.
func RowsSchema(w *plan.Window) (batch.Schema, error) {
	s, err := checkShape(w)
	if err != nil {
		return nil, err
	}
	return s.rows, nil
}

// ResultSchema is the schema of result batches: window_start, window_end, the
// keys, the results, where asked for _agents_seen and _agents_expected, and _revision.
func ResultSchema(w *plan.Window) (batch.Schema, error) {
	s, err := checkShape(w)
	if err != nil {
		return nil, err
	}
	return s.resultCols, nil
}

// lastWatermark is the watermark at which nothing can change the window that ends at
// end any more: rows are late for it from there on.
func (s *shape) lastWatermark(end int64) int64 { return end + s.lateness }
