package expr

import "math"

// The logarithm, exponential and power functions, made so that every machine
// gives the same bits: only additions, multiplications, divisions and exact
// fused multiply-adds, each rounded once. (math.Exp has assembly on some
// machines, and the compiler fuses the rest on arm64.) Results are
// within about 0.6 units in the last place.
//
// The core works on pairs: a value is hi+lo, unevaluated, with |lo| at most
// half a unit in the last place of hi.

// pair is the unevaluated sum of two doubles.
type pair struct{ hi, lo float64 }

// twoSum is the exact sum of a and b (Knuth).
func twoSum(a, b float64) pair {
	s := float64(a + b)
	t := float64(s - a)
	return pair{s, float64(float64(a-float64(s-t)) + float64(b-t))}
}

// twoProduct is the exact product of a and b.
func twoProduct(a, b float64) pair {
	p := float64(a * b)
	return pair{p, math.FMA(a, b, -p)}
}

func (x pair) add(y pair) pair {
	s := twoSum(x.hi, y.hi)
	return twoSum(s.hi, float64(s.lo+float64(x.lo+y.lo)))
}

func (x pair) mul(y pair) pair {
	p := twoProduct(x.hi, y.hi)
	return twoSum(p.hi, float64(p.lo+float64(float64(x.hi*y.lo)+float64(x.lo*y.hi))))
}

// ln 2 in two parts, exact to 2^-87; the first has 20 trailing zero bits, so
// that its products with exponents are exact.
const (
	ln2Hi  = 0x1.62e42fefp-1
	ln2Mid = 0x1.473de6af278edp-34
)

// lnPair is the logarithm of a finite positive x, with a relative error
// around 2^-63.
//
// x = m * 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh(s) with
// s = (m-1)/(m+1), |s| < 0.1716: s and s^3/3 as pairs, the rest of the series
// as a double.
func lnPair(x float64) pair {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = m*2, e-1
	}
	num, den := m-1, twoSum(m, 1)
	q := float64(num / den.hi)
	// The remainder num - q*den gives the low part of the quotient.
	rem := float64(math.FMA(-q, den.hi, num) - float64(q*den.lo))
	s := twoSum(q, float64(rem/den.hi))

	s2 := s.mul(s)
	z := s2.hi
	tail := 1.0 / 25
	for _, c := range [...]float64{1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5} {
		tail = float64(float64(tail*z) + c)
	}
	third := pair{1.0 / 3, 0x1.5555555555555p-56}
	series := third.add(twoProduct(tail, z)) // 1/3 + z/5 + z^2/7 + ...
	sum := s.add(s.mul(s2).mul(series))
	sum = pair{2 * sum.hi, 2 * sum.lo}
	k := float64(e)
	return pair{float64(k * ln2Hi), 0}.add(twoProduct(k, ln2Mid)).add(sum)
}

// expPair is exp(x.hi + x.lo), Inf where it overflows and 0 where it underflows.
//
// x = k ln 2 + r, |r| <= 0.347; exp(r) by its Taylor series, the first
// terms as pairs.
func expPair(x pair) float64 {
	switch {
	case x.hi > 710:
		return math.Inf(1)
	case x.hi < -746:
		return 0
	}
	k := math.RoundToEven(float64(x.hi * math.Log2E))
	r := pair{float64(x.hi - float64(k*ln2Hi)), 0}
	r = r.add(twoProduct(-k, ln2Mid))
	r = r.add(pair{x.lo, 0})

	z := r.hi
	tail := 1.0 / 87178291200 // 1/14!
	for _, c := range [...]float64{1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
		1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6} {
		tail = float64(float64(tail*z) + c)
	}
	half := r.mul(r)
	half = pair{half.hi / 2, half.lo / 2}
	cube := float64(float64(z*z) * z)
	sum := pair{1, 0}.add(r).add(half).add(pair{float64(cube * tail), 0})
	return math.Ldexp(float64(sum.hi+sum.lo), int(k))
}

// exponential is e to the power of x.
func exponential(x float64) float64 {
	if x != x || math.IsInf(x, 1) {
		return x
	}
	return expPair(pair{x, 0})
}

// logarithm is the natural logarithm of x, which is not negative and not 0.
func logarithm(x float64) float64 {
	if x != x || math.IsInf(x, 1) {
		return x
	}
	l := lnPair(x)
	return float64(l.hi + l.lo)
}

// power is x to the power of y as IEEE 754 and C define it.
func power(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case x != x || y != y:
		return math.NaN()
	case y == 1:
		return x
	case x == 0 || math.IsInf(x, 0) || math.IsInf(y, 0):
		return math.Pow(x, y) // exact: no rounding takes part
	}
	negative := false
	if x < 0 {
		if y != math.Trunc(y) {
			return math.NaN()
		}
		negative = math.Mod(y, 2) != 0
		x = -x
	}
	l := lnPair(x)
	p := twoProduct(l.hi, y)
	v := expOf(p, float64(l.lo*y))
	if negative {
		return -v
	}
	return v
}

// expOf is exp(p + lo), guarding products that are not finite.
func expOf(p pair, lo float64) float64 {
	if p.hi > 1000 || p.hi < -1000 {
		p.lo, lo = 0, 0
	}
	return expPair(twoSum(p.hi, float64(p.lo+lo)))
}
