package sql

import (
	"fmt"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
)

// Scope is what the names of an expression can mean.
type Scope struct {
	Columns    batch.Schema
	Functions  map[string]Signature  // user-defined scalar functions
	Aggregates bool                  // aggregate calls are allowed; only BindAggregates can
	Params     map[string]batch.Type // what param('name') knows
	Zones      Zones                 // what AT TIME ZONE knows; nil = nothing
}

// Zones knows the time zones. A binder tells it of each that an expression
// uses, so that their rules can be put into the plan.
type Zones interface {
	// Zone takes note of a zone; the error says why there is none of this name.
	Zone(name string) error
	// ZoneParam takes note of a string parameter all of whose values are zones.
	ZoneParam(name string) error
}

// Signature is the types of a user-defined function.
type Signature struct {
	Args   []batch.Type
	Result batch.Type
}

// Bind parses text, finds its names in s, types it and makes all conversions
// explicit. The error is an *Error or several joined; see Errors.
func Bind(text string, s Scope) (*plan.Expr, error) {
	n, err := Parse(text)
	if err != nil {
		return nil, err
	}
	s.Aggregates = false
	b := &binder{scope: s}
	v := b.known(b.bind(n))
	if err := join(b.errs); err != nil {
		return nil, err
	}
	return v.e, nil
}

// binder turns syntax into a plan. It goes on after a mistake, with a value
// that is bad and gives rise to no more of them.
type binder struct {
	scope Scope
	errs  []*Error
	nodes int
	aggs  *aggregates // while binding the emitted columns of a window
}

// value is a bound expression.
type value struct {
	e    *plan.Expr
	t    batch.Type // 0 = not known: a NULL, or bad
	n    *Node
	bad  bool // reported already
	text bool // a string literal, which takes the type that is expected of it
	// local is a timestamp that is the clock of a time zone and no instant:
	// PostgreSQL's timestamp without time zone.
	local bool
}

func (b *binder) fail(pos int, format string, args ...any) value {
	b.errs = append(b.errs, errorf(pos, format, args...))
	return value{bad: true}
}

func (v value) null() bool { return !v.bad && v.t == 0 }

// count counts new operations and reports the first one too many.
func (b *binder) count(n int, pos int) bool {
	before := b.nodes
	b.nodes += n
	if before <= MaxNodes && b.nodes > MaxNodes {
		b.fail(pos, "the expression has more than %d operations once written out", MaxNodes)
	}
	return b.nodes <= MaxNodes
}

func literal(t batch.Type, v *plan.Value) *plan.Expr {
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Literal{Literal: v}}
}

func columnExpr(i int, t batch.Type) *plan.Expr {
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Column{Column: uint32(i)}}
}

// call makes a call whose arguments have the right types already; any bad one makes it bad.
func (b *binder) call(n *Node, op string, t batch.Type, args ...value) value {
	exprs := make([]*plan.Expr, len(args))
	for i, a := range args {
		if a.bad {
			return value{bad: true, n: n}
		}
		exprs[i] = a.e
	}
	if !b.count(1, n.Pos) {
		return value{bad: true, n: n}
	}
	return value{e: &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Call{Call: &plan.Call{Op: op, Args: exprs}}}, t: t, n: n}
}

// clone copies a value that stands twice in the plan.
func (b *binder) clone(v value) value {
	if v.bad {
		return v
	}
	if !b.count(sizeOf(v.e), v.n.Pos) {
		return value{bad: true, n: v.n}
	}
	v.e = pb.Clone(v.e)
	return v
}

func sizeOf(e *plan.Expr) int {
	n := 1
	for _, a := range e.GetCall().GetArgs() {
		n += sizeOf(a)
	}
	return n
}

func (b *binder) bind(n *Node) value {
	v := b.bindNode(n)
	v.n = n
	return v
}

