package window

import "fmt"

// check panics where slots, slices and sessions contradict one another. It runs under the invariants build tag.
func (p *Partial) check() {
	used := make([]bool, p.next)
	take := func(slot uint32, what string) {
		if int(slot) >= p.next || used[slot] {
			panic(fmt.Sprintf("BUG: slot %d of %d is used twice or beyond the last, by %s", slot, p.next, what))
		}
		used[slot] = true
	}
	if p.sessions != nil {
		for _, s := range p.sessions.free {
			take(s, "the free ones")
		}
		p.sessions.check(p.groupOf, take)
	} else {
		for _, s := range p.slices.list {
			if len(s.slots) != s.index.count {
				panic(fmt.Sprintf("BUG: a slice has %d slots and an index of %d", len(s.slots), s.index.count))
			}
			for _, slot := range s.slots {
				take(slot, "a slice")
				if at, ok := s.index.get(p.groupOf[slot]); !ok || at != slot {
					panic(fmt.Sprintf("BUG: slot %d is not in its slice's index", slot))
				}
			}
		}
	}
	for slot, ok := range used {
		if !ok {
			panic(fmt.Sprintf("BUG: slot %d is nobody's", slot))
		}
	}
}

// check follows the sessions of all groups, each from the latest to the first.
func (x *sessionSet) check(groupOf []uint32, take func(slot uint32, what string)) {
	for group, at := range x.head {
		for end := maxTime + maxSize; at != 0; at = x.before[at-1] {
			take(at-1, "a group")
			t := x.time[at-1]
			if groupOf[at-1] != uint32(group) || t.start >= t.end || t.end > end {
				panic(fmt.Sprintf("BUG: session %v of group %d stands in group %d before one that starts at %d", t, groupOf[at-1], group, end))
			}
			end = t.start
		}
	}
}
