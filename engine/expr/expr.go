package expr

import (
	"errors"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// RowError says that one row could not be worked on, and why.
type RowError = batch.RowError

// Scalar is a user-defined function of one instance. The rows of args are
// dense: there is no selection. Call appends exactly rows values to out; the
// rows named in the returned errors get null. An error means that the whole
// function is unusable. args and out are valid until Call returns.
type Scalar interface {
	Call(eventTime int64, args []batch.Column, rows int, out *batch.Column) ([]RowError, error)
}

// Functions finds user-defined functions by the name that stands in the plan
// after "udf:".
type Functions interface {
	Scalar(name string) (Scalar, error)
}

// Program is a compiled expression. It owns the memory of its results, so one
// goroutine uses it at a time.
type Program struct {
	in  batch.Schema
	typ batch.Type
}

// Type is the type of the program's value.
func (p *Program) Type() batch.Type { return p.typ }

// Compile checks e against the schema of its input and makes a Program of it.
func Compile(e *plan.Expr, in batch.Schema, fns Functions) (*Program, error) {
	return nil, errors.New("expr: Compile is being written")
}

// Eval computes the value for the rows of b that count. The result has b.N
// rows and is valid at the rows of b.Sel, until the next Eval or Filter of p.
// Each row that fails calls fail once and is null in the result.
func (p *Program) Eval(b *batch.Batch, fail func(row int, reason string)) (*batch.Column, error) {
	return nil, errors.New("expr: Eval is being written")
}

// Filter returns the rows of b, within b.Sel and in ascending order, for which
// the program, of type bool, is true. The memory of dst is used; its contents are overwritten. dst may be b.Sel.
func (p *Program) Filter(b *batch.Batch, dst []uint32, fail func(row int, reason string)) ([]uint32, error) {
	return nil, errors.New("expr: Filter is being written")
}
