package postgres

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/leatio/leat/engine/batch"
)

// kind is a type of the generator: Leat's types, and the two that only exist
// within expressions.
type kind int

const (
	boolean kind = iota
	integer
	double
	text
	blob
	instant // within the rules of zones
	far     // an instant anywhere
	clock   // of a zone: PostgreSQL's timestamp without time zone
)

var typeOf = map[kind]batch.Type{
	boolean: batch.Bool, integer: batch.Int, double: batch.Double, text: batch.String, blob: batch.Bytes,
	instant: batch.Timestamp, far: batch.Timestamp, clock: batch.Timestamp,
}

// pair is one expression in both dialects.
type pair struct{ leat, pg string }

// same is an expression that both write alike. Its parts stand in format as %s.
func same(format string, parts ...pair) pair {
	return both(format, format, parts...)
}

func both(leat, pg string, parts ...pair) pair {
	l, p := make([]any, len(parts)), make([]any, len(parts))
	for i, x := range parts {
		l[i], p[i] = x.leat, x.pg
	}
	return pair{fmt.Sprintf(leat, l...), fmt.Sprintf(pg, p...)}
}

// generator makes random expressions.
type generator struct {
	r *rand.Rand
	// literals are PostgreSQL's columns k0, k1, ... that stand for the literals of an expression.
	literals []string
}

func (g *generator) pick(list ...string) string { return one(g.r, list) }

// expr makes an expression of a kind.
func (g *generator) expr(k kind, depth int) pair {
	if depth <= 0 || g.r.IntN(8) == 0 {
		return g.leaf(k)
	}
	if g.r.IntN(4) == 0 {
		return g.anyKind(k, depth-1)
	}
	switch k {
	case boolean:
		return g.boolean(depth - 1)
	case integer:
		return g.integer(depth - 1)
	case double:
		return g.double(depth - 1)
	case text:
		return g.text(depth - 1)
	case blob:
		return same("CAST(%s AS bytea)", g.expr(text, depth-1))
	default:
		return g.time(k, depth-1)
	}
}

func (g *generator) leaf(k kind) pair {
	if k == clock {
		return g.atZone(g.leaf(instant))
	}
	if g.r.IntN(4) == 0 {
		return g.literal(k)
	}
	var names []string
	for _, f := range columns {
		isFar := f.Name[0] == 'f'
		if f.Type == typeOf[k] && (k == far || !isFar) {
			names = append(names, f.Name)
		}
	}
	name := one(g.r, names)
	return pair{name, name}
}

func (g *generator) literal(k kind) pair {
	f := batch.Field{Name: "x", Type: typeOf[k]}
	if k == far {
		f.Name = "f"
	}
	if k == text && g.r.IntN(3) == 0 {
		f.Name = "n"
	}
	return g.constant(random(g.r, f), f.Type)
}

// constant is a literal for Leat and a column for PostgreSQL, so that its
// planner does not know it: it would leave out operands beside a null, and evaluate
// what is guarded.
func (g *generator) constant(v value, t batch.Type) pair {
	g.literals = append(g.literals, sqlLiteral(v, t))
	return pair{leatLiteral(v, t), fmt.Sprintf("k%d", len(g.literals)-1)}
}

// small is a literal of a small int: where it counts characters, places or fields.
func (g *generator) small(low, high int64) pair {
	v := low + g.r.Int64N(high-low+1)
	if g.r.IntN(12) == 0 {
		return g.constant(value{null: true}, batch.Int)
	}
	return g.constant(value{i: v}, batch.Int)
}

// anyKind is an operation that every type has.
func (g *generator) anyKind(k kind, depth int) pair {
	sub := func() pair { return g.expr(k, depth) }
	switch g.r.IntN(6) {
	case 0:
		return same("CASE WHEN %s THEN %s ELSE %s END", g.expr(boolean, depth), sub(), sub())
	case 1:
		return same("CASE WHEN %s THEN %s WHEN %s THEN %s END", g.expr(boolean, depth), sub(), g.expr(boolean, depth), sub())
	case 2:
		x := g.comparable()
		return same("CASE %s WHEN %s THEN %s WHEN %s THEN %s ELSE %s END", g.expr(x, depth), g.expr(x, depth), sub(), g.expr(x, depth), sub(), sub())
	case 3:
		return same("coalesce(%s, %s)", sub(), sub())
	case 4:
		return same("NULLIF(%s, %s)", sub(), sub())
	}
	return same(g.pick("greatest", "least")+"(%s, %s, %s)", sub(), sub(), sub())
}

func (g *generator) comparable() kind {
	return one(g.r, []kind{boolean, integer, integer, double, double, text, text, blob, instant, far, clock})
}