func (b *binder) bindNode(n *Node) value {
	switch n.Kind {
	case Null:
		b.count(1, n.Pos)
		return value{e: literal(0, &plan.Value{})}
	case Bool:
		b.count(1, n.Pos)
		return value{e: literal(batch.Bool, &plan.Value{Kind: &plan.Value_Bool{Bool: n.Text == "true"}}), t: batch.Bool}
	case Number:
		return b.number(n, n.Text)
	case String:
		b.count(1, n.Pos)
		return value{e: literal(batch.String, &plan.Value{Kind: &plan.Value_String_{String_: n.Text}}), t: batch.String, text: true}
	case Timestamp:
		b.count(1, n.Pos)
		return b.parse(n.TextPos, n.Text, batch.Timestamp)
	case Name:
		return b.name(n)
	case Op:
		return b.operator(n)
	case Case:
		return b.caseExpr(n)
	case Cast:
		return b.cast(n)
	case Call:
		return b.function(n)
	}
	panic(fmt.Sprintf("BUG: node of kind %d", n.Kind))
}

// name finds a column: as written first, then folded to lower case as
// PostgreSQL does.
func (b *binder) name(n *Node) value {
	i := b.scope.Columns.Index(n.Raw)
	if i < 0 && !n.Quoted {
		i = b.scope.Columns.Index(n.Text)
	}
	if i < 0 {
		known := make([]string, len(b.scope.Columns))
		for k, f := range b.scope.Columns {
			known[k] = f.Name
		}
		return b.fail(n.Pos, "unknown column %q, %s", n.Raw, suggest(n.Raw, known))
	}
	if b.aggs != nil && !b.aggs.inside {
		return b.fail(n.Pos, "column %q stands outside an aggregate, expected a call such as last(%s)", n.Raw, n.Raw)
	}
	b.count(1, n.Pos)
	t := b.scope.Columns[i].Type
	return value{e: columnExpr(i, t), t: t}
}

// bindAll binds each, so that all mistakes are found.
func (b *binder) bindAll(list []*Node) []value {
	vs := make([]value, len(list))
	for i, n := range list {
		vs[i] = b.bind(n)
	}
	return vs
}

func (b *binder) operator(n *Node) value {
	if n.Text == "neg" && n.Args[0].Kind == Number {
		return b.number(n.Args[0], "-"+n.Args[0].Text)
	}
	vs := b.bindAll(n.Args)
	switch op := n.Text; op {
	case "and", "or", "not":
		for i := range vs {
			vs[i] = b.want(vs[i], batch.Bool, strings.ToUpper(op))
		}
		return b.call(n, op, batch.Bool, vs...)
	case "is_null", "is_not_null":
		if vs[0].null() {
			vs[0] = b.to(vs[0], batch.String)
		}
		return b.call(n, op, batch.Bool, vs...)
	case "in", "between":
		return b.membership(n, op, vs)
	case "not_in", "not_between":
		return b.call(n, "not", batch.Bool, b.membership(n, op[4:], vs))
	case "at_time_zone":
		return b.atTimeZone(n, vs)
	case "like", "not_like":
		return b.like(n, vs)
	case "||":
		return b.join(n, vs)
	case "=", "<>", "<", "<=", ">", ">=":
		return b.compare(n, op, vs[0], vs[1])
	case "neg", "pos":
		return b.sign(n, vs[0])
	default:
		return b.arithmetic(n, op, vs)
	}
}

func (b *binder) compare(n *Node, op string, x, y value) value {
	vs, _ := b.unify([]value{x, y}, mismatch, batch.String)
	return b.call(n, op, batch.Bool, vs...)
}

func mismatch(a, c value) string {
	return fmt.Sprintf("cannot compare %s with %s, expected equal types or a CAST", a.t, c.t)
}

func (b *binder) membership(n *Node, op string, vs []value) value {
	if op == "between" {
		low := b.compare(n, ">=", vs[0], vs[1])
		high := b.compare(n, "<=", b.clone(vs[0]), vs[2])
		return b.call(n, "and", batch.Bool, low, high)
	}
	if mixed(vs) {
		// An int compared with an int is not rounded to a double because there is a double beside it.
		equal := make([]value, len(vs)-1)
		for i, v := range vs[1:] {
			x := vs[0]
			if i > 0 {
				x = b.clone(x)
			}
			equal[i] = b.compare(n, "=", x, v)
		}
		return b.call(n, "or", batch.Bool, equal...)
	}
	vs, _ = b.unify(vs, mismatch, batch.String)
	return b.call(n, "in", batch.Bool, vs...)
}

