package window

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// Chain is a window over the results of another window. It keeps the latest
// revision of each of these, and where one of them changes or is taken back, it computes the states
// that it counted in anew. Its event time is the inner window's end - 1 us. After an error of Process that is not
// ErrFull, of Restore or of Advance, its state is unspecified: start again from a snapshot.
type Chain struct {
	// constant
	in       batch.Schema
	identity []int // columns that tell inner results apart
	by       []int // key columns
	time     int
	args     []int // columns that the accumulators take

	final *Final
	s     *sliced

	known *keyTable // identities
	inner []inner   // by identity
	heads []uint32  // by slot: identity+1 of its first inner result; 0 = none
	rows  *batch.Batch
	live  int // inner results that count

	stale   []uint32 // slots to compute anew
	isStale []bool   // by slot
	changed []uint32 // identities that changed since the last snapshot

	key         []byte   // scratch
	slots, from []uint32 // scratch
	times       []int64  // scratch
}

// inner is a result of the inner window.
type inner struct {
	row        uint32 // row+1 of its latest revision; 0 = there is none
	slot       uint32 // where it counts
	next, prev uint32 // identity+1 of others that count there
	pane       *pane
	changed    bool // since the last snapshot
	saved      bool // a snapshot has it
}

// NewChain checks the window, whose zone is z (nil = UTC), against the schema of the results that it will be given.
func NewChain(w *plan.Window, z *zone.Zone, in batch.Schema, cfg FinalConfig) (*Chain, error) {
	s, err := newShape(w, z)
	if err != nil {
		return nil, err
	}
	if s.gap != 0 {
		return nil, fmt.Errorf("window over the results of a window: %w: sessions; use another window there", ErrUnsupported)
	}
	c := &Chain{in: in, time: int(w.TimeColumn), args: s.arguments, rows: batch.New(s.rows)}
	if c.time >= len(in) || in[c.time].Type != batch.Timestamp {
		return nil, fmt.Errorf("%w: event time is column %d, which is no timestamp of the input", ErrPlan, c.time)
	}
	if len(w.KeyColumns) != len(s.keys) {
		return nil, fmt.Errorf("%w: %d key columns for %d keys", ErrPlan, len(w.KeyColumns), len(s.keys))
	}
	for i, k := range w.KeyColumns {
		if int(k) >= len(in) || in[k].Type != s.keys[i].Type {
			return nil, fmt.Errorf("%w: key %q is column %d, which is no %s of the input", ErrPlan, s.keys[i].Name, k, s.keys[i].Type)
		}
		c.by = append(c.by, int(k))
	}
	for i, a := range s.accs {
		if a.column >= 0 && (a.column >= len(in) || in[a.column].Type != a.spec.In) {
			return nil, fmt.Errorf("%w: accumulator %d takes column %d, which is no %s of the input", ErrPlan, i, a.column, a.spec.In)
		}
	}
	var identity batch.Schema
	for i, k := range w.Identity {
		if int(k) >= len(in) {
			return nil, fmt.Errorf("%w: column %d of %d tells inner results apart", ErrPlan, k, len(in))
		}
		c.identity = append(c.identity, int(k))
		identity = append(identity, batch.Field{Name: fmt.Sprintf("_inner_%d", i), Type: in[k].Type})
	}
	if len(identity) < 2 {
		return nil, fmt.Errorf("%w: %d columns tell inner results apart", ErrPlan, len(identity))
	}
	c.known = newKeyTable(identity, byBytes)
	if c.final, err = newFinal(s, cfg); err != nil {
		return nil, err
	}
	c.s = c.final.windows.(*sliced)
	c.s.retracts, c.s.onForget = true, c.forget
	return c, nil
}

