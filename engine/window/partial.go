package window

import (
	"fmt"
	"math"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// Partial makes rows into partials, one per key and slice, on the edge.
type Partial struct {
	// constant
	shape  *shape
	cfg    PartialConfig
	in     batch.Schema
	schema batch.Schema
	by     []int // key columns of the row batch
	time   int   // its event time
	str    int   // its key column, where there is only one and it holds strings; else -1

	keys     *keyTable
	states   *states
	next     int             // slots [0, next) are in use
	groupOf  []uint32        // by slot
	slices   []*slice        // pending, in order of first sight
	bySpan   map[span]*slice // pending
	cur, old *slice          // those hit last; nil = none
	none     slice           // of no time
	spare    []*slice        // empty ones to use again
	codes    groupCache      // of the string key
	slots    []uint32        // scratch: slot by counted row
	rows     []uint32        // scratch: the counted rows
	key      []byte          // scratch
	order    []uint32        // scratch
	newest   int64           // largest slice end ever pending; math.MinInt64 = none
	late     int64
	invalid  int64
	resets   int64
}

// slice is a slice of time with pending partials.
type slice struct {
	span
	lateFrom int64 // rows are late from this watermark on
	index    groupIndex
	slots    []uint32
}

// groupCache remembers the group of each code of one Dict.
type groupCache struct {
	dict  *batch.Dict
	group []uint32 // by code: group+1; 0 = not known yet
}

// maxSpare is how many slices' memory is kept for the next ones.
const maxSpare = 4

// NewPartial checks the window against the schema of the rows that it will be given.
func NewPartial(w *plan.Window, z *zone.Zone, in batch.Schema, cfg PartialConfig) (*Partial, error) {
	s, err := newShape(w, z)
	if err != nil {
		return nil, err
	}
	if s.firstEnd >= 0 || s.gap != 0 {
		return nil, fmt.Errorf("window: %w: it runs one tumbling window per step; upgrade to a version that has the others", ErrUnsupported)
	}
	p := &Partial{shape: s, cfg: cfg.withDefaults(), in: in, schema: s.partial, time: int(w.TimeColumn), str: -1, bySpan: map[span]*slice{}, newest: math.MinInt64}
	if p.time >= len(in) || in[p.time].Type != batch.Timestamp {
		return nil, fmt.Errorf("%w: event time is column %d, which is no timestamp of the input", ErrPlan, p.time)
	}
	if len(w.KeyColumns) != len(s.keys) {
		return nil, fmt.Errorf("%w: %d key columns for %d keys", ErrPlan, len(w.KeyColumns), len(s.keys))
	}
	for i, k := range w.KeyColumns {
		if int(k) >= len(in) || in[k].Type != s.keys[i].Type {
			return nil, fmt.Errorf("%w: key %q is column %d, which is no %s of the input", ErrPlan, s.keys[i].Name, k, s.keys[i].Type)
		}
		p.by = append(p.by, int(k))
	}
	for i, a := range s.accs {
		if a.column >= 0 && (a.column >= len(in) || in[a.column].Type != a.spec.In) {
			return nil, fmt.Errorf("%w: accumulator %d takes column %d, which is no %s of the input", ErrPlan, i, a.column, a.spec.In)
		}
	}
	if len(p.by) == 1 && s.keys[0].Type == batch.String {
		p.str = p.by[0]
	}
	p.keys = newKeyTable(s.keys, byBytes)
	p.states, err = newStates(s)
	return p, err
}

// Process takes the counting rows of b in. watermarks[i] is the watermark that
// the rows before row i (of b.N) made at their source, math.MinInt64 for none;
// nil = none for any row. Late rows are dropped and counted.
func (p *Partial) Process(b *batch.Batch, watermarks []int64) error {
	if len(b.Cols) < len(p.in) {
		return fmt.Errorf("%w: %d columns, want %d", ErrBatch, len(b.Cols), len(p.in))
	}
	for i := range p.in {
		if b.Cols[i].Type != p.in[i].Type {
			return fmt.Errorf("%w: column %d (%s) is %s, want %s", ErrBatch, i, p.in[i].Name, b.Cols[i].Type, p.in[i].Type)
		}
	}
	if watermarks != nil && len(watermarks) < b.N {
		return fmt.Errorf("%w: %d watermarks for %d rows", ErrBatch, len(watermarks), b.N)
	}
	slots, rows := p.assign(b, watermarks)
	p.states.grow(p.next)
	p.states.add(slots, b, b.Cols[p.time].Ints, rows)
	return nil
}

// sliceAt gives the pending slice, made if need be.
func (p *Partial) sliceAt(sl span) *slice {
	if s := p.old; s != nil && s.span == sl {
		p.cur, p.old = s, p.cur
		return s
	}
	s := p.bySpan[sl]
	if s == nil {
		if n := len(p.spare); n > 0 {
			s, p.spare = p.spare[n-1], p.spare[:n-1]
		} else {
			s = new(slice)
		}
		s.span, s.lateFrom = sl, p.shape.lastWatermark(sl.end)
		p.newest = max(p.newest, sl.end)
		p.bySpan[sl] = s
		p.slices = append(p.slices, s)
	}
	p.cur, p.old = s, p.cur
	return s
}

// slotOf gives the slot of a group in a slice, made if need be.
func (p *Partial) slotOf(s *slice, group uint32) uint32 {
	if slot, ok := s.index.get(group); ok {
		return slot
	}
	slot := uint32(p.next)
	p.next++
	p.groupOf = append(p.groupOf, group)
	s.index.put(group, slot)
	s.slots = append(s.slots, slot)
	return slot
}

// Merge takes a partial batch back in, as Drain made it. Nothing is late for it. On an
// error nothing was taken.
func (p *Partial) Merge(b *batch.Batch) error {
	if err := p.shape.checkPartials(b, p.schema); err != nil {
		return err
	}
	nk := len(p.shape.keys)
	by := firstColumns(nk)
	slots, rows := p.slots[:0], p.rows[:0]
	for k := range b.Len() {
		r := rowOf(b, k)
		p.key = batch.AppendKey(p.key[:0], b.Cols, by, r)
		group := p.keys.group(p.key)
		s := p.sliceAt(span{b.Cols[nk].Ints[r], b.Cols[nk+1].Ints[r]})
		slots, rows = append(slots, p.slotOf(s, group)), append(rows, uint32(r))
	}
	p.slots, p.rows = slots, rows
	p.states.grow(p.next)
	p.states.merge(slots, b.Cols, rows)
	return nil
}

// Drain appends all pending partials to dst, a batch of the partial schema, in
// order of slice end, then of the keys' bytes (batch.AppendKey), and is empty afterwards.
func (p *Partial) Drain(dst *batch.Batch) {
	renewDicts(dst)
	slices.SortFunc(p.slices, func(a, b *slice) int { return a.compare(b.span) })
	nk, order := len(p.shape.keys), p.order[:0]
	for _, s := range p.slices {
		p.keys.order(s.slots, p.groupOf)
		order = append(order, s.slots...)
		appendInts(&dst.Cols[nk], s.start, len(s.slots))
		appendInts(&dst.Cols[nk+1], s.end, len(s.slots))
	}
	p.keys.appendKeys(dst.Cols, order, p.groupOf)
	p.states.appendTo(dst.Cols, order)
	dst.N += len(order)
	p.states.clear(order)
	p.order = order
	p.forget()
}

// forget empties everything but the accumulators and gives memory back that grew too large.
func (p *Partial) forget() {
	for _, s := range p.slices {
		if len(p.spare) < maxSpare {
			s.index.reset()
			s.slots = s.slots[:0]
			p.spare = append(p.spare, s)
		}
	}
	clear(p.slices)
	clear(p.bySpan)
	p.slices, p.cur, p.old = p.slices[:0], nil, nil
	if p.next > p.cfg.KeepKeys {
		p.spare, p.groupOf, p.slots, p.rows, p.order = nil, nil, nil, nil, nil
		if fresh, err := newStates(p.shape); err == nil {
			p.states = fresh
		}
	}
	p.next, p.groupOf = 0, p.groupOf[:0]
	if n := p.keys.len(); n > p.cfg.KeepKeys || n >= p.cfg.MaxGroups || len(p.keys.arena) > p.cfg.KeepKeyBytes {
		p.keys, p.codes = newKeyTable(p.shape.keys, byBytes), groupCache{}
		p.resets++
	}
}

// Full asks the caller to Drain before the next Process: MaxGroups is reached.
func (p *Partial) Full() bool { return p.next >= p.cfg.MaxGroups || p.keys.len() >= p.cfg.MaxGroups }

// Rows is the number of pending partials.
func (p *Partial) Rows() int { return p.next }

// NewestSliceEnd is the largest slice end of the partials so far, drained ones included; math.MinInt64 if there were none.
func (p *Partial) NewestSliceEnd() int64 { return p.newest }

// Saw tells of a row that was taken before a restart.
func (p *Partial) Saw(eventTime int64) {
	if sl, ok := p.shape.sliceOf(eventTime); ok {
		p.newest = max(p.newest, sl.end)
	}
}

// Late counts the rows dropped because they were late.
func (p *Partial) Late() int64 { return p.late }

// Invalid counts the rows dropped for a null or absurd event time, which the caller should have rejected.
func (p *Partial) Invalid() int64 { return p.invalid }

// KeyResets counts how often the known keys were forgotten because they grew beyond KeepKeys or KeepKeyBytes.
func (p *Partial) KeyResets() int64 { return p.resets }

// SizeBytes estimates the memory held.
func (p *Partial) SizeBytes() int {
	n := p.keys.sizeBytes() + p.states.sizeBytes() + 4*(cap(p.groupOf)+cap(p.codes.group)+cap(p.slots)+cap(p.rows)+cap(p.order))
	for _, list := range [][]*slice{p.slices, p.spare} {
		for _, s := range list {
			n += 128 + s.index.sizeBytes() + 4*cap(s.slots)
		}
	}
	return n
}

func firstColumns(n int) []int {
	by := make([]int, n)
	for i := range by {
		by[i] = i
	}
	return by
}
