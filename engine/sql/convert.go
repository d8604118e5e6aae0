package sql

import (
	"strconv"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
)

// typeNames are the types that CAST knows: Leat's, and PostgreSQL's names for
// the same.
var typeNames = map[string]batch.Type{
	"bool": batch.Bool, "boolean": batch.Bool,
	"int": batch.Int, "integer": batch.Int, "bigint": batch.Int, "int8": batch.Int,
	"double": batch.Double, "float8": batch.Double, "float": batch.Double,
	"string": batch.String, "text": batch.String, "varchar": batch.String,
	"bytes": batch.Bytes, "bytea": batch.Bytes,
	"timestamp": batch.Timestamp, "timestamptz": batch.Timestamp,
}

const typeList = "bool, int, double, string, bytes or timestamp"

// describe names the value's type in a message.
func (v value) describe() string {
	if v.t == 0 {
		return "NULL"
	}
	return v.t.String()
}

// number binds a literal with its sign.
func (b *binder) number(n *Node, text string) value {
	b.count(1, n.Pos)
	if !strings.ContainsAny(text, ".eE") {
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return b.fail(n.Pos, "integer %s is out of range, expected 64 bits (with a decimal point it is a double)", shorten(text))
		}
		return value{e: literal(batch.Int, &plan.Value{Kind: &plan.Value_Int{Int: i}}), t: batch.Int}
	}
	d, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return b.fail(n.Pos, "number %s is out of range, expected at most 1.8e308", shorten(text))
	}
	return value{e: doubleLiteral(d), t: batch.Double}
}

func doubleLiteral(d float64) *plan.Expr {
	return literal(batch.Double, &plan.Value{Kind: &plan.Value_Double{Double: d}})
}

// parse reads the text of a literal as a value of another type.
func (b *binder) parse(pos int, text string, t batch.Type) value {
	v := &plan.Value{}
	var err error
	switch t {
	case batch.Bool:
		var x bool
		x, err = expr.ParseBool(text)
		v.Kind = &plan.Value_Bool{Bool: x}
	case batch.Int, batch.Timestamp:
		var x int64
		if t == batch.Int {
			x, err = expr.ParseInt(text)
		} else {
			x, err = expr.ParseTimestamp(text)
		}
		v.Kind = &plan.Value_Int{Int: x}
	case batch.Double:
		var x float64
		x, err = expr.ParseDouble(text)
		v.Kind = &plan.Value_Double{Double: x}
	case batch.Bytes:
		var x []byte
		x, err = expr.ParseBytes(text)
		v.Kind = &plan.Value_Bytes{Bytes: x}
	default:
		panic("BUG: a string literal is read as " + t.String())
	}
	if err != nil {
		return b.fail(pos, "%v, expected %s", err, examples[t])
	}
	return value{e: literal(t, v), t: t}
}

var examples = map[batch.Type]string{
	batch.Bool: "true or false", batch.Int: "digits", batch.Double: "a number", batch.Timestamp: "2026-01-31T12:30:00Z", batch.Bytes: `hexadecimal digits after \x`,
}

// convertible tells whether to can make a value of type t of v, and at what
// cost: 0 = it has the type.
func convertible(v value, t batch.Type) (cost int, ok bool) {
	switch {
	case v.bad, v.t == t:
		return 0, true
	case v.null():
		return 1, true
	case v.t == batch.Int && t == batch.Double:
		return 1, true
	case v.text:
		return 2, true
	}
	return 0, false
}

// to converts a value for which convertible is true.
func (b *binder) to(v value, t batch.Type) value {
	switch {
	case v.bad || v.t == t:
		return v
	case v.null():
		v.e, v.t = literal(t, &plan.Value{}), t
		return v
	case v.text:
		n := v.n
		v = b.parse(n.Pos, n.Text, t)
		v.n = n
		return v
	}
	if lit, ok := v.e.Kind.(*plan.Expr_Literal); ok {
		if i, ok := lit.Literal.Kind.(*plan.Value_Int); ok {
			v.e, v.t = doubleLiteral(float64(i.Int)), batch.Double
			return v
		}
	}
	return b.call(v.n, "cast", t, v)
}

// want converts v to t or reports what needs it.
func (b *binder) want(v value, t batch.Type, by string) value {
	if _, ok := convertible(v, t); !ok {
		bad := b.fail(v.n.Pos, "%s needs a %s, not %s", by, t, v.describe())
		bad.n = v.n
		return bad
	}
	return b.to(v, t)
}

// known makes sure that a whole expression has a type.
func (b *binder) known(v value) value {
	if v.null() {
		return b.fail(v.n.Pos, "the type of NULL is not known here, expected CAST(NULL AS double) or another type")
	}
	return v
}

// asText makes a string of a value of any type.
func (b *binder) asText(v value) value {
	switch {
	case v.bad || v.t == batch.String:
		return v
	case v.null():
		return b.to(v, batch.String)
	}
	return b.castTo(v.n, v, batch.String)
}

// castTo is a cast that package expr knows.
func (b *binder) castTo(n *Node, v value, t batch.Type) value {
	if v.local && t == batch.String {
		return b.call(n, "local_text", t, v)
	}
	return b.call(n, "cast", t, v)
}

// unify gives the values one type: that of the typed ones, double for a mix of
// int and double. NULLs and string literals follow. Where there are only
// literals it is string, and where there are only NULLs it is bare (0 leaves them).
func (b *binder) unify(vs []value, mismatch func(a, c value) string, bare batch.Type) ([]value, batch.Type) {
	common := value{}
	text := false
	for _, v := range vs {
		switch {
		case v.bad || v.null():
		case v.text:
			text = true
		case common.t == 0:
			common = v
		case common.t == v.t:
		case common.t == batch.Int && v.t == batch.Double:
			common = v
		case common.t == batch.Double && v.t == batch.Int:
		default:
			b.fail(v.n.Pos, "%s", mismatch(common, v))
			bad := make([]value, len(vs))
			for i := range bad {
				bad[i] = value{bad: true, n: vs[i].n}
			}
			return bad, 0
		}
	}
	t := common.t
	switch {
	case t != 0:
	case text:
		t = batch.String
	default:
		t = bare
	}
	out := make([]value, len(vs))
	for i, v := range vs {
		out[i] = v
		if t != 0 {
			out[i] = b.to(v, t)
		}
	}
	return out, t
}

func (b *binder) cast(n *Node) value {
	v := b.bind(n.Args[0])
	t, ok := typeNames[n.Text]
	switch {
	case !ok:
		return b.fail(n.TextPos, "unknown type %q, expected %s", n.Text, typeList)
	case v.bad:
		return v
	case v.null() || v.text:
		return typed(b.to(v, t))
	case !expr.Castable(v.t, t):
		return b.fail(n.Pos, "cannot cast %s to %s", v.t, t)
	case v.t == t:
		return typed(v)
	}
	return b.castTo(n, v, t)
}

// typed makes a literal keep its type, and a zone's clock an instant.
func typed(v value) value {
	v.text, v.local = false, false
	return v
}
