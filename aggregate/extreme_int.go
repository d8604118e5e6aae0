package aggregate

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// extremeInt is min or max of ints or timestamps. It only knows min: max(x) is
// ^min(^x). Commutative, associative, idempotent. The state is the value (null =
// none).
type extremeInt struct {
	flip int64 // 0 = min, -1 = max
	v    []int64
	has  []bool
	skip present
}

func (a *extremeInt) Grow(slots int) {
	a.v, a.has = grow(a.v, slots, math.MaxInt64), grow(a.has, slots, false)
}

func (a *extremeInt) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	v, has, flip, values := a.v, a.has, a.flip, col.Ints
	if rows == nil {
		values = values[:len(slots)]
		for i, s := range slots {
			if x := values[i] ^ flip; x <= v[s] {
				v[s], has[s] = x, true
			}
		}
		return
	}
	rows = rows[:len(slots)]
	for i, s := range slots {
		if x := values[rows[i]] ^ flip; x <= v[s] {
			v[s], has[s] = x, true
		}
	}
}

func (a *extremeInt) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	a.Add(slots, &state[0], nil, rows)
}

func (a *extremeInt) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	o := peer(a, from)
	for i, s := range slots {
		if f := fromSlots[i]; o.has[f] && o.v[f] <= a.v[s] {
			a.v[s], a.has[s] = o.v[f], true
		}
	}
}

func (a *extremeInt) AppendState(dst []batch.Column, slots []uint32) { a.appendResult(&dst[0], slots) }

func (a *extremeInt) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		if a.has[s] {
			putInt(out, a.v[s]^a.flip)
		} else {
			out.AppendNull()
		}
	}
}

func (a *extremeInt) Clear(slots []uint32) {
	for _, s := range slots {
		a.v[s], a.has[s] = math.MaxInt64, false
	}
}

func (a *extremeInt) SizeBytes() int { return 8*cap(a.v) + cap(a.has) + a.skip.sizeBytes() }
