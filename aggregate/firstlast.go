package aggregate

import (
	"cmp"
	"math"

	"github.com/leatio/leat/engine/batch"
)

// timed is first or last: the value at the smallest or largest event time, and
// of several at that time the smallest value. It only knows first: last is
// first by the complement of the time. Commutative, associative, idempotent. The state is the event time (0 when
// there is none) and the value (null = none).
type timed[T cmp.Ordered] struct {
	flip int64 // 0 = first, -1 = last
	s    []timedValue[T]
	skip present

	// values gives the value of row rows[i] (rows nil: row i) at i, for i < n, until the next call.
	values func(col *batch.Column, rows []uint32, n int) []T
	put    func(out *batch.Column, v T)
	size   func(v T) int // bytes beyond those of T; nil = none
}

type timedValue[T cmp.Ordered] struct {
	at  int64 // event time ^ flip
	v   T
	has bool
}

func timedOf[T cmp.Ordered](kind string, values func(*batch.Column, []uint32, int) []T, put func(*batch.Column, T), size func(T) int) *timed[T] {
	a := &timed[T]{values: values, put: put, size: size}
	if kind == Last {
		a.flip = -1
	}
	return a
}

func (a *timed[T]) Grow(slots int) { a.s = grow(a.s, slots, timedValue[T]{at: math.MaxInt64}) }

func (a *timed[T]) Add(slots []uint32, col *batch.Column, times []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	if len(slots) == 0 {
		return
	}
	values, state, flip := a.values(col, rows, len(slots)), a.s, a.flip
	values = values[:len(slots)]
	if rows == nil {
		times = times[:len(slots)]
		for i, s := range slots {
			if at, p := times[i]^flip, &state[s]; at <= p.at {
				p.take(at, values[i])
			}
		}
		return
	}
	rows = rows[:len(slots)]
	for i, s := range slots {
		if at, p := times[rows[i]]^flip, &state[s]; at <= p.at {
			p.take(at, values[i])
		}
	}
}

// take takes a value in whose time is not after the one held.
func (p *timedValue[T]) take(at int64, v T) {
	if at < p.at || !p.has || less(v, p.v) {
		p.at, p.v, p.has = at, v, true
	}
}

// less is SQL's order: of doubles NaN is the greatest and equals itself.
func less[T cmp.Ordered](a, b T) bool { return a < b || (a == a && b != b) }

func (a *timed[T]) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	// A null time beside a value does not come from rows; the zero below it will do.
	a.Add(slots, &state[1], state[0].Ints, rows)
}

func (a *timed[T]) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	state, other := a.s, peer(a, from).s
	for i, s := range slots {
		if v, p := &other[fromSlots[i]], &state[s]; v.has && v.at <= p.at {
			p.take(v.at, v.v)
		}
	}
}

func (a *timed[T]) AppendState(dst []batch.Column, slots []uint32) {
	for _, s := range slots {
		if a.s[s].has {
			putInt(&dst[0], a.s[s].at^a.flip)
		} else {
			putInt(&dst[0], 0)
		}
	}
	a.appendResult(&dst[1], slots)
}

func (a *timed[T]) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		if a.s[s].has {
			a.put(out, a.s[s].v)
		} else {
			out.AppendNull()
		}
	}
}

func (a *timed[T]) Clear(slots []uint32) {
	for _, s := range slots {
		a.s[s] = timedValue[T]{at: math.MaxInt64}
	}
}

func (a *timed[T]) SizeBytes() int {
	n := 32*cap(a.s) + a.skip.sizeBytes()
	if a.size != nil {
		for i := range a.s {
			n += a.size(a.s[i].v)
		}
	}
	return n
}
