package window

import "math"

// slider merges the panes of overlapping windows that are fired one after the other, for all keys at once
// and with about three merges per key and window, however many panes a window has (van Herk 1992, Gil and
// Werman 1993). Around a pivot, a time that several windows contain,
//
//	                    pivot
//	panes    a   b   c   ┃   d   e   f
//	backward        [c   ┃
//	            [b..c]   ┃                    computed at once when the pivot moves; a window takes
//	        [a....c]     ┃                    the one that begins where it begins
//	forward              ┃   d]
//	                     ┃   [d..e]           grows with each window that is fired
//	                     ┃   [d....f]
//
// a window's result is the merge of a backward and a forward accumulation. Keys whose panes changed after
// they were accumulated are merged anew from all panes until the pivot moves.
//
// The keys that it has seen since the pivot moved have lanes, small numbers.
type slider struct {
	valid bool
	pivot int64
	upTo  int64 // forward accumulations hold the panes that start before

	lanes  groupIndex // by group
	groups []uint32   // by lane, as all that follows
	back   []uint32   // slot+1 of the backward accumulation from the top level's start; 0 = none
	front  []uint32   // slot+1 of the forward accumulation; 0 = none
	depth  []uint32   // of the level that back belongs to, from 1
	stray  []bool     // merge anew
	strays int
	levels []level  // by start, the last one on top, which starts first
	order  []uint32 // lanes, in order of their keys

	to, from, copied, source []uint32 // scratch
}

// level is what panes between two starts of windows added to the backward accumulation.
type level struct {
	start  int64
	lanes  []uint32
	before []uint32 // what back was for them
	depths []uint32 // what depth was for them
}

// reset forgets everything.
func (s *slider) reset(st *store) {
	if !s.valid {
		return
	}
	var used []uint32
	for len(s.levels) > 0 {
		used = s.pop(used)
	}
	for _, slot := range s.front {
		if slot != 0 {
			used = append(used, slot-1)
		}
	}
	st.release(used)
	s.lanes.reset()
	s.groups, s.back, s.front, s.depth, s.stray, s.order = s.groups[:0], s.back[:0], s.front[:0], s.depth[:0], s.stray[:0], s.order[:0]
	s.strays, s.valid = 0, false
	if cap(s.groups) > spareSlots {
		*s = slider{}
	}
}

// pop takes the top level away and appends the slots that it used.
func (s *slider) pop(used []uint32) []uint32 {
	top := &s.levels[len(s.levels)-1]
	for i, l := range top.lanes {
		used = append(used, s.back[l]-1)
		s.back[l], s.depth[l] = top.before[i], top.depths[i]
	}
	s.levels = s.levels[:len(s.levels)-1]
	return used
}

// lane gives the lane of a group, made if need be.
func (s *slider) lane(group uint32) uint32 {
	if l, ok := s.lanes.get(group); ok {
		return l
	}
	l := uint32(len(s.groups))
	s.lanes.put(group, l)
	s.groups, s.back, s.front, s.depth, s.stray = append(s.groups, group), append(s.back, 0), append(s.front, 0), append(s.depth, 0), append(s.stray, false)
	return l
}

// stale notes that fresh states of a pane may have been accumulated as they were before.
func (s *slider) stale(f *sliced, p *pane) {
	if s.valid && p.start < s.upTo {
		s.leave(f, p.fresh)
	}
}

// leave merges the groups of states anew until the pivot moves.
func (s *slider) leave(f *sliced, slots []uint32) {
	for _, slot := range slots {
		if l := s.lane(f.group[slot]); !s.stray[l] {
			s.stray[l] = true
			s.strays++
		}
	}
}

// fire emits the results of a window. Windows come in order.
func (s *slider) fire(f *sliced, grid int, w span, revision int64, out *resultBatch) error {
	g := &f.grids[grid]
	if pivot := g.pivot(w); !s.valid || pivot != s.pivot {
		s.reset(f.store)
		s.valid, s.pivot, s.upTo = true, pivot, pivot
		s.build(f, g, w)
	}
	used := f.scratch.used[:0]
	for len(s.levels) > 0 && s.levels[len(s.levels)-1].start < w.start {
		used = s.pop(used)
	}
	f.release(used)
	f.scratch.used = used
	s.extend(f, w)
	if len(s.order) < len(s.groups) {
		for l := len(s.order); l < len(s.groups); l++ {
			s.order = append(s.order, uint32(l))
		}
		f.keys.order(s.order, s.groups)
	}
	return s.emit(f, grid, w, revision, out)
}

// build accumulates the panes before the pivot backwards. Each start of a window at the pivot is a level.
func (s *slider) build(f *sliced, g *grid, w span) {
	starts := []int64{w.start}
	for k := g.after(w.end - 1); ; k++ { // in the gap of a zone several windows end at a time
		next := g.window(k)
		if next.start >= s.pivot || g.pivot(next) != s.pivot {
			break
		}
		if next.start > starts[len(starts)-1] {
			starts = append(starts, next.start)
		}
	}
	panes := f.order.items
	at := f.order.search(paneID{span{s.pivot, math.MinInt64}, math.MinInt64})
	for i := len(starts) - 1; i >= 0; i-- {
		s.push(starts[i])
		for at > 0 && panes[at-1].start >= starts[i] {
			at--
			if panes[at].first > w.end {
				s.leave(f, panes[at].slots)
			} else {
				s.accumulate(f, panes[at])
			}
		}
	}
}

