package sql

import (
	"errors"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Error is one mistake in an expression. Offset is the byte in the text where the culprit begins.
type Error struct {
	Offset int
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

// Scope is what the names of an expression can mean.
type Scope struct {
	Columns    batch.Schema
	Functions  map[string]Signature // user-defined scalar functions
	Aggregates bool                 // aggregate calls are allowed
}

// Signature is the types of a user-defined function.
type Signature struct {
	Args   []batch.Type
	Result batch.Type
}

// AggCall is one call of an aggregate function.
type AggCall struct {
	Function string
	Star     bool       // count(*)
	Arg      *plan.Expr // over the columns of the scope; nil for count(*)
	Type     batch.Type // of the result
}

// AggExpr is an expression over aggregate calls: column i of Expr is the
// result of Calls[i].
type AggExpr struct {
	Calls []AggCall
	Expr  *plan.Expr
}

// Node is a node of the syntax tree.
type Node struct{ Pos, End int }

// Parse reads one expression.
func Parse(text string) (*Node, error) { return nil, errors.New("sql: Parse is being written") }

// Bind parses text, finds its names in s and types it. The error holds one or several *Error.
func Bind(text string, s Scope) (*plan.Expr, error) {
	return nil, errors.New("sql: Bind is being written")
}

// BindAggregates is Bind for the emitted columns of a window.
func BindAggregates(text string, s Scope) (*AggExpr, error) {
	return nil, errors.New("sql: BindAggregates is being written")
}
