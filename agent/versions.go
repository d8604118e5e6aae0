package agent

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
)

// untilPrefix files, by lane, the event time at which the next version of a
// pipeline begins. A lane that has one still takes rows.
const untilPrefix = "until/"

// olderVersions are the versions of a pipeline that still take rows beside p,
// oldest first, with this agent's parameters.
func (a *Agent) olderVersions(p *plan.Plan) ([]version, error) {
	var out []version
	err := a.store.Range(untilPrefix+p.PipelineId+"/", func(key string, value []byte) error {
		lane := strings.TrimPrefix(key, untilPrefix)
		until, n := binary.Varint(value)
		if n <= 0 {
			return fmt.Errorf("lane %s: %w", lane, errState)
		}
		data, err := a.store.Get(oldPrefix + lane)
		if err != nil {
			return err
		}
		old, err := plan.Unmarshal(data)
		if err == nil {
			old, err = a.resolve(old)
		}
		if err != nil {
			return fmt.Errorf("the plan of lane %s, which still takes rows: %w", lane, err)
		}
		out = append(out, version{Plan: old, Until: until})
		return nil
	})
	slices.SortFunc(out, func(x, y version) int { return cmp.Compare(x.Plan.Version, y.Plan.Version) })
	return out, err
}

// takesRows tells whether a replaced lane still takes rows.
func (a *Agent) takesRows(lane string) (bool, error) {
	value, err := a.store.Get(untilPrefix + lane)
	return value != nil, err
}

// endVersions says in a batch that no replaced version of a pipeline takes rows any more.
func (a *Agent) endVersions(b *checkpoint.Batch, pipelineID string) error {
	return a.store.Range(untilPrefix+pipelineID+"/", func(key string, _ []byte) error {
		b.Puts = append(b.Puts, checkpoint.Entry{Key: key})
		return nil
	})
}

// handOn gives the lane of a new version the watermark of the one before: a row is
// judged by the rows before it, whatever version took these.
func (a *Agent) handOn(b *checkpoint.Batch, old, next *plan.Plan) error {
	if next == nil || !sameTime(old.Source, next.Source) {
		return nil
	}
	key := statePrefix + laneOf(next)
	there, err := a.store.Get(key)
	if err != nil || there != nil {
		return err
	}
	value, err := a.store.Get(statePrefix + laneOf(old))
	if err != nil || value == nil {
		return err
	}
	before, first := part{plan: old}, part{plan: next}
	before.packer.head.From, err = nextOfState(value)
	if err != nil {
		return err
	}
	if err := before.loadState(value); err != nil {
		return err
	}
	first.packer.head.From, first.packer.sent = 1, engine.NoWatermark
	b.Puts = append(b.Puts, checkpoint.Entry{Key: key, Value: first.appendState(nil, before.totals.Watermark)})
	return nil
}

// sameTime tells whether two sources give the same event times.
func sameTime(a, b *plan.Source) bool {
	if !a.GetHasEventTime() || !b.GetHasEventTime() {
		return false
	}
	x, y := a.Columns[a.EventTime], b.Columns[b.EventTime]
	from := func(s *plan.Source) *plan.Source {
		return &plan.Source{Kind: s.Kind, Format: s.Format}
	}
	return x.Name == y.Name && x.Unit == y.Unit && pb.Equal(from(a), from(b))
}

func nextOfState(b []byte) (uint64, error) {
	last, _, err := lastOfState(b)
	return last + 1, err
}

var errState = errors.New("the state of a pipeline in the store is damaged")
