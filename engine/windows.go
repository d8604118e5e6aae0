package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/window"
)

// results is the half of a window that fires: over partials, or over the
// results of another window.
type results interface {
	Advance(fire, keep int64, emit func(*batch.Batch) error) error
	SnapshotSchemas() []batch.Schema
	SnapshotKeys() []int
	Snapshot(full bool, emit func(section int, b *batch.Batch) error) error
	Restore(section int, b *batch.Batch) error
	Resume(fire, keep int64)
	TooLate() int64
	States() int
}

// resultWindow gathers what a window is given; results leave when the watermark advances.
type resultWindow struct {
	results
	take  func(b *batch.Batch) error
	fired int64
	from  int64 // windows that begin before belong to another version; 0 = none
	sel   []uint32
}

func newFinalWindow(w *plan.Window, env *rowEnv, cfg window.FinalConfig) (*resultWindow, *window.Final, error) {
	f, err := window.NewFinal(w, env.exprs.Zones[w.GetTimeZone()], cfg)
	if err != nil {
		return nil, nil, err
	}
	return &resultWindow{results: f, take: f.Merge}, f, nil
}

func newChainWindow(w *plan.Window, in batch.Schema, env *rowEnv, cfg window.FinalConfig) (*resultWindow, error) {
	c, err := window.NewChain(w, env.exprs.Zones[w.GetTimeZone()], in, cfg)
	if err != nil {
		return nil, err
	}
	return &resultWindow{results: c, take: c.Process}, nil
}

func (w *resultWindow) process(b *batch.Batch, _ Emit) error { return w.take(b) }

func (w *resultWindow) advance(fire, keep int64, emit Emit) error {
	return w.Advance(fire, keep, func(b *batch.Batch) error {
		b, w.sel = since(w.from, b, w.sel)
		if b.Len() == 0 {
			return nil
		}
		w.fired += int64(b.Len())
		return emit(b)
	})
}

func (w *resultWindow) stateSchemas() []Section {
	var out []Section
	keys := w.SnapshotKeys()
	for i, s := range w.SnapshotSchemas() {
		out = append(out, Section{Schema: s, Keys: keys[i], Gone: i > 0}) // the first is a header of one row
	}
	return out
}

func (w *resultWindow) changes(full bool, emit func(int, *batch.Batch) error) error {
	return w.Snapshot(full, emit)
}

func (w *resultWindow) restore(section int, b *batch.Batch) error { return w.Restore(section, b) }
func (w *resultWindow) resume(fire, keep int64)                   { w.Resume(fire, keep) }

// windowRows adds rows that the edge forwarded to a window of the cloud.
type windowRows struct{ final *window.Final }

func (w windowRows) process(b *batch.Batch, _ Emit) error { return w.final.AddRows(b) }

// edgeWindow feeds the rows of a batch to partial aggregates. They leave
// through ports, or feed a window on the edge.
//
//	fresh   since the last Journal or Flush
//	held    journalled since the last Flush
type edgeWindow struct {
	env         *rowEnv
	tree        *tree
	fresh, held *window.Partial
	lates       []int // nodes that take late rows
	err         error // of one of these
	local       bool  // a window on the edge drains it
	ported      bool
}

// newEdgeWindow makes the operator of a partial window. forwards says that a port takes
// the rows that it forwards, late that nodes take late rows.
func newEdgeWindow(t *tree, w *plan.Window, in batch.Schema, env *rowEnv, maxGroups int, forwards, late bool) (*edgeWindow, error) {
	e := &edgeWindow{env: env, tree: t}
	cfg := window.PartialConfig{MaxGroups: maxGroups, CanForward: forwards}
	cfg.OnOverflow = func(b *batch.Batch, row int) {
		env.rejectRow(b, row, "the window has its largest number of groups in this slice; raise max_groups, use a smaller slice or keys with fewer values")
	}
	if late {
		cfg.OnLate = e.onLate
	}
	z := env.exprs.Zones[w.GetTimeZone()]
	var err error
	if e.fresh, err = window.NewPartial(w, z, in, cfg); err != nil {
		return nil, err
	}
	e.held, err = window.NewPartial(w, z, in, cfg)
	return e, err
}

func (w *edgeWindow) process(b *batch.Batch, _ Emit) error {
	if err := w.fresh.Process(b, w.env.before); err != nil {
		return err
	}
	err := w.err
	w.err = nil
	return err
}

// onLate gives late rows to the nodes that take them. They are no part of the batch that is on its way.
func (w *edgeWindow) onLate(b *batch.Batch) {
	before := w.env.before
	w.env.before = nil
	if err := w.tree.runAll(w.lates, b); err != nil && w.err == nil {
		w.err = err
	}
	w.env.before = before
}

// late hands late rows on; the window itself gives it none.
type late struct{ pass }

// full asks for a flush.
func (w *edgeWindow) full() bool { return !w.local && (w.fresh.Full() || w.held.Full()) }

// partialPending is the partials of a window, as they wait at a port.
type partialPending struct{ *window.Partial }

func (p partialPending) merge(b *batch.Batch) error { return p.Merge(b) }
func (p partialPending) drain(dst *batch.Batch)     { p.Drain(dst) }
func (p partialPending) rows() int                  { return p.Rows() }
func (p partialPending) sizeBytes() int             { return p.SizeBytes() }
func (p partialPending) bound() int64               { return boundOf(p.Partial) }

// forwardPending is the rows that a window forwards, as they wait at a port.
type forwardPending struct{ *window.Partial }

func (p forwardPending) merge(b *batch.Batch) error { return p.MergeRows(b) }
func (p forwardPending) drain(dst *batch.Batch)     { p.DrainRows(dst) }
func (p forwardPending) rows() int                  { return p.ForwardedRows() }
func (p forwardPending) bound() int64               { return boundOf(p.Partial) }

// sizeBytes leaves to the port of the partials what it counts.
func (p forwardPending) sizeBytes() int {
	if p.ForwardedRows() == 0 || p.Rows() > 0 {
		return 0
	}
	return p.SizeBytes()
}

func boundOf(p *window.Partial) int64 {
	if end, ok := p.EarliestPending(); ok {
		return end - 1
	}
	return noBound
}

// windowPort wires a port to the window that feeds it.
func (e *Edge) windowPort(t *tree, n *plan.Node, kind plan.Port_Kind) (fresh, held pending, err error) {
	w, ok := t.op(n.Input).(*edgeWindow)
	if !ok || w.local {
		return nil, nil, fmt.Errorf("a port of the kind %s is not fed by a window, or by one that ends on the edge", kind)
	}
	w.ported = true
	if kind == plan.Port_PARTIALS {
		return partialPending{w.fresh}, partialPending{w.held}, nil
	}
	return forwardPending{w.fresh}, forwardPending{w.held}, nil
}
