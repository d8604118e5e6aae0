package window

import (
	"cmp"
	"math"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// sliced are the windows of a Final that are made of slices: all but sessions.
type sliced struct {
	*store
	cfg        FinalConfig
	fire, keep int64 // the largest seen
	epoch      int64 // counts the times that something was emitted

	touched []int64 // by slot: the epoch of the last change
	marks   []uint8 // by slot

	panes        map[paneID]*pane
	spare        []*pane // empty ones to use again
	order        sorted[paneID, *pane]
	touchedPanes []*pane // with fresh slots
	changed      []*pane // with changed slots

	windows sorted[span, *emitted] // by end; those that may change again
	due     []*emitted             // with dirty groups, or never emitted, though they are to be
	grids   []grid
	sliders []slider // by grid

	goneStates, goneWindows *batch.Batch // for the next snapshot

	retracts bool        // states may be gone
	onForget func(*pane) // nil = nobody wants to know

	any     bool     // something was emitted in this Advance
	at      []uint32 // scratch, by group: a position+1; all 0 between uses
	scratch scratch
	walked  []*pane  // scratch
	slots   []uint32 // scratch
	rows    []uint32 // scratch
	walker  walk     // scratch
}

// spareSlots bounds the slots of a pane whose memory is kept for another.
const spareSlots = 1 << 14

// Bits of marks.
const (
	markChanged = 1 << iota // since the last snapshot
	markFresh               // since the last Advance
	markGone                // the state counts nothing
)

func newSliced(st *store, cfg FinalConfig) *sliced {
	f := &sliced{store: st, cfg: cfg, fire: math.MinInt64, keep: math.MinInt64, panes: map[paneID]*pane{}}
	f.order.compare, f.windows.compare = paneID.compare, span.compare
	f.grids = st.shape.grids()
	f.sliders = make([]slider, len(f.grids))
	return f
}

// less is a-b that stops at the least time.
func less(a, b int64) int64 {
	if a < math.MinInt64+b {
		return math.MinInt64
	}
	return a - b
}

// fired is the end up to which windows have been fired.
func (f *sliced) fired() int64 {
	if f.cfg.LastOnly {
		return less(max(f.fire, f.keep), f.shape.lateness)
	}
	return max(f.fire, less(f.keep, f.shape.lateness))
}

// forgotten is the end up to which nothing is kept of windows.
func (f *sliced) forgotten() int64 {
	if f.cfg.LastOnly {
		return f.fired()
	}
	return less(f.keep, f.shape.lateness)
}

// tooLate tells whether no window that counts the pane can change any more.
func (f *sliced) tooLate(id paneID) bool {
	if f.panes[id] != nil {
		return false
	}
	return f.shape.lastEnd(id.span) <= f.forgotten()
}

// paneOf gives the pane, made if need be.
func (f *sliced) paneOf(id paneID) *pane {
	p := f.panes[id]
	if p == nil {
		if n := len(f.spare); n > 0 {
			p, f.spare = f.spare[n-1], f.spare[:n-1]
		} else {
			p = new(pane)
		}
		p.paneID, p.last = id, f.shape.lastEnd(id.span)
		f.panes[id] = p
		f.order.insert(p)
	}
	return p
}

// state gives the slot of a group in a pane, made if need be.
func (f *sliced) state(p *pane, group uint32) uint32 {
	if slot, ok := p.index.get(group); ok {
		return slot
	}
	slot := f.hold(group)
	for int(slot) >= len(f.marks) {
		f.marks, f.touched = append(f.marks, 0), append(f.touched, 0)
	}
	f.marks[slot], f.touched[slot] = 0, 0
	p.index.put(group, slot)
	p.slots = append(p.slots, slot)
	return slot
}

// has tells whether there is a state for the key in row r of b.
func (f *sliced) has(id paneID, b *batch.Batch, r int) bool {
	p := f.panes[id]
	if p == nil {
		return false
	}
	group, ok := f.find(b, r)
	if ok {
		_, ok = p.index.get(group)
	}
	return ok
}

// touch notes that a state has changed.
func (f *sliced) touch(p *pane, slot uint32) {
	f.touched[slot] = f.epoch
	m := f.marks[slot]
	if m&markChanged == 0 {
		m |= markChanged
		if len(p.changed) == 0 {
			f.changed = append(f.changed, p)
		}
		p.changed = append(p.changed, slot)
	}
	if m&markFresh == 0 && (f.shape.early > 0 || p.end <= f.fired()) {
		m |= markFresh
		if len(p.fresh) == 0 {
			f.touchedPanes = append(f.touchedPanes, p)
		}
		p.fresh = append(p.fresh, slot)
	}
	f.marks[slot] = m
}

// settle tells the windows that were emitted, and the sliders, of the states that changed since.
func (f *sliced) settle() {
	for _, p := range f.touchedPanes {
		for i := range f.grids {
			f.sliders[i].stale(f, p)
			f.markEnded(&f.grids[i], p)
		}
		f.markOpen(p)
		for _, s := range p.fresh {
			f.marks[s] &^= markFresh
		}
		p.fresh = p.fresh[:0]
	}
	clear(f.touchedPanes)
	f.touchedPanes = f.touchedPanes[:0]
}

// markEnded makes the ended windows of a grid due that count a fresh pane.
func (f *sliced) markEnded(g *grid, p *pane) {
	fired, forgotten := f.fired(), f.forgotten()
	for k := g.after(max(p.start, forgotten)); ; k++ {
		w := g.window(k)
		if w.start > p.start || w.end > fired {
			return
		}
		if w.start == w.end || w.end < p.first {
			continue
		}
		e, ok := f.windows.get(w)
		if !ok {
			e = &emitted{span: w}
			f.windows.insert(e)
		}
		f.markFresh(e, p)
		if !e.due {
			e.due = true
			f.due = append(f.due, e)
		}
	}
}

// markOpen marks the windows that were emitted before their end and count a fresh pane.
func (f *sliced) markOpen(p *pane) {
	if f.shape.early == 0 {
		return
	}
	for _, e := range f.windows.items[f.windows.search(span{math.MinInt64, f.fired() + 1}):] {
		if e.start <= p.start && e.end >= p.first {
			f.markFresh(e, p)
		}
	}
}

func (f *sliced) markFresh(e *emitted, p *pane) {
	if e.revision == 0 {
		return
	}
	for _, s := range p.fresh {
		e.mark(f.group[s])
	}
}

// panesOf are the panes that a window counts.
func (f *sliced) panesOf(w span, dst []*pane) []*pane {
	dst = dst[:0]
	for _, p := range f.order.items[f.order.search(paneID{span{w.start, math.MinInt64}, math.MinInt64}):] {
		if p.start >= w.end {
			break
		}
		if p.first <= w.end {
			dst = append(dst, p)
		}
	}
	return dst
}

// forget drops the panes and windows that cannot change any more.
func (f *sliced) forget() {
	forgotten := f.forgotten()
	n := 0
	for n < len(f.windows.items) && f.windows.items[n].end <= forgotten {
		n++
	}
	f.sayGone(nil, f.windows.items[:n])
	f.windows.drop(n)
	n = 0
	for ; n < len(f.order.items) && f.order.items[n].last <= forgotten; n++ {
		p := f.order.items[n]
		delete(f.panes, p.paneID)
		f.sayGone(f.order.items[n:n+1], nil)
		if f.onForget != nil {
			f.onForget(p)
		}
		f.drop(p.slots)
		p.slots = p.slots[:0]
	}
	if n == 0 {
		return
	}
	f.changed = slices.DeleteFunc(f.changed, func(p *pane) bool { return len(p.slots) == 0 })
	for _, p := range f.order.items[:n] {
		if len(f.spare) == maxSpare || cap(p.slots) > spareSlots {
			break
		}
		p.index.reset()
		p.fresh, p.changed = p.fresh[:0], p.changed[:0]
		f.spare = append(f.spare, p)
	}
	f.order.drop(n)
	if f.crowded() {
		f.regroup()
	}
}

// regroup forgets the keys that nothing needs.
func (f *sliced) regroup() {
	dirty := map[uint32]bool{}
	for _, e := range f.windows.items {
		for _, g := range e.dirty {
			dirty[g] = true
		}
	}
	moved := f.compact(func(g uint32) bool { return dirty[g] })
	for _, p := range f.order.items {
		p.index = groupIndex{}
		for _, s := range p.slots {
			f.group[s] = moved[f.group[s]]
			p.index.put(f.group[s], s)
		}
	}
	for _, e := range f.windows.items {
		old := e.dirty
		e.clean()
		for _, g := range old {
			e.mark(moved[g])
		}
	}
	for i := range f.sliders {
		f.sliders[i].reset(f.store)
	}
	f.at = nil
}

func (f *sliced) sizeBytes() int {
	n := f.store.sizeBytes() + 8*cap(f.touched) + cap(f.marks) + 4*cap(f.at) + f.scratch.sizeBytes()
	for _, p := range f.order.items {
		n += 260 + p.index.sizeBytes() + 4*(cap(p.slots)+cap(p.fresh)+cap(p.changed))
	}
	for _, e := range f.windows.items {
		n += 120 + e.inDirty.sizeBytes() + 4*cap(e.dirty)
	}
	for i := range f.sliders {
		n += f.sliders[i].sizeBytes()
	}
	return n
}

// sortDue puts the windows that are due in order.
func (f *sliced) sortDue() {
	slices.SortFunc(f.due, func(a, b *emitted) int { return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.start, b.start)) })
}