// Process takes the counting rows of a batch of inner results in, deleted ones included. Those that can change no window any
// more are dropped and counted. With ErrFull nothing was taken.
func (c *Chain) Process(b *batch.Batch) error {
	if err := c.check(b); err != nil {
		return err
	}
	slots, rows := c.slots[:0], c.from[:0]
	c.times = append(c.times[:0], make([]int64, b.N)...)
	for k := range b.Len() {
		r := rowOf(b, k)
		id := c.idOf(b, r)
		if b.Deleted != nil && b.Deleted.Get(r) {
			c.detach(id)
			continue
		}
		c.times[r] = b.Cols[c.time].Ints[r] - 1
		sl, _ := c.s.shape.sliceOf(c.times[r])
		pane := paneID{sl, sl.end}
		if c.s.tooLate(pane) {
			c.final.tooLate++
			continue
		}
		c.detach(id)
		slot := c.attach(id, pane, c.groupOf(b, r), c.append(b, r))
		if !c.isStale[slot] {
			slots, rows = append(slots, slot), append(rows, uint32(r))
		}
	}
	c.slots, c.from = slots, rows
	if len(slots) > 0 {
		c.s.states.add(slots, b, c.times, rows)
	}
	return nil
}

// check tells whether a batch fits the schema and the limit.
func (c *Chain) check(b *batch.Batch) error {
	if len(b.Cols) < len(c.in) {
		return fmt.Errorf("%w: %d columns, want %d", ErrBatch, len(b.Cols), len(c.in))
	}
	for i := range c.in {
		if b.Cols[i].Type != c.in[i].Type {
			return fmt.Errorf("%w: column %d (%s) is %s, want %s", ErrBatch, i, c.in[i].Name, b.Cols[i].Type, c.in[i].Type)
		}
	}
	for k := range b.Len() {
		r := rowOf(b, k)
		if _, ok := c.s.shape.sliceOf(b.Cols[c.time].Ints[r] - 1); !ok || b.Cols[c.time].Null(r) {
			return fmt.Errorf("%w: row %d has no end of its window", ErrBatch, r)
		}
	}
	if max(c.live, c.final.held)+b.Len() > c.final.max {
		return fmt.Errorf("%w: %d inner results and %d states held, %d results more, the limit is %d: use smaller windows or fewer keys, or raise the limit", ErrFull, c.live, c.final.held, b.Len(), c.final.max)
	}
	return nil
}

// idOf is the number of the inner result in row r.
func (c *Chain) idOf(b *batch.Batch, r int) uint32 {
	c.key = batch.AppendKey(c.key[:0], b.Cols, c.identity, r)
	id := c.known.group(c.key)
	if int(id) == len(c.inner) {
		c.inner = append(c.inner, inner{})
	}
	return id
}

func (c *Chain) groupOf(b *batch.Batch, r int) uint32 {
	c.key = batch.AppendKey(c.key[:0], b.Cols, c.by, r)
	return c.s.keys.group(c.key)
}

// append keeps what the accumulators need of row r and gives the number of the row kept.
func (c *Chain) append(b *batch.Batch, r int) uint32 {
	nk := len(c.by)
	appendInts(&c.rows.Cols[nk], c.times[r], 1)
	for i, at := range c.args {
		c.rows.Cols[nk+2+i].AppendFrom(&b.Cols[at], r)
	}
	c.rows.N++
	return uint32(c.rows.N - 1)
}

// detach takes an inner result out of the state that it counts in.
func (c *Chain) detach(id uint32) {
	in := &c.inner[id]
	if in.row == 0 {
		return
	}
	c.unlink(id)
	in.row = 0
	c.live--
	c.note(id)
	if !c.isStale[in.slot] {
		c.isStale[in.slot] = true
		c.stale = append(c.stale, in.slot)
	}
	c.s.touch(in.pane, in.slot)
}

func (c *Chain) unlink(id uint32) {
	in := &c.inner[id]
	if in.prev == 0 {
		c.heads[in.slot] = in.next
	} else {
		c.inner[in.prev-1].next = in.next
	}
	if in.next != 0 {
		c.inner[in.next-1].prev = in.prev
	}
	in.next, in.prev = 0, 0
}

// attach makes an inner result count in a pane, with a row that was kept.
func (c *Chain) attach(id uint32, at paneID, group, row uint32) (slot uint32) {
	p := c.s.paneOf(at)
	slot = c.s.state(p, group)
	for int(slot) >= len(c.heads) {
		c.heads, c.isStale = append(c.heads, 0), append(c.isStale, false)
	}
	in := &c.inner[id]
	in.row, in.slot, in.pane, in.next = row+1, slot, p, c.heads[slot]
	if in.next != 0 {
		c.inner[in.next-1].prev = id + 1
	}
	c.heads[slot] = id + 1
	c.live++
	c.note(id)
	c.s.touch(p, slot)
	c.s.marks[slot] &^= markGone
	return slot
}

