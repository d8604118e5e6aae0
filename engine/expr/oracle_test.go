package expr

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// cell is one value of the naive evaluator.
type cell struct {
	null bool
	b    bool
	i    int64
	d    float64
	s    string
	p    []byte
}

// oracle evaluates an expression for one row, a value at a time.
type oracle struct {
	b      *batch.Batch
	row    int
	reason string // of the first failure
}

func (o *oracle) fail(reason string) cell {
	if o.reason == "" {
		o.reason = reason
	}
	return cell{null: true}
}

func (o *oracle) column(i int) cell {
	c := &o.b.Cols[i]
	if c.Null(o.row) {
		return cell{null: true}
	}
	switch c.Type {
	case batch.Bool:
		return cell{b: c.Bools[o.row]}
	case batch.Double:
		return cell{d: c.Doubles[o.row]}
	case batch.String:
		return cell{s: c.Str(o.row)}
	case batch.Bytes:
		return cell{p: c.Blob(o.row)}
	}
	return cell{i: c.Ints[o.row]}
}

func (o *oracle) eval(e *plan.Expr) cell {
	switch k := e.Kind.(type) {
	case *plan.Expr_Column:
		return o.column(int(k.Column))
	case *plan.Expr_Literal:
		if k.Literal.Kind == nil {
			return cell{null: true}
		}
		return cell{b: k.Literal.GetBool(), i: k.Literal.GetInt(), d: canon(k.Literal.GetDouble()), s: k.Literal.GetString_(), p: k.Literal.GetBytes()}
	}
	call := e.GetCall()
	args := call.Args
	t := batch.Type(e.Type)
	argType := func(i int) batch.Type { return batch.Type(args[i].Type) }
	switch call.Op {
	case "and", "or":
		return o.junction(call.Op == "or", args)
	case "case":
		for i := 0; i+1 < len(args); i += 2 {
			if c := o.eval(args[i]); !c.null && c.b {
				return o.eval(args[i+1])
			}
		}
		if len(args)%2 == 1 {
			return o.eval(args[len(args)-1])
		}
		return cell{null: true}
	case "coalesce":
		for _, a := range args {
			if v := o.eval(a); !v.null {
				return v
			}
		}
		return cell{null: true}
	case "in":
		x := o.eval(args[0])
		nulls := x.null
		for _, a := range args[1:] {
			v := o.eval(a)
			if !x.null && !v.null && order(argType(0), x, v) == 0 {
				return cell{b: true}
			}
			nulls = nulls || v.null
		}
		return cell{null: nulls}
	}
	vs := make([]cell, len(args))
	anyNull := false
	for i, a := range args {
		vs[i] = o.eval(a)
		anyNull = anyNull || vs[i].null
	}
	switch call.Op {
	case "is_null", "is_not_null":
		return cell{b: vs[0].null == (call.Op == "is_null")}
	case "concat":
		s := ""
		for _, v := range vs {
			if !v.null {
				s += v.s
			}
		}
		return o.text(s)
	case "greatest", "least":
		best := cell{null: true}
		for _, v := range vs {
			if c := order(t, v, best); !v.null && (best.null || call.Op == "greatest" && c > 0 || call.Op == "least" && c < 0) {
				best = v
			}
		}
		return best
	case "nullif":
		if !anyNull && order(t, vs[0], vs[1]) == 0 {
			return cell{null: true}
		}
		return vs[0]
	}
	if anyNull {
		return cell{null: true}
	}
	if call.Op == "cast" {
		return o.cast(vs[0], argType(0), t)
	}
	if cmp, ok := map[string]func(int) bool{
		"=": func(c int) bool { return c == 0 }, "<>": func(c int) bool { return c != 0 }, "<": func(c int) bool { return c < 0 },
		"<=": func(c int) bool { return c <= 0 }, ">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
	}[call.Op]; ok {
		return cell{b: cmp(order(argType(0), vs[0], vs[1]))}
	}
	switch t {
	case batch.Int:
		if argType(0) == batch.Int {
			return o.ints(call.Op, vs)
		}
		return cell{i: int64(len([]rune(vs[0].s)))} // length
	case batch.Double:
		v := o.doubles(call.Op, vs)
		v.d = canon(v.d)
		return v
	case batch.Timestamp:
		return o.timestamps(call.Op, vs)
	}
	return o.strings(call.Op, vs)
}

func (o *oracle) junction(dominant bool, args []*plan.Expr) cell {
	null := false
	for _, a := range args {
		v := o.eval(a)
		if !v.null && v.b == dominant {
			return cell{b: dominant}
		}
		null = null || v.null
	}
	return cell{null: null, b: !dominant}
}

