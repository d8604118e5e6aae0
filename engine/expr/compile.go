package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Compile checks e against the schema of its input and makes a Program of it.
// e may come from outside: what is not well-typed, out of range or larger than
// MaxNodes and MaxDepth is refused with ErrInvalid.
func Compile(e *plan.Expr, in batch.Schema, env Env) (*Program, error) {
	c := newCompiler(in, env)
	roots, err := c.roots([]*plan.Expr{e})
	if err != nil {
		return nil, err
	}
	return &Program{input: input{slices.Clone(in), c.used}, typ: batch.Type(e.Type), root: roots[0]}, nil
}

type compiler struct {
	in      batch.Schema
	env     Env
	used    []int
	nodes   int // of the expression at hand
	at      int // of the expressions given
	numbers numbering
	shared  map[int]*shared // by number
	scope   int
	parents []int // by scope
}

func newCompiler(in batch.Schema, env Env) *compiler {
	return &compiler{in: in, env: env, shared: map[int]*shared{}, parents: []int{0},
		numbers: numbering{ids: map[string]int{}, of: map[*plan.Expr]int{}}}
}

// roots compiles expressions that are evaluated over the same rows.
func (c *compiler) roots(list []*plan.Expr) ([]node, error) {
	for i, e := range list {
		c.at, c.nodes = i, 0
		if _, err := c.number(e, 0); err != nil {
			return nil, err
		}
	}
	nodes := make([]node, len(list))
	for i, e := range list {
		c.at = i
		n, err := c.expr(e)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// expr compiles an expression that has its number.
func (c *compiler) expr(e *plan.Expr) (node, error) {
	switch k := e.Kind.(type) {
	case *plan.Expr_Column:
		return c.column(k.Column, batch.Type(e.Type))
	case *plan.Expr_Literal:
		return newLiteral(k.Literal, batch.Type(e.Type))
	case *plan.Expr_Call:
		if k.Call == nil {
			return nil, invalid("a call without an operation")
		}
		id := c.numbers.of[e]
		if n := c.reuse(id); n != nil {
			return n, nil
		}
		n, err := c.call(k.Call, batch.Type(e.Type))
		if err != nil {
			return nil, err
		}
		return c.offer(id, n), nil
	}
	return nil, invalid("neither column, literal nor call")
}

func (c *compiler) column(index uint32, t batch.Type) (node, error) {
	if uint64(index) >= uint64(len(c.in)) {
		return nil, invalid("column %d of %d", index, len(c.in))
	}
	i := int(index)
	if c.in[i].Type != t {
		return nil, invalid("column %q is %s, not %s", c.in[i].Name, c.in[i].Type, t)
	}
	if !slices.Contains(c.used, i) {
		c.used = append(c.used, i)
	}
	return &column{i}, nil
}

func newLiteral(v *plan.Value, t batch.Type) (node, error) {
	l := &literal{typ: t}
	ok := true
	switch k := v.GetKind().(type) {
	case nil:
		l.null = true
	case *plan.Value_Bool:
		l.b, ok = k.Bool, t == batch.Bool
	case *plan.Value_Int:
		l.i, ok = k.Int, t == batch.Int || t == batch.Timestamp
	case *plan.Value_Double:
		l.d, ok = canon(k.Double), t == batch.Double
	case *plan.Value_String_:
		l.s, ok = k.String_, t == batch.String
	case *plan.Value_Bytes:
		l.p, ok = k.Bytes, t == batch.Bytes
	}
	switch {
	case !ok:
		return nil, invalid("a literal is not of type %s", t)
	case len(l.p) > maxBlobLiteral:
		return nil, invalid("a literal of %d bytes, at most %d are allowed", len(l.p), maxBlobLiteral)
	case len(l.s) > MaxString:
		return nil, invalid("a literal of %d bytes, at most %d are allowed", len(l.s), MaxString)
	}
	return l, nil
}

// args compiles the arguments of a call. Those that are evaluated for some of
// the rows only have scopes of their own.
func (c *compiler) args(k *plan.Call) ([]node, error) {
	args := make([]node, len(k.Args))
	compile := func(i int) (err error) {
		args[i], err = c.expr(k.Args[i])
		return err
	}
	// from compiles the arguments from i on, each within the scope of the one before.
	var from func(i int) error
	from = func(i int) error {
		if i >= len(args) {
			return nil
		}
		if k.Op == "case" && i+1 < len(args) {
			if err := compile(i); err != nil {
				return err
			}
			if err := c.inside(func() error { return compile(i + 1) }); err != nil {
				return err
			}
			return c.inside(func() error { return from(i + 2) })
		}
		if err := compile(i); err != nil {
			return err
		}
		return c.inside(func() error { return from(i + 1) })
	}
	switch k.Op {
	case "and", "or", "case", "coalesce", "in":
		return args, from(0)
	}
	for i := range args {
		if err := compile(i); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func (c *compiler) call(k *plan.Call, t batch.Type) (node, error) {
	args, err := c.args(k)
	if err != nil {
		return nil, err
	}
	types := make([]batch.Type, len(k.Args))
	for i, a := range k.Args {
		types[i] = batch.Type(a.Type)
	}
	if name, ok := strings.CutPrefix(k.Op, UDFPrefix); ok {
		return c.udf(name, t, types, args)
	}
	have, err := ResultType(k.Op, types, t)
	if err != nil {
		return nil, err
	}
	if have != t {
		return nil, invalid("%s gives %s, not %s", k.Op, have, t)
	}
	if z := plan.ZoneOf(k); z != nil {
		return c.zoned(k.Op, z, args)
	}
	n, err := build(k.Op, t, types, args)
	if err != nil {
		return nil, err
	}
	return fold(n, t, args), nil
}

// zoned makes the node of an operation in a time zone.
func (c *compiler) zoned(op string, name *plan.Expr, args []node) (node, error) {
	s, ok := name.GetLiteral().GetKind().(*plan.Value_String_)
	if !ok {
		return nil, invalid("%s needs a literal time zone", op)
	}
	z, ok := c.env.Zones[s.String_]
	if !ok {
		return nil, invalid("the rules of the time zone %s are not here", clip(s.String_))
	}
	if op != plan.TruncOp {
		return &zoneShift{zone: z, back: op == plan.FromZoneOp, a: args[1]}, nil
	}
	x, err := newDateTrunc(args)
	if err != nil {
		return nil, err
	}
	x.zoned, x.zone = true, z
	return x, nil
}

func (c *compiler) udf(name string, t batch.Type, types []batch.Type, args []node) (node, error) {
	if c.env.Functions == nil {
		return nil, invalid("there are no user-defined functions here, %q is called", name)
	}
	fn, err := c.env.Functions.Scalar(name)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", name, err)
	}
	if typed, ok := fn.(Typed); ok {
		want, result := typed.Signature()
		if !slices.Equal(types, want) || t != result {
			return nil, invalid("function %s takes %v and gives %s, it is called with %v for %s", name, want, result, types, t)
		}
	}
	return &udf{name: name, typ: t, fn: fn, args: args}, nil
}

// build makes the node of an operation whose types are right.
func build(op string, t batch.Type, types []batch.Type, args []node) (node, error) {
	if cmp, ok := comparisonOf(op); ok {
		return newCompare(cmp, types[0], args[0], args[1]), nil
	}
	if f, ok := mappings[op]; ok && t == batch.Double && len(args) == 1 {
		return &mapping{f: f, a: args[0]}, nil
	}
	if f, ok := partials[op]; ok {
		return &partial{f: f, a: args[0]}, nil
	}
	switch op {
	case "+", "-", "*", "/", "%":
		return &arith{op: op[0], typ: t, a: args[0], b: args[1]}, nil
	case "neg", "abs":
		return &intMapping{abs: op == "abs", a: args[0]}, nil
	case "round":
		return &roundTo{a: args[0], places: args[1]}, nil
	case "power":
		return &power2{a: args[0], b: args[1]}, nil
	case "and", "or":
		return newJunction(op == "or", args), nil
	case "not":
		return &not{a: args[0]}, nil
	case "is_null", "is_not_null":
		return &isNull{a: args[0], want: op == "is_null"}, nil
	case "in":
		return newIn(types[0], args[0], args[1:]), nil
	case "case":
		x := &choice{typ: t}
		for i := 0; i+1 < len(args); i += 2 {
			x.conds, x.vals = append(x.conds, args[i]), append(x.vals, args[i+1])
		}
		if len(args)%2 == 1 {
			x.vals = append(x.vals, args[len(args)-1])
		}
		return simplerChoice(x), nil
	case "coalesce":
		return simplerCoalesce(&coalesce{typ: t, args: args}), nil
	case "nullif":
		return &nullif{typ: t, a: args[0], b: args[1]}, nil
	case "greatest":
		return &extreme{typ: t, sign: 1, args: args}, nil
	case "least":
		return &extreme{typ: t, sign: -1, args: args}, nil
	case "cast":
		return newCast(types[0], t, args[0]), nil
	case "date_trunc":
		return newDateTrunc(args)
	case "extract":
		return newExtract(args)
	case "local_text":
		return &toText{a: args[0], local: true}, nil
	default:
		return newText(op, t, args)
	}
}

func newCompare(cmp comparison, t batch.Type, a, b node) node {
	if _, ok := a.(*literal); ok {
		if _, ok := b.(*literal); !ok {
			a, b, cmp = b, a, cmp.mirrored()
		}
	}
	if c, ok := constant(b); ok {
		switch t {
		case batch.Int, batch.Timestamp:
			return newCompareConstant(cmp, t, a, c)
		case batch.Double:
			if c.d == c.d {
				return newCompareConstant(cmp, t, a, c)
			}
		case batch.String:
			return newTextNode(batch.Bool, func(call *textCall) {
				call.b = cmp.holds(strings.Compare(call.s[0], c.s))
			}, a)
		}
	}
	return &compare{comparison: cmp, typ: t, a: a, b: b}
}

// newJunction flattens a AND (b AND c) and leaves out what decides nothing.
func newJunction(dominant bool, args []node) node {
	x := &junction{dominant: dominant}
	for _, a := range args {
		if j, ok := a.(*junction); ok && j.dominant == dominant {
			x.args = append(x.args, j.args...)
		} else {
			x.args = append(x.args, a)
		}
	}
	return simplerJunction(x)
}

func newIn(t batch.Type, x node, list []node) node {
	nulls := false
	for _, e := range list {
		l, ok := e.(*literal)
		if !ok || t == batch.Bytes || t == batch.Bool {
			return &in{x: x, first: list[0], rest: list[1:]}
		}
		nulls = nulls || l.null
	}
	switch t {
	case batch.Double:
		s := &inNumbers[float64]{x: x, set: map[float64]struct{}{}, nulls: nulls}
		for _, e := range list {
			if c, ok := constant(e); ok {
				s.set[c.d] = struct{}{}
				s.nan = s.nan || c.d != c.d
			}
		}
		return s.settle()
	case batch.String:
		if nulls {
			return &in{x: x, first: list[0], rest: list[1:]}
		}
		set := map[string]struct{}{}
		for _, e := range list {
			set[e.(*literal).s] = struct{}{}
		}
		return newTextNode(batch.Bool, func(call *textCall) { _, call.b = set[call.s[0]] }, x)
	default:
		s := &inNumbers[int64]{x: x, set: map[int64]struct{}{}, nulls: nulls}
		for _, e := range list {
			if c, ok := constant(e); ok {
				s.set[c.i] = struct{}{}
			}
		}
		return s.settle()
	}
}

func newCast(from, to batch.Type, a node) node {
	switch {
	case from == to:
		return a
	case from == batch.String && to == batch.Bytes:
		return &toBytes{a: a}
	case from == batch.String:
		return newTextNode(to, readText(to), a)
	case to == batch.String:
		return &toText{a: a}
	default:
		return &numericCast{from: from, to: to, a: a}
	}
}

func newDateTrunc(args []node) (*dateTrunc, error) {
	unit, ok := constant(args[0])
	if !ok {
		return nil, invalid("date_trunc needs a literal as its first argument")
	}
	if !slices.Contains(truncUnits[:], unit.s) {
		return nil, invalid("date_trunc to %s, expected one of %s", clip(unit.s), strings.Join(truncUnits[:], ", "))
	}
	return &dateTrunc{unit: unit.s, fixed: fixedUnits[unit.s], a: args[1]}, nil
}

func newExtract(args []node) (node, error) {
	field, ok := constant(args[0])
	if !ok {
		return nil, invalid("extract needs a literal as its first argument")
	}
	f := extractor(field.s)
	if f == nil {
		return nil, invalid("extract of %s, expected one of %s", clip(field.s), strings.Join(extractFields[:], ", "))
	}
	return &extract{f: f, a: args[1]}, nil
}

// TruncUnits are the units that date_trunc knows.
func TruncUnits() []string { return truncUnits[:] }

// ExtractFields are the fields that extract knows.
func ExtractFields() []string { return extractFields[:] }

func newText(op string, t batch.Type, args []node) (node, error) {
	var f textFunc
	switch op {
	case "lower":
		f = lowerText
	case "upper":
		f = upperText
	case "length":
		f = lengthText
	case "substr":
		f = substrText
	case "concat", "||":
		f = concatText
	case "replace":
		f = replaceText
	case "split_part":
		f = splitPartText
	case "like":
		f = likeText
	case "like_escape":
		f = likeEscapeText
	case "regexp_like":
		pattern, ok := constant(args[1])
		if !ok {
			return nil, invalid("regexp_like needs a literal pattern")
		}
		re, err := CompilePattern(pattern.s)
		if err != nil {
			return nil, invalid("regexp_like: %v", err)
		}
		f, args = matchText(re), args[:1]
	default:
		return nil, invalid("unknown operation %s", clip(op))
	}
	x := newTextNode(t, f, args...)
	x.nulls = op == "concat"
	return x, nil
}
