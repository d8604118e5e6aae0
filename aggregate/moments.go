package aggregate

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// moments keeps the number, the sum and the sum of squares of ints or doubles,
// from which variance and standard deviation follow. The sum is a dd, the sum
// of squares a squares; where these would round, both go on as wide integers. So both are exact, and
// nothing depends on how rows were split or merged. Commutative, associative, not idempotent. A
// value that is not finite makes the variance NaN. The state
// is n, hi, lo, q0..q3 and rest: empty, or the sum and the sum of squares as wides (then the six doubles are 0).
type moments struct {
	ints bool
	s    []momentsState
	wide map[uint32]*wideMoments // of the slots whose sum is wideSum
	skip present
}

type momentsState struct {
	n   int64
	sum dd
	q   squares
}

type wideMoments struct{ sum, squares wide }

const (
	// The squares of values beyond these, or sums of 2^63 of them, have parts beyond the range of doubles.
	maxSquared  = 0x1p480
	minSquared  = 0x1p-485
	renormEvery = 1 << 10
	exactInt    = 1 << 53 // ints up to here are doubles
)

func (m *momentsState) isWide() bool { return m.sum.isWide() }

func (a *moments) Grow(slots int) { a.s = grow(a.s, slots, momentsState{}) }

func (a *moments) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	if a.ints {
		for i, s := range slots {
			if x := col.Ints[rowAt(rows, i)]; -exactInt <= x && x <= exactInt {
				a.addDouble(s, float64(x))
			} else {
				a.addInt(s, x)
			}
		}
		return
	}
	for i, s := range slots {
		a.addDouble(s, col.Doubles[rowAt(rows, i)])
	}
}

func (a *moments) addDouble(slot uint32, x float64) {
	m := &a.s[slot]
	m.count()
	sum, exact := m.sum.plus(x)
	size := math.Abs(x)
	if exact && size <= maxSquared && (size >= minSquared || x == 0) {
		m.sum = sum
		if lost1, lost2 := m.q.plus(square(x)); lost1 != 0 || lost2 != 0 {
			a.makeWide(slot).addSquares(lost1, lost2)
		}
		return
	}
	switch {
	case m.poisoned():
	case x-x != 0:
		a.poison(slot)
	default:
		w := a.makeWide(slot)
		w.sum.add(x, unitOfSums)
		w.squares.addSquare(x)
	}
}

// addInt adds an int that is not a double.
func (a *moments) addInt(slot uint32, x int64) {
	m := &a.s[slot]
	m.count()
	// x = hi + lo with lo below 2^11, so x^2 = hi^2 + 2 hi lo + lo^2.
	lo := x & (1<<11 - 1)
	hi, low := float64(x-lo), float64(lo)
	sum, exact1 := m.sum.plus(hi)
	sum, exact2 := sum.plus(low)
	switch {
	case exact1 && exact2:
		m.sum = sum
		var lost [6]float64
		lost[0], lost[1] = m.q.plus(square(hi))
		lost[2], lost[3] = m.q.plus(product(2*hi, low))
		lost[4], lost[5] = m.q.plus(float64(low*low), 0)
		if lost != [6]float64{} {
			a.makeWide(slot).addSquares(lost[:]...)
		}
	case !m.poisoned():
		w := a.makeWide(slot)
		w.sum.add(hi, unitOfSums)
		w.sum.add(low, unitOfSums)
		w.squares.addSquareInt(x)
	}
}

// addSquares adds parts of squares.
func (w *wideMoments) addSquares(parts ...float64) {
	for _, x := range parts {
		w.squares.add(x, unitOfSquares)
	}
}

func (m *momentsState) count() {
	m.n++
	if m.n%renormEvery == 0 {
		m.q.renorm()
	}
}

// poisoned tells whether a value was not finite.
func (m *momentsState) poisoned() bool {
	return !m.isWide() && !(m.sum.finite() && m.q.finite())
}

