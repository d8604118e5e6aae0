package sql

// Kind tells what a Node is.
type Kind uint8

// The kinds of nodes, and what their fields hold.
const (
	Null      Kind = iota + 1 // NULL
	Bool                      // Text is true or false
	Number                    // Text as written
	String                    // Text is the value
	Timestamp                 // TIMESTAMP [WITH TIME ZONE] '...'; Text is the string, TextPos its place
	Name                      // a column: Text folded, Raw as written
	Op                        // Text is the operation, Args its operands
	Case                      // [operand], then condition, value, ..., [else]
	Cast                      // Args[0] to the type Text, named at TextPos
	Call                      // a function: Text folded, Raw as written
)

// Node is a node of the syntax tree. Pos and End are the bytes of the text
// that it covers, without parentheses around it.
//
// Operations: or and (two or more operands), not, = <> < <= > >=, like
// not_like (value, pattern[, escape]), between not_between (value, low, high),
// in not_in (value, list), is_null is_not_null, || + - * / %, neg, pos, and
// at_time_zone (value, zone).
type Node struct {
	Kind     Kind
	Pos, End int
	OpPos    int // of the operator of an Op
	Text     string
	TextPos  int
	Raw      string
	Quoted   bool // a Name in double quotes
	Star     bool // a Call with (*)
	Operand  bool // a Case with an operand: CASE x WHEN ...
	Args     []*Node

	depth int
}
