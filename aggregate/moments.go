package aggregate

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// moments keeps the number, the sum and the sum of squares of ints or doubles,
// from which variance and standard deviation follow. The sum is a dd, the sum
// of squares a squares: both exact on sensor data, so that nothing depends on
// how rows were split or merged. Commutative, associative, not idempotent. A
// value that is not finite, or beyond 2^510, makes the variance NaN. The state
// is n, hi, lo, q0..q3.
type moments struct {
	ints bool
	s    []momentsState
	skip present
}

type momentsState struct {
	n   int64
	sum dd
	q   squares
}

const (
	maxSquared  = 0x1p510
	renormEvery = 1 << 10
	exactInt    = 1 << 53 // ints up to here are doubles
)

func (a *moments) Grow(slots int) { a.s = grow(a.s, slots, momentsState{}) }

func (a *moments) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	if a.ints {
		for i, s := range slots {
			a.s[s].addInt(col.Ints[rowAt(rows, i)])
		}
		return
	}
	for i, s := range slots {
		a.s[s].addDouble(col.Doubles[rowAt(rows, i)])
	}
}

func (m *momentsState) addDouble(x float64) {
	m.count()
	if !(math.Abs(x) <= maxSquared) {
		m.poison()
		return
	}
	m.sum = m.sum.plus(x)
	m.q.plus(square(x))
}

func (m *momentsState) addInt(x int64) {
	if -exactInt <= x && x <= exactInt {
		m.addDouble(float64(x))
		return
	}
	// x = hi + lo with lo below 2^11, so x^2 = hi^2 + 2 hi lo + lo^2.
	m.count()
	lo := x & (1<<11 - 1)
	hi, low := float64(x-lo), float64(lo)
	m.sum = m.sum.plus(hi).plus(low)
	m.q.plus(square(hi))
	m.q.plus(product(2*hi, low))
	m.q.plus(float64(low*low), 0)
}

func (m *momentsState) count() {
	m.n++
	if m.n%renormEvery == 0 {
		m.q.renorm()
	}
}

func (m *momentsState) poison() {
	m.sum, m.q = dd{hi: batch.CanonicalNaN}, squares{batch.CanonicalNaN}
}

func (m *momentsState) finite() bool {
	s := math.Abs(m.sum.hi) + math.Abs(m.sum.lo)
	return s-s == 0 && m.q.finite()
}

func (a *moments) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	slots, rows = a.skip.of(&state[0], slots, rows)
	for i, s := range slots {
		r, m := rowAt(rows, i), &a.s[s]
		m.n += state[0].Ints[r]
		var v [6]float64
		for k := range v {
			if c := &state[1+k]; !c.Null(r) {
				v[k] = c.Doubles[r] + 0
			}
		}
		m.plus(dd{v[0], v[1]}, squares(v[2:]))
	}
}

// plus adds a sum and a sum of squares.
func (m *momentsState) plus(sum dd, q squares) {
	m.sum = m.sum.plusDD(sum)
	m.q.plusAll(q)
	if !m.finite() {
		m.poison()
	}
}

func (a *moments) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	states, other := a.s, peer(a, from).s
	for i, s := range slots {
		m, b := &states[s], other[fromSlots[i]]
		m.n += b.n
		m.plus(b.sum, b.q)
	}
}

func (a *moments) AppendState(dst []batch.Column, slots []uint32) {
	for _, s := range slots {
		m := &a.s[s]
		m.q.renorm()
		if !m.finite() {
			m.poison()
		}
		putInt(&dst[0], m.n)
		putDouble(&dst[1], m.sum.hi)
		putDouble(&dst[2], m.sum.lo)
		for k, q := range m.q {
			putDouble(&dst[3+k], q)
		}
	}
}

func (a *moments) Clear(slots []uint32) {
	for _, s := range slots {
		a.s[s] = momentsState{}
	}
}

func (a *moments) SizeBytes() int { return 56*cap(a.s) + a.skip.sizeBytes() }
