package window

import (
	"cmp"
	"math"
	"slices"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
)

// ready is a session to emit, or a result to take back.
type ready struct {
	span
	group, slot uint32
	removed     bool
	revision    int64
}

// merge takes the rows of a partial batch in.
func (f *sessions) merge(b *batch.Batch) (late []uint32) {
	f.slots, f.rows = f.slots[:0], f.rows[:0]
	flush := func() {
		f.states.merge(f.slots, b.Cols, f.rows)
		f.slots, f.rows = f.slots[:0], f.rows[:0]
	}
	nk := len(f.shape.keys)
	starts, ends := b.Cols[nk].Ints, b.Cols[nk+1].Ints
	for k := range b.Len() {
		r := rowOf(b, k)
		if f.tooLate(ends[r]) {
			late = append(late, uint32(r))
			continue
		}
		f.add(b, r, span{starts[r], ends[r]}, flush)
	}
	flush()
	return late
}

// addRows takes forwarded rows in.
func (f *sessions) addRows(b *batch.Batch) (late []uint32) {
	f.slots, f.rows = f.slots[:0], f.rows[:0]
	times := b.Cols[len(f.shape.keys)].Ints
	flush := func() {
		f.store.addRows(f.slots, b, times, f.rows)
		f.slots, f.rows = f.slots[:0], f.rows[:0]
	}
	for k := range b.Len() {
		r := rowOf(b, k)
		in := span{times[r], times[r] + f.shape.gap}
		if f.tooLate(in.end) {
			late = append(late, uint32(r))
			continue
		}
		f.add(b, r, in, flush)
	}
	flush()
	return late
}

// advance moves the watermarks and emits the sessions that are due, and what is to be taken back, in order
// of end, then the keys.
func (f *sessions) advance(fire, keep int64, out *resultBatch) error {
	early := f.fire
	f.fire, f.keep = max(f.fire, fire), max(f.keep, keep)
	list := f.ready[:0]
	for _, r := range f.removed {
		list = append(list, ready{span: r.span, group: r.group, removed: true, revision: r.revision})
	}
	f.sayTaken(f.removed)
	f.removed = f.removed[:0]
	for fired := f.fired(); ; {
		slot, _, ok := f.ends.take(fired)
		if !ok {
			break
		}
		m := &f.meta[slot]
		switch {
		case !m.alive || !m.pending:
		case m.end > fired:
			f.ends.put(m.end, slot)
		default:
			list = f.emitted(list, slot)
		}
	}
	if f.shape.earlyBetween(f.cfg, early, f.fire) {
		for _, e := range f.ends.heap {
			if m := &f.meta[e.slot]; m.alive && m.pending {
				list = f.emitted(list, e.slot)
			}
		}
	}
	f.ready = list
	f.keys.rankAll()
	rank := f.keys.rank
	slices.SortFunc(list, func(a, b ready) int {
		return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(rank[a.group], rank[b.group]), cmp.Compare(a.start, b.start), cmp.Compare(a.revision, b.revision))
	})
	if err := f.emit(list, out); err != nil {
		return err
	}
	f.forget()
	return nil
}

// emitted lists a session and counts its emission.
func (f *sessions) emitted(list []ready, slot uint32) []ready {
	m := &f.meta[slot]
	m.pending = false
	m.revision++
	if !m.changed {
		m.changed = true
		f.changed = append(f.changed, slot)
	}
	return append(list, ready{span: m.span, group: f.group[slot], slot: slot, revision: m.revision})
}

func (f *sessions) emit(list []ready, out *resultBatch) error {
	for len(list) > 0 {
		if list[0].removed {
			if err := out.remove(list[0].span, []uint32{list[0].group}, list[0].revision); err != nil {
				return err
			}
			list = list[1:]
			continue
		}
		n := 1
		for n < len(list) && n < resultRows-out.out.N && !list[n].removed {
			n++
		}
		if err := f.emitRun(list[:n], out); err != nil {
			return err
		}
		list = list[n:]
	}
	return out.flush()
}

// emitRun emits sessions that fit into the batch.
func (f *sessions) emitRun(list []ready, out *resultBatch) error {
	slots := f.slots[:0]
	for _, r := range list {
		out.begin(r.span, []uint32{r.group})
		out.end(r.span, 1, r.revision)
		if out.out.Deleted != nil {
			out.out.Deleted = out.out.Deleted.Append(out.out.N, false)
		}
		out.out.N++
		slots = append(slots, r.slot)
	}
	f.slots = slots
	nk := len(f.shape.keys)
	for i, res := range f.shape.results {
		if err := aggregate.Finish(res.function, res.param, f.states.args[i], slots, &out.out.Cols[2+nk+i]); err != nil {
			return err
		}
	}
	if out.out.N == resultRows {
		return out.flush()
	}
	return nil
}

// fireable is the lowest watermark at which advance has something to emit.
func (f *sessions) fireable() (watermark int64, ok bool) {
	if len(f.removed) > 0 {
		return f.fire, true
	}
	watermark = math.MaxInt64
	for _, e := range f.ends.heap {
		if m := &f.meta[e.slot]; m.alive && m.pending {
			watermark, ok = min(watermark, m.end), true
		}
	}
	if !ok {
		return 0, false
	}
	switch {
	case f.cfg.LastOnly:
		watermark += f.shape.gap + f.shape.lateness
	case f.shape.early > 0 && f.fire != math.MinInt64 && watermark > f.fired():
		watermark = min(watermark, floor(f.fire, f.shape.early)+f.shape.early)
	}
	return watermark, true
}

// fresh counts the rows of a batch that need a new state, a key's as often as it comes.
func (f *sessions) fresh(b *batch.Batch, rows bool) int {
	n, paneOf := 0, f.shape.paneOfPartial
	if rows {
		paneOf = f.shape.paneOfRow
	}
	for k := range b.Len() {
		r := rowOf(b, k)
		if in := paneOf(b, r).span; !f.tooLate(in.end) && !f.has(in, b, r) {
			n++
		}
	}
	return n
}
