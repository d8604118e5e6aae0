package window

import "slices"

// sessionSet holds the pending sessions of each key: intervals that do not
// intersect, each with a slot of the states. It is a delta: the Final unites them with those it has.
type sessionSet struct {
	head   []uint32 // by group: slot+1 of its latest session; 0 = none
	before []uint32 // by slot: slot+1 of the group's session before it; 0 = none
	time   []span   // by slot; of a free slot the zero span
	free   []uint32 // slots that were united with others in earlier batches
	unions []union  // of this batch, in order
	crowd  bool     // a key has more than maxChain sessions
	least  int64    // earliest start of a pending session, where there is one
}

// union says that the session in slot from became part of that in slot into.
type union struct{ into, from uint32 }

// maxChain is the number of pending sessions of one key at which a drain is asked for; they are searched one by one.
const maxChain = 256

// place gives the slot of the session of a group that contains sl, united from those that it touches; 0 and false
// where there is none. next is the slot before which a new one belongs.
func (x *sessionSet) place(group uint32, sl span) (slot uint32, ok bool, after uint32) {
	for int(group) >= len(x.head) {
		x.head = append(x.head, 0)
	}
	at, steps := x.head[group], 0
	for at != 0 && x.time[at-1].start >= sl.end {
		at, after = x.before[at-1], at
		if steps++; steps == maxChain {
			x.crowd = true
		}
	}
	if at == 0 || x.time[at-1].end <= sl.start {
		return 0, false, after
	}
	s := at - 1
	t := &x.time[s]
	t.start, t.end = min(t.start, sl.start), max(t.end, sl.end)
	x.least = min(x.least, t.start)
	for b := x.before[s]; b != 0 && x.time[b-1].end > t.start; b = x.before[s] {
		t.start = min(t.start, x.time[b-1].start)
		x.before[s] = x.before[b-1]
		x.time[b-1] = span{}
		x.unions = append(x.unions, union{s, b - 1})
	}
	return s, true, 0
}

// insert adds a session in a slot that is not used; after is what place gave.
func (x *sessionSet) insert(group, slot uint32, sl span, after uint32) {
	for int(slot) >= len(x.time) {
		x.time, x.before = append(x.time, span{}), append(x.before, 0)
	}
	x.time[slot] = sl
	if x.least = min(x.least, sl.start); len(x.time) == 1 {
		x.least = sl.start
	}
	if after == 0 {
		x.before[slot] = x.head[group]
		x.head[group] = slot + 1
	} else {
		x.before[slot] = x.before[after-1]
		x.before[after-1] = slot + 1
	}
}

// unite merges the states of sessions that became one in this batch, after all of its rows were added.
func (x *sessionSet) unite(st *states, slots, from []uint32) (s, f []uint32) {
	slots, from = slots[:0], from[:0]
	for _, u := range x.unions {
		slots, from = append(slots, u.into), append(from, u.from)
	}
	st.mergeSlots(slots, from)
	st.clear(from)
	x.free = append(x.free, from...)
	x.unions = x.unions[:0]
	return slots, from
}

// order appends the slots in use to dst, by end, start, and the keys' bytes.
func (x *sessionSet) order(dst []uint32, keys *keyTable, groupOf []uint32) []uint32 {
	from := len(dst)
	for s := range x.time {
		if x.time[s] != (span{}) {
			dst = append(dst, uint32(s))
		}
	}
	slices.SortFunc(dst[from:], func(a, b uint32) int {
		if c := x.time[a].compare(x.time[b]); c != 0 {
			return c
		}
		return byBytes(keys, groupOf[a], groupOf[b])
	})
	return dst
}

// earliest is the least time at which one of them starts.
func (x *sessionSet) earliest() (t int64, ok bool) { return x.least, len(x.time) > 0 }

func (x *sessionSet) clear(give bool) {
	clear(x.head)
	x.before, x.time, x.free, x.crowd = x.before[:0], x.time[:0], x.free[:0], false
	if give {
		*x = sessionSet{}
	}
}

func (x *sessionSet) sizeBytes() int {
	return 4*(cap(x.head)+cap(x.before)+cap(x.free)) + 16*cap(x.time) + 8*cap(x.unions)
}
