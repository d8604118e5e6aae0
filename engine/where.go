package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/step"
)

// revisions handles the results of windows that a step leaves out: what an
// earlier revision said of the same window and key is to be taken back. Such a row goes on,
// marked as deleted.
type revisions struct {
	column  int // of _revision; -1 = the rows are no results of a window
	deleted batch.Bitmap
	live    batch.Batch
	sel     []uint32
}

func newRevisions(in batch.Schema, afterWindow bool) revisions {
	r := revisions{column: -1, sel: make([]uint32, 0, 1)}
	if at := in.Index(plan.Revision); afterWindow && at >= 0 && in[at].Type == batch.Int {
		r.column = at
	}
	return r
}

// revises tells whether an earlier revision may have said something.
func (v *revisions) revises(b *batch.Batch, row int) bool {
	return v.column >= 0 && b.Cols[v.column].Ints[row] > 1
}

// undeleted is b without its deleted rows.
func (v *revisions) undeleted(b *batch.Batch) *batch.Batch {
	if b.Deleted == nil {
		return b
	}
	v.sel = v.sel[:0]
	for n := range b.Len() {
		if r := rowAt(b, n); !b.Deleted.Get(r) {
			v.sel = append(v.sel, uint32(r))
		}
	}
	v.live = *b
	v.live.Sel = v.sel
	return &v.live
}

// keep sets out to b with the rows in passed (ascending), those that are deleted,
// and those that now are.
func (v *revisions) keep(out, b *batch.Batch, passed, sel []uint32) []uint32 {
	sel = sel[:0]
	marked := false
	for n := range b.Len() {
		r := rowAt(b, n)
		switch {
		case len(passed) > 0 && int(passed[0]) == r:
			passed = passed[1:]
		case b.Deleted != nil && b.Deleted.Get(r):
		case v.revises(b, r):
			if !marked {
				v.deleted, marked = step.CopyDeleted(v.deleted, b), true
				out.Deleted = v.deleted
			}
			v.deleted.Set(r)
		default:
			continue
		}
		sel = append(sel, uint32(r))
	}
	out.Sel = sel
	return sel
}

// where keeps the rows whose condition is true.
type where struct {
	program  *expr.Program
	fails    failures
	failFunc func(int, string)
	revised  revisions
	out      batch.Batch
	passed   []uint32
	sel      []uint32
}

func newWhere(w *plan.Where, in batch.Schema, env *rowEnv, afterWindow bool) (operator, error) {
	p, err := expr.Compile(w.GetCondition(), in, env.exprs)
	if err != nil {
		return nil, fmt.Errorf("where: %w", err)
	}
	op := &where{program: p, fails: failures{env: env}, revised: newRevisions(in, afterWindow), passed: make([]uint32, 0, 1), sel: make([]uint32, 0, 1)}
	op.failFunc = op.fails.fail
	return op, nil
}

func (w *where) process(b *batch.Batch, emit Emit) error {
	live := w.revised.undeleted(b)
	w.fails.begin(live)
	w.program.SetEventTime(w.fails.env.eventTime)
	passed, err := w.program.Filter(live, w.passed[:0], w.failFunc)
	if err != nil {
		return fmt.Errorf("where: %w", err)
	}
	w.passed = passed
	w.out = *b
	switch {
	case len(passed) == b.N:
	case w.revised.column < 0 && b.Deleted == nil:
		w.out.Sel = passed
	default:
		w.sel = w.revised.keep(&w.out, b, passed, w.sel)
	}
	return emit(&w.out)
}
