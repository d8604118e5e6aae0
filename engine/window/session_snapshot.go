package window

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Sections of a snapshot of sessions, behind the header.
const (
	sessionSection = iota // a session replaces all those that it intersects
	removalSection        // results that are to be taken back; each snapshot has all of them
)

func (f *sessions) sections() []batch.Schema {
	list := append(slices.Clone(f.shape.partial), batch.Field{Name: plan.Revision, Type: batch.Int}, batch.Field{Name: pendingColumn, Type: batch.Bool}, batch.Field{Name: goneColumn, Type: batch.Bool})
	removed := append(slices.Clone(f.shape.keys), batch.Field{Name: plan.WindowStart, Type: batch.Timestamp},
		batch.Field{Name: plan.WindowEnd, Type: batch.Timestamp}, batch.Field{Name: plan.Revision, Type: batch.Int},
		batch.Field{Name: goneColumn, Type: batch.Bool})
	return []batch.Schema{list, removed}
}

// rowKeys: the start names a session of a key.
func (f *sessions) rowKeys() []int { return []int{len(f.shape.keys) + 1, len(f.shape.keys) + 2} }

func (f *sessions) era() int64 { return 0 }

// begin forgets what was to be taken back: the snapshot says it anew.
func (f *sessions) begin(int64) { f.removed = f.removed[:0] }

func (f *sessions) snapshot(full bool, emit func(section int, b *batch.Batch) error) error {
	var slots []uint32
	if full {
		for s := range f.meta {
			if f.meta[s].alive {
				slots = append(slots, uint32(s))
			}
		}
	} else {
		for _, s := range f.changed {
			if m := &f.meta[s]; m.alive && m.changed {
				m.changed = false
				slots = append(slots, s)
			}
		}
	}
	for _, s := range f.changed {
		f.meta[s].changed = false
	}
	f.changed = f.changed[:0]
	f.keys.rankAll()
	rank := f.keys.rank
	slices.SortFunc(slots, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(f.meta[a].end, f.meta[b].end), cmp.Compare(rank[f.group[a]], rank[f.group[b]]))
	})
	schemas := f.sections()
	list, removed := batch.New(schemas[sessionSection]), batch.New(schemas[removalSection])
	if f.goneSessions != nil && !full {
		list, removed = f.goneSessions, f.goneRemovals
	}
	f.goneSessions, f.goneRemovals = nil, nil
	f.appendSessions(list, slots)
	if err := emit(sessionSection, list); err != nil {
		return err
	}
	slices.SortFunc(f.removed, func(a, b removal) int {
		return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(rank[a.group], rank[b.group]), cmp.Compare(a.start, b.start))
	})
	nk := len(f.shape.keys)
	for _, r := range f.removed {
		f.keys.appendKeys(removed.Cols, []uint32{r.group}, nil)
		for i, v := range []int64{r.start, r.end, r.revision} {
			appendInts(&removed.Cols[nk+i], v, 1)
		}
		appendBool(&removed.Cols[nk+3], false)
		removed.N++
	}
	return emit(removalSection, removed)
}

// sayGone notes for the next snapshot that a session is no more, or not with this start.
func (f *sessions) sayGone(slot uint32) {
	if f.cfg.SayGone {
		f.makeGone()
		nk := len(f.shape.keys)
		f.keys.appendKeys(f.goneSessions.Cols, []uint32{slot}, f.group)
		// The columns after the start are null but for the end, without which a row is no slice.
		appendInts(&f.goneSessions.Cols[nk], f.meta[slot].start, 1)
		appendInts(&f.goneSessions.Cols[nk+1], f.meta[slot].end, 1)
		appendGone(f.goneSessions, nk+2, 1)
	}
}

// sayTaken notes for the next snapshot that results were taken back.
func (f *sessions) sayTaken(list []removal) {
	if !f.cfg.SayGone || len(list) == 0 {
		return
	}
	f.makeGone()
	nk := len(f.shape.keys)
	for _, r := range list {
		f.keys.appendKeys(f.goneRemovals.Cols, []uint32{r.group}, nil)
		appendInts(&f.goneRemovals.Cols[nk], r.start, 1)
		appendInts(&f.goneRemovals.Cols[nk+1], r.end, 1)
		appendGone(f.goneRemovals, nk+2, 1)
	}
}

