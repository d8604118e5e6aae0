package engine

import (
	"errors"
	"fmt"

	"github.com/leatio/leat/engine/batch"
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

// timed is an operator that the watermark makes emit. Windows fire up to fire and
// forget what no source can change any more, up to keep.
type timed interface {
	advance(fire, keep int64, emit Emit) error
}

// tree is a fragment ready to run.
type tree struct {
	nodes    []*plan.Node
	ops      []operator
	children [][]int
	emits    []Emit // emits[i] runs the children of node i
	roots    []int  // nodes that read the fragment's input
	timed    []int  // nodes that the watermark makes emit, parents before children
	sections []Section
	after    []bool // nodes whose rows are results of a window, or made of them
}

// specialFunc makes the operator of a node that belongs to one tier; t holds
// those of the nodes before it.
type specialFunc func(t *tree, n *plan.Node, in batch.Schema) (operator, error)

// op is the operator of a node that was made already, or nil.
func (t *tree) op(node int32) operator {
	if node < 0 || int(node) >= len(t.ops) {
		return nil
	}
	return t.ops[node]
}

// build makes an operator for each node of a fragment; special makes those
// that belong to one tier (windows, ports, sinks).
func build(f *plan.Fragment, input batch.Schema, env *rowEnv, special specialFunc) (*tree, error) {
	t := &tree{nodes: f.GetNodes()}
	t.children = make([][]int, len(t.nodes))
	for i, n := range t.nodes {
		if int64(n.GetId()) != int64(i) {
			return nil, fmt.Errorf("node %d does not carry its number: %w", i, ErrPlan)
		}
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
		t.after = append(t.after, n.Input >= 0 && (t.after[n.Input] || isWindow(t.nodes[n.Input])))
		op, err := makeOperator(t, n, in, env, special)
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", i, err)
		}
		t.ops = append(t.ops, op)
		if _, ok := op.(timed); ok {
			t.timed = append(t.timed, i)
		}
		t.addSections(i, op)
	}
	t.emits = make([]Emit, len(t.nodes))
	for i := range t.nodes {
		t.emits[i] = func(b *batch.Batch) error { return t.runAll(t.children[i], b) }
	}
	return t, nil
}

func makeOperator(t *tree, n *plan.Node, in batch.Schema, env *rowEnv, special specialFunc) (operator, error) {
	switch op := n.Op.(type) {
	case *plan.Node_Where:
		return newWhere(op.Where, in, env, t.after[n.Id])
	case *plan.Node_Project:
		return newProject(op.Project, in, plan.SchemaOf(n.Schema), env, t.after[n.Id])
	}
	if op, err := env.makeStep(n, in, t.after[n.Id]); op != nil || err != nil {
		return op, err
	}
	return special(t, n, in)
}

// isWindow tells whether a node gives results of a window.
func isWindow(n *plan.Node) bool { return n.GetFinalWindow() != nil || n.GetChainWindow() != nil }

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

// advance moves the watermarks of all operators, parents first, so that what
// one emits reaches the others before they are asked.
func (t *tree) advance(fire, keep int64) error {
	for _, i := range t.timed {
		if err := t.ops[i].(timed).advance(fire, keep, t.emits[i]); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
	}
	return nil
}
