package aggregate

import "math"

// dd is the unevaluated sum hi + lo of two doubles, with hi the sum rounded
// to nearest: 106 bits and a sign. The algorithms are DWPlusFP and a form of
// AccurateDWPlusDW in which no error term is dropped before the last addition
// (Joldes, Muller, Popescu: Tight and rigorous error bounds for basic building
// blocks of double-word arithmetic, ACM TOMS 44, 2017).
//
// A running sum and a value that are multiples of u, a power of two, and stay below 2^106 u, lose nothing: hi
// is at most 2^106 u, lo and the error terms at most half an ulp of it = 2^52 u, and their sums,
// being multiples of u below 2^53 u, are doubles. Where nothing is rounded away, hi
// is the exact sum rounded and lo is the exact rest, so that equal sums have equal bits. Where something would be, plus
// says so, and the caller goes on with a wide sum.
//
// A sum that is infinite or NaN has lo = 0 and behaves as IEEE 754 says.
type dd struct{ hi, lo float64 }

// noRows is the sum of no rows: hi is -0, which no sum of rows is, since lo is never -0
// and so makes +0 of a hi that is. It is the identity of addition.
var noRows = dd{hi: math.Copysign(0, -1)}

func (a dd) empty() bool { return math.Float64bits(a.hi) == 1<<63 }

// finite tells whether both are numbers.
func (a dd) finite() bool {
	s := math.Abs(a.hi) + math.Abs(a.lo)
	return s-s == 0
}

// twoSum gives s = a+b rounded and the error e: a+b = s+e (Knuth).
func twoSum(a, b float64) (s, e float64) {
	s = a + b
	t := s - a
	return s, (a - (s - t)) + (b - t)
}

// plus adds one double. ok is false where the sum is not hi + lo exactly: it
// needs more bits, or is not finite.
//
// l = lo + e is exact if and only if l-lo is e and l-e is lo: when |lo| >= |e|, l-lo is
// exact (Dekker), so it is e only if l is the exact sum; otherwise the same
// holds of l-e.
func (a dd) plus(x float64) (sum dd, ok bool) {
	s := a.hi + x
	t := s - a.hi
	e := (a.hi - (s - t)) + (x - t)
	l := a.lo + e
	hi := s + l
	return dd{hi, l - (hi - s)}, !inexact(l-a.lo-e, l-e-a.lo, hi-hi)
}

// inexact tells whether one of differences is not 0. A difference of equal numbers
// has no bit set, so that one branch does.
func inexact(a, b, c float64) bool {
	return math.Float64bits(a)|math.Float64bits(b)|math.Float64bits(c) != 0
}
