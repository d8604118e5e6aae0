package aggregate

import "github.com/leatio/leat/engine/batch"

// extremeString is min or max of strings by their bytes (the "C" collation).
// Commutative, associative, idempotent. The state is the value (null = none). The
// strings are those of the batches' Dicts, which are not copied.
type extremeString struct {
	max  bool
	v    []string
	has  []bool
	skip present
}

func (a *extremeString) Grow(slots int) { a.v, a.has = grow(a.v, slots, ""), grow(a.has, slots, false) }

func (a *extremeString) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	if len(slots) == 0 {
		return
	}
	values, codes := col.Dict.Values(), col.Codes
	for i, s := range slots {
		a.take(s, values[codes[rowAt(rows, i)]])
	}
}

func (a *extremeString) take(slot uint32, x string) {
	switch {
	case !a.has[slot]:
		a.v[slot], a.has[slot] = x, true
	case a.max && x > a.v[slot], !a.max && x < a.v[slot]:
		a.v[slot] = x
	}
}

func (a *extremeString) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	a.Add(slots, &state[0], nil, rows)
}

func (a *extremeString) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	o := peer(a, from)
	for i, s := range slots {
		if f := fromSlots[i]; o.has[f] {
			a.take(s, o.v[f])
		}
	}
}

func (a *extremeString) AppendState(dst []batch.Column, slots []uint32) {
	a.appendResult(&dst[0], slots)
}

func (a *extremeString) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		if a.has[s] {
			putString(out, a.v[s])
		} else {
			out.AppendNull()
		}
	}
}

func (a *extremeString) Clear(slots []uint32) {
	for _, s := range slots {
		a.v[s], a.has[s] = "", false
	}
}

func (a *extremeString) SizeBytes() int {
	n := 16*cap(a.v) + cap(a.has) + a.skip.sizeBytes()
	for _, v := range a.v {
		n += len(v)
	}
	return n
}
