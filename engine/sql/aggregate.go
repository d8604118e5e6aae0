package sql

import (
	"slices"

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

var aggregateNames = []string{
	"avg", "count", "first", "last", "max", "min", "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp",
}

// laterAggregates are aggregates that the language will have.
var laterAggregates = []string{"approx_count_distinct", "bool_and", "bool_or", "increase", "quantile", "top_k"}

func isAggregate(name string) bool {
	return slices.Contains(aggregateNames, name) || slices.Contains(laterAggregates, name)
}

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
	case slices.Contains(laterAggregates, n.Text):
		return b.fail(n.Pos, "aggregate %s is not supported yet, expected one of avg, count, first, last, max, min, sum, ...", n.Text)
	case b.aggs == nil || !b.scope.Aggregates:
		return b.fail(n.Pos, "%s is an aggregate, expected it in the emit of a window only", n.Text)
	case b.aggs.inside:
		return b.fail(n.Pos, "aggregate %s stands inside another aggregate, expected a column or a scalar function", n.Text)
	}
	c := AggCall{Function: n.Text, Star: n.Star}
	var argType batch.Type
	if !n.Star {
		if len(n.Args) != 1 {
			return b.fail(n.Pos, "%s takes one argument, not %d", n.Text, len(n.Args))
		}
		b.aggs.inside = true
		arg := b.known(b.bind(n.Args[0]))
		b.aggs.inside = false
		if arg.bad {
			return arg
		}
		c.Arg, argType = arg.e, arg.t
	}
	var err error
	if _, c.Type, err = aggregate.Resolve(n.Text, n.Star, argType, c.Param); err != nil {
		if n.Star {
			return b.fail(n.Pos, "%s(*) is not an aggregate, expected count(*) or %s(column)", n.Text, n.Text)
		}
		return b.fail(n.Args[0].Pos, "%s cannot aggregate %s, expected %s", n.Text, argType, expectedArgument(n.Text))
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

func expectedArgument(function string) string {
	if function == "min" || function == "max" {
		return "any type but bytes"
	}
	return "int or double"
}
