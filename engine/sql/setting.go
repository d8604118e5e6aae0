package sql

import (
	"maps"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Operations whose values an agent's settings give; plan.Resolve replaces them.
const (
	paramOp = "param"
	labelOp = "label"
)

// setting binds param('name') and label('name').
func (b *binder) setting(n *Node) value {
	if len(n.Args) != 1 || n.Args[0].Kind != String {
		return b.fail(n.Pos, "%s takes one string literal, expected %s('name')", n.Text, n.Text)
	}
	name := n.Args[0].Text
	t := batch.String
	if n.Text == paramOp {
		var ok bool
		if t, ok = b.scope.Params[name]; !ok {
			return b.fail(n.Args[0].Pos, "unknown parameter %q, %s", shorten(name), suggest(name, slices.Collect(maps.Keys(b.scope.Params))))
		}
	}
	if name == "" {
		return b.fail(n.Args[0].Pos, "a label has no name, expected one such as label('site')")
	}
	return b.call(n, n.Text, t, value{e: textLiteral(name), t: batch.String, n: n.Args[0]})
}

func textLiteral(s string) *plan.Expr {
	return literal(batch.String, &plan.Value{Kind: &plan.Value_String_{String_: s}})
}
