package aggregate

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// sumInt adds integers up in 128 bits: high * 2^64 + low, with low signed, so
// that high is 0 whenever the sum fits in 64 bits. Commutative and
// associative, not idempotent. The result is null when the sum does not fit in
// 64 bits. The state is low (null = no rows) and high.
type sumInt struct {
	s    []int128
	skip present
}

type int128 struct{ high, low int64 }

// noInts is the sum of no rows; no sum of fewer than 2^63 rows has this high part.
var noInts = int128{high: math.MinInt64}

func (a int128) empty() bool { return a.high == math.MinInt64 }

// plus adds x.
func (a int128) plus(x int64) int128 {
	if a.high == math.MinInt64 {
		return int128{0, x}
	}
	low := a.low + x
	if (a.low^low)&(x^low) < 0 { // carried out of the sign
		if low < 0 {
			a.high++
		} else {
			a.high--
		}
	}
	a.low = low
	return a
}

// plusBoth adds b, which may be any two integers.
func (a int128) plusBoth(b int128) int128 {
	a = a.plus(b.low)
	a.high += b.high
	if a.empty() { // only from states that no rows have
		a.high++
	}
	return a
}

func (a *sumInt) Grow(slots int) { a.s = grow(a.s, slots, noInts) }

func (a *sumInt) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	sums, values := a.s, col.Ints
	if rows == nil {
		values = values[:len(slots)]
		for i, s := range slots {
			p := &sums[s]
			*p = p.plus(values[i])
		}
		return
	}
	rows = rows[:len(slots)]
	for i, s := range slots {
		p := &sums[s]
		*p = p.plus(values[rows[i]])
	}
}

func (a *sumInt) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	low, high := &state[0], &state[1]
	slots, rows = a.skip.of(low, slots, rows)
	for i, s := range slots {
		r := rowAt(rows, i)
		b := int128{low: low.Ints[r]}
		if !high.Null(r) {
			b.high = high.Ints[r]
		}
		a.s[s] = a.s[s].plusBoth(b)
	}
}

func (a *sumInt) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	sums, other := a.s, peer(a, from).s
	for i, s := range slots {
		if b := other[fromSlots[i]]; !b.empty() {
			sums[s] = sums[s].plusBoth(b)
		}
	}
}

func (a *sumInt) AppendState(dst []batch.Column, slots []uint32) {
	for _, s := range slots {
		if a.s[s].empty() {
			dst[0].AppendNull()
			putInt(&dst[1], 0)
			continue
		}
		putInt(&dst[0], a.s[s].low)
		putInt(&dst[1], a.s[s].high)
	}
}

func (a *sumInt) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		if a.s[s].high != 0 {
			out.AppendNull()
		} else {
			putInt(out, a.s[s].low)
		}
	}
}

// reported is the sum as sum(x) gives it, as a double.
func (a *sumInt) reported(slot uint32) (sum float64, ok bool) {
	return float64(a.s[slot].low), a.s[slot].high == 0
}

func (a *sumInt) Clear(slots []uint32) {
	for _, s := range slots {
		a.s[s] = noInts
	}
}

func (a *sumInt) SizeBytes() int { return 16*cap(a.s) + a.skip.sizeBytes() }
