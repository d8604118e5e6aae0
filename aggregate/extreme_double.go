package aggregate

import (
	"math"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// extremeDouble is min or max of doubles in PostgreSQL's order: NaN is the
// greatest value and equals itself, -0 equals 0 and is given as 0. Commutative, associative, idempotent. The
// state is the value (null = none).
type extremeDouble struct {
	max  bool
	v    []float64
	skip present

	picked []float64 // scratch
}

// noDouble marks a slot without values: a NaN of other bits than the canonical one.
var noDouble = math.Float64frombits(0x7FF8_0000_0000_1EA7)

func isNoDouble(v float64) bool { return math.Float64bits(v) == 0x7FF8_0000_0000_1EA7 }

func (a *extremeDouble) Grow(slots int) { a.v = grow(a.v, slots, noDouble) }

func (a *extremeDouble) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	values := col.Doubles
	switch often := a.changesOften(slots, values, rows); {
	case often && a.max:
		a.maxOften(slots, a.dense(values, rows))
	case often:
		a.minOften(slots, a.dense(values, rows))
	default:
		a.plain(slots, values, rows)
	}
}

func (a *extremeDouble) plain(slots []uint32, values []float64, rows []uint32) {
	switch {
	case rows == nil && a.max:
		maxDoubles(a.v, slots, values)
	case rows == nil:
		minDoubles(a.v, slots, values)
	case a.max:
		maxDoublesAt(a.v, slots, rows[:len(slots)], values)
	default:
		minDoublesAt(a.v, slots, rows[:len(slots)], values)
	}
}

// dense gives the values of rows one after the other.
func (a *extremeDouble) dense(values []float64, rows []uint32) []float64 {
	if rows == nil {
		return values
	}
	a.picked = a.picked[:0]
	for _, r := range rows {
		a.picked = append(a.picked, values[r])
	}
	return a.picked
}

// changesOften looks at the first rows: where slots have few rows each, every third row or
// so changes its slot. No processor foresees which, so these batches go without a branch.
func (a *extremeDouble) changesOften(slots []uint32, values []float64, rows []uint32) bool {
	const looked, often = 32, 4
	if len(slots) < 8*looked {
		return false
	}
	changes := 0
	for i, s := range slots[:looked] {
		if cur, v := a.v[s], values[rowAt(rows, i)]; a.max && !(cur >= v) || !a.max && !(cur <= v) {
			changes++
		}
	}
	return changes >= often
}

// minOften is minDoubles without a branch but for NaNs.
func (a *extremeDouble) minOften(slots []uint32, values []float64) {
	state := a.v
	values = values[:len(slots)]
	for i, s := range slots {
		v := values[i]
		if v != v {
			state[s] = lesser(state[s], v)
			continue
		}
		cur := state[s]
		least, other := math.Float64bits(v+0), math.Float64bits(cur)
		if cur <= v {
			least = other
		}
		state[s] = math.Float64frombits(least)
	}
}

// maxOften is maxDoubles without a branch but for NaNs among the values.
func (a *extremeDouble) maxOften(slots []uint32, values []float64) {
	state, nan := a.v, math.Float64bits(batch.CanonicalNaN)
	values = values[:len(slots)]
	for i, s := range slots {
		v := values[i]
		if v != v {
			maxDoubles(state, slots[i:], values[i:])
			return
		}
		cur := state[s]
		greatest, other := math.Float64bits(v+0), math.Float64bits(cur)
		if cur >= v {
			greatest = other
		}
		if other == nan {
			greatest = other
		}
		state[s] = math.Float64frombits(greatest)
	}
}

func minDoubles(state []float64, slots []uint32, values []float64) {
	values = values[:len(slots)]
	for i, s := range slots {
		if v := values[i]; !(state[s] <= v) {
			state[s] = lesser(state[s], v)
		}
	}
}

func maxDoubles(state []float64, slots []uint32, values []float64) {
	values = values[:len(slots)]
	for i, s := range slots {
		if v := values[i]; !(state[s] >= v) {
			state[s] = greater(state[s], v)
		}
	}
}

func minDoublesAt(state []float64, slots, rows []uint32, values []float64) {
	for i, s := range slots {
		if v := values[rows[i]]; !(state[s] <= v) {
			state[s] = lesser(state[s], v)
		}
	}
}

func maxDoublesAt(state []float64, slots, rows []uint32, values []float64) {
	for i, s := range slots {
		if v := values[rows[i]]; !(state[s] >= v) {
			state[s] = greater(state[s], v)
		}
	}
}

func lesser(cur, v float64) float64 {
	if cur < v || (v != v && !isNoDouble(cur)) {
		return cur
	}
	return canonical(v)
}

func greater(cur, v float64) float64 {
	if cur > v || (cur != cur && !isNoDouble(cur)) {
		return cur
	}
	return canonical(v)
}

func (a *extremeDouble) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	slots, rows = a.skip.of(&state[0], slots, rows)
	a.plain(slots, state[0].Doubles, rows)
}

func (a *extremeDouble) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	state, other := a.v, peer(a, from).v
	fromSlots = fromSlots[:len(slots)]
	if a.max {
		for i, s := range slots {
			if v, cur := other[fromSlots[i]], state[s]; !(cur >= v) && !isNoDouble(v) {
				state[s] = greater(cur, v)
			}
		}
		return
	}
	for i, s := range slots {
		if v, cur := other[fromSlots[i]], state[s]; !(cur <= v) && !isNoDouble(v) {
			state[s] = lesser(cur, v)
		}
	}
}

func (a *extremeDouble) AppendState(dst []batch.Column, slots []uint32) {
	a.appendResult(&dst[0], slots)
}

func (a *extremeDouble) appendResult(out *batch.Column, slots []uint32) {
	out.Doubles = slices.Grow(out.Doubles, len(slots))
	for _, s := range slots {
		if isNoDouble(a.v[s]) {
			out.AppendNull()
		} else {
			putDouble(out, a.v[s])
		}
	}
}

func (a *extremeDouble) Clear(slots []uint32) {
	for _, s := range slots {
		a.v[s] = noDouble
	}
}

func (a *extremeDouble) SizeBytes() int { return 8*(cap(a.v)+cap(a.picked)) + a.skip.sizeBytes() }
