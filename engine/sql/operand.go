package sql

import "strings"

// operand reads what stands before, between and after operators.
func (p *parser) operand() *Node {
	t := p.peek()
	n := &Node{Pos: t.pos, Text: t.text, TextPos: t.pos, Raw: t.raw}
	switch t.kind {
	case tokenNumber, tokenString, tokenQuoted:
		p.take()
		n.Kind = map[tokenKind]Kind{tokenNumber: Number, tokenString: String, tokenQuoted: Name}[t.kind]
		if n.Quoted = t.kind == tokenQuoted; n.Quoted {
			n.Raw = t.text
		}
		return p.node(n)
	case tokenOp:
		return p.prefix(n, t)
	case tokenName:
		return p.word(n, t)
	}
	p.unexpected("a column, a value or a function")
	return n
}

func (p *parser) prefix(n *Node, t token) *Node {
	switch t.text {
	case "(":
		p.take()
		inner := p.expr(precOr)
		if p.err == nil && p.peek().is(",") {
			p.fail(p.peek().pos, "unexpected \",\", rows in parentheses are not supported")
		}
		p.expect(")")
		return inner
	case "-", "+":
		p.take()
		n.Kind, n.OpPos, n.Text = Op, t.pos, map[string]string{"-": "neg", "+": "pos"}[t.text]
		n.Args = []*Node{p.expr(precUnary)}
		return p.node(n)
	}
	p.unexpected("a column, a value or a function")
	return n
}

func (p *parser) word(n *Node, t token) *Node {
	after := p.peekAfter(1)
	switch {
	case t.text == "null":
		p.take()
		n.Kind = Null
		return p.node(n)
	case t.text == "true" || t.text == "false":
		p.take()
		n.Kind = Bool
		return p.node(n)
	case t.text == "not":
		p.take()
		n.Kind, n.OpPos = Op, t.pos
		n.Args = []*Node{p.expr(precNot)}
		return p.node(n)
	case t.text == "case":
		return p.caseExpr(n)
	case (t.text == "timestamp" || t.text == "timestamptz") && after.kind == tokenString, t.text == "timestamp" && after.is("with"):
		p.take()
		p.withTimeZone()
		if after = p.peek(); after.kind != tokenString {
			p.unexpected("a timestamp such as '2026-01-31 12:30:00+01'")
		}
		p.take()
		n.Kind, n.Text, n.TextPos = Timestamp, after.text, after.pos
		return p.node(n)
	case t.text == "cast" && after.is("("):
		return p.cast(n)
	case t.text == "extract" && after.is("("):
		return p.extract(n)
	case reserved[t.text]:
		p.fail(t.pos, "unexpected %s, expected a column, a value or a function (a column of this name must be quoted: \"%s\")", strings.ToUpper(t.text), t.raw)
		return n
	}
	p.take()
	if after.is("(") {
		return p.call(n)
	}
	if after.is(".") {
		p.fail(after.pos, "unexpected \".\", columns have no qualifiers here")
	}
	n.Kind = Name
	return p.node(n)
}

func (p *parser) caseExpr(n *Node) *Node {
	p.take()
	n.Kind = Case
	if !p.peek().is("when") {
		n.Operand = true
		n.Args = append(n.Args, p.expr(precOr))
	}
	for first := true; p.err == nil && (first || p.peek().is("when")); first = false {
		p.expect("when")
		cond := p.expr(precOr)
		p.expect("then")
		n.Args = append(n.Args, cond, p.expr(precOr))
	}
	if p.accept("else") {
		n.Args = append(n.Args, p.expr(precOr))
	}
	p.expect("end")
	return p.node(n)
}

// cast reads CAST(x AS t).
func (p *parser) cast(n *Node) *Node {
	p.take()
	p.take()
	n.Kind = Cast
	n.Args = []*Node{p.expr(precOr)}
	p.expect("as")
	p.typeName(n)
	p.expect(")")
	return p.node(n)
}

// shortCast reads x::t.
func (p *parser) shortCast(left *Node) *Node {
	t := p.take()
	n := &Node{Kind: Cast, Pos: left.Pos, OpPos: t.pos, Args: []*Node{left}}
	p.typeName(n)
	return p.node(n)
}

func (p *parser) typeName(n *Node) {
	t := p.peek()
	if t.kind != tokenName {
		p.unexpected("a type: " + typeList)
		return
	}
	p.take()
	n.Text, n.TextPos = t.text, t.pos
	switch t.text {
	case "double":
		p.accept("precision")
	case "timestamp":
		p.withTimeZone()
	}
	if p.err == nil && p.peek().is("(") {
		p.fail(p.peek().pos, "types have no length here, expected %s", t.text)
	}
}

// withTimeZone reads WITH TIME ZONE, if it stands there.
func (p *parser) withTimeZone() {
	if p.accept("with") {
		p.expect("time")
		p.expect("zone")
	}
}

// extract reads extract(field FROM x) as the call extract('field', x), which
// is allowed as well.
func (p *parser) extract(n *Node) *Node {
	field := p.peekAfter(2)
	if !p.peekAfter(3).is("from") {
		p.take()
		return p.call(n)
	}
	p.take()
	p.take()
	p.take()
	if field.kind != tokenName && field.kind != tokenString {
		p.fail(field.pos, "unexpected %s, expected a field such as hour", field.describe())
		return n
	}
	p.take() // FROM
	n.Kind = Call
	name := &Node{Kind: String, Pos: field.pos, End: field.end, Text: field.text, TextPos: field.pos, Raw: field.raw, depth: 1}
	n.Args = []*Node{name, p.expr(precOr)}
	p.expect(")")
	return p.node(n)
}

// call reads the arguments of a function whose name has been taken.
func (p *parser) call(n *Node) *Node {
	n.Kind = Call
	p.expect("(")
	switch {
	case p.peek().is("*"):
		p.take()
		n.Star = true
		p.expect(")")
	case p.peek().is("distinct"):
		p.fail(p.peek().pos, "DISTINCT is not supported, expected an argument")
	case p.peek().is(")"):
		p.take()
	default:
		n.Args = p.list("")
	}
	if t := p.peek(); p.err == nil && (t.is("over") || t.is("filter")) {
		p.fail(t.pos, "%s is not supported, expected an operator or the end", strings.ToUpper(t.text))
	}
	return p.node(n)
}
