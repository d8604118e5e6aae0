package sql

import "strings"

// Bounds of an expression.
const (
	// MaxText is the longest text in bytes.
	MaxText = 64 << 10
	// MaxDepth is the deepest nesting. What is written out adds at most half of
	// it again, and a plan holds plan.MaxExprDepth.
	MaxDepth = 200
	// MaxNodes is the largest number of operations after BETWEEN and CASE x
	// WHEN are written out.
	MaxNodes = 5_000
)

// Binding powers, weakest first, as in PostgreSQL.
const (
	precOr = iota + 1
	precAnd
	precNot
	precIs
	precCompare // does not chain
	precLike    // LIKE, IN, BETWEEN; do not chain
	precOther   // ||
	precAdd
	precMultiply
	precAt // AT TIME ZONE
	precUnary
	precCast // ::
)

var infixOperators = map[string]int{
	"=": precCompare, "<>": precCompare, "<": precCompare, "<=": precCompare, ">": precCompare, ">=": precCompare,
	"||": precOther, "+": precAdd, "-": precAdd, "*": precMultiply, "/": precMultiply, "%": precMultiply,
}

// reserved words cannot be columns without quotes.
var reserved = map[string]bool{
	"and": true, "or": true, "not": true, "in": true, "is": true, "like": true, "between": true, "case": true, "when": true,
	"then": true, "else": true, "end": true, "null": true, "true": true, "false": true, "distinct": true, "from": true,
	"select": true, "where": true, "as": true,
}

// Parse reads one expression. The error is an *Error.
func Parse(text string) (*Node, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	n := p.expr(precOr)
	if p.err == nil && p.peek().kind != tokenEnd {
		p.unexpected("an operator or the end")
	}
	if p.err != nil {
		return nil, p.err
	}
	return n, nil
}

// parser is a Pratt parser: expr reads an operand and then, as long as they
// bind at least as strongly as asked for, operators and what is right of them.
// After the first mistake it sees only the end.
type parser struct {
	tokens []token
	at     int
	depth  int
	err    *Error
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) peekAfter(n int) token { return p.tokens[min(p.at+n, len(p.tokens)-1)] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *parser) fail(pos int, format string, args ...any) {
	if p.err == nil {
		p.err = errorf(pos, format, args...)
	}
	p.at = len(p.tokens) - 1
}

func (p *parser) unexpected(expected string) {
	t := p.peek()
	switch {
	case t.kind == tokenString && p.at > 0 && p.tokens[p.at-1].is("interval"):
		p.fail(p.tokens[p.at-1].pos, "INTERVAL is not supported yet, expected a number or a timestamp")
	default:
		p.fail(t.pos, "unexpected %s, expected %s", t.describe(), expected)
	}
}

func (p *parser) accept(text string) bool {
	if p.peek().is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) token {
	t := p.peek()
	if !t.is(text) {
		p.unexpected("\"" + strings.ToUpper(text) + "\"")
		return t
	}
	return p.take()
}

// node finishes a node: its depth and its end.
func (p *parser) node(n *Node) *Node {
	for _, a := range n.Args {
		if a != nil {
			n.depth = max(n.depth, a.depth)
		}
	}
	n.depth++
	if n.depth > MaxDepth {
		p.fail(n.Pos, "the expression is nested deeper than %d", MaxDepth)
	}
	if n.End == 0 && p.at > 0 {
		n.End = p.tokens[p.at-1].end
	}
	return n
}

func (p *parser) expr(min int) *Node {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > MaxDepth {
		p.fail(p.peek().pos, "the expression is nested deeper than %d", MaxDepth)
		return &Node{Kind: Null}
	}
	left := p.operand()
	for p.err == nil {
		n := p.infix(left, min)
		if n == nil {
			break
		}
		left = n
	}
	return left
}

