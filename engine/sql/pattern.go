package sql

import (
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
)

// likePattern gives the arguments of LIKE: the value and a pattern whose
// escape character is \. Where a pattern or its escape is no literal, the
// engine has to rewrite it.
func (b *binder) likePattern(n *Node, vs []value) []value {
	pattern, known := vs[1].literalText()
	if len(vs) == 3 {
		escape, ok := vs[2].literalText()
		if ok && !expr.ValidEscape(escape) {
			b.fail(vs[2].n.Pos, "the escape is more than one character, expected one or none")
			return vs
		}
		if !known || !ok {
			return []value{vs[0], b.call(n, "like_escape", batch.String, vs[1], vs[2])}
		}
		b.nodes-- // of the escape
		pattern = expr.EscapedLike(pattern, escape)
		vs = []value{vs[0], {e: textLiteral(pattern), t: vs[1].t, n: vs[1].n}}
	}
	if known && !expr.ValidLike(pattern) {
		b.fail(vs[1].n.Pos, "the pattern ends in its escape character, expected a character after it")
	}
	return vs
}
