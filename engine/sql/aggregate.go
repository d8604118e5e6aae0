package sql

import (
	"slices"
	"strconv"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
)

// AggCall is one call of an aggregate function.
type AggCall struct {
	Function string
	Star     bool       // count(*)
	Arg      *plan.Expr // over the columns of the scope; nil for count(*)
	Param    float64    // second argument of the functions that take one
	Type     batch.Type // of the result
}

// AggExpr is an expression over aggregate calls: column i of Expr is the
// result of Calls[i]. Equal calls stand there once.
type AggExpr struct {
	Calls []AggCall
	Expr  *plan.Expr
}

func isAggregate(name string) bool { return slices.Contains(aggregate.Functions(), name) }

// aggregates is the state of a binder inside BindAggregates.
type aggregates struct {
	calls  []AggCall
	inside bool // the argument of a call is being bound
}

// BindAggregates is Bind for a column that a window emits: an expression over
// aggregate calls, such as max(dew) - min(dew). A column outside a call, and a call
// inside another, are mistakes.
func BindAggregates(text string, s Scope) (*AggExpr, error) {
	n, err := Parse(text)
	if err != nil {
		return nil, err
	}
	b := &binder{scope: s, aggs: &aggregates{}}
	v := b.known(b.bind(n))
	if len(b.errs) == 0 && len(b.aggs.calls) == 0 {
		b.fail(n.Pos, "there is no aggregate here, expected a call such as count(*)")
	}
	if err := join(b.errs); err != nil {
		return nil, err
	}
	return &AggExpr{Calls: b.aggs.calls, Expr: v.e}, nil
}

func (b *binder) aggregate(n *Node) value {
	switch {
	case b.aggs == nil || !b.scope.Aggregates:
		return b.fail(n.Pos, "%s is an aggregate, expected it in the emit of a window only", n.Text)
	case b.aggs.inside:
		return b.fail(n.Pos, "aggregate %s stands inside another aggregate, expected a column or a scalar function", n.Text)
	}
	c := AggCall{Function: n.Text, Star: n.Star}
	var argType batch.Type
	if !n.Star {
		if wrong, ok := b.aggregateArguments(n, &c); !ok {
			return wrong
		}
		argType = batch.Type(c.Arg.Type)
	}
	var err error
	if _, c.Type, err = aggregate.Resolve(n.Text, n.Star, argType, c.Param); err != nil {
		if n.Star {
			return b.fail(n.Pos, "%s(*) is not an aggregate, expected count(*) or %s(column)", n.Text, n.Text)
		}
		return b.fail(n.Args[0].Pos, "%s cannot aggregate %s, expected %s", n.Text, argType, aggregate.Arguments(n.Text))
	}
	i := slices.IndexFunc(b.aggs.calls, func(have AggCall) bool {
		return have.Function == c.Function && have.Star == c.Star && have.Param == c.Param && pb.Equal(have.Arg, c.Arg)
	})
	if i < 0 {
		i = len(b.aggs.calls)
		b.aggs.calls = append(b.aggs.calls, c)
	}
	b.count(1, n.Pos)
	return value{e: columnExpr(i, c.Type), t: c.Type}
}

// aggregateArguments binds the arguments of a call into c. Where it cannot, ok
// is false and the value is the call's.
func (b *binder) aggregateArguments(n *Node, c *AggCall) (wrong value, ok bool) {
	second, two := aggregate.TakesParam(n.Text)
	switch {
	case two && len(n.Args) != 2:
		return b.fail(n.Pos, "%s takes two arguments, the second is %s", n.Text, second), false
	case !two && len(n.Args) != 1:
		return b.fail(n.Pos, "%s takes one argument, not %d", n.Text, len(n.Args)), false
	}
	b.aggs.inside = true
	arg := b.known(b.bind(n.Args[0]))
	b.aggs.inside = false
	if two {
		param := n.Args[1]
		v, err := strconv.ParseFloat(param.Text, 64)
		if param.Kind != Number || err != nil || !aggregate.ValidParam(n.Text, v) {
			return b.fail(param.Pos, "the second argument of %s is not right, expected %s, written as a number", n.Text, second), false
		}
		c.Param = v
		b.count(1, param.Pos)
	}
	c.Arg = arg.e
	return arg, !arg.bad
}
