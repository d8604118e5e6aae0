package window

// groupIndex finds the slot of a group in one slice. Low groups stand in an
// array; groups beyond it, when they are few compared with their numbers, in an
// open-addressing table. So its size follows the number of groups in it, not the
// number of known keys, while nearly all look-ups are one array access.
type groupIndex struct {
	dense  []uint32 // by group: slot+1; 0 = none
	sparse []indexEntry
	n      int // groups in sparse
	count  int // groups in all
}

type indexEntry struct {
	group uint32 // group+1; 0 = free
	slot  uint32
}

const minDense = 256

func (x *groupIndex) get(group uint32) (slot uint32, ok bool) {
	if int(group) < len(x.dense) {
		slot = x.dense[group]
		return slot - 1, slot != 0
	}
	if x.n == 0 {
		return 0, false
	}
	e := x.sparse[x.place(group)]
	return e.slot, e.group != 0
}

// place is where group stands in sparse, or the free entry where it would.
func (x *groupIndex) place(group uint32) int {
	mask := len(x.sparse) - 1
	at := int(group*0x9E3779B1>>7) & mask
	for x.sparse[at].group != 0 && x.sparse[at].group != group+1 {
		at = (at + 1) & mask
	}
	return at
}

// put adds a group that is not in it.
func (x *groupIndex) put(group, slot uint32) {
	x.count++
	if int(group) >= len(x.dense) && int(group) < max(minDense, 8*x.count) {
		x.widen(int(group) + 1)
	}
	if int(group) < len(x.dense) {
		x.dense[group] = slot + 1
		return
	}
	if 2*(x.n+1) > len(x.sparse) {
		old := x.sparse
		x.sparse = make([]indexEntry, max(16, 2*len(old)))
		for _, e := range old {
			if e.group != 0 {
				x.sparse[x.place(e.group-1)] = e
			}
		}
	}
	x.sparse[x.place(group)] = indexEntry{group + 1, slot}
	x.n++
}

// widen makes dense hold groups below n at least, and moves them there.
func (x *groupIndex) widen(n int) {
	dense, old := make([]uint32, max(minDense, 2*n)), x.sparse
	copy(dense, x.dense)
	x.dense = dense
	x.sparse, x.n = nil, 0
	for _, e := range old {
		switch {
		case e.group == 0:
		case int(e.group) <= len(x.dense): // which put may widen again
			x.dense[e.group-1] = e.slot + 1
		default:
			x.count-- // put counts it again
			x.put(e.group-1, e.slot)
		}
	}
}

// reset empties it and keeps the array.
func (x *groupIndex) reset() {
	clear(x.dense)
	x.sparse, x.n, x.count = nil, 0, 0
}

func (x *groupIndex) sizeBytes() int { return 4*cap(x.dense) + 8*cap(x.sparse) }
