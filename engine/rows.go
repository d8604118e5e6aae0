package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
)

// rowEnv is what the operators of a fragment share: functions, where bad rows
// go, and the place in time of the batch that is on its way down the tree.
type rowEnv struct {
	exprs     expr.Env
	reject    RejectFunc
	eventTime int64   // of the batch, as UDFs see it; microseconds
	watermark int64   // that stood before the batch
	before    []int64 // the watermark before each row of the batch; nil = it did not move
}

// watermarkBefore is the watermark before the first row of b that counts.
func (e *rowEnv) watermarkBefore(b *batch.Batch) int64 {
	switch {
	case e.before == nil || b.Len() == 0:
		return e.watermark
	case b.Sel != nil:
		return e.before[b.Sel[0]]
	default:
		return e.before[0]
	}
}

// RejectFunc takes a row that cannot be worked on. topic and payload are
// valid until it returns and may be empty in the cloud.
type RejectFunc func(topic string, payload []byte, reason string)

func (e *rowEnv) rejectRow(b *batch.Batch, row int, reason string) {
	if e.reject == nil {
		return
	}
	var topic string
	var payload []byte
	if b.Origin != nil {
		topic, payload = b.Origin.Message(row)
	}
	e.reject(topic, payload, reason)
}

// failures remembers which rows of a batch were rejected while expressions ran.
type failures struct {
	env  *rowEnv
	b    *batch.Batch
	rows map[int]struct{} // allocated on the first failure only
}

func (f *failures) begin(b *batch.Batch) { f.b = b; clear(f.rows) }

func (f *failures) fail(row int, reason string) {
	if _, dup := f.rows[row]; dup {
		return
	}
	if f.rows == nil {
		f.rows = make(map[int]struct{})
	}
	f.rows[row] = struct{}{}
	f.env.rejectRow(f.b, row, reason)
}

// drop returns the selection of b without the failed rows, in dst.
func (f *failures) drop(b *batch.Batch, dst []uint32) []uint32 {
	dst = dst[:0]
	keep := func(r uint32) {
		if _, bad := f.rows[int(r)]; !bad {
			dst = append(dst, r)
		}
	}
	if b.Sel != nil {
		for _, r := range b.Sel {
			keep(r)
		}
		return dst
	}
	for r := range b.N {
		keep(uint32(r))
	}
	return dst
}

// where keeps the rows whose condition is true.
type where struct {
	program *expr.Program
	fails   failures
	out     batch.Batch
	sel     []uint32
}

func newWhere(w *plan.Where, in batch.Schema, env *rowEnv) (operator, error) {
	p, err := expr.Compile(w.GetCondition(), in, env.exprs)
	if err != nil {
		return nil, fmt.Errorf("where: %w", err)
	}
	return &where{program: p, fails: failures{env: env}, sel: make([]uint32, 0, 1)}, nil
}

func (w *where) process(b *batch.Batch, emit Emit) error {
	w.fails.begin(b)
	w.program.SetEventTime(w.fails.env.eventTime)
	sel, err := w.program.Filter(b, w.sel[:0], w.fails.fail)
	if err != nil {
		return fmt.Errorf("where: %w", err)
	}
	w.sel = sel
	w.out = *b
	if len(sel) != b.N {
		w.out.Sel = sel
	}
	return emit(&w.out)
}

// project computes the columns of its output; a row that fails in one of them
// is rejected once and dropped.
type project struct {
	programs []*expr.Program
	fails    failures
	failFunc func(int, string)
	out      batch.Batch
	sel      []uint32
}

func newProject(p *plan.Project, in, out batch.Schema, env *rowEnv) (operator, error) {
	if len(p.GetColumns()) != len(out) {
		return nil, fmt.Errorf("project: %d expressions for %d columns", len(p.GetColumns()), len(out))
	}
	op := &project{fails: failures{env: env}, sel: make([]uint32, 0, 1)}
	op.failFunc = op.fails.fail
	for i, e := range p.Columns {
		prog, err := expr.Compile(e, in, env.exprs)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", out[i].Name, err)
		}
		op.programs = append(op.programs, prog)
	}
	op.out.Cols = make([]batch.Column, len(out))
	return op, nil
}

func (p *project) process(b *batch.Batch, emit Emit) error {
	p.fails.begin(b)
	for i, prog := range p.programs {
		prog.SetEventTime(p.fails.env.eventTime)
		c, err := prog.Eval(b, p.failFunc)
		if err != nil {
			return fmt.Errorf("project: %w", err)
		}
		p.out.Cols[i] = *c
	}
	p.out.N, p.out.Sel, p.out.Origin = b.N, b.Sel, b.Origin
	if len(p.fails.rows) > 0 {
		p.sel = p.fails.drop(b, p.sel)
		p.out.Sel = p.sel
	}
	return emit(&p.out)
}
