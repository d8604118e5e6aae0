package window

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// row is one input row of the tests: its keys as key columns have them.
type row struct {
	keys []any // nil, bool, int64, float64, string or []byte
	ts   int64
	x    any // nil or float64
	n    any // nil or int64
	s    any // nil or string
}

// Columns of the tests' row batches: the keys, then these.
const (
	colTime = iota
	colX
	colN
	colS
	otherColumns
)

func rowSchema(keys []batch.Type) batch.Schema {
	var s batch.Schema
	for i, t := range keys {
		s = append(s, batch.Field{Name: fmt.Sprintf("k%d", i), Type: t})
	}
	return append(s, batch.Field{Name: "ts", Type: batch.Timestamp}, batch.Field{Name: "x", Type: batch.Double},
		batch.Field{Name: "n", Type: batch.Int}, batch.Field{Name: "s", Type: batch.String})
}

// emits lists the results of the tests' window.
var emits = []struct {
	function string
	column   int // -1 = *
	typ      batch.Type
}{
	{"count", -1, 0}, {"count", colX, batch.Double}, {"sum", colX, batch.Double}, {"avg", colX, batch.Double},
	{"min", colX, batch.Double}, {"max", colX, batch.Double}, {"var_samp", colX, batch.Double}, {"sum", colN, batch.Int},
	{"max", colN, batch.Int}, {"min", colS, batch.String}, {"first", colS, batch.String}, {"last", colN, batch.Int},
}

// testWindow plans a tumbling window over rows of rowSchema(keys), as the compiler does.
func testWindow(t testing.TB, keys []batch.Type, size, lateness int64) *plan.Window {
	t.Helper()
	w := &plan.Window{SliceMicros: size, AllowedLatenessMicros: lateness, TimeColumn: uint32(len(keys) + colTime),
		Windows: []*plan.WindowSpec{{Kind: plan.WindowSpec_TUMBLING, SizeMicros: size}}}
	for i, k := range keys {
		w.Keys = append(w.Keys, &plan.Column{Name: fmt.Sprintf("k%d", i), Type: uint32(k)})
		w.KeyColumns = append(w.KeyColumns, uint32(i))
	}
	for i, e := range emits {
		specs, result, err := aggregate.Resolve(e.function, e.column < 0, e.typ, 0)
		if err != nil {
			t.Fatal(err)
		}
		r := &plan.Result{Name: fmt.Sprintf("r%d", i), Function: e.function, Type: uint32(result)}
		for _, spec := range specs {
			col := int32(-1)
			if e.column >= 0 {
				col = int32(len(keys) + e.column)
			}
			at := -1
			for k, a := range w.Accumulators {
				if a.Kind == spec.Kind && a.Column == col {
					at = k
				}
			}
			if at < 0 {
				at = len(w.Accumulators)
				w.Accumulators = append(w.Accumulators, &plan.Accumulator{Kind: spec.Kind, Column: col, Type: uint32(spec.In), Param: spec.Param})
			}
			r.Accumulators = append(r.Accumulators, uint32(at))
		}
		w.Results = append(w.Results, r)
	}
	return w
}

func appendValue(c *batch.Column, v any) {
	n := c.Len()
	switch x := v.(type) {
	case nil:
		c.AppendNull()
		return
	case bool:
		c.Bools = append(c.Bools, x)
	case int64:
		c.Ints = append(c.Ints, x)
	case float64:
		c.Doubles = append(c.Doubles, x)
	case string:
		if c.Dict == nil {
			c.Dict = batch.NewDict()
		}
		c.Codes = append(c.Codes, c.Dict.CodeString(x))
	case []byte:
		c.AppendBlob(x)
	}
	if c.Valid != nil {
		c.Valid = c.Valid.Append(n, true)
	}
}

func valueAt(c *batch.Column, i int) any {
	if c.Null(i) {
		return nil
	}
	switch c.Type {
	case batch.Bool:
		return c.Bools[i]
	case batch.Double:
		return c.Doubles[i]
	case batch.String:
		return c.Str(i)
	case batch.Bytes:
		return string(c.Blob(i))
	default:
		return c.Ints[i]
	}
}

