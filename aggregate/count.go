package aggregate

import "github.com/leatio/leat/engine/batch"

// counter counts rows (count(*)) or values that are not null (count(x)). The
// state is the number; merging adds. Commutative and associative, not
// idempotent.
type counter struct {
	values bool
	n      []int64
	skip   present
}

func (a *counter) Grow(slots int) { a.n = grow(a.n, slots, 0) }

func (a *counter) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	if a.values {
		slots, _ = a.skip.of(col, slots, rows)
	}
	n := a.n
	for _, s := range slots {
		n[s]++
	}
}

func (a *counter) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	c := &state[0]
	slots, rows = a.skip.of(c, slots, rows)
	for i, s := range slots {
		a.n[s] += c.Ints[rowAt(rows, i)]
	}
}

func (a *counter) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	n, m := a.n, peer(a, from).n
	for i, s := range slots {
		n[s] += m[fromSlots[i]]
	}
}

func (a *counter) AppendState(dst []batch.Column, slots []uint32) { a.appendResult(&dst[0], slots) }

func (a *counter) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		putInt(out, a.n[s])
	}
}

func (a *counter) Clear(slots []uint32) {
	for _, s := range slots {
		a.n[s] = 0
	}
}

func (a *counter) SizeBytes() int { return 8*cap(a.n) + a.skip.sizeBytes() }
