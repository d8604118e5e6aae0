package engine

import (
	"errors"
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
)

// ErrPlan says that a plan asks for something this build does not know.
var ErrPlan = errors.New("the plan needs a newer build")

// Emit takes a batch that is valid until it returns.
type Emit func(b *batch.Batch) error

// operator turns batches into batches.
type operator interface {
	process(b *batch.Batch, emit Emit) error
}

// tree is a fragment ready to run.
type tree struct {
	nodes    []*plan.Node
	ops      []operator
	children [][]int
	emits    []Emit // emits[i] runs the children of node i
	roots    []int  // nodes that read the fragment's input
}

// build makes an operator for each node of a fragment; special makes those
// that belong to one tier (windows, ports, sinks).
func build(f *plan.Fragment, input batch.Schema, env *rowEnv, special func(n *plan.Node, in batch.Schema) (operator, error)) (*tree, error) {
	t := &tree{nodes: f.GetNodes()}
	t.children = make([][]int, len(t.nodes))
	for i, n := range t.nodes {
		in := input
		if n.Input >= 0 {
			if int(n.Input) >= i {
				return nil, fmt.Errorf("node %d reads node %d, which does not stand before it", i, n.Input)
			}
			in = plan.SchemaOf(t.nodes[n.Input].Schema)
			t.children[n.Input] = append(t.children[n.Input], i)
		} else {
			t.roots = append(t.roots, i)
		}
		op, err := makeOperator(n, in, env, special)
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", i, err)
		}
		t.ops = append(t.ops, op)
	}
	t.emits = make([]Emit, len(t.nodes))
	for i := range t.nodes {
		t.emits[i] = func(b *batch.Batch) error { return t.runAll(t.children[i], b) }
	}
	return t, nil
}

func makeOperator(n *plan.Node, in batch.Schema, env *rowEnv, special func(*plan.Node, batch.Schema) (operator, error)) (operator, error) {
	switch op := n.Op.(type) {
	case *plan.Node_Where:
		return newWhere(op.Where, in, env)
	case *plan.Node_Project:
		return newProject(op.Project, in, plan.SchemaOf(n.Schema), env)
	default:
		return special(n, in)
	}
}

// runAll hands a batch to several nodes, none of which may change it.
func (t *tree) runAll(nodes []int, b *batch.Batch) error {
	for _, i := range nodes {
		if err := t.run(i, b); err != nil {
			return err
		}
	}
	return nil
}

// run gives a batch to node i; what it emits goes to its children.
func (t *tree) run(i int, b *batch.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	return t.ops[i].process(b, t.emits[i])
}

// rowEnv is what row-wise operators share: functions and where bad rows go.
type rowEnv struct {
	functions expr.Functions
	reject    RejectFunc
	eventTime int64 // of the batch, as UDFs see it; microseconds
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
	p, err := expr.Compile(w.GetCondition(), in, expr.Env{Functions: env.functions})
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
		prog, err := expr.Compile(e, in, expr.Env{Functions: env.functions})
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
