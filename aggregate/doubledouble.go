package aggregate

import "math"

// dd is the unevaluated sum hi + lo of two doubles, with hi the sum rounded
// to nearest: 106 bits and a sign. The algorithms are DWPlusFP and a form of
// AccurateDWPlusDW in which no error term is dropped before the last addition
// (Joldes, Muller, Popescu: Tight and rigorous error bounds for basic building
// blocks of double-word arithmetic, ACM TOMS 44, 2017).
//
// Say that every value is a multiple of u, a power of two, and that the
// magnitudes of all values add up to at most 2^106 u. Then hi is at most 2^106 u, lo
// and every error term at most half an ulp of it = 2^52 u, and their sums,
// being multiples of u below 2^53 u, are doubles: nothing is ever rounded away. Since hi
// is the exact sum rounded and lo is the exact rest, equal sums have equal bits.
//
// A sum that is infinite or NaN, or leaves the range of doubles, has lo = 0 and behaves as IEEE 754 says.
type dd struct{ hi, lo float64 }

// noRows is the sum of no rows: hi is -0, which no sum of rows is, since lo is never -0
// and so makes +0 of a hi that is. It is the identity of addition.
var noRows = dd{hi: math.Copysign(0, -1)}

func (a dd) empty() bool { return math.Float64bits(a.hi) == 1<<63 }

// twoSum gives s = a+b rounded and the error e: a+b = s+e (Knuth).
func twoSum(a, b float64) (s, e float64) {
	s = a + b
	t := s - a
	return s, (a - (s - t)) + (b - t)
}

// plus adds one double.
func (a dd) plus(x float64) dd {
	s := a.hi + x
	t := s - a.hi
	lo := a.lo + ((a.hi - (s - t)) + (x - t))
	hi := s + lo
	if hi-hi != 0 {
		return a.special(x)
	}
	return dd{hi, lo - (hi - s)}
}

//go:noinline
func (a dd) special(x float64) dd { return dd{hi: canonical(a.hi + x)} }

// plusDD adds b, which may be any two doubles.
func (a dd) plusDD(b dd) dd {
	b.hi, b.lo = b.hi+0, b.lo+0
	sh, sl := twoSum(a.hi, b.hi)
	th, tl := twoSum(a.lo, b.lo)
	c, d := twoSum(sl, th)
	vh, vl := twoSum(sh, c)
	hi, lo := twoSum(vh, vl+(d+tl))
	if lo-lo != 0 || hi-hi != 0 {
		return a.special(b.hi + b.lo)
	}
	return dd{hi, lo}
}
