package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
)

// project computes the columns of its output; a row that fails in one of them
// is rejected once and dropped.
type project struct {
	programs *expr.Set
	fails    failures
	failFunc func(int, string)
	revised  revisions
	out      batch.Batch
	passed   []uint32
	sel      []uint32
}

func newProject(p *plan.Project, in, out batch.Schema, env *rowEnv, afterWindow bool) (operator, error) {
	if len(p.GetColumns()) != len(out) {
		return nil, fmt.Errorf("project: %d expressions for %d columns", len(p.GetColumns()), len(out))
	}
	op := &project{fails: failures{env: env}, revised: newRevisions(in, afterWindow), passed: make([]uint32, 0, 1), sel: make([]uint32, 0, 1)}
	op.failFunc = op.fail
	var err error
	if op.programs, err = expr.CompileAll(p.Columns, in, env.exprs); err != nil {
		return nil, fmt.Errorf("project: %w", err)
	}
	op.out.Cols = make([]batch.Column, len(out))
	return op, nil
}

// fail rejects a row. Of a deleted row only the key matters.
func (p *project) fail(row int, reason string) {
	if b := p.fails.b; b.Deleted == nil || !b.Deleted.Get(row) {
		p.fails.fail(row, reason)
	}
}

func (p *project) process(b *batch.Batch, emit Emit) error {
	p.fails.begin(b)
	p.programs.SetEventTime(p.fails.env.eventTime)
	if err := p.programs.Eval(b, p.out.Cols, p.failFunc); err != nil {
		return fmt.Errorf("project: %w", err)
	}
	p.out.N, p.out.Sel, p.out.Deleted, p.out.Origin = b.N, b.Sel, b.Deleted, b.Origin
	if len(p.fails.rows) > 0 {
		p.passed = p.fails.drop(b, p.passed)
		p.sel = p.revised.keep(&p.out, b, p.passed, p.sel)
	}
	return emit(&p.out)
}
