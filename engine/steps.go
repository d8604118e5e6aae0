package engine

import (
	"errors"
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/step"
)

// Lookups gives the content of reference tables by their plan entry. A table may be
// shared by many fragments.
type Lookups interface {
	Lookup(l *plan.Lookup) (*lookup.Table, error)
}

// stepParts is what the steps of a fragment are made with.
type stepParts struct {
	tables  []*plan.Lookup
	lookups Lookups
	keyed   step.Functions
	maxKeys int
}

// makeStep makes the operator of a node that is a step, or nil.
func (e *rowEnv) makeStep(n *plan.Node, in batch.Schema, afterWindow bool) (operator, error) {
	out := plan.SchemaOf(n.Schema)
	cfg := step.Config{MaxKeys: e.parts.maxKeys, Reject: e.rejectRow, Env: e.exprs, EventTime: func() int64 { return e.eventTime }}
	var s step.Step
	var err error
	switch op := n.Op.(type) {
	case *plan.Node_Alert:
		s, err = step.NewAlert(op.Alert, in, out, cfg)
	case *plan.Node_Changed:
		s, err = step.NewChanged(op.Changed, in, cfg)
	case *plan.Node_Sample:
		s, err = step.NewSample(op.Sample, in, cfg)
	case *plan.Node_Dedupe:
		s, err = step.NewDedupe(op.Dedupe, in, cfg)
	case *plan.Node_Keyed:
		s, err = step.NewKeyed(op.Keyed, in, out, e.parts.keyed, cfg)
	case *plan.Node_Lookup:
		var t *lookup.Table
		if t, err = e.table(op.Lookup.GetLookup()); err == nil {
			s, err = step.NewJoin(op.Lookup, in, out, t, afterWindow)
		}
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o := &stepOp{Step: s, env: e, lookup: n.GetLookup()}
	o.out = o.emit
	if schema := s.StateSchema(); schema != nil {
		o.state = batch.New(schema)
		return statefulStep{o}, nil
	}
	return o, nil
}

func (e *rowEnv) table(i uint32) (*lookup.Table, error) {
	if int64(i) >= int64(len(e.parts.tables)) {
		return nil, fmt.Errorf("lookup %d of %d: %w", i, len(e.parts.tables), ErrPlan)
	}
	entry := e.parts.tables[i]
	if e.parts.lookups == nil {
		return nil, fmt.Errorf("lookup %q: nothing here gives reference tables: %w", entry.GetName(), ErrPlan)
	}
	t, err := e.parts.lookups.Lookup(entry)
	if err != nil {
		return nil, fmt.Errorf("lookup %q: %w", entry.GetName(), err)
	}
	return t, nil
}

// stepOp runs a step in a tree. Beside each batch that it emits goes the
// watermark before each row.
type stepOp struct {
	step.Step
	env    *rowEnv
	lookup *plan.LookupJoin // nil = none
	out    step.Emit
	next   Emit // of the process or advance under way
	state  *batch.Batch
}

func (o *stepOp) process(b *batch.Batch, emit Emit) error {
	o.next = emit
	return o.Process(b, o.env.before, o.out)
}

func (o *stepOp) emit(b *batch.Batch, watermarks []int64) error {
	before := o.env.before
	o.env.before = watermarks
	err := o.next(b)
	o.env.before = before
	return err
}

// statefulStep is a stepOp with a state.
type statefulStep struct{ *stepOp }

func (o statefulStep) advance(fire, _ int64, emit Emit) error {
	o.next = emit
	return o.Advance(fire, o.out)
}

func (o statefulStep) stateSchemas() []Section {
	return []Section{{Schema: o.StateSchema(), Keys: o.StateKeys(), Gone: true}}
}

func (o statefulStep) changes(full bool, emit func(int, *batch.Batch) error) error {
	o.state.Reset()
	for i := range o.state.Cols {
		o.state.Cols[i].Dict = nil
	}
	o.Changes(full, o.state)
	return emit(0, o.state)
}

func (o statefulStep) restore(_ int, b *batch.Batch) error { return o.Restore(b) }
func (o statefulStep) resume(fire, _ int64)                { o.Resume(fire) }

// stepOf is the step of an operator, or nil.
func stepOf(op operator) *stepOp {
	switch o := op.(type) {
	case *stepOp:
		return o
	case statefulStep:
		return o.stepOp
	}
	return nil
}

// clocked is a step with timers of processing time.
type clocked interface {
	AdvanceClock(now int64, emit step.Emit) error
	NextClock() (at int64, ok bool)
}

// advanceClock fires timers of processing time.
func (t *tree) advanceClock(now int64) error {
	for i, op := range t.ops {
		o := stepOf(op)
		if o == nil {
			continue
		}
		if c, ok := o.Step.(clocked); ok {
			o.next = t.emits[i]
			if err := c.AdvanceClock(now, o.out); err != nil {
				return fmt.Errorf("node %d: %w", i, err)
			}
		}
	}
	return nil
}

func (t *tree) nextClock() (at int64, ok bool) {
	for _, op := range t.ops {
		if o := stepOf(op); o != nil {
			if c, is := o.Step.(clocked); is {
				if next, due := c.NextClock(); due && (!ok || next < at) {
					at, ok = next, true
				}
			}
		}
	}
	return at, ok
}

// setLookup gives new content to all steps that read a reference table.
func (t *tree) setLookup(i uint32, table *lookup.Table) error {
	var errs []error
	for at, op := range t.ops {
		o := stepOf(op)
		if o == nil || o.lookup == nil || o.lookup.Lookup != i {
			continue
		}
		if err := o.Step.(*step.Join).SetTable(table); err != nil {
			errs = append(errs, fmt.Errorf("node %d: %w", at, err))
		}
	}
	return errors.Join(errs...)
}

// stepStats gives the counters of the steps by node.
func (t *tree) stepStats(visit func(n *plan.Node, s step.Stats)) {
	for i, op := range t.ops {
		if o := stepOf(op); o != nil {
			visit(t.nodes[i], o.Stats())
		}
	}
}

// AdvanceClock moves the clock of processing time, microseconds, and fires the
// timers of steps that follow it.
func (e *Edge) AdvanceClock(now int64) error {
	e.env.before = nil
	return e.tree.advanceClock(now)
}

// NextClock is when the next timer of processing time is due; ok is false where there is none.
func (e *Edge) NextClock() (at int64, ok bool) { return e.tree.nextClock() }

// SetLookup gives new content to the steps that read lookup i of the plan, between batches.
func (e *Edge) SetLookup(i uint32, t *lookup.Table) error { return e.tree.setLookup(i, t) }

// StepStats gives the counters of the steps by node.
func (e *Edge) StepStats(visit func(n *plan.Node, s step.Stats)) { e.tree.stepStats(visit) }

// AdvanceClock moves the clock of processing time, microseconds, and fires the timers of steps that
// follow it. A worker calls it for records of its log and, after a restart, with the last of them.
func (c *Cloud) AdvanceClock(now int64) error { return c.tree.advanceClock(now) }

// NextClock is when the next timer of processing time is due; ok is false where there is none.
func (c *Cloud) NextClock() (at int64, ok bool) { return c.tree.nextClock() }

// SetLookup gives new content to the steps that read lookup i of the plan, between records.
func (c *Cloud) SetLookup(i uint32, t *lookup.Table) error { return c.tree.setLookup(i, t) }

// StepStats gives the counters of the steps by node.
func (c *Cloud) StepStats(visit func(n *plan.Node, s step.Stats)) { c.tree.stepStats(visit) }