// show writes a value so that only equal values are written alike.
func show(v any) string {
	switch x := v.(type) {
	case float64:
		return fmt.Sprintf("%v/%x", x, math.Float64bits(x))
	case string:
		return fmt.Sprintf("%q", x)
	case []byte:
		return fmt.Sprintf("%q", string(x))
	}
	return fmt.Sprint(v)
}

func showRow(b *batch.Batch, i, from, to int) string {
	var parts []string
	for c := from; c < to; c++ {
		parts = append(parts, show(valueAt(&b.Cols[c], i)))
	}
	return strings.Join(parts, " ")
}

// id names a window and key.
func (r row) id(size int64) string {
	start := int64(math.Floor(float64(r.ts)/float64(size))) * size
	parts := []string{fmt.Sprint(start), fmt.Sprint(start + size)}
	for _, k := range r.keys {
		if f, ok := k.(float64); ok {
			if f == 0 {
				k = 0.0
			}
			if f != f {
				k = batch.CanonicalNaN
			}
		}
		parts = append(parts, show(k))
	}
	return strings.Join(parts, " ")
}

// oracle computes the results of one window and key from its rows, one at a
// time and with math/big.
func oracle(rows []row) string {
	var xs, ns []row
	var ss []row
	for _, r := range rows {
		if r.x != nil {
			xs = append(xs, r)
		}
		if r.n != nil {
			ns = append(ns, r)
		}
		if r.s != nil {
			ss = append(ss, r)
		}
	}
	out := []any{int64(len(rows)), int64(len(xs)), nil, nil, nil, nil, nil, nil, nil, nil, nil, nil}
	if n := int64(len(xs)); n > 0 {
		sum, squares := new(big.Rat), new(big.Rat)
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, r := range xs {
			x := r.x.(float64)
			lo, hi = min(lo, x), max(hi, x)
			v := new(big.Rat).SetFloat64(x)
			sum.Add(sum, v)
			squares.Add(squares, new(big.Rat).Mul(v, v))
		}
		s, _ := sum.Float64()
		out[2], out[3], out[4], out[5] = s, s/float64(n), lo, hi
		if n > 1 {
			squares.Mul(squares, big.NewRat(n, 1)).Sub(squares, sum.Mul(sum, sum))
			v, _ := squares.Mul(squares, big.NewRat(1, n*(n-1))).Float64()
			out[6] = v
		}
	}
	if len(ns) > 0 {
		sum, most, last := int64(0), int64(math.MinInt64), ns[0]
		for _, r := range ns {
			v := r.n.(int64)
			sum, most = sum+v, max(most, v)
			if r.ts > last.ts || r.ts == last.ts && v < last.n.(int64) {
				last = r
			}
		}
		out[7], out[8], out[11] = sum, most, last.n
	}
	if len(ss) > 0 {
		least, first := ss[0].s.(string), ss[0]
		for _, r := range ss {
			v := r.s.(string)
			least = min(least, v)
			if r.ts < first.ts || r.ts == first.ts && v < first.s.(string) {
				first = r
			}
		}
		out[9], out[10] = least, first.s
	}
	var parts []string
	for _, v := range out {
		parts = append(parts, show(v))
	}
	return strings.Join(parts, " ")
}

func pick[T any](r *rand.Rand, vs ...T) T { return vs[r.IntN(len(vs))] }

func randomKey(r *rand.Rand, t batch.Type, many int) any {
	if r.IntN(10) == 0 {
		return nil
	}
	n := r.IntN(many)
	switch t {
	case batch.Bool:
		return n%2 == 0
	case batch.Double:
		return pick(r, float64(n)/10, float64(n)/10, math.Copysign(0, -1), 0, math.NaN(), math.Float64frombits(0xFFF8000000000001), math.Inf(-1))
	case batch.String:
		return pick(r, fmt.Sprintf("dev-%d", n), fmt.Sprintf("dev-%d", n), "", strings.Repeat("long", 40))
	case batch.Bytes:
		return []byte{byte(n), 0xFF}
	default:
		return int64(n - many/2)
	}
}

// finish appends result i of a slot to out.
func finish(s *states, i int, r result, slot uint32, out *batch.Column) error {
	return aggregate.Finish(r.function, r.param, s.args[i], []uint32{slot}, out)
}
