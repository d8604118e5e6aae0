package expr

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
)

// appendDouble writes a double as PostgreSQL does: the shortest digits that
// read back, with an exponent below 1e-4 and from 1e15 on.
func appendDouble(dst []byte, v float64) []byte {
	switch {
	case v != v:
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	a := math.Abs(v)
	if a == 0 || a >= 1e-4 && a < 1e15 {
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'e', -1, 64)
	for a >= 1<<53 && a < 1e41 && halfway(dst[start:], v) {
		mantissa := bytes.TrimLeft(dst[start:bytes.LastIndexByte(dst, 'e')], "-")
		digits := max(1, len(mantissa)-1) // without the point
		dst = strconv.AppendFloat(dst[:start], v, 'e', digits, 64)
	}
	return dst
}

// halfway tells whether a decimal lies in the middle between v and a
// neighbour of v. Go takes such a decimal for v where it reads back as v,
// which it does if v is even; PostgreSQL wants one that reads back however a tie is
// rounded. There are none below 2^53, where a middle has a fraction of too many digits,
// and none above 10^41, where it is no multiple of the power of ten.
func halfway(text []byte, v float64) bool {
	decimal, ok := new(big.Rat).SetString(string(text))
	if !ok {
		return false
	}
	for _, limit := range [...]float64{math.Inf(1), math.Inf(-1)} {
		middle := new(big.Rat).SetFloat64(v)
		middle.Add(middle, new(big.Rat).SetFloat64(math.Nextafter(v, limit)))
		if middle.Quo(middle, big.NewRat(2, 1)).Cmp(decimal) == 0 {
			return true
		}
	}
	return false
}
