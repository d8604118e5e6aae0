package window

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// pendingColumn tells in a snapshot whether a state changed since it fired.
const pendingColumn = "_pending"

func (s *shape) snapshotSchema() batch.Schema {
	return append(slices.Clone(s.partial), batch.Field{Name: plan.Revision, Type: batch.Int}, batch.Field{Name: pendingColumn, Type: batch.Bool})
}

// SnapshotSchema is the schema of snapshot batches: that of partial batches, then
// _revision (of the last firing; 0 = none) and _pending (changed since).
func SnapshotSchema(w *plan.Window) (batch.Schema, error) {
	s, err := checkShape(w)
	if err != nil {
		return nil, err
	}
	return s.snapshotSchema(), nil
}

// Snapshot appends to dst, a batch of the snapshot schema, the states that
// changed since the last Snapshot, or all of them, in order of window end, then the keys in SQL's order.
// Restored states count as unchanged. What was forgotten is not said: Resume forgets it again.
func (f *Final) Snapshot(full bool, dst *batch.Batch) error {
	if len(dst.Cols) != len(f.snapshot) {
		return fmt.Errorf("%w: %d columns for a snapshot of %d", ErrBatch, len(dst.Cols), len(f.snapshot))
	}
	renewDicts(dst)
	panes := f.changed
	if full {
		panes = slices.Clone(f.byEnd)
	}
	slices.SortFunc(panes, func(a, b *pane) int { return a.compare(b.span) })
	for _, p := range panes {
		slots := p.changed
		if full {
			slots = slices.Clone(p.slots)
		}
		f.keys.order(slots, f.group)
		f.appendSnapshot(dst, p, slots)
	}
	for _, p := range f.changed {
		for _, s := range p.changed {
			f.meta[s].changed = false
		}
		p.changed = p.changed[:0]
	}
	clear(f.changed)
	f.changed = f.changed[:0]
	return nil
}

func (f *Final) appendSnapshot(dst *batch.Batch, p *pane, slots []uint32) {
	nk := len(f.shape.keys)
	f.keys.appendKeys(dst.Cols, slots, f.group)
	appendInts(&dst.Cols[nk], p.start, len(slots))
	appendInts(&dst.Cols[nk+1], p.end, len(slots))
	f.states.appendTo(dst.Cols, slots)
	revision, pending := &dst.Cols[len(dst.Cols)-2], &dst.Cols[len(dst.Cols)-1]
	for _, s := range slots {
		appendInts(revision, f.meta[s].revision, 1)
		pending.Bools = append(pending.Bools, f.meta[s].pending)
		if pending.Valid != nil {
			pending.Valid = pending.Valid.Append(len(pending.Bools)-1, true)
		}
	}
	dst.N += len(slots)
}

// Restore takes a batch of the snapshot schema in: its states replace those of
// the same window and key. Restore the snapshots in the order in which they were made, the first of
// them full, on a new Final, then call Resume.
func (f *Final) Restore(b *batch.Batch) error {
	if err := f.shape.checkPartials(b, f.snapshot); err != nil {
		return err
	}
	if err := f.checkRoom(b); err != nil {
		return err
	}
	nk := len(f.shape.keys)
	revisions, pendings := &b.Cols[len(b.Cols)-2], &b.Cols[len(b.Cols)-1]
	slots, rows := f.slots[:0], f.rows[:0]
	seen, touched := make(map[uint32]bool, b.Len()), map[*pane]bool{}
	for k := range b.Len() {
		r := rowOf(b, k)
		if revisions.Null(r) || pendings.Null(r) || revisions.Ints[r] < 0 {
			return fmt.Errorf("%w: row %d has no revision", ErrBatch, r)
		}
		p, slot := f.slotOf(b, r, span{b.Cols[nk].Ints[r], b.Cols[nk+1].Ints[r]})
		if seen[slot] {
			return fmt.Errorf("%w: row %d has the window and key of a row before it", ErrBatch, r)
		}
		seen[slot], touched[p] = true, true
		f.meta[slot].revision, f.meta[slot].pending = revisions.Ints[r], pendings.Bools[r]
		slots, rows = append(slots, slot), append(rows, uint32(r))
	}
	f.slots, f.rows = slots, rows
	f.states.clear(slots)
	f.states.merge(slots, b.Cols, rows)
	for p := range touched {
		p.pending = p.pending[:0]
		for _, s := range p.slots {
			if f.meta[s].pending {
				p.pending = append(p.pending, s)
			}
		}
	}
	f.listPending()
	return nil
}

// Resume sets the watermarks that were stored with the snapshot, after the
// last Restore, and forgets the windows that they had made the Final forget. Nothing
// is emitted: what had to fire did so before the snapshot.
func (f *Final) Resume(fire, keep int64) {
	f.fire, f.keep = max(f.fire, fire), max(f.keep, keep)
	for _, p := range f.byEnd {
		if f.isForgotten(p.end) {
			p.pending = nil
		}
	}
	f.listPending()
	f.forget()
}

// listPending makes the heap of panes with something pending anew.
func (f *Final) listPending() {
	f.pending = nil
	for _, p := range f.byEnd {
		if len(p.pending) > 0 {
			f.pending.push(p)
		}
	}
}