func (a *moments) poison(slot uint32) {
	m := &a.s[slot]
	if m.isWide() {
		delete(a.wide, slot)
	}
	m.sum, m.q = dd{hi: batch.CanonicalNaN}, squares{batch.CanonicalNaN}
}

// makeWide is the wide state of a slot that is not poisoned.
func (a *moments) makeWide(slot uint32) *wideMoments {
	m := &a.s[slot]
	if m.isWide() {
		return a.wide[slot]
	}
	if a.wide == nil {
		a.wide = map[uint32]*wideMoments{}
	}
	w := &wideMoments{}
	w.plus(m.sum, m.q)
	a.wide[slot], m.sum, m.q = w, wideSum, squares{}
	return w
}

// plus adds sums of doubles, which are finite.
func (w *wideMoments) plus(sum dd, q squares) {
	w.sum.add(sum.hi, unitOfSums)
	w.sum.add(sum.lo, unitOfSums)
	w.addSquares(q[:]...)
}

func (a *moments) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	slots, rows = a.skip.of(&state[0], slots, rows)
	rest := &state[7]
	for i, s := range slots {
		r, b := rowAt(rows, i), momentsState{}
		b.n = state[0].Ints[r]
		var v [6]float64
		for k := range v {
			if c := &state[1+k]; !c.Null(r) {
				v[k] = c.Doubles[r] + 0
			}
		}
		b.sum, b.q = dd{v[0], v[1]}, squares(v[2:])
		if b.isWide() {
			b.sum.hi = batch.CanonicalNaN
		}
		a.merge(s, &b)
		if !rest.Null(r) && len(rest.Blob(r)) > 0 && !a.s[s].poisoned() {
			w := a.makeWide(s)
			if more, ok := w.sum.addEncoded(rest.Blob(r)); ok {
				w.squares.addEncoded(more)
			}
		}
	}
}

// merge adds a state that is not wide.
func (a *moments) merge(slot uint32, b *momentsState) {
	m := &a.s[slot]
	m.n += b.n
	switch {
	case m.poisoned():
		return
	case b.poisoned():
		a.poison(slot)
		return
	case !m.isWide():
		next := *m
		sum, exact := m.sum.plus(b.sum.hi)
		if exact {
			next.sum, exact = sum.plus(b.sum.lo)
		}
		if exact && next.q.plusAll(&b.q) && next.q.finite() {
			*m = next
			return
		}
	}
	a.makeWide(slot).plus(b.sum, b.q)
}

func (a *moments) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	o := peer(a, from)
	for i, s := range slots {
		b := o.s[fromSlots[i]]
		if !b.isWide() {
			a.merge(s, &b)
			continue
		}
		a.s[s].n += b.n
		if !a.s[s].poisoned() {
			w, v := a.makeWide(s), o.wide[fromSlots[i]]
			w.sum.n.Add(&w.sum.n, &v.sum.n)
			w.squares.n.Add(&w.squares.n, &v.squares.n)
		}
	}
}

func (a *moments) AppendState(dst []batch.Column, slots []uint32) {
	var rest []byte
	for _, s := range slots {
		m := &a.s[s]
		sum, q := m.sum, m.q
		rest = rest[:0]
		switch {
		case m.isWide():
			sum, q = dd{}, squares{}
			rest = a.wide[s].squares.append(a.wide[s].sum.append(rest))
		case m.poisoned():
			sum, q = dd{hi: batch.CanonicalNaN}, squares{batch.CanonicalNaN}
		default:
			q.renorm()
		}
		putInt(&dst[0], m.n)
		putDouble(&dst[1], sum.hi)
		putDouble(&dst[2], sum.lo)
		for k := range q {
			putDouble(&dst[3+k], q[k])
		}
		putBlob(&dst[7], rest)
	}
}

func (a *moments) Clear(slots []uint32) {
	for _, s := range slots {
		if a.s[s].isWide() {
			delete(a.wide, s)
		}
		a.s[s] = momentsState{}
	}
}

func (a *moments) SizeBytes() int { return 56*cap(a.s) + 2*wideBytes*len(a.wide) + a.skip.sizeBytes() }
