package expr

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
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

func mapRunes(s string, f func(rune) rune) string {
	var b strings.Builder
	for _, c := range s {
		b.WriteRune(f(c))
	}
	return b.String()
}

func (o *oracle) strings(op string, vs []cell) cell {
	s := vs[0].s
	switch op {
	case "not":
		return cell{b: !vs[0].b}
	case "lower":
		return o.text(mapRunes(s, unicode.ToLower))
	case "upper":
		return o.text(mapRunes(s, unicode.ToUpper))
	case "||":
		return o.text(s + vs[1].s)
	case "replace":
		if vs[1].s == "" {
			return o.text(s)
		}
		return o.text(strings.ReplaceAll(s, vs[1].s, vs[2].s))
	case "substr":
		if len(vs) == 3 && vs[2].i < 0 {
			return o.fail(reasonSubstr)
		}
		var b strings.Builder
		for k, c := range []rune(s) {
			at := big.NewInt(int64(k + 1))
			from := big.NewInt(vs[1].i)
			if at.Cmp(from) < 0 || len(vs) == 3 && at.Cmp(from.Add(from, big.NewInt(vs[2].i))) >= 0 {
				continue
			}
			b.WriteRune(c)
		}
		return o.text(b.String())
	case "split_part":
		n := vs[2].i
		if n == 0 {
			return o.fail(reasonSplitPart)
		}
		parts := []string{s}
		if vs[1].s != "" {
			parts = strings.Split(s, vs[1].s)
		}
		if n < 0 {
			n += int64(len(parts)) + 1
		}
		if n < 1 || n > int64(len(parts)) {
			return cell{}
		}
		return o.text(parts[n-1])
	case "local_text":
		return o.text(naiveTime(vs[0].i))
	case "like_escape":
		e := []rune(vs[1].s)
		if len(e) > 1 {
			return o.fail(reasonEscape)
		}
		out := ""
		p := []rune(s)
		for k := 0; k < len(p); k++ {
			switch {
			case len(e) == 1 && p[k] == e[0]:
				out += `\`
				if k++; k < len(p) {
					out += string(p[k])
				}
			case p[k] == '\\':
				out += `\\`
			default:
				out += string(p[k])
			}
		}
		return o.text(out)
	case "like":
		var re strings.Builder
		p := []rune(vs[1].s)
		for k := 0; k < len(p); k++ {
			switch p[k] {
			case '%':
				re.WriteString(".*")
			case '_':
				re.WriteString(".")
			case '\\':
				if k++; k == len(p) {
					return o.fail(reasonLikeEscape)
				}
				fallthrough
			default:
				re.WriteString(regexp.QuoteMeta(string(p[k])))
			}
		}
		return cell{b: regexp.MustCompile("(?s)^(?:" + re.String() + ")$").MatchString(s)}
	case "regexp_like":
		return cell{b: regexp.MustCompile("(?s)" + vs[1].s).MatchString(s)}
	}
	panic("oracle: " + op)
}

func (o *oracle) cast(v cell, from, to batch.Type) cell {
	var err error
	switch {
	case from == to:
		return v
	case from == batch.String:
		switch to {
		case batch.Bool:
			v.b, err = ParseBool(v.s)
		case batch.Int:
			v.i, err = ParseInt(v.s)
		case batch.Double:
			v.d, err = ParseDouble(v.s)
		case batch.Bytes:
			v.p, err = ParseBytes(v.s)
		default:
			v.i, err = ParseTimestamp(v.s)
		}
		if err != nil {
			return o.fail(err.Error())
		}
	case to == batch.String:
		switch from {
		case batch.Bool:
			v.s = strconv.FormatBool(v.b)
		case batch.Double:
			v.s = string(appendDouble(nil, v.d))
		case batch.Timestamp:
			v.s = naiveTime(v.i) + "+00"
			if year := time.UnixMicro(v.i).UTC().Year(); year <= 0 {
				v.s = strings.TrimSuffix(naiveTime(v.i), " BC") + "+00 BC"
			}
		case batch.Bytes:
			v.s = fmt.Sprintf("\\x%x", v.p)
		default:
			v.s = strconv.FormatInt(v.i, 10)
		}
	case to == batch.Double:
		v.d = float64(v.i)
	case to == batch.Bool:
		v.b = v.i != 0
	case from == batch.Bool:
		v.i = int64(b2i(v.b))
	default:
		r := math.RoundToEven(v.d)
		if math.IsNaN(r) || r < -0x1p63 || r >= 0x1p63 {
			return o.fail(reasonIntRange)
		}
		v.i = int64(r)
	}
	return v
}

// zones are those of the tests, by rules that stand in the code.
var zones = func() map[string]*zone.Zone {
	// An hour is left out at 1 h of 2024-03-31 UTC and comes twice at 1 h of 2024-10-27.
	z, err := zone.New(3600, []zone.Change{{At: 1711846800, Offset: 7200}, {At: 1729990800, Offset: 3600}})
	if err != nil {
		panic(err)
	}
	return map[string]*zone.Zone{"UTC": nil, "Test/Zone": z}
}()

func (o *oracle) timestamps(op string, vs []cell) cell {
	last := vs[len(vs)-1]
	switch op {
	case "to_zone":
		return cell{i: zones[vs[0].s].Local(vs[1].i)}
	case "from_zone":
		return cell{i: zones[vs[0].s].UTC(vs[1].i)}
	}
	if len(vs) == 2 {
		return cell{i: naiveTrunc(vs[0].s, last.i)}
	}
	z := zones[vs[2].s]
	local := z.Local(vs[1].i)
	cut := naiveTrunc(vs[0].s, local)
	switch vs[0].s {
	case "microseconds", "milliseconds", "second", "minute", "hour":
		return cell{i: vs[1].i - (local - cut)}
	}
	return cell{i: z.UTC(cut)}
}

// naiveTime is the text of a timestamp without an offset.
func naiveTime(v int64) string {
	t := time.UnixMicro(v).UTC()
	s, year := t.Format("01-02 15:04:05.999999"), t.Year()
	if year <= 0 {
		return fmt.Sprintf("%04d-%s BC", 1-year, s)
	}
	return fmt.Sprintf("%04d-%s", year, s)
}

func naiveTrunc(unit string, v int64) int64 {
	t := time.UnixMicro(v).UTC()
	y, m, d := t.Date()
	down := func(years int) int { return y - (y%years+years)%years }
	switch unit {
	case "microseconds":
	case "milliseconds":
		t = t.Truncate(time.Millisecond)
	case "decade":
		t = time.Date(down(10), 1, 1, 0, 0, 0, 0, time.UTC)
	case "century":
		y--
		t = time.Date(down(100)+1, 1, 1, 0, 0, 0, 0, time.UTC)
	case "millennium":
		y--
		t = time.Date(down(1000)+1, 1, 1, 0, 0, 0, 0, time.UTC)
	case "second":
		t = t.Truncate(time.Second)
	case "minute":
		t = time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, time.UTC)
	case "hour":
		t = time.Date(y, m, d, t.Hour(), 0, 0, 0, time.UTC)
	case "day":
		t = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case "week":
		t = time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	case "month":
		t = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	case "quarter":
		t = time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	default:
		t = time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t.UnixMicro()
}

func naiveExtract(field string, v int64) float64 {
	t := time.UnixMicro(v).UTC()
	isoYear, week := t.ISOWeek()
	count := func(year, size int) float64 { // of years from 1 on, and of years before them
		n := 0
		for y := 1; y <= year; y += size {
			n++
		}
		for y := 0; y >= year; y -= size {
			n--
		}
		return float64(n)
	}
	decade := 0
	for 10*(decade+1) <= t.Year() {
		decade++
	}
	for 10*decade > t.Year() {
		decade--
	}
	exact, _ := big.NewRat(v, 1_000_000).Float64()
	return map[string]float64{
		"year": count(t.Year(), 1), "isoyear": count(isoYear, 1), "decade": float64(decade), "century": count(t.Year(), 100), "millennium": count(t.Year(), 1000),
		"isodow": float64((t.Weekday()+6)%7 + 1), "microseconds": float64(t.Second()*1_000_000 + t.Nanosecond()/1000),
		"milliseconds": float64(t.Second()*1_000_000+t.Nanosecond()/1000) / 1000,
		"month":        float64(t.Month()), "day": float64(t.Day()), "hour": float64(t.Hour()), "minute": float64(t.Minute()),
		"second": float64(int64(t.Second())*1_000_000+int64(t.Nanosecond()/1000)) / 1e6, "dow": float64(t.Weekday()), "doy": float64(t.YearDay()),
		"epoch": exact, "week": float64(week), "quarter": float64((t.Month()-1)/3 + 1),
	}[field]
}