// mixed tells whether there are ints and doubles, three values or more.
func mixed(vs []value) bool {
	var seen [2]bool
	for _, v := range vs {
		switch {
		case v.bad:
			return false
		case v.t == batch.Int:
			seen[0] = true
		case v.t == batch.Double:
			seen[1] = true
		}
	}
	return seen[0] && seen[1] && len(vs) > 2
}

func (b *binder) arithmetic(n *Node, op string, vs []value) value {
	for _, v := range vs {
		switch {
		case v.bad:
			return v
		case v.t == batch.Timestamp && (op == "+" || op == "-"):
			return b.fail(n.OpPos, "timestamp arithmetic is not supported yet, expected numbers: extract(epoch FROM ...) gives seconds")
		case !v.null() && v.t != batch.Int && v.t != batch.Double && !v.text:
			return b.fail(v.n.Pos, "%s needs numbers, not %s, expected int or double", op, v.t)
		}
	}
	if (vs[0].text || vs[0].null()) && (vs[1].text || vs[1].null()) {
		return b.fail(n.OpPos, "the types around %s are not known, expected int or double", op)
	}
	vs, t := b.unify(vs, nil, 0)
	if op == "%" && t == batch.Double {
		return b.fail(n.OpPos, "%% needs ints, not double, expected a CAST(... AS int)")
	}
	return b.call(n, op, t, vs...)
}

func (b *binder) sign(n *Node, v value) value {
	switch {
	case v.bad:
		return v
	case v.t != batch.Int && v.t != batch.Double:
		return b.fail(n.Args[0].Pos, "%s needs a number, not %s, expected int or double", map[string]string{"neg": "-", "pos": "+"}[n.Text], v.describe())
	case n.Text == "pos":
		return v
	}
	return b.call(n, "neg", v.t, v)
}

func (b *binder) like(n *Node, vs []value) value {
	for i := range vs {
		vs[i] = b.want(vs[i], batch.String, "LIKE")
	}
	v := b.call(n, "like", batch.Bool, b.likePattern(n, vs)...)
	if n.Text == "not_like" {
		return b.call(n, "not", batch.Bool, v)
	}
	return v
}

// join is ||: one side is a string and the other is written as one.
func (b *binder) join(n *Node, vs []value) value {
	known := false
	for _, v := range vs {
		known = known || v.bad || v.t == batch.String
	}
	if !known {
		return b.fail(n.OpPos, "|| joins strings, not %s and %s, expected a CAST(... AS string)", vs[0].describe(), vs[1].describe())
	}
	for i := range vs {
		vs[i] = b.asText(vs[i])
	}
	return b.call(n, "||", batch.String, vs...)
}

func (b *binder) caseExpr(n *Node) value {
	vs := b.bindAll(n.Args)
	var operand *value
	if n.Operand {
		operand, vs = &vs[0], vs[1:]
	}
	var results []value
	for i, v := range vs {
		if i%2 == 1 || i == len(vs)-1 {
			results = append(results, v)
		}
	}
	results, t := b.unify(results, func(a, c value) string {
		return fmt.Sprintf("the results of a CASE are %s and %s, expected one type", a.t, c.t)
	}, 0)
	args := make([]value, 0, len(vs))
	for i, v := range vs {
		if i%2 == 1 || i == len(vs)-1 {
			args = append(args, results[len(args)/2])
			continue
		}
		if operand == nil {
			args = append(args, b.want(v, batch.Bool, "WHEN"))
			continue
		}
		x := *operand
		if i > 0 {
			x = b.clone(x)
		}
		args = append(args, b.compare(v.n, "=", x, v))
	}
	if t == 0 {
		for _, v := range args {
			if v.bad {
				return v
			}
		}
		return b.fail(n.Pos, "every result of this CASE is NULL, expected a typed one such as CAST(NULL AS double)")
	}
	v := b.call(n, "case", t, args...)
	v.local = allLocal(results)
	return v
}
