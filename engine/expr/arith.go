package expr

import (
	"math"
	"math/bits"

	"github.com/leatio/leat/engine/batch"
)

// arith is a binary operation of two columns of one numeric type.
type arith struct {
	op   byte // + - * / %
	typ  batch.Type
	a, b node
	out  result
}

func (x *arith) eval(r *run, rows []uint32) *batch.Column {
	a, b := x.a.eval(r, rows), x.b.eval(r, rows)
	o := &x.out
	o.reset(x.typ, r.n)
	o.validFrom(r.n, a, b)
	if x.typ == batch.Double {
		x.doubles(r, rows, o.col.Doubles, a.Doubles[:r.n], b.Doubles[:r.n])
	} else {
		x.ints(r, rows, o.col.Ints, a.Ints[:r.n], b.Ints[:r.n])
	}
	return &o.col
}

func (x *arith) doubles(r *run, rows []uint32, dst, a, b []float64) {
	var odd bool
	switch x.op {
	case '+':
		odd = addDoubles(dst, a, b, rows)
	case '-':
		odd = subDoubles(dst, a, b, rows)
	case '*':
		odd = mulDoubles(dst, a, b, rows)
	case '/':
		odd = divDoubles(dst, a, b, rows)
	}
	if !odd {
		return
	}
	for _, i := range r.all(rows) {
		if reason := trouble(x.op, dst[i], a[i], b[i]); reason != "" && !x.out.col.Null(int(i)) {
			r.failRow(&x.out, int(i), reason)
		}
		dst[i] = canon(dst[i])
	}
}

// trouble says why the result v of an operation cannot stand: infinities come
// from infinities only, and zeros not from a result too small, as in PostgreSQL.
func trouble(op byte, v, a, b float64) string {
	switch {
	case op == '/' && b == 0 && a == a:
		return reasonDivision
	case math.IsInf(v, 0) && !math.IsInf(a, 0) && (op == '/' || !math.IsInf(b, 0)):
		return reasonOverflow
	case v != 0:
		return ""
	case op == '*' && a != 0 && b != 0, op == '/' && a != 0 && !math.IsInf(b, 0):
		return reasonUnderflow
	}
	return ""
}

func (x *arith) ints(r *run, rows []uint32, dst, a, b []int64) {
	switch x.op {
	case '+':
		if addInts(dst, a, b, rows) {
			r.failWhere(&x.out, rows, reasonIntRange, func(i int) bool { return addOverflow(a[i], b[i]) < 0 })
		}
	case '-':
		if subInts(dst, a, b, rows) {
			r.failWhere(&x.out, rows, reasonIntRange, func(i int) bool { return subOverflow(a[i], b[i]) < 0 })
		}
	case '*':
		if mulInts(dst, a, b, rows) {
			r.failWhere(&x.out, rows, reasonIntRange, func(i int) bool { return mulOverflow(a[i], b[i]) != 0 })
		}
	case '/':
		if divInts(dst, a, b, rows) {
			r.failWhere(&x.out, rows, reasonDivision, func(i int) bool { return b[i] == 0 })
			r.failWhere(&x.out, rows, reasonIntRange, func(i int) bool { return b[i] == -1 && a[i] == math.MinInt64 })
		}
	case '%':
		if modInts(dst, a, b, rows) {
			r.failWhere(&x.out, rows, reasonDivision, func(i int) bool { return b[i] == 0 })
		}
	}
}

// canon gives every NaN one bit pattern.
func canon(v float64) float64 {
	if v != v {
		return batch.CanonicalNaN
	}
	return v
}

// The kernels below come with a dense loop (rows nil) and an indexed one. Each
// rounds one operation and stores it, so that nothing can be fused. They tell whether
// a result is infinite or NaN, or zero where that could be an underflow: a second
// pass then looks at each row.

// infinite is negative for infinities and NaNs: one more in the exponent then
// carries into the sign.
func infinite(v float64) int64 { return int64(math.Float64bits(v)&^(1<<63) + 1<<52) }

