package sql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
)

// functions lists the scalar functions by name; the operation has the same name. Those
// without overloads in package expr take any number of arguments.
var functions = []string{
	"abs", "ceil", "coalesce", "concat", "date_trunc", "exp", "extract", "floor", "greatest", "least", "length", "ln", "lower",
	"nullif", "power", "regexp_like", "replace", "round", "split_part", "sqrt", "substr", "upper",
}

func (b *binder) function(n *Node) value {
	if isAggregate(n.Text) {
		return b.aggregate(n)
	}
	if n.Star {
		return b.fail(n.Pos, "%s(*) is not a function, expected count(*)", n.Raw)
	}
	if n.Text == paramOp || n.Text == labelOp {
		return b.setting(n)
	}
	vs := b.bindAll(n.Args)
	if slices.Contains(functions, n.Text) {
		return b.builtin(n, vs)
	}
	for _, name := range []string{n.Raw, n.Text} {
		if sig, ok := b.scope.Functions[name]; ok {
			return b.udf(n, name, sig, vs)
		}
	}
	return b.fail(n.Pos, "unknown function %q, %s", n.Raw, suggest(n.Raw, b.functionNames()))
}

func (b *binder) functionNames() []string {
	names := append(slices.Clone(functions), paramOp, labelOp)
	for name := range b.scope.Functions {
		names = append(names, name)
	}
	if b.scope.Aggregates {
		names = append(names, aggregate.Functions()...)
	}
	return names
}

func (b *binder) udf(n *Node, name string, sig Signature, vs []value) value {
	if len(vs) != len(sig.Args) {
		return b.fail(n.Pos, "%s takes %d arguments, not %d, expected %s", name, len(sig.Args), len(vs), form(name, sig.Args))
	}
	for i, t := range sig.Args {
		vs[i] = b.want(vs[i], t, fmt.Sprintf("argument %d of %s", i+1, name))
	}
	return b.call(n, expr.UDFPrefix+name, sig.Result, vs...)
}

// form writes a function as it is called: round(double, int).
func form(name string, args []batch.Type) string {
	names := make([]string, len(args))
	for i, t := range args {
		names[i] = t.String()
	}
	return name + "(" + strings.Join(names, ", ") + ")"
}

func (b *binder) builtin(n *Node, vs []value) value {
	switch n.Text {
	case "coalesce", "greatest", "least", "nullif":
		return b.sameType(n, vs)
	case "concat":
		if len(vs) == 0 {
			return b.fail(n.Pos, "concat takes at least one argument, not 0")
		}
		for i := range vs {
			vs[i] = b.concatText(vs[i])
		}
		return b.call(n, "concat", batch.String, vs...)
	}
	v, ok := b.overload(n, vs)
	if !ok {
		return value{bad: true}
	}
	return v
}

// concatText writes an argument of concat. Where || writes true, PostgreSQL's
// concat writes t.
func (b *binder) concatText(v value) value {
	if v.t != batch.Bool || v.bad {
		return b.asText(v)
	}
	word := func(s string) value { return value{e: textLiteral(s), t: batch.String, n: v.n} }
	return b.call(v.n, "case", batch.String, v, word("t"), b.call(v.n, "not", batch.Bool, b.clone(v)), word("f"))
}

func (b *binder) sameType(n *Node, vs []value) value {
	if n.Text == "nullif" && len(vs) != 2 {
		return b.fail(n.Pos, "nullif takes 2 arguments, not %d", len(vs))
	}
	if len(vs) == 0 {
		return b.fail(n.Pos, "%s takes at least one argument, not 0", n.Text)
	}
	if n.Text == "nullif" {
		if v, ok := b.mixedNullif(n, vs); ok {
			return v
		}
	}
	vs, t := b.unify(vs, func(a, c value) string {
		return fmt.Sprintf("the arguments of %s are %s and %s, expected one type", n.Text, a.t, c.t)
	}, 0)
	if t == 0 {
		for _, v := range vs {
			if v.bad {
				return v
			}
		}
		return b.fail(n.Pos, "every argument of %s is NULL, expected a typed one such as CAST(NULL AS double)", n.Text)
	}
	v := b.call(n, n.Text, t, vs...)
	v.local = allLocal(vs)
	if n.Text == "nullif" {
		v.local = vs[0].local
	}
	return v
}

