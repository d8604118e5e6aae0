package window

import (
	"fmt"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
)

// states are the accumulators of a window, with equal slots.
type states struct {
	shape *shape
	accs  []aggregate.Accumulator
	// args are the accumulators of each result.
	args [][]aggregate.Accumulator
}

func newStates(s *shape) (*states, error) {
	st := &states{shape: s}
	for _, a := range s.accs {
		acc, err := aggregate.New(a.spec)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPlan, err)
		}
		st.accs = append(st.accs, acc)
	}
	for _, r := range s.results {
		var args []aggregate.Accumulator
		for _, k := range r.accs {
			args = append(args, st.accs[k])
		}
		st.args = append(st.args, args)
	}
	return st, nil
}

func (s *states) grow(slots int) {
	for _, a := range s.accs {
		a.Grow(slots)
	}
}

func (s *states) add(slots []uint32, b *batch.Batch, times []int64, rows []uint32) {
	for i, a := range s.accs {
		var col *batch.Column
		if k := s.shape.accs[i].column; k >= 0 {
			col = &b.Cols[k]
		}
		a.Add(slots, col, times, rows)
	}
}

func (s *states) merge(slots []uint32, cols []batch.Column, rows []uint32) {
	for i, a := range s.accs {
		sh := &s.shape.accs[i]
		a.Merge(slots, cols[sh.at:sh.at+len(sh.states)], rows)
	}
}

// mergeSlots merges the states of from into those of slots, one after the other.
func (s *states) mergeSlots(slots, from []uint32) {
	for _, a := range s.accs {
		a.MergeFrom(slots, a, from)
	}
}

func (s *states) appendTo(cols []batch.Column, slots []uint32) {
	for i, a := range s.accs {
		sh := &s.shape.accs[i]
		a.AppendState(cols[sh.at:sh.at+len(sh.states)], slots)
	}
}

func (s *states) clear(slots []uint32) {
	for _, a := range s.accs {
		a.Clear(slots)
	}
}

func (s *states) sizeBytes() (n int) {
	for _, a := range s.accs {
		n += a.SizeBytes()
	}
	return n
}

// renewDicts gives an empty batch new Dicts for those that are full.
func renewDicts(b *batch.Batch) {
	for i := range b.Cols {
		if c := &b.Cols[i]; c.Dict != nil && c.Len() == 0 && c.Dict.Full() {
			c.Dict = batch.NewDict()
		}
	}
}

func appendInts(c *batch.Column, v int64, n int) {
	for range n {
		c.Ints = append(c.Ints, v)
		if c.Valid != nil {
			c.Valid = c.Valid.Append(len(c.Ints)-1, true)
		}
	}
}
