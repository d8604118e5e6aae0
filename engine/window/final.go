package window

import (
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// Final merges partials into the states of windows and fires them, in the
// cloud. After an error of Restore, or of Advance (which is emit's), its state
// is unspecified: start again from a snapshot.
type Final struct {
	// constant
	shape    *shape
	cfg      FinalConfig
	partial  batch.Schema
	snapshot batch.Schema

	fire, keep int64 // the largest seen

	keys   *keyTable
	refs   []uint32 // by group: states of it
	live   int      // groups with states
	states *states
	meta   []meta   // by slot
	group  []uint32 // by slot
	free   []uint32 // slots

	panes   map[span]*pane
	byEnd   paneHeap // all panes
	pending paneHeap // panes with states that are to fire
	changed []*pane  // panes with states that are to be in the next snapshot
	last    *pane    // hit last

	tooLate int64
	out     *batch.Batch
	slots   []uint32 // scratch
	rows    []uint32 // scratch
	key     []byte   // scratch
}

// meta is what a state has beside its accumulators.
type meta struct {
	revision int64 // of the last firing; 0 = none
	pending  bool  // changed since
	changed  bool  // since the last snapshot
}

// pane holds the states of one slice.
type pane struct {
	span
	index     groupIndex
	slots     []uint32
	pending   []uint32 // slots
	changed   []uint32 // slots
	forgotten bool
}

// NewFinal checks the window.
func NewFinal(w *plan.Window, z *zone.Zone, cfg FinalConfig) (*Final, error) {
	s, err := newShape(w, z)
	if err != nil {
		return nil, err
	}
	if s.firstEnd >= 0 || s.gap != 0 {
		return nil, fmt.Errorf("window: %w: it runs one tumbling window per step; upgrade to a version that has the others", ErrUnsupported)
	}
	f := &Final{shape: s, cfg: cfg.withDefaults(), partial: s.partial, snapshot: s.snapshotSchema(),
		fire: math.MinInt64, keep: math.MinInt64, panes: map[span]*pane{}, out: batch.New(s.resultCols)}
	f.keys = newKeyTable(s.keys, bySQL)
	f.states, err = newStates(s)
	return f, err
}

// Merge takes a batch of the partial schema in. Partials of forgotten windows
// are dropped and counted. On an error nothing was taken.
func (f *Final) Merge(b *batch.Batch) error {
	if err := f.shape.checkPartials(b, f.partial); err != nil {
		return err
	}
	if err := f.checkRoom(b); err != nil {
		return err
	}
	slots, rows := f.slots[:0], f.rows[:0]
	nk := len(f.shape.keys)
	for k := range b.Len() {
		r := rowOf(b, k)
		sl := span{b.Cols[nk].Ints[r], b.Cols[nk+1].Ints[r]}
		if f.isForgotten(sl.end) {
			f.tooLate++
			continue
		}
		p, slot := f.slotOf(b, r, sl)
		f.touch(p, slot, true)
		slots, rows = append(slots, slot), append(rows, uint32(r))
	}
	f.slots, f.rows = slots, rows
	f.states.merge(slots, b.Cols, rows)
	return nil
}

// checkRoom tells whether the states of b fit below MaxStates.
func (f *Final) checkRoom(b *batch.Batch) error {
	if f.States()+b.Len() <= f.cfg.MaxStates {
		return nil
	}
	nk, fresh := len(f.shape.keys), 0
	by := firstColumns(nk)
	for k := range b.Len() {
		r := rowOf(b, k)
		sl := span{b.Cols[nk].Ints[r], b.Cols[nk+1].Ints[r]}
		if f.isForgotten(sl.end) {
			continue
		}
		if p := f.panes[sl]; p != nil {
			f.key = batch.AppendKey(f.key[:0], b.Cols, by, r)
			if group, ok := f.keys.find(f.key); ok {
				if _, ok := p.index.get(group); ok {
					continue
				}
			}
		}
		fresh++
	}
	if f.States()+fresh > f.cfg.MaxStates {
		return fmt.Errorf("%w: %d held, %d more, the limit is %d: use larger windows or fewer keys, or raise the limit", ErrFull, f.States(), fresh, f.cfg.MaxStates)
	}
	return nil
}

// slotOf gives the pane and slot of row r, made if need be.
func (f *Final) slotOf(b *batch.Batch, r int, sl span) (*pane, uint32) {
	p := f.last
	if p == nil || p.span != sl {
		if p = f.panes[sl]; p == nil {
			p = &pane{span: sl}
			f.panes[sl] = p
			f.byEnd.push(p)
		}
		f.last = p
	}
	by := firstColumns(len(f.shape.keys))
	f.key = batch.AppendKey(f.key[:0], b.Cols, by, r)
	group := f.keys.group(f.key)
	if slot, ok := p.index.get(group); ok {
		return p, slot
	}
	var slot uint32
	if n := len(f.free); n > 0 {
		slot, f.free = f.free[n-1], f.free[:n-1]
		f.meta[slot], f.group[slot] = meta{}, group
	} else {
		slot = uint32(len(f.meta))
		f.meta, f.group = append(f.meta, meta{}), append(f.group, group)
		f.states.grow(len(f.meta))
	}
	for int(group) >= len(f.refs) {
		f.refs = append(f.refs, 0)
	}
	if f.refs[group]++; f.refs[group] == 1 {
		f.live++
	}
	p.index.put(group, slot)
	p.slots = append(p.slots, slot)
	return p, slot
}

// touch marks a state as changed and, with pending, as to be fired.
func (f *Final) touch(p *pane, slot uint32, pending bool) {
	m := &f.meta[slot]
	if pending && !m.pending {
		m.pending = true
		if len(p.pending) == 0 {
			f.pending.push(p)
		}
		p.pending = append(p.pending, slot)
	}
	if !m.changed {
		m.changed = true
		if len(p.changed) == 0 {
			f.changed = append(f.changed, p)
		}
		p.changed = append(p.changed, slot)
	}
}

// firesAt is the watermark at which windows that end at end fire.
func (f *Final) firesAt(end int64) int64 {
	if f.cfg.LastOnly {
		return f.shape.lastWatermark(end)
	}
	return end
}

// isForgotten tells whether nothing more is kept of windows that end at end.
func (f *Final) isForgotten(end int64) bool {
	last := f.shape.lastWatermark(end)
	return last <= f.keep || f.cfg.LastOnly && last <= f.fire
}

// FireableAt is the lowest fire watermark at which Advance has something to emit.
func (f *Final) FireableAt() (watermark int64, ok bool) {
	if len(f.pending) == 0 {
		return 0, false
	}
	return f.firesAt(f.pending[0].end), true
}

// TooLate counts the partials dropped because their window was forgotten.
func (f *Final) TooLate() int64 { return f.tooLate }

// States is the number of (key, window) states held.
func (f *Final) States() int { return len(f.meta) - len(f.free) }

// SizeBytes estimates the memory held.
func (f *Final) SizeBytes() int {
	n := f.keys.sizeBytes() + f.states.sizeBytes() + f.out.SizeBytes()
	n += 4*(cap(f.refs)+cap(f.group)+cap(f.free)+cap(f.slots)+cap(f.rows)) + 16*cap(f.meta)
	for _, p := range f.byEnd {
		n += 200 + p.index.sizeBytes() + 4*(cap(p.slots)+cap(p.pending)+cap(p.changed))
	}
	return n
}
