package aggregate

import (
	"encoding/binary"
	"math"
	"math/big"
)

// wide is the exact sum of any number of doubles or of their squares, as an
// integer multiple of a power of two that divides all of them. It takes over where the few doubles of a state
// would have to round, so that no sum depends on the order of its terms.
type wide struct {
	n big.Int
	// t and square are kept from call to call.
	t, square big.Int
}

// Of sums, n counts in units of the smallest double; of squares, in its square.
const (
	unitOfSums    = -1074
	unitOfSquares = -2148

	wideFormat   = 1
	wideNegative = 0x80
	// maxWideBytes holds 2^63 squares of the largest double.
	maxWideBytes = 544
)

// parts gives x, which is finite, as m * 2^(shift-1074).
func parts(x float64) (m int64, shift uint) {
	b := math.Float64bits(x)
	m, shift = int64(b&(1<<52-1)), uint(b>>52&0x7FF)
	if shift > 0 {
		m, shift = m|1<<52, shift-1
	}
	if b>>63 != 0 {
		m = -m
	}
	return m, shift
}

// add adds x to a sum in units of 2^unit.
func (w *wide) add(x float64, unit int) {
	m, shift := parts(x)
	w.t.SetInt64(m)
	w.n.Add(&w.n, w.t.Lsh(&w.t, shift+uint(unitOfSums-unit)))
}

// addSquare adds x*x to a sum of squares.
func (w *wide) addSquare(x float64) {
	m, shift := parts(x)
	w.t.SetInt64(m)
	w.square.Mul(&w.t, &w.t)
	w.n.Add(&w.n, w.square.Lsh(&w.square, 2*shift))
}

// addSquareInt adds x*x to a sum of squares.
func (w *wide) addSquareInt(x int64) {
	w.t.SetInt64(x)
	w.square.Mul(&w.t, &w.t)
	w.n.Add(&w.n, w.square.Lsh(&w.square, -unitOfSquares))
}

// rounded is the sum, in units of 2^unit, to the nearest double.
func (w *wide) rounded(unit int) float64 { return rounded(&w.n, false, unit) }

// settled gives the sum as hi + lo, where two doubles hold it.
func (w *wide) settled() (sum dd, ok bool) {
	sum.hi = w.rounded(unitOfSums)
	if math.IsInf(sum.hi, 0) {
		return sum, false
	}
	var rest wide
	rest.n.Set(&w.n)
	rest.add(-sum.hi, unitOfSums)
	sum.lo = rest.rounded(unitOfSums)
	rest.add(-sum.lo, unitOfSums)
	return dd{canonical(sum.hi), canonical(sum.lo)}, rest.n.Sign() == 0
}

// append appends the format and sign, uvarint the number of zero bytes left
// out at the end, uvarint the number of bytes, and these, the highest first.
func (w *wide) append(dst []byte) []byte {
	head := byte(wideFormat)
	if w.n.Sign() < 0 {
		head |= wideNegative
	}
	b := w.n.Bytes()
	zeros := 0
	for len(b) > 0 && b[len(b)-1] == 0 {
		b, zeros = b[:len(b)-1], zeros+1
	}
	dst = binary.AppendUvarint(append(dst, head), uint64(zeros))
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// addEncoded adds what append has written and returns what follows; ok is
// false, and nothing changes, where src is nothing of that kind.
func (w *wide) addEncoded(src []byte) (rest []byte, ok bool) {
	if len(src) == 0 || src[0]&^wideNegative != wideFormat {
		return nil, false
	}
	negative := src[0]&wideNegative != 0
	zeros, k := binary.Uvarint(src[1:])
	if k <= 0 || zeros > maxWideBytes {
		return nil, false
	}
	src = src[1+k:]
	n, k := binary.Uvarint(src)
	if k <= 0 || n > maxWideBytes-zeros || n > uint64(len(src)-k) {
		return nil, false
	}
	src = src[k:]
	w.t.SetBytes(src[:n])
	w.t.Lsh(&w.t, 8*uint(zeros))
	if negative {
		w.t.Neg(&w.t)
	}
	w.n.Add(&w.n, &w.t)
	return src[n:], true
}

// wideBytes estimates the memory of one.
const wideBytes = 512