// mixedNullif is nullif of an int and a double, which has the type of the
// first though the second decides how they are compared.
func (b *binder) mixedNullif(n *Node, vs []value) (value, bool) {
	if vs[0].t != batch.Int || vs[1].t != batch.Double {
		return value{}, false
	}
	equal := b.compare(n, "=", vs[0], vs[1])
	null := value{e: literal(batch.Int, &plan.Value{}), t: batch.Int, n: n}
	return b.call(n, "case", batch.Int, equal, null, b.clone(vs[0])), true
}

// overload finds the form of a function that takes the arguments with the
// fewest conversions.
func (b *binder) overload(n *Node, vs []value) (value, bool) {
	forms, results := expr.Overloads(n.Text)
	best, cost := -1, 0
	var counted [][]batch.Type // forms with this number of arguments
	for k, args := range forms {
		if len(args) != len(vs) {
			continue
		}
		counted = append(counted, args)
		sum, fits := 0, true
		for i, t := range args {
			c, ok := convertible(vs[i], t)
			sum, fits = sum+c, fits && ok
		}
		if fits && (best < 0 || sum < cost) {
			best, cost = k, sum
		}
	}
	if best < 0 {
		b.noOverload(n, vs, forms, counted)
		return value{}, false
	}
	for i, t := range forms[best] {
		vs[i] = b.to(vs[i], t)
	}
	vs[0] = b.lowered(n.Text, vs[0])
	if !b.checkLiterals(n, vs) {
		return value{}, false
	}
	v := b.call(n, n.Text, results[best], vs...)
	v.local = n.Text == "date_trunc" && vs[1].local && len(vs) == 2
	return v, true
}

func (b *binder) noOverload(n *Node, vs []value, forms, counted [][]batch.Type) {
	names := make([]string, len(forms))
	for i, f := range forms {
		names[i] = form(n.Text, f)
	}
	expected := strings.Join(names, " or ")
	if len(counted) == 1 {
		for i, t := range counted[0] {
			if _, ok := convertible(vs[i], t); !ok {
				b.fail(vs[i].n.Pos, "argument %d of %s is %s, expected %s", i+1, n.Text, vs[i].describe(), t)
			}
		}
		return
	}
	have := make([]string, len(vs))
	for i, v := range vs {
		have[i] = v.describe()
	}
	b.fail(n.Pos, "there is no %s(%s), expected %s", n.Text, strings.Join(have, ", "), expected)
}

// text is the string of a literal.
func (v value) literalText() (string, bool) {
	if v.bad || !v.text && (v.n == nil || v.n.Kind != String) {
		return "", false
	}
	return v.n.Text, true
}

// lowered folds the unit of date_trunc and extract to lower case.
func (b *binder) lowered(function string, v value) value {
	s, ok := v.literalText()
	if !ok || function != "date_trunc" && function != "extract" {
		return v
	}
	unit := *v.n
	unit.Text = strings.ToLower(s)
	b.nodes--
	return b.bind(&unit)
}

// checkLiterals checks the arguments that must be literals with a meaning.
func (b *binder) checkLiterals(n *Node, vs []value) bool {
	before := len(b.errs)
	switch n.Text {
	case "date_trunc", "extract":
		if len(vs) == 3 {
			b.zone(vs[2])
		}
		known := expr.TruncUnits()
		if n.Text == "extract" {
			known = expr.ExtractFields()
		}
		unit, ok := vs[0].literalText()
		switch {
		case vs[0].bad:
		case !ok:
			b.fail(vs[0].n.Pos, "%s needs a string literal here, expected one of %s", n.Text, strings.Join(known, ", "))
		case !slices.Contains(known, unit):
			b.fail(vs[0].n.Pos, "%s does not know %q, expected one of %s", n.Text, shorten(unit), strings.Join(known, ", "))
		}
	case "regexp_like":
		b.checkPattern(vs)
	}
	return len(b.errs) == before
}

// checkPattern refuses regular expressions that fail every row.
func (b *binder) checkPattern(vs []value) {
	pattern, ok := vs[1].literalText()
	switch {
	case vs[1].bad:
	case !ok:
		b.fail(vs[1].n.Pos, "regexp_like needs a string literal as its pattern")
	default:
		if _, err := expr.CompilePattern(pattern); err != nil {
			b.fail(vs[1].n.Pos, "%v, expected a pattern in RE2 syntax", err)
		}
	}
}
