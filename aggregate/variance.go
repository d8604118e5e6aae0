package aggregate

import (
	"math"
	"math/big"

	"github.com/leatio/leat/engine/batch"
)

// variance computes (n Q - S^2) / (n d) with d = n or n-1 in integers, which
// round nothing, and rounds the quotient or its root once. The integers are
// kept from slot to slot.
type variance struct {
	sum, q, num, den, quo, rem, t big.Int
}

// appendVariance appends a variance or standard deviation per slot: null
// without rows, and of a sample without two.
func (a *moments) appendVariance(out *batch.Column, slots []uint32, sample, root bool) {
	var v variance
	for _, s := range slots {
		m := &a.s[s]
		switch {
		case m.n <= 0 || sample && m.n == 1:
			out.AppendNull()
		case m.poisoned():
			putDouble(out, batch.CanonicalNaN)
		case m.isWide():
			v.sum.Set(&a.wide[s].sum.n)
			v.q.Set(&a.wide[s].squares.n)
			putDouble(out, v.of(m.n, unitOfSums, unitOfSquares, sample, root))
		default:
			es, eq := v.exact(&v.sum, m.sum.hi, m.sum.lo), v.exact(&v.q, m.q[:]...)
			putDouble(out, v.of(m.n, es, eq, sample, root))
		}
	}
}

// of is the variance, or its root, of n values with S = sum * 2^es and Q = q * 2^eq.
func (v *variance) of(n int64, es, eq int, sample, root bool) float64 {
	// num * 2^e = n Q - S^2
	v.num.Mul(&v.q, v.t.SetInt64(n))
	v.sum.Mul(&v.sum, &v.sum)
	e := min(eq, 2*es)
	v.num.Lsh(&v.num, uint(eq-e))
	v.sum.Lsh(&v.sum, uint(2*es-e))
	v.num.Sub(&v.num, &v.sum)
	if v.num.Sign() <= 0 { // below 0 only for states that no rows have
		return 0
	}
	v.den.SetInt64(n)
	if sample {
		v.t.SetInt64(n - 1)
	} else {
		v.t.SetInt64(n)
	}
	v.den.Mul(&v.den, &v.t)
	if root {
		return v.root(e)
	}
	return v.quotient(e)
}

// exact sets z to the integer with z * 2^e = the sum of xs, which are finite.
func (v *variance) exact(z *big.Int, xs ...float64) (e int) {
	e = math.MaxInt
	for _, x := range xs {
		if x != 0 {
			_, ex := math.Frexp(x)
			e = min(e, ex-53)
		}
	}
	z.SetInt64(0)
	if e == math.MaxInt {
		return 0
	}
	for _, x := range xs {
		if x != 0 {
			f, ex := math.Frexp(x)
			v.t.SetInt64(int64(math.Ldexp(f, 53)))
			z.Add(z, v.t.Lsh(&v.t, uint(ex-53-e)))
		}
	}
	return e
}

// divide sets quo to num/den * 2^k, with at least bits bits and rounded down,
// and tells whether something remained. e-k is even when even is set.
func (v *variance) divide(bits, e int, even bool) (k int, inexact bool) {
	k = bits - v.num.BitLen() + v.den.BitLen()
	if even && (e-k)%2 != 0 {
		k++
	}
	if k >= 0 {
		v.num.Lsh(&v.num, uint(k))
	} else {
		v.den.Lsh(&v.den, uint(-k))
	}
	v.quo.QuoRem(&v.num, &v.den, &v.rem)
	return k, v.rem.Sign() != 0
}

// quotient is num/den * 2^e, rounded once.
func (v *variance) quotient(e int) float64 {
	k, inexact := v.divide(66, e, false)
	return rounded(&v.quo, inexact, e-k)
}

// root is the square root of num/den * 2^e, rounded once.
func (v *variance) root(e int) float64 {
	k, inexact := v.divide(140, e, true)
	v.t.Sqrt(&v.quo)
	v.num.Mul(&v.t, &v.t)
	return rounded(&v.t, inexact || v.num.Cmp(&v.quo) != 0, (e-k)/2)
}

// rounded is z * 2^e to the nearest double. z has more than 64 bits and was
// rounded down when inexact is set: then its last bit, far below the
// double's, keeps it off the middle between two doubles.
func rounded(z *big.Int, inexact bool, e int) float64 {
	if inexact {
		z.SetBit(z, 0, 1)
	}
	var f big.Float
	f.SetInt(z)
	x, _ := f.SetMantExp(&f, e).Float64()
	return x
}