// operand is of a kind, or an int where it is double.
func (g *generator) operand(k kind, depth int) pair {
	if k == double && g.r.IntN(3) == 0 {
		return g.expr(integer, depth)
	}
	return g.expr(k, depth)
}

func (g *generator) boolean(depth int) pair {
	k := g.comparable()
	x := func() pair { return g.operand(k, depth) }
	switch g.r.IntN(16) {
	case 14: // constants, which have kernels of their own
		list := make([]pair, 1+g.r.IntN(12))
		for i := range list {
			list[i] = g.literal(k)
		}
		return same("(%s "+g.pick("IN", "NOT IN")+" (%s"+strings.Repeat(", %s", len(list)-1)+"))", append([]pair{g.leaf(k)}, list...)...)
	case 15:
		k, op := one(g.r, []kind{integer, double, instant}), func() string { return g.pick("=", "<>", "<", "<=", ">", ">=") }
		column := g.leaf(k)
		return same("(%s "+op()+" %s AND %s "+op()+" %s AND %s "+op()+" %s)", column, g.literal(k), g.literal(k), column, g.leaf(k), g.literal(k))
	case 0:
		return same("(%s AND %s)", g.expr(boolean, depth), g.expr(boolean, depth))
	case 1:
		return same("(%s OR %s)", g.expr(boolean, depth), g.expr(boolean, depth))
	case 2:
		return same("(%s AND %s OR NOT %s)", g.expr(boolean, depth), g.expr(boolean, depth), g.expr(boolean, depth))
	case 3:
		return same("(NOT %s)", g.expr(boolean, depth))
	case 4:
		return same("(%s "+g.pick("BETWEEN", "NOT BETWEEN")+" %s AND %s)", x(), x(), x())
	case 5:
		return same("(%s "+g.pick("IN", "NOT IN")+" (%s, %s, %s))", x(), x(), x(), x())
	case 6:
		return same("(%s "+g.pick("IS NULL", "IS NOT NULL")+")", x())
	case 7:
		return g.like(depth)
	case 8:
		return same("regexp_like(%s, '"+g.pick("^a", "b.?$", "[0-9]+", "^[a-c,]*$", "a|ß", "(ab)+", "^.$", "x.y", "a{2,3}", `\.`, "^$", "[^a-z]", "A.*%%")+"')", g.expr(text, depth))
	case 9:
		return same("CAST(%s AS "+g.pick("bool", "boolean")+")", g.expr(text, depth))
	case 10: // a literal that takes the type of the other side
		return g.untyped(depth)
	}
	return same("(%s "+g.pick("=", "<>", "!=", "<", "<=", ">", ">=")+" %s)", x(), x())
}

func (g *generator) untyped(depth int) pair {
	f := one(g.r, columns[:15])
	k := map[batch.Type]kind{batch.Bool: boolean, batch.Int: integer, batch.Double: double, batch.String: text, batch.Bytes: blob, batch.Timestamp: instant}[f.Type]
	v := random(g.r, f)
	for v.null {
		v = random(g.r, f)
	}
	literal, _, _ := strings.Cut(sqlLiteral(v, f.Type), "::")
	return same("(%s "+g.pick("=", "<>", "<", "<=", ">", ">=")+" "+strings.ReplaceAll(literal, "%", "%%")+")", g.expr(k, depth))
}

