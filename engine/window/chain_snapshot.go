package window

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// innerSchema is that of the last section of a snapshot: what tells an inner result apart, the keys of the window
// that it counts in, its time, what the accumulators take, and whether it is no more.
func (c *Chain) innerSchema() batch.Schema {
	out := append(slices.Clone(c.known.schema), c.s.shape.keys...)
	out = append(out, batch.Field{Name: plan.EventTime, Type: batch.Timestamp})
	out = append(out, c.s.shape.rows[len(c.by)+2:]...)
	return append(out, batch.Field{Name: goneColumn, Type: batch.Bool})
}

// SnapshotSchemas gives the schema of each section of a snapshot: those of a Final, and the inner results.
func (c *Chain) SnapshotSchemas() []batch.Schema {
	return append(c.final.SnapshotSchemas(), c.innerSchema())
}

// SnapshotKeys is as Final.SnapshotKeys.
func (c *Chain) SnapshotKeys() []int { return append(c.final.SnapshotKeys(), len(c.identity)) }

// Snapshot is as Final.Snapshot. Inner results that were taken back since the last one are said to be gone.
func (c *Chain) Snapshot(full bool, emit func(section int, b *batch.Batch) error) error {
	c.refresh()
	if err := c.final.Snapshot(full, emit); err != nil {
		return err
	}
	var ids []uint32
	for id := range c.inner {
		if full && c.inner[id].row != 0 {
			ids = append(ids, uint32(id))
		}
	}
	for _, id := range c.changed {
		in := &c.inner[id]
		if in.changed && !full && (in.row != 0 || in.saved) {
			ids = append(ids, id)
		}
		in.changed, in.saved = false, in.row != 0
	}
	c.changed = c.changed[:0]
	if len(ids) == 0 {
		return nil
	}
	slices.SortFunc(ids, func(a, b uint32) int { return byBytes(c.known, a, b) })
	ids = slices.Compact(ids)
	return emit(len(c.final.SnapshotSchemas()), c.innerBatch(ids))
}

func (c *Chain) innerBatch(ids []uint32) *batch.Batch {
	b := batch.New(c.innerSchema())
	c.known.appendKeys(b.Cols, ids, nil)
	at, nk := len(c.known.schema), len(c.by)
	for _, id := range ids {
		in := &c.inner[id]
		if in.row == 0 {
			appendGone(b, at, 1)
			continue
		}
		appendBool(&b.Cols[len(b.Cols)-1], false)
		b.N++
		c.s.keys.appendKeys(b.Cols[at:at+nk], []uint32{c.s.group[in.slot]}, nil)
		r := int(in.row - 1)
		appendInts(&b.Cols[at+nk], c.rows.Cols[nk].Ints[r], 1)
		for i := range c.args {
			b.Cols[at+nk+1+i].AppendFrom(&c.rows.Cols[nk+2+i], r)
		}
	}
	return b
}

// Restore is as Final.Restore.
func (c *Chain) Restore(section int, b *batch.Batch) error {
	if section != len(c.final.SnapshotSchemas()) {
		err := c.final.Restore(section, b)
		for n := len(c.s.group); len(c.heads) < n; {
			c.heads, c.isStale = append(c.heads, 0), append(c.isStale, false)
		}
		return err
	}
	if err := checkColumns(b, c.innerSchema()); err != nil {
		return fmt.Errorf("section %d: %w", section, err)
	}
	if !c.final.begun {
		return fmt.Errorf("%w: section %d comes without a header", ErrVersion, section)
	}
	if max(c.live, c.final.held)+b.Len() > c.final.max {
		return c.final.room(b.Len())
	}
	at, nk := len(c.known.schema), len(c.by)
	identity, keys := firstColumns(at), make([]int, nk)
	for k := range keys {
		keys[k] = at + k
	}
	for k := range b.Len() {
		r := rowOf(b, k)
		c.key = batch.AppendKey(c.key[:0], b.Cols, identity, r)
		id := c.known.group(c.key)
		if int(id) == len(c.inner) {
			c.inner = append(c.inner, inner{})
		}
		if in := &c.inner[id]; in.row != 0 {
			c.unlink(id)
			in.row = 0
			c.live--
		}
		if isGone(b, r) {
			continue
		}
		if err := c.restoreInner(b, r, id, keys); err != nil {
			return err
		}
	}
	return nil
}

// restoreInner takes back the inner result in row r.
func (c *Chain) restoreInner(b *batch.Batch, r int, id uint32, keys []int) error {
	at, nk := len(c.known.schema)+len(c.by), len(c.by)
	t, err := numberAt(&b.Cols[at], r, -maxTime)
	if err != nil {
		return err
	}
	sl, ok := c.s.shape.sliceOf(t)
	if !ok {
		return fmt.Errorf("%w: row %d has the time %d", ErrBatch, r, t)
	}
	c.key = batch.AppendKey(c.key[:0], b.Cols, keys, r)
	p := c.s.panes[paneID{sl, sl.end}]
	group, known := c.s.keys.find(c.key)
	slot, held := uint32(0), false
	if p != nil && known {
		slot, held = p.index.get(group)
	}
	if !held {
		return fmt.Errorf("%w: row %d counts in a state that is not there", ErrBatch, r)
	}
	appendInts(&c.rows.Cols[nk], t, 1)
	for i := range c.args {
		c.rows.Cols[nk+2+i].AppendFrom(&b.Cols[at+1+i], r)
	}
	c.rows.N++
	in := &c.inner[id]
	*in = inner{row: uint32(c.rows.N), slot: slot, pane: p, next: c.heads[slot], saved: true}
	if in.next != 0 {
		c.inner[in.next-1].prev = id + 1
	}
	c.heads[slot] = id + 1
	c.live++
	return nil
}

// Resume is as Final.Resume.
func (c *Chain) Resume(fire, keep int64) { c.final.Resume(fire, keep) }