// filter is the condition as Filter sees it: the sides of AND one after the
// other, each for the rows where those before are true.
func (o *oracle) filter(e *plan.Expr) bool {
	if c := e.GetCall(); c != nil && c.Op == "and" {
		for _, a := range c.Args {
			if !o.filter(a) {
				return false
			}
		}
		return true
	}
	v := o.eval(e)
	return !v.null && v.b
}

// order compares two values; NaN equals itself and is above all.
func order(t batch.Type, x, y cell) int {
	switch t {
	case batch.Bool:
		return b2i(x.b) - b2i(y.b)
	case batch.String:
		return strings.Compare(x.s, y.s)
	case batch.Bytes:
		return bytes.Compare(x.p, y.p)
	case batch.Double:
		switch nx, ny := math.IsNaN(x.d), math.IsNaN(y.d); {
		case nx || ny:
			return b2i(nx) - b2i(ny)
		case x.d < y.d:
			return -1
		case x.d > y.d:
			return 1
		}
		return 0
	}
	switch {
	case x.i < y.i:
		return -1
	case x.i > y.i:
		return 1
	}
	return 0
}

func (o *oracle) ints(op string, vs []cell) cell {
	x := big.NewInt(vs[0].i)
	y := new(big.Int)
	if len(vs) > 1 {
		y = big.NewInt(vs[1].i)
	}
	r := new(big.Int)
	switch op {
	case "+":
		r.Add(x, y)
	case "-":
		r.Sub(x, y)
	case "*":
		r.Mul(x, y)
	case "/", "%":
		if y.Sign() == 0 {
			return o.fail(reasonDivision)
		}
		if op == "/" {
			r.Quo(x, y)
		} else {
			r.Rem(x, y)
		}
	case "neg":
		r.Neg(x)
	case "abs":
		r.Abs(x)
	}
	if !r.IsInt64() {
		return o.fail(reasonIntRange)
	}
	return cell{i: r.Int64()}
}

func (o *oracle) doubles(op string, vs []cell) cell {
	x, y := vs[0].d, 0.0
	if len(vs) > 1 {
		y = vs[1].d
	}
	r, reason := 0.0, ""
	switch op {
	case "+":
		r = x + y
		reason = outOfRange(r, false, x, y)
	case "-":
		r = x - y
		reason = outOfRange(r, false, x, y)
	case "*":
		r = x * y
		reason = outOfRange(r, x != 0 && y != 0, x, y)
	case "/":
		if y == 0 && !math.IsNaN(x) {
			return o.fail(reasonDivision)
		}
		r = x / y
		reason = outOfRange(r, x != 0 && !math.IsInf(y, 0), x)
	case "neg":
		r = -x
	case "abs":
		r = math.Abs(x)
	case "floor":
		r = math.Floor(x)
	case "ceil":
		r = math.Ceil(x)
	case "round":
		if len(vs) == 1 {
			r = math.RoundToEven(x)
			break
		}
		if r = naiveRound(x, vs[1].i); math.IsInf(r, 0) && !math.IsInf(x, 0) {
			reason = reasonOverflow
		}
	case "sqrt":
		r, reason = sqrtRow(x)
	case "ln":
		r, reason = lnRow(x)
	case "exp":
		r, reason = expRow(x)
	case "power":
		r, reason = powerRow(x, y)
	case "extract":
		r = naiveExtract(vs[0].s, vs[1].i)
	case "udf:half":
		if x == 7 {
			return o.fail("seven")
		}
		r = x / 2
	}
	if reason != "" {
		return o.fail(reason)
	}
	return cell{d: r}
}

// outOfRange tells why a result is an infinity or zero by mistake.
func outOfRange(r float64, underflow bool, args ...float64) string {
	for _, x := range args {
		if math.IsInf(r, 0) && math.IsInf(x, 0) {
			return ""
		}
	}
	if math.IsInf(r, 0) {
		return reasonOverflow
	}
	if r == 0 && underflow {
		return reasonUnderflow
	}
	return ""
}

// naiveRound rounds the shortest decimal of x as an exact fraction.
func naiveRound(x float64, places int64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) || places > 340 {
		return x + 0
	}
	if places < -340 {
		return 0
	}
	v, _ := new(big.Rat).SetString(strconv.FormatFloat(math.Abs(x), 'e', -1, 64))
	ten := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(max(places, -places)), nil))
	if places < 0 {
		ten.Inv(ten)
	}
	v.Mul(v, ten).Add(v, big.NewRat(1, 2))
	whole := new(big.Int).Quo(v.Num(), v.Denom())
	r, _ := v.SetInt(whole).Quo(v, ten).Float64()
	if x < 0 {
		r = -r
	}
	return r + 0
}

func (o *oracle) text(s string) cell {
	if len(s) > MaxString {
		return o.fail(reasonStringTooLong)
	}
	return cell{s: s}
}
