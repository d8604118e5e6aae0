package window

import "math"

// scratch is memory that merges use again and again.
type scratch struct {
	groups, slots, gone []uint32
	back, front         []uint32 // by position: slot+1 of what was merged backwards and forwards from the pivot
	to, from            []uint32
	used                []uint32 // slots to release
}

func (s *scratch) sizeBytes() int {
	return 4 * (cap(s.groups) + cap(s.slots) + cap(s.gone) + cap(s.back) + cap(s.front) + cap(s.to) + cap(s.from) + cap(s.used))
}

// merged emits the results of a window for some groups, in order of their keys, from all its panes; keys that
// have nothing in it any more are taken back.
//
// The panes are merged in the order in which a slider does it, so that even those aggregates come out equal
// whose states depend on the order.
func (f *sliced) merged(grid int, w span, groups []uint32, revision int64, out *resultBatch) error {
	for len(groups) > 0 {
		n := min(len(groups), resultRows)
		f.mergePanes(grid, w, groups[:n])
		err := f.addMerged(w, groups[:n], revision, out)
		f.release(f.scratch.used)
		if err != nil {
			return err
		}
		groups = groups[n:]
	}
	return nil
}

// mergePanes leaves in scratch.back, by position in groups, the slot+1 of the merged state; 0 = there is none.
func (f *sliced) mergePanes(grid int, w span, groups []uint32) {
	f.widen()
	for i, g := range groups {
		f.at[g] = uint32(i) + 1
	}
	sc := &f.scratch
	sc.used = sc.used[:0]
	sc.back = append(sc.back[:0], make([]uint32, len(groups))...)
	sc.front = append(sc.front[:0], make([]uint32, len(groups))...)
	panes := f.order.items
	pivot := f.grids[grid].pivot(w)
	middle := f.order.search(paneID{span{pivot, math.MinInt64}, math.MinInt64})
	for i := middle - 1; i >= 0 && panes[i].start >= w.start; i-- {
		f.mergePane(panes[i], w, groups, sc.back)
	}
	for i := middle; i < len(panes) && panes[i].start < w.end; i++ {
		f.mergePane(panes[i], w, groups, sc.front)
	}
	to, from := sc.to[:0], sc.from[:0]
	for i, slot := range sc.front {
		switch {
		case slot == 0:
		case sc.back[i] == 0:
			sc.back[i] = slot
		default:
			to, from = append(to, sc.back[i]-1), append(from, slot-1)
		}
	}
	f.mergeSlots(to, from)
	sc.to, sc.from = to, from
	for _, g := range groups {
		f.at[g] = 0
	}
}

// mergePane merges the states of the groups into slots.
func (f *sliced) mergePane(p *pane, w span, groups, slots []uint32) {
	if p.first > w.end {
		return
	}
	to, from := f.scratch.to[:0], f.scratch.from[:0]
	take := func(i int, s uint32) {
		if f.marks[s]&markGone != 0 {
			return
		}
		if slots[i] == 0 {
			slots[i] = f.slot() + 1
			f.scratch.used = append(f.scratch.used, slots[i]-1)
		}
		to, from = append(to, slots[i]-1), append(from, s)
	}
	if len(p.slots) < len(groups) {
		for _, s := range p.slots {
			if i := f.at[f.group[s]]; i != 0 {
				take(int(i)-1, s)
			}
		}
	} else {
		for i, g := range groups {
			if s, ok := p.index.get(g); ok {
				take(i, s)
			}
		}
	}
	f.mergeSlots(to, from)
	f.scratch.to, f.scratch.from = to, from
}

// addMerged emits what mergePanes left, keeping the order of the groups.
func (f *sliced) addMerged(w span, groups []uint32, revision int64, out *resultBatch) error {
	sc := &f.scratch
	for i := 0; i < len(groups); {
		n := i
		sc.slots = sc.slots[:0]
		for ; n < len(groups) && sc.back[n] != 0; n++ {
			sc.slots = append(sc.slots, sc.back[n]-1)
		}
		if err := out.add(w, groups[i:n], sc.slots, revision); err != nil {
			return err
		}
		for i = n; i < len(groups) && sc.back[i] == 0; i++ {
			if err := out.remove(w, groups[i:i+1], revision); err != nil {
				return err
			}
		}
	}
	return nil
}
