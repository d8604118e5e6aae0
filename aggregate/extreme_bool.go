package aggregate

import "github.com/leatio/leat/engine/batch"

// extremeBool is min or max of bools; false is less than true. Commutative,
// associative, idempotent. The state is the value (null = none).
type extremeBool struct {
	max  bool
	seen []uint8 // bit 0: a false, bit 1: a true
	skip present
}

func (a *extremeBool) Grow(slots int) { a.seen = grow(a.seen, slots, 0) }

func (a *extremeBool) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	for i, s := range slots {
		if col.Bools[rowAt(rows, i)] {
			a.seen[s] |= 2
		} else {
			a.seen[s] |= 1
		}
	}
}

func (a *extremeBool) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	a.Add(slots, &state[0], nil, rows)
}

func (a *extremeBool) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	seen, other := a.seen, peer(a, from).seen
	for i, s := range slots {
		seen[s] |= other[fromSlots[i]]
	}
}

func (a *extremeBool) AppendState(dst []batch.Column, slots []uint32) { a.appendResult(&dst[0], slots) }

func (a *extremeBool) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		switch seen := a.seen[s]; {
		case seen == 0:
			out.AppendNull()
		case a.max:
			putBool(out, seen&2 != 0)
		default:
			putBool(out, seen&1 == 0)
		}
	}
}

func (a *extremeBool) Clear(slots []uint32) {
	for _, s := range slots {
		a.seen[s] = 0
	}
}

func (a *extremeBool) SizeBytes() int { return cap(a.seen) + a.skip.sizeBytes() }
