package aggregate

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/leatio/leat/engine/batch"
)

// The oracle computes every function from the plain list of a group's values,
// with math/big, sharing nothing with the accumulators.

// obs is one value of a group; v is nil, bool, int64, float64, string or []byte.
type obs struct {
	at int64
	v  any
}

func compareSQL(a, b any) int {
	switch x := a.(type) {
	case bool:
		y := b.(bool)
		switch {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	case int64:
		return big.NewInt(x).Cmp(big.NewInt(b.(int64)))
	case float64:
		y := b.(float64)
		switch {
		case math.IsNaN(x) && math.IsNaN(y):
			return 0
		case math.IsNaN(x):
			return 1
		case math.IsNaN(y):
			return -1
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case string:
		return strings.Compare(x, b.(string))
	default:
		return strings.Compare(string(a.([]byte)), string(b.([]byte)))
	}
}

// oracleSays tells what is wrong with the value that an aggregate gave; "" = nothing.
func oracleSays(c call, t batch.Type, rows []obs, got any) string {
	var vals []obs
	for _, r := range rows {
		if r.v != nil {
			vals = append(vals, r)
		}
	}
	var want any
	switch {
	case c.function == "quantile" && len(vals) > 0:
		return oracleQuantile(c.param, vals, got)
	case c.function == "approx_count_distinct":
		want = int64(len(oracleCounts(vals)))
	case c.function == "top_k" && len(vals) > 0:
		if counts := oracleCounts(vals); len(counts) <= topCapacity(int(c.param)) {
			want = oracleTop(t, int(c.param), counts)
		} else {
			return ""
		}
	case c.function == "increase" && len(vals) > 0:
		var exact bool
		if want, exact = oracleIncrease(t, vals); !exact {
			return ""
		}
	default:
		want = oracle(c.function, c.star, t, rows)
	}
	if !same(got, want) {
		return fmt.Sprintf("want %v", want)
	}
	return ""
}

// oracle gives what function says of the observations; nil = null.
func oracle(function string, star bool, t batch.Type, rows []obs) any {
	if star {
		return int64(len(rows))
	}
	var vals []obs
	for _, r := range rows {
		if r.v != nil {
			vals = append(vals, r)
		}
	}
	if function == "count" {
		return int64(len(vals))
	}
	if function == "approx_count_distinct" {
		panic("see oracleSays")
	}
	if len(vals) == 0 {
		return nil
	}
	switch function {
	case "sum":
		return oracleSum(t, vals)
	case "avg":
		switch s := oracleSum(t, vals).(type) {
		case int64:
			return float64(s) / float64(len(vals))
		case float64:
			return s / float64(len(vals))
		}
		return nil
	case "min", "bool_and":
		return clean(slices.MinFunc(vals, func(a, b obs) int { return compareSQL(a.v, b.v) }).v)
	case "max", "bool_or":
		return clean(slices.MaxFunc(vals, func(a, b obs) int { return compareSQL(a.v, b.v) }).v)
	case "quantile", "increase", "top_k":
		return nil // of no rows, see oracleSays
	case "first", "last":
		sign := 1
		if function == "last" {
			sign = -1
		}
		return clean(slices.MinFunc(vals, func(a, b obs) int {
			if a.at != b.at {
				if a.at < b.at {
					return -sign
				}
				return sign
			}
			return compareSQL(a.v, b.v)
		}).v)
	}
	return oracleVariance(function, vals)
}

func clean(v any) any {
	if f, ok := v.(float64); ok {
		if math.IsNaN(f) {
			return batch.CanonicalNaN
		}
		if f == 0 {
			return 0.0
		}
	}
	return v
}

func oracleSum(t batch.Type, vals []obs) any {
	if t == batch.Int {
		s := new(big.Int)
		for _, v := range vals {
			s.Add(s, big.NewInt(v.v.(int64)))
		}
		if !s.IsInt64() {
			return nil
		}
		return s.Int64()
	}
	s, special := new(big.Rat), 0.0
	for _, v := range vals {
		x := v.v.(float64)
		special += x - x + x*0 // NaN for anything not finite
		if !math.IsInf(x, 0) && !math.IsNaN(x) {
			s.Add(s, new(big.Rat).SetFloat64(x))
		}
	}
	if special != 0 { // some are not finite: IEEE says it in any order
		ieee := 0.0
		for _, v := range vals {
			if x := v.v.(float64); math.IsInf(x, 0) || math.IsNaN(x) {
				ieee += x
			}
		}
		return clean(ieee)
	}
	f, _ := s.Float64()
	return clean(f)
}

// oracleVariance is the mean square of the differences from the mean.
func oracleVariance(function string, vals []obs) any {
	n := int64(len(vals))
	if strings.HasSuffix(function, "_samp") && n == 1 {
		return nil
	}
	var xs []*big.Rat
	mean := new(big.Rat)
	for _, v := range vals {
		x := new(big.Rat)
		switch y := v.v.(type) {
		case int64:
			x.SetInt64(y)
		case float64:
			if math.IsNaN(y) || math.IsInf(y, 0) {
				return batch.CanonicalNaN
			}
			x.SetFloat64(y)
		}
		xs = append(xs, x)
		mean.Add(mean, x)
	}
	mean.Quo(mean, new(big.Rat).SetInt64(n))
	sum := new(big.Rat)
	for _, x := range xs {
		d := new(big.Rat).Sub(x, mean)
		sum.Add(sum, d.Mul(d, d))
	}
	if strings.HasSuffix(function, "_samp") {
		n--
	}
	sum.Quo(sum, new(big.Rat).SetInt64(n))
	if strings.HasPrefix(function, "stddev") {
		root := new(big.Float).SetPrec(5000).SetRat(sum)
		f, _ := root.Sqrt(root).Float64()
		return f
	}
	f, _ := sum.Float64()
	return f
}