func (g *generator) like(depth int) pair {
	pattern := g.expr(text, min(depth, 1))
	if g.r.IntN(2) == 0 {
		pattern = g.constant(value{s: g.pick("%", "_", "a%", "%a%", "%b", "_b%", `\%`, `a\%c`, "%,%,%", "!%", "a!_c", "%ü%e", "__", "", "🎈_", "a%c%")}, batch.String)
	}
	op := g.pick("LIKE", "NOT LIKE")
	if g.r.IntN(3) == 0 {
		escape := g.constant(value{s: g.pick("!", "a", "", `\`, "%", "ü", "ab")}, batch.String)
		return same("(%s "+op+" %s ESCAPE %s)", g.expr(text, depth), pattern, escape)
	}
	return same("(%s "+op+" %s)", g.expr(text, depth), pattern)
}

func (g *generator) integer(depth int) pair {
	switch g.r.IntN(10) {
	case 0:
		return both("length(%s)", "length(%s)::bigint", g.expr(text, depth))
	case 1:
		return same("(- %s)", g.expr(integer, depth))
	case 2:
		return same("abs(%s)", g.expr(integer, depth))
	case 3:
		return same("CAST(%s AS bigint)", g.expr(double, depth))
	case 4:
		return same("CAST(%s AS bigint)", g.expr(text, depth))
	}
	return same("(%s "+g.pick("+", "-", "*", "/", "%%")+" %s)", g.expr(integer, depth), g.expr(integer, depth))
}

func (g *generator) double(depth int) pair {
	x := func() pair { return g.expr(double, depth) }
	switch g.r.IntN(12) {
	case 0:
		return same("(- %s)", x())
	case 1:
		return same(g.pick("abs", "round", "floor", "ceil", "sqrt")+"(%s)", x())
	case 2:
		return same(g.pick("round", "floor", "ceil", "sqrt")+"(%s)", g.expr(integer, depth))
	case 3:
		return both("round(%s, %s)", "round((%s)::text::numeric, (%s)::int)::float8", x(), one(g.r, []pair{g.small(-3, 6), g.small(-330, 340)}))
	case 4:
		field := g.pick("microseconds", "milliseconds", "second", "minute", "hour", "day", "dow", "isodow", "doy", "week", "month", "quarter", "year", "isoyear", "decade", "century", "millennium", "epoch")
		return both("extract("+field+" FROM %s)", "extract("+field+" FROM %s)::float8", g.expr(one(g.r, []kind{instant, far, clock}), depth))
	case 5:
		return same("CAST(%s AS double precision)", g.expr(integer, depth))
	case 6:
		return same("CAST(%s AS double precision)", g.expr(text, depth))
	case 7:
		return same("(%s "+g.pick("+", "-", "*", "/")+" %s)", g.expr(integer, depth), x())
	}
	return same("(%s "+g.pick("+", "-", "*", "/")+" %s)", x(), x())
}

func (g *generator) text(depth int) pair {
	x := func() pair { return g.expr(text, depth) }
	printable := func() kind { return one(g.r, []kind{boolean, integer, double, text, blob, instant, far, clock}) }
	switch g.r.IntN(10) {
	case 0:
		return same(g.pick("lower", "upper")+"(%s)", x())
	case 1:
		return both("substr(%s, %s)", "substr(%s, (%s)::int)", x(), g.small(-3, 8))
	case 2:
		return both("substr(%s, %s, %s)", "substr(%s, (%s)::int, (%s)::int)", x(), one(g.r, []pair{g.small(-3, 8), g.small(2147483640, 2147483647)}), one(g.r, []pair{g.small(-1, 6), g.small(2147483640, 2147483647)}))
	case 3:
		return same("replace(%s, %s, %s)", x(), x(), x())
	case 4:
		separator := g.constant(value{s: g.pick(",", "a", "", "b", "ü", " ", ",,")}, batch.String)
		return both("split_part(%s, %s, %s)", "split_part(%s, %s, (%s)::int)", x(), separator, g.small(-4, 4))
	case 5:
		return same("concat(%s, %s, %s)", g.expr(printable(), depth), g.expr(printable(), depth), x())
	case 6:
		k := one(g.r, []kind{boolean, integer, double, instant, far, clock})
		return same("(%s || %s)", x(), g.expr(k, depth))
	case 7:
		return same("(%s || %s)", x(), x())
	}
	return same("CAST(%s AS "+g.pick("text", "varchar")+")", g.expr(printable(), depth))
}

func (g *generator) atZone(p pair) pair {
	return same("(%s AT TIME ZONE '"+one(g.r, zoneNames)+"')", p)
}

func (g *generator) time(k kind, depth int) pair {
	unit := g.pick("microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade")
	switch {
	case k == clock && g.r.IntN(2) == 0:
		return g.atZone(g.expr(instant, depth))
	case k == instant && g.r.IntN(3) == 0:
		return g.atZone(g.expr(clock, depth))
	case k == instant && g.r.IntN(2) == 0:
		return same("date_trunc('"+unit+"', %s, '"+one(g.r, zoneNames)+"')", g.expr(instant, depth))
	case k == far && g.r.IntN(4) == 0:
		return g.expr(instant, depth)
	case k == far && g.r.IntN(4) == 0:
		return both("CAST(%s AS timestamp)", "CAST(%s AS timestamptz)", g.expr(text, depth))
	case k == far && g.r.IntN(3) == 0:
		return same("date_trunc('"+one(g.r, []string{"century", "millennium"})+"', %s)", g.expr(far, depth))
	}
	return same("date_trunc('"+unit+"', %s)", g.expr(k, depth))
}

// root is an expression to compare, with its kind. One in ten is an
// elementary function, whose last digit may differ.
func (g *generator) root() (pair, kind, bool) {
	depth := 1 + g.r.IntN(4)
	if g.r.IntN(10) == 0 {
		x := g.expr(double, depth-1)
		if g.r.IntN(2) == 0 {
			return same("power(%s, %s)", x, g.expr(double, depth-1)), double, true
		}
		return same(g.pick("ln", "exp")+"(%s)", x), double, true
	}
	k := one(g.r, []kind{boolean, boolean, boolean, integer, integer, double, double, text, text, blob, instant, far, clock})
	return g.expr(k, depth), k, false
}