func (c *Chain) note(id uint32) {
	if in := &c.inner[id]; !in.changed {
		in.changed = true
		c.changed = append(c.changed, id)
	}
}

// refresh computes the stale states anew, from their inner results in the order of their identities.
func (c *Chain) refresh() {
	if len(c.stale) == 0 {
		return
	}
	c.s.states.clear(c.stale)
	slots, rows := c.slots[:0], c.from[:0]
	var ids []uint32
	for _, slot := range c.stale {
		c.isStale[slot] = false
		ids = ids[:0]
		for at := c.heads[slot]; at != 0; at = c.inner[at-1].next {
			ids = append(ids, at-1)
		}
		if len(ids) == 0 {
			c.s.marks[slot] |= markGone
			continue
		}
		slices.SortFunc(ids, func(a, b uint32) int { return bytes.Compare(c.known.bytes(a), c.known.bytes(b)) })
		for _, id := range ids {
			slots, rows = append(slots, slot), append(rows, c.inner[id].row-1)
		}
	}
	c.stale = c.stale[:0]
	c.slots, c.from = slots, rows
	if len(slots) > 0 {
		c.final.store.addRows(slots, c.rows, c.rows.Cols[len(c.by)].Ints, rows)
	}
}

// forget drops the inner results of a pane.
func (c *Chain) forget(p *pane) {
	for _, slot := range p.slots {
		for at := c.heads[slot]; at != 0; {
			in := &c.inner[at-1]
			at = in.next
			*in = inner{}
			c.live--
		}
		c.heads[slot] = 0
	}
}

// Advance moves the watermarks and emits results as Final.Advance does. A key that has nothing in a window any more gives a
// deleted row.
func (c *Chain) Advance(fire, keep int64, emit func(*batch.Batch) error) error {
	c.refresh()
	err := c.final.Advance(fire, keep, emit)
	if c.rows.N > 1024+2*c.live || c.known.len() > 1024+2*c.live {
		c.compact()
	}
	return err
}

// compact forgets the inner results that are no more, but for those that the next snapshot must take back.
func (c *Chain) compact() {
	known, old, rows := c.known, c.inner, c.rows
	c.known, c.inner, c.rows = newKeyTable(known.schema, byBytes), nil, batch.New(c.s.shape.rows)
	moved := make([]uint32, len(old)) // new number+1
	nk := len(c.by)
	for id := range old {
		in := old[id]
		if in.row == 0 && !(in.changed && in.saved) {
			continue
		}
		moved[id] = c.known.group(known.bytes(uint32(id))) + 1
		if in.row != 0 {
			appendInts(&c.rows.Cols[nk], rows.Cols[nk].Ints[in.row-1], 1)
			for i := range c.args {
				c.rows.Cols[nk+2+i].AppendFrom(&rows.Cols[nk+2+i], int(in.row-1))
			}
			c.rows.N++
			in.row = uint32(c.rows.N)
		}
		c.inner = append(c.inner, in)
	}
	renumber := func(at *uint32) {
		if *at != 0 {
			*at = moved[*at-1]
		}
	}
	for i := range c.inner {
		renumber(&c.inner[i].next)
		renumber(&c.inner[i].prev)
	}
	for i := range c.heads {
		renumber(&c.heads[i])
	}
	changed := c.changed[:0]
	for _, id := range c.changed {
		if moved[id] != 0 {
			changed = append(changed, moved[id]-1)
		}
	}
	c.changed = changed
}

// FireableAt is the lowest fire watermark at which Advance may have something to emit.
func (c *Chain) FireableAt() (watermark int64, ok bool) {
	c.refresh()
	return c.final.FireableAt()
}

// TooLate counts the inner results dropped because their windows were forgotten.
func (c *Chain) TooLate() int64 { return c.final.tooLate }

// States is the number of states and inner results held.
func (c *Chain) States() int { return c.final.held + c.live }

// SizeBytes estimates the memory held.
func (c *Chain) SizeBytes() int {
	return c.final.SizeBytes() + c.known.sizeBytes() + c.rows.SizeBytes() + 32*cap(c.inner) +
		4*(cap(c.heads)+cap(c.stale)+cap(c.changed)+cap(c.slots)+cap(c.from)) + cap(c.isStale) + 8*cap(c.times)
}
