package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/window"
)

// EdgeConfig is what an Edge needs beside its plan.
type EdgeConfig struct {
	Functions expr.Functions // UDFs; nil = none
	Reject    RejectFunc     // rows that cannot be worked on; nil = dropped unseen
	MaxGroups int            // bound on groups pending in one window; 0 = the window package's default
}

// Edge runs the edge fragment of a plan over one source.
type Edge struct {
	plan  *plan.Plan
	env   *rowEnv
	tree  *tree
	time  *eventTime // nil without an event time
	ports []*port
	// windows are the partial window operators by node, until their ports are wired.
	windows map[int32]*edgeWindow
	late    int64 // rows that TakeLate told of
}

// NewEdge prepares the edge fragment of a checked plan.
func NewEdge(p *plan.Plan, cfg EdgeConfig) (*Edge, error) {
	e := &Edge{plan: p, env: &rowEnv{functions: cfg.Functions, reject: cfg.Reject}, ports: make([]*port, len(p.Ports)), windows: map[int32]*edgeWindow{}}
	src := p.Source
	if src.GetHasEventTime() {
		e.time = newEventTime(int(src.EventTime), src.MaxDisorderMicros, src.MaxFutureMicros)
	}
	t, err := build(p.Edge, src.Schema(), e.env, func(n *plan.Node, in batch.Schema) (operator, error) {
		return e.special(n, in, cfg)
	})
	if err != nil {
		return nil, fmt.Errorf("pipeline %q, edge: %w", p.Pipeline, err)
	}
	e.tree = t
	return e, nil
}

// special makes the operators that only the edge has.
func (e *Edge) special(n *plan.Node, in batch.Schema, cfg EdgeConfig) (operator, error) {
	switch op := n.Op.(type) {
	case *plan.Node_PartialWindow:
		if e.time == nil {
			return nil, fmt.Errorf("a window without an event time")
		}
		w, err := newEdgeWindow(op.PartialWindow, in, e.time, window.PartialConfig{MaxGroups: cfg.MaxGroups})
		if err != nil {
			return nil, err
		}
		e.windows[int32(n.Id)] = w
		return w, nil
	case *plan.Node_PortOut:
		return e.portOut(n, int(op.PortOut.Port), in)
	default:
		return nil, fmt.Errorf("%T on the edge: %w", n.Op, ErrPlan)
	}
}

// portOut wires port k to the window that feeds it, or gives it row buffers.
func (e *Edge) portOut(n *plan.Node, k int, in batch.Schema) (operator, error) {
	if k >= len(e.ports) || e.ports[k] != nil {
		return nil, fmt.Errorf("port %d is not there or is written twice", k)
	}
	pt := &port{out: batch.New(plan.SchemaOf(e.plan.Ports[k].Schema))}
	e.ports[k] = pt
	if e.plan.Ports[k].Kind == plan.Port_PARTIALS {
		w := e.windows[n.Input]
		if w == nil {
			return nil, fmt.Errorf("port %d of partials is not fed by a window", k)
		}
		pt.fresh, pt.held = w.fresh, w.held
		return nothing{}, nil
	}
	fresh := newRowPending(in)
	pt.fresh, pt.held = fresh, newRowPending(in)
	return fresh, nil
}

// Process takes rows in order of arrival. now is the cloud's time in
// microseconds, or 0 where it is unknown or rows are replayed.
func (e *Edge) Process(b *batch.Batch, now int64) error {
	if e.time != nil {
		b = e.time.observe(b, now, e.env)
		e.env.eventTime = e.time.newest()
	}
	return e.tree.runAll(e.tree.roots, b)
}

// Watermark is the largest event time seen minus max_disorder, or NoWatermark.
func (e *Edge) Watermark() int64 {
	if e.time == nil {
		return NoWatermark
	}
	return e.time.watermark
}

// RaiseWatermark lifts the watermark to at least wm: after a restart, while
// idle, and to the cloud's when leaving IDLE.
func (e *Edge) RaiseWatermark(wm int64) {
	if e.time != nil {
		e.time.watermark = max(e.time.watermark, wm)
	}
}

// Resume sets the watermark that was stored before a restart.
func (e *Edge) Resume(watermark int64) {
	e.RaiseWatermark(watermark)
	if e.time == nil || watermark == NoWatermark {
		return
	}
	for _, w := range e.windows {
		w.fresh.Saw(e.time.newest())
	}
}