func addDoubles(dst, a, b []float64, rows []uint32) bool {
	var odd int64
	if rows == nil {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			v := a[i] + b[i]
			dst[i] = v
			odd |= infinite(v)
		}
		return odd < 0
	}
	for _, i := range rows {
		v := a[i] + b[i]
		dst[i] = v
		odd |= infinite(v)
	}
	return odd < 0
}

func subDoubles(dst, a, b []float64, rows []uint32) bool {
	var odd int64
	if rows == nil {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			v := a[i] - b[i]
			dst[i] = v
			odd |= infinite(v)
		}
		return odd < 0
	}
	for _, i := range rows {
		v := a[i] - b[i]
		dst[i] = v
		odd |= infinite(v)
	}
	return odd < 0
}

func mulDoubles(dst, a, b []float64, rows []uint32) bool {
	var odd int64
	if rows == nil {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			v := float64(a[i] * b[i])
			dst[i] = v
			odd |= infinite(v) | -int64(b2i(v == 0))
		}
		return odd < 0
	}
	for _, i := range rows {
		v := float64(a[i] * b[i])
		dst[i] = v
		odd |= infinite(v) | -int64(b2i(v == 0))
	}
	return odd < 0
}

func divDoubles(dst, a, b []float64, rows []uint32) bool {
	var odd int64
	if rows == nil {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			v := float64(a[i] / b[i])
			dst[i] = v
			odd |= infinite(v) | -int64(b2i(v == 0))
		}
		return odd < 0
	}
	for _, i := range rows {
		v := float64(a[i] / b[i])
		dst[i] = v
		odd |= infinite(v) | -int64(b2i(v == 0))
	}
	return odd < 0
}

// addOverflow is negative when a+b does not fit.
func addOverflow(a, b int64) int64 {
	s := a + b
	return (a ^ s) & (b ^ s)
}

// subOverflow is negative when a-b does not fit.
func subOverflow(a, b int64) int64 { return (a ^ b) & (a ^ (a - b)) }

// mulOverflow is not zero when a*b does not fit: when the upper half of the
// product is not the sign of the lower one.
func mulOverflow(a, b int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return int64(hi) - a>>63&b - b>>63&a ^ int64(lo)>>63
}

func addInts(dst, a, b []int64, rows []uint32) bool {
	var over int64
	if rows == nil {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = a[i] + b[i]
			over |= addOverflow(a[i], b[i])
		}
		return over < 0
	}
	for _, i := range rows {
		dst[i] = a[i] + b[i]
		over |= addOverflow(a[i], b[i])
	}
	return over < 0
}

func subInts(dst, a, b []int64, rows []uint32) bool {
	var over int64
	if rows == nil {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = a[i] - b[i]
			over |= subOverflow(a[i], b[i])
		}
		return over < 0
	}
	for _, i := range rows {
		dst[i] = a[i] - b[i]
		over |= subOverflow(a[i], b[i])
	}
	return over < 0
}

func mulInts(dst, a, b []int64, rows []uint32) bool {
	var over int64
	if rows == nil {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = a[i] * b[i]
			over |= mulOverflow(a[i], b[i])
		}
		return over != 0
	}
	for _, i := range rows {
		dst[i] = a[i] * b[i]
		over |= mulOverflow(a[i], b[i])
	}
	return over != 0
}

func divInts(dst, a, b []int64, rows []uint32) bool {
	bad := false
	div := func(i int) {
		switch y := b[i]; {
		case y == 0 || y == -1 && a[i] == math.MinInt64:
			bad, dst[i] = true, 0
		default:
			dst[i] = a[i] / y
		}
	}
	if rows == nil {
		for i := range dst {
			div(i)
		}
		return bad
	}
	for _, i := range rows {
		div(int(i))
	}
	return bad
}

func modInts(dst, a, b []int64, rows []uint32) bool {
	bad := false
	mod := func(i int) {
		switch y := b[i]; y {
		case 0:
			bad, dst[i] = true, 0
		case -1:
			dst[i] = 0
		default:
			dst[i] = a[i] % y
		}
	}
	if rows == nil {
		for i := range dst {
			mod(i)
		}
		return bad
	}
	for _, i := range rows {
		mod(int(i))
	}
	return bad
}
