package aggregate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/leatio/leat/engine/batch"
)

func asDouble(v any) float64 {
	if n, ok := v.(int64); ok {
		return float64(n)
	}
	return v.(float64)
}

// oracleQuantile checks that got is within the stated error of the value of rank floor(q (n-1)).
func oracleQuantile(q float64, vals []obs, got any) string {
	sorted := slices.SortedFunc(slices.Values(vals), func(a, b obs) int { return compareSQL(a.v, b.v) })
	rank := new(big.Rat).SetFloat64(float64(q * float64(len(vals)-1)))
	k := new(big.Int).Quo(rank.Num(), rank.Denom()).Int64()
	want, largest := asDouble(sorted[k].v), 0.0
	for _, o := range vals {
		if x := math.Abs(asDouble(o.v)); x <= math.MaxFloat64 {
			largest = max(largest, x)
		}
	}
	v, ok := got.(float64)
	switch {
	case !ok:
		return "want a double"
	case want-want != 0:
		if !same(v, clean(want)) {
			return fmt.Sprintf("want %v", want)
		}
	case math.Abs(want) <= largest*1e-35 || math.Abs(want) < 0x1p-1022: // stated: off by at most that
		if math.Abs(v-want) > max(largest*1e-35, 0x1p-1022) {
			return fmt.Sprintf("want %v", want)
		}
	case !(math.Abs(v-want) <= ddAccuracy*math.Abs(want)*(1+1e-9)):
		return fmt.Sprintf("want %v within 1 %%", want)
	}
	return ""
}

// oracleCount is a value and how often it occurs.
type oracleCount struct {
	v any
	n int
}

// oracleCounts counts equal values; the most frequent first, then the smaller value.
func oracleCounts(vals []obs) (counts []oracleCount) {
	for _, o := range vals {
		v := clean(o.v)
		i := slices.IndexFunc(counts, func(c oracleCount) bool { return compareSQL(c.v, v) == 0 })
		if i < 0 {
			i = len(counts)
			counts = append(counts, oracleCount{v: v})
		}
		counts[i].n++
	}
	slices.SortFunc(counts, func(a, b oracleCount) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return compareSQL(a.v, b.v)
	})
	return counts
}

func oracleTop(t batch.Type, k int, counts []oracleCount) any {
	var parts []string
	for _, c := range counts[:min(k, len(counts))] {
		parts = append(parts, fmt.Sprintf(`{"value":%s,"count":%d,"error":0}`, oracleJSON(t, c.v), c.n))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// oracleIncrease adds up what a counter rose; exact is false where a double-double may not do.
func oracleIncrease(t batch.Type, vals []obs) (rise any, exact bool) {
	var points []obs
	for _, o := range vals {
		if f, ok := o.v.(float64); ok && (f-f != 0) {
			continue
		}
		points = append(points, o)
	}
	if len(points) == 0 {
		return nil, true
	}
	slices.SortFunc(points, func(a, b obs) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return compareSQL(a.v, b.v)
	})
	rat := func(v any) *big.Rat {
		if n, ok := v.(int64); ok {
			return new(big.Rat).SetInt64(n)
		}
		return new(big.Rat).SetFloat64(v.(float64))
	}
	sum, zero := new(big.Rat), new(big.Rat)
	exact = true
	for i := 1; i < len(points); i++ {
		before, v := rat(points[i-1].v), rat(points[i].v)
		if f, ok := points[i].v.(float64); ok && f != 0 && (math.Abs(f) < 1e-3 || math.Abs(f) > 1e13) {
			exact = false
		}
		switch {
		case v.Cmp(before) >= 0:
			sum.Add(sum, v.Sub(v, before))
		case v.Cmp(zero) > 0:
			sum.Add(sum, v)
		}
	}
	if t == batch.Int {
		if !sum.IsInt() || !sum.Num().IsInt64() {
			return nil, true
		}
		return sum.Num().Int64(), true
	}
	f, _ := sum.Float64()
	return f, exact
}

// oracleJSON writes a value as encoding/json and the docs say.
func oracleJSON(t batch.Type, v any) string {
	if t == batch.Timestamp {
		return `"` + time.UnixMicro(v.(int64)).UTC().Format(time.RFC3339Nano) + `"`
	}
	switch x := v.(type) {
	case bool, int64:
		return fmt.Sprint(x)
	case string:
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(strings.ToValidUTF8(x, "\uFFFD")); err != nil {
			panic(err)
		}
		return strings.TrimSpace(b.String())
	case []byte:
		return `"` + base64.StdEncoding.EncodeToString(x) + `"`
	case float64:
		switch {
		case math.IsNaN(x):
			return `"NaN"`
		case math.IsInf(x, 0):
			return map[bool]string{true: `"Infinity"`, false: `"-Infinity"`}[x > 0]
		}
		b, err := json.Marshal(x)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	panic(fmt.Sprintf("%T", v))
}
