package expr

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Set is several expressions over one input. What they have in common is
// computed once a batch. One goroutine uses a Set at a time.
type Set struct {
	input input
	roots []node
	run   run
}

// CompileAll makes a Set. It refuses what Compile refuses.
func CompileAll(list []*plan.Expr, in batch.Schema, env Env) (*Set, error) {
	c := newCompiler(in, env)
	roots, err := c.roots(list)
	if err != nil {
		return nil, fmt.Errorf("expression %d: %w", c.at+1, err)
	}
	return &Set{input: input{slices.Clone(in), c.used}, roots: roots}, nil
}

// SetEventTime says which event time, in microseconds, user-defined functions
// see from the next Eval on.
func (s *Set) SetEventTime(micros int64) { s.run.eventTime = micros }

// Eval computes the values for the rows of b that count and puts the columns
// in dst, one for each expression. They have b.N rows and are valid at the rows of b.Sel, until
// the next Eval and as long as b. A row that fails in any of them calls fail (which may be
// nil) once; then it has unspecified values, or null, in all but the columns that b has itself. An error means that nothing of the batch could be computed.
func (s *Set) Eval(b *batch.Batch, dst []batch.Column, fail func(row int, reason string)) error {
	if len(dst) != len(s.roots) {
		return fmt.Errorf("%w: %d columns for %d expressions", ErrBatch, len(dst), len(s.roots))
	}
	if err := s.run.begin(&s.input, b, fail); err != nil {
		return err
	}
	for i, root := range s.roots {
		dst[i] = *root.eval(&s.run, b.Sel)
	}
	_, err := s.run.end()
	return err
}