// infix reads an operator after left, or gives nil when the next token is none
// or binds more weakly than min.
func (p *parser) infix(left *Node, min int) *Node {
	t := p.peek()
	if t.kind == tokenOp {
		if t.text == "::" {
			return p.shortCast(left)
		}
		prec, ok := infixOperators[t.text]
		if !ok || prec < min {
			return nil
		}
		p.take()
		n := p.node(&Node{Kind: Op, Pos: left.Pos, OpPos: t.pos, Text: t.text, Args: []*Node{left, p.expr(prec + 1)}})
		if prec == precCompare {
			p.refuseChain(precCompare)
		}
		return n
	}
	if t.kind != tokenName {
		return nil
	}
	negated := t.text == "not"
	word := t.text
	if negated {
		word = p.peekAfter(1).text
	}
	switch {
	case !negated && word == "or" && min <= precOr:
		return p.chain(left, "or", precOr)
	case !negated && word == "and" && min <= precAnd:
		return p.chain(left, "and", precAnd)
	case !negated && word == "is" && min <= precIs:
		return p.is(left)
	case !negated && word == "at" && p.peekAfter(1).is("time") && min <= precAt:
		return p.atTimeZone(left)
	case (word == "like" || word == "in" || word == "between") && min <= precLike:
		return p.test(left, negated)
	case word == "ilike" || word == "similar" || word == "isnull" || word == "notnull":
		p.fail(t.pos, "%s is not supported, expected LIKE, regexp_like(text, pattern) or IS [NOT] NULL", strings.ToUpper(word))
	}
	return nil
}

// chain reads a AND b AND c as one node.
func (p *parser) chain(left *Node, word string, prec int) *Node {
	n := &Node{Kind: Op, Pos: left.Pos, OpPos: p.peek().pos, Text: word, Args: []*Node{left}}
	for p.accept(word) {
		n.Args = append(n.Args, p.expr(prec+1))
	}
	return p.node(n)
}

func (p *parser) is(left *Node) *Node {
	t := p.take()
	op := "is_null"
	if p.accept("not") {
		op = "is_not_null"
	}
	if !p.accept("null") {
		p.unexpected("NULL or NOT NULL after IS")
	}
	return p.node(&Node{Kind: Op, Pos: left.Pos, OpPos: t.pos, Text: op, Args: []*Node{left}})
}

// atTimeZone reads x AT TIME ZONE z.
func (p *parser) atTimeZone(left *Node) *Node {
	t := p.take()
	p.take()
	p.expect("zone")
	return p.node(&Node{Kind: Op, Pos: left.Pos, OpPos: t.pos, Text: "at_time_zone", Args: []*Node{left, p.expr(precAt + 1)}})
}

// test reads [NOT] LIKE, IN and BETWEEN.
func (p *parser) test(left *Node, negated bool) *Node {
	n := &Node{Kind: Op, Pos: left.Pos, OpPos: p.peek().pos, Args: []*Node{left}}
	if negated {
		p.take()
	}
	word := p.take().text
	n.Text = word
	if negated {
		n.Text = "not_" + word
	}
	switch word {
	case "like":
		n.Args = append(n.Args, p.expr(precLike+1))
		if p.accept("escape") {
			n.Args = append(n.Args, p.expr(precLike+1))
		}
	case "in":
		p.expect("(")
		if p.peek().is("select") {
			p.fail(p.peek().pos, "subqueries are not supported, expected a list of values")
		}
		n.Args = append(n.Args, p.list("IN needs at least one value")...)
	default:
		n.Args = append(n.Args, p.expr(precLike+1))
		p.expect("and")
		n.Args = append(n.Args, p.expr(precLike+1))
	}
	p.node(n)
	p.refuseChain(precLike)
	return n
}

// refuseChain fails on a second operator of a level that does not chain.
func (p *parser) refuseChain(level int) {
	t := p.peek()
	if level == precCompare && t.kind == tokenOp && infixOperators[t.text] == precCompare {
		p.fail(t.pos, "comparisons do not chain, expected AND: a < b AND b < c")
	}
	word := t
	if t.is("not") {
		word = p.peekAfter(1)
	}
	if level == precLike && (word.is("like") || word.is("in") || word.is("between")) {
		p.fail(t.pos, "%s does not chain, expected parentheses or AND", strings.ToUpper(word.text))
	}
}

// list reads expressions up to a closing parenthesis.
func (p *parser) list(empty string) []*Node {
	var args []*Node
	if p.peek().is(")") {
		p.fail(p.peek().pos, "%s", empty)
	}
	for p.err == nil {
		args = append(args, p.expr(precOr))
		if !p.accept(",") {
			if p.err == nil && !p.peek().is(")") {
				p.unexpected("\",\" or \")\"")
			}
			p.accept(")")
			break
		}
	}
	return args
}
