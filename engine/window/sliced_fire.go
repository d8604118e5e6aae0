package window

import (
	"math"
	"slices"
)

// advance moves the watermarks and fires what is due: first the windows that ended before and changed since,
// then those that end now, then, where asked for, those that have not ended; each in order of their ends.
func (f *sliced) advance(fire, keep int64, out *resultBatch) error {
	before, early := f.fired(), f.fire
	f.settle()
	f.fire, f.keep = max(f.fire, fire), max(f.keep, keep)
	f.any = false
	f.sortDue()
	for _, e := range f.due {
		e.due = false
		if err := f.fireWindow(f.gridOf(e.span), e.span, false, out); err != nil {
			return err
		}
	}
	clear(f.due)
	f.due = f.due[:0]
	w := f.walkAfter(before)
	for ; w.ok && w.span.end <= f.fired(); w.next() {
		if err := f.fireWindow(w.grid, w.span, true, out); err != nil {
			return err
		}
	}
	for early := f.shape.earlyBetween(f.cfg, early, f.fire); early && w.ok; w.next() {
		if err := f.fireWindow(w.grid, w.span, false, out); err != nil {
			return err
		}
	}
	if err := out.flush(); err != nil {
		return err
	}
	f.forget()
	if f.any {
		f.epoch++
	}
	return nil
}

// earlyBetween tells whether the watermark passed a time at which unfinished windows are emitted.
func (s *shape) earlyBetween(cfg FinalConfig, from, to int64) bool {
	every := s.early
	return every > 0 && !cfg.LastOnly && from != math.MinInt64 && floor(from, every) < floor(to, every)
}

// fireable is the lowest watermark at which advance has something to emit.
func (f *sliced) fireable() (watermark int64, ok bool) {
	f.settle()
	f.sortDue()
	if len(f.due) > 0 {
		return f.due[0].end, true
	}
	for w := f.walkAfter(f.fired()); w.ok; w.next() {
		if e, ok := f.windows.get(w.span); ok && len(e.dirty) == 0 {
			continue
		}
		at := w.span.end
		if f.cfg.LastOnly {
			return at + f.shape.lateness, true
		}
		if f.shape.early > 0 && f.fire != math.MinInt64 {
			at = min(at, floor(f.fire, f.shape.early)+f.shape.early)
		}
		return at, true
	}
	return 0, false
}

// gridOf is the first grid that has a window.
func (f *sliced) gridOf(w span) int {
	for i := range f.grids {
		g := &f.grids[i]
		for k := g.after(w.end - 1); ; k++ {
			got := g.window(k)
			if got == w {
				return i
			}
			if got.end > w.end || got.start > w.start {
				break
			}
		}
	}
	return -1
}

// fireWindow emits the results of a window: all that it has the first time, then those that changed.
// With inOrder every window with an end below was emitted before it.
func (f *sliced) fireWindow(grid int, w span, inOrder bool, out *resultBatch) error {
	e, ok := f.windows.get(w)
	if ok && e.revision > 0 {
		if len(e.dirty) == 0 {
			return nil
		}
		f.keys.order(e.dirty, nil)
		dirty := e.dirty
		e.clean()
		f.note(e)
		return f.merged(grid, w, dirty, e.revision, out)
	}
	f.walked = f.panesOf(w, f.walked)
	if f.retracts && len(f.groupsOf(f.walked)) == 0 {
		return nil
	}
	revision := int64(1)
	if !ok && w.end > f.forgotten() {
		e, ok = &emitted{span: w}, true
		f.windows.insert(e)
	}
	if ok {
		f.note(e)
		revision = e.revision
	}
	f.any = true
	switch {
	case len(f.walked) == 1:
		return f.fromPane(w, f.walked[0], revision, out)
	case inOrder:
		return f.sliders[grid].fire(f, grid, w, revision, out)
	}
	return f.merged(grid, w, f.groupsOf(f.walked), revision, out)
}

// note counts an emission of a window.
func (f *sliced) note(e *emitted) {
	e.revision++
	e.epoch = f.epoch
	e.changed = true
	f.any = true
}

// fromPane emits a window of one pane.
func (f *sliced) fromPane(w span, p *pane, revision int64, out *resultBatch) error {
	f.keys.order(p.slots, f.group)
	slots, groups := p.slots, f.scratch.groups[:0]
	if f.retracts {
		slots = slices.DeleteFunc(slices.Clone(slots), func(s uint32) bool { return f.marks[s]&markGone != 0 })
	}
	for _, s := range slots {
		groups = append(groups, f.group[s])
	}
	f.scratch.groups = groups
	return out.add(w, groups, slots, revision)
}

// groupsOf gives the groups of panes, in order of their keys.
func (f *sliced) groupsOf(panes []*pane) []uint32 {
	f.widen()
	var groups []uint32
	for _, p := range panes {
		for _, s := range p.slots {
			if g := f.group[s]; f.at[g] == 0 && f.marks[s]&markGone == 0 {
				f.at[g] = 1
				groups = append(groups, g)
			}
		}
	}
	for _, g := range groups {
		f.at[g] = 0
	}
	f.keys.order(groups, nil)
	return groups
}

// widen makes at long enough for all groups.
func (f *sliced) widen() {
	if n := f.keys.len(); n > len(f.at) {
		f.at = make([]uint32, n+n/4)
	}
}

// walk goes through the windows that have panes, in order of end, then start.
type walk struct {
	f     *sliced
	ok    bool
	span  span // the window
	grid  int  // the first that has it
	heads []head
}

// head is the next window of a grid.
type head struct {
	ok   bool
	k    int64
	span span
}

// walkAfter begins with the first window that ends after t.
func (f *sliced) walkAfter(t int64) *walk {
	w := &f.walker
	w.f = f
	if w.heads == nil {
		w.heads = make([]head, len(f.grids))
	}
	w.ok = false
	if len(f.order.items) == 0 {
		return w
	}
	for i := range w.heads {
		h := &w.heads[i]
		h.k = f.grids[i].after(max(t, f.order.items[0].start))
		h.seek(f, i)
	}
	w.choose()
	return w
}

// next goes on to another window.
func (w *walk) next() {
	for i := range w.heads {
		for h := &w.heads[i]; h.ok && h.span == w.span; {
			h.k++
			h.seek(w.f, i)
		}
	}
	w.choose()
}

func (w *walk) choose() {
	w.ok = false
	for i := range w.heads {
		if h := &w.heads[i]; h.ok && (!w.ok || h.span.compare(w.span) < 0) {
			w.ok, w.span, w.grid = true, h.span, i
		}
	}
}

// seek goes on to the first window from k on that counts a pane.
func (h *head) seek(f *sliced, grid int) {
	g := &f.grids[grid]
	for ; ; h.k++ {
		h.span = g.window(h.k)
		panes := f.order.items[f.order.search(paneID{span{h.span.start, math.MinInt64}, math.MinInt64}):]
		if h.ok = len(panes) > 0; !h.ok {
			return
		}
		if panes[0].start >= h.span.end {
			h.k = max(h.k, g.after(panes[0].start)-1)
			continue
		}
		for _, p := range panes {
			if p.start >= h.span.end {
				break
			}
			if p.first <= h.span.end && h.span.start < h.span.end {
				return
			}
		}
	}
}
