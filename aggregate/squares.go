package aggregate

import "math"

// squares is a sum of squares as the unevaluated sum of four doubles, each
// collecting the rounding errors of the one before. One addition is a cascade of
// twoSums; only what falls out of the last double could be lost, and then plus gives it back. With m the
// largest sum, n the additions since the last renorm and u a power of two of
// which all terms are multiples, the last double stays below n^3 m 2^-159, so that
// nothing falls out while m/u <= 2^212 / n^3. Moments renorms every 2^10 rows of a slot: 2^182.
// The squares of a million 53-bit values from 0.001 to 10,000 need 2^171.
type squares [4]float64

// square gives x*x = p + e exactly (Dekker 1971, with Veltkamp's split), unless e is below the smallest
// double. The conversions keep Go from fusing
// multiplications with additions, which it does on arm64 but not on amd64. |x| is at most 2^480.
func square(x float64) (p, e float64) {
	p = float64(x * x)
	hi, lo := split(x)
	e = float64(hi*hi) - p
	e += float64(2 * float64(hi*lo))
	e += float64(lo * lo)
	return p, e
}

// product gives x*y = p + e in the same way.
func product(x, y float64) (p, e float64) {
	p = float64(x * y)
	xh, xl := split(x)
	yh, yl := split(y)
	e = float64(xh*yh) - p
	e += float64(xh * yl)
	e += float64(xl * yh)
	e += float64(xl * yl)
	return p, e
}

// split cuts x into two halves of at most 26 bits.
func split(x float64) (hi, lo float64) {
	c := float64(134217729 * x)
	hi = c - (c - x)
	return hi, x - hi
}

// plus adds p + e, where e is at most half an ulp of p, but for lost1 + lost2, which are 0 unless
// four doubles are too few.
func (q *squares) plus(p, e float64) (lost1, lost2 float64) {
	var r float64
	q[0], r = twoSum(q[0], p)
	q[1], r = twoSum(q[1], r)
	q[2], r = twoSum(q[2], r)
	q[3], lost1 = twoSum(q[3], r)
	q[1], r = twoSum(q[1], e)
	q[2], r = twoSum(q[2], r)
	q[3], lost2 = twoSum(q[3], r)
	return lost1, lost2
}

// plusAll adds the four doubles of b; ok is false where four doubles are too few.
func (q *squares) plusAll(b *squares) (ok bool) {
	ok = true
	var r float64
	for _, x := range b {
		q[0], r = twoSum(q[0], x)
		q[1], r = twoSum(q[1], r)
		q[2], r = twoSum(q[2], r)
		q[3], r = twoSum(q[3], r)
		ok = ok && r == 0
	}
	q.renorm()
	return ok
}

// renorm moves the sum towards the first doubles without changing it: passes
// of twoSum from the last to the first until nothing moves.
func (q *squares) renorm() {
	for range 8 {
		before := *q
		s := q[3]
		s, q[3] = twoSum(q[2], s)
		s, q[2] = twoSum(q[1], s)
		q[0], q[1] = twoSum(q[0], s)
		for i := range 3 { // no zeros in between
			if q[i] == 0 {
				q[i], q[i+1] = q[i+1], 0
			}
		}
		if *q == before {
			return
		}
	}
}

// finite tells whether all four doubles are numbers.
func (q *squares) finite() bool {
	s := math.Abs(q[0]) + math.Abs(q[1]) + math.Abs(q[2]) + math.Abs(q[3])
	return s-s == 0
}