func (f *sessions) makeGone() {
	if f.goneSessions == nil {
		schemas := f.sections()
		f.goneSessions, f.goneRemovals = batch.New(schemas[sessionSection]), batch.New(schemas[removalSection])
	}
}

func (f *sessions) appendSessions(b *batch.Batch, slots []uint32) {
	nk := len(f.shape.keys)
	f.keys.appendKeys(b.Cols, slots, f.group)
	f.states.appendTo(b.Cols, slots)
	at := len(f.shape.partial)
	for _, s := range slots {
		m := &f.meta[s]
		appendInts(&b.Cols[nk], m.start, 1)
		appendInts(&b.Cols[nk+1], m.end, 1)
		appendInts(&b.Cols[at], m.revision, 1)
		appendBool(&b.Cols[at+1], m.pending)
		appendBool(&b.Cols[at+2], false)
	}
	b.N += len(slots)
}

func (f *sessions) restore(section int, b *batch.Batch) error {
	if section == removalSection {
		return f.restoreRemovals(b)
	}
	if err := f.shape.checkPartials(b, f.sections()[sessionSection]); err != nil {
		return err
	}
	if err := f.room(f.fresh(b, false)); err != nil {
		return err
	}
	nk, at := len(f.shape.keys), len(f.shape.partial)
	slots, rows := make([]uint32, 0, b.Len()), make([]uint32, 0, b.Len())
	here := make(map[uint32]bool, b.Len())
	for k := range b.Len() {
		r := rowOf(b, k)
		if isGone(b, r) {
			continue
		}
		revision, err := numberAt(&b.Cols[at], r, 0)
		if err != nil {
			return err
		}
		in := span{b.Cols[nk].Ints[r], b.Cols[nk+1].Ints[r]}
		slot, ok := f.replace(f.groupOf(b, r), in, here)
		if !ok {
			return fmt.Errorf("%w: row %d: [%d, %d) intersects another session of its key", ErrBatch, r, in.start, in.end)
		}
		here[slot] = true
		m := &f.meta[slot]
		m.revision, m.pending = revision, !b.Cols[at+1].Null(r) && b.Cols[at+1].Bools[r]
		if f.expiry.put(in.end, slot); m.pending {
			f.ends.put(in.end, slot)
		}
		slots, rows = append(slots, slot), append(rows, uint32(r))
	}
	f.states.clear(slots)
	f.states.merge(slots, b.Cols, rows)
	return nil
}

// replace makes room for a session: those that it intersects go, but for those that came with this section.
func (f *sessions) replace(group uint32, in span, here map[uint32]bool) (slot uint32, ok bool) {
	for int(group) >= len(f.head) {
		f.head = append(f.head, 0)
	}
	link := &f.head[group]
	for *link != 0 && f.meta[*link-1].start < in.end {
		at := *link - 1
		m := &f.meta[at]
		if m.end <= in.start {
			link = &m.next
			continue
		}
		if here[at] {
			return 0, false
		}
		*link = m.next
		f.remove(at)
	}
	return f.join(group, in, func() {}), true
}

func (f *sessions) restoreRemovals(b *batch.Batch) error {
	nk := len(f.shape.keys)
	for k := range b.Len() {
		r := rowOf(b, k)
		if isGone(b, r) {
			continue
		}
		var v [3]int64
		for i := range v {
			least := -maxTime
			if i == 2 {
				least = 1
			}
			var err error
			if v[i], err = numberAt(&b.Cols[nk+i], r, least); err != nil {
				return err
			}
		}
		f.removed = append(f.removed, removal{span{v[0], v[1]}, f.groupOf(b, r), v[2]})
	}
	return nil
}

func (f *sessions) resume(fire, keep int64) {
	f.fire, f.keep = max(f.fire, fire), max(f.keep, keep)
	f.forget()
}