// push puts an empty level on top, in the memory of one that stood there before.
func (s *slider) push(start int64) {
	if n := len(s.levels); n < cap(s.levels) {
		s.levels = s.levels[:n+1]
	} else {
		s.levels = append(s.levels, level{})
	}
	top := &s.levels[len(s.levels)-1]
	top.start, top.lanes, top.before, top.depths = start, top.lanes[:0], top.before[:0], top.depths[:0]
}

// accumulate merges a pane into the top level.
func (s *slider) accumulate(f *sliced, p *pane) {
	top, depth := &s.levels[len(s.levels)-1], uint32(len(s.levels))
	to, from, copied, source := s.to[:0], s.from[:0], s.copied[:0], s.source[:0]
	for _, slot := range p.slots {
		if f.marks[slot]&markGone != 0 {
			continue
		}
		l := s.lane(f.group[slot])
		if s.depth[l] != depth {
			fresh := f.slot()
			if old := s.back[l]; old != 0 {
				copied, source = append(copied, fresh), append(source, old-1)
			}
			top.lanes, top.before, top.depths = append(top.lanes, l), append(top.before, s.back[l]), append(top.depths, s.depth[l])
			s.back[l], s.depth[l] = fresh+1, depth
		}
		to, from = append(to, s.back[l]-1), append(from, slot)
	}
	f.mergeSlots(copied, source)
	f.mergeSlots(to, from)
	s.to, s.from, s.copied, s.source = to, from, copied, source
}

// extend accumulates the panes up to the window's end forwards.
func (s *slider) extend(f *sliced, w span) {
	panes := f.order.items
	for _, p := range panes[f.order.search(paneID{span{s.upTo, math.MinInt64}, math.MinInt64}):] {
		if p.start >= w.end {
			break
		}
		if p.first > w.end {
			s.leave(f, p.slots)
			continue
		}
		to, from := s.to[:0], s.from[:0]
		for _, slot := range p.slots {
			if f.marks[slot]&markGone != 0 {
				continue
			}
			l := s.lane(f.group[slot])
			if s.front[l] == 0 {
				s.front[l] = f.slot() + 1
			}
			to, from = append(to, s.front[l]-1), append(from, slot)
		}
		f.mergeSlots(to, from)
		s.to, s.from = to, from
	}
	s.upTo = max(s.upTo, w.end)
}

// emit merges the accumulations of each lane, in order of the keys. Where no other window begins where this one does, the
// backward accumulation of its level is not needed again and takes the result.
func (s *slider) emit(f *sliced, grid int, w span, revision int64, out *resultBatch) error {
	sc, last := &f.scratch, uint32(math.MaxUint32)
	if g := &f.grids[grid]; !g.cumulative && g.zone == nil {
		last = uint32(len(s.levels))
	}
	for lanes := s.order; len(lanes) > 0; {
		n := min(len(lanes), resultRows)
		s.mergeStrays(f, grid, w, lanes[:n])
		anew := sc.back
		groups, slots := sc.groups[:0], sc.slots[:0]
		to, copied, source, from := s.to[:0], s.copied[:0], s.source[:0], s.from[:0]
		for _, l := range lanes[:n] {
			var slot uint32
			switch back, front := s.back[l], s.front[l]; {
			case s.stray[l]:
				slot, anew = anew[0], anew[1:]
			case back == 0 || front == 0:
				slot = back | front
			case s.depth[l] == last:
				slot = back
				to, from = append(to, back-1), append(from, front-1)
			default:
				slot = f.slot() + 1
				sc.used = append(sc.used, slot-1)
				copied, source = append(copied, slot-1), append(source, back-1)
				to, from = append(to, slot-1), append(from, front-1)
			}
			if slot != 0 {
				groups, slots = append(groups, s.groups[l]), append(slots, slot-1)
			}
		}
		f.mergeSlots(copied, source)
		f.mergeSlots(to, from)
		s.to, s.copied, s.source, s.from, sc.groups, sc.slots = to, copied, source, from, groups, slots
		err := out.add(w, groups, slots, revision)
		f.release(sc.used)
		if err != nil {
			return err
		}
		lanes = lanes[n:]
	}
	return nil
}

// mergeStrays leaves in scratch.back the slot+1 of each stray lane, in order, merged from all panes.
func (s *slider) mergeStrays(f *sliced, grid int, w span, lanes []uint32) {
	f.scratch.used = f.scratch.used[:0]
	if s.strays == 0 {
		return
	}
	groups := f.scratch.groups[:0]
	for _, l := range lanes {
		if s.stray[l] {
			groups = append(groups, s.groups[l])
		}
	}
	f.scratch.groups = groups
	f.mergePanes(grid, w, groups)
}

func (s *slider) sizeBytes() int {
	n := s.lanes.sizeBytes() + 4*(cap(s.groups)+cap(s.back)+cap(s.front)+cap(s.depth)+cap(s.order)+cap(s.to)+cap(s.from)+cap(s.copied)+cap(s.source)) + cap(s.stray)
	for _, v := range s.levels[:cap(s.levels)] {
		n += 80 + 4*(cap(v.lanes)+cap(v.before)+cap(v.depths))
	}
	return n
}
