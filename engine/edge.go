package engine

import (
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/step"
)

// EdgeConfig is what an Edge needs beside its plan. Plans with parameters go
// through plan.Resolve first.
type EdgeConfig struct {
	Functions expr.Functions // UDFs; nil = none
	Keyed     step.Functions // keyed UDFs; nil = none
	Lookups   Lookups        // reference tables; nil = none
	Reject    RejectFunc     // rows that cannot be worked on; nil = dropped unseen
	Sink      SinkFunc       // sinks on the edge; called within Process and AdvanceTo
	MaxGroups int            // bound on groups pending in one window; 0 = the window package's default
	MaxKeys   int            // bound on keys in one step; 0 = step.DefaultMaxKeys
	LastOnly  bool           // windows that end on the edge fire once, as in CloudConfig
}

// Edge runs the edge fragment of a plan over one source.
type Edge struct {
	plan    *plan.Plan
	env     *rowEnv
	cfg     EdgeConfig
	tree    *tree
	time    *eventTime // nil without an event time
	ports   []*port
	windows []*edgeWindow
	late    int64 // rows that TakeLate told of
	limits  *limits
}

// NewEdge prepares the edge fragment of a checked plan.
func NewEdge(p *plan.Plan, cfg EdgeConfig) (*Edge, error) {
	env, err := environment(p, cfg.Functions)
	if err != nil {
		return nil, err
	}
	e := &Edge{plan: p, cfg: cfg, env: &rowEnv{exprs: env, reject: cfg.Reject, parts: stepParts{p.Lookups, cfg.Lookups, cfg.Keyed, cfg.MaxKeys}}, ports: make([]*port, len(p.Ports))}
	src := p.Source
	if src.GetHasEventTime() {
		e.time = newEventTime(int(src.EventTime), src.MaxDisorderMicros, src.MaxFutureMicros)
	}
	t, err := build(p.Edge, src.Schema(), e.env, e.special)
	if err != nil {
		return nil, fmt.Errorf("pipeline %q, edge: %w", p.Pipeline, err)
	}
	e.tree = t
	return e, nil
}

// special makes the operators that only the edge has.
func (e *Edge) special(t *tree, n *plan.Node, in batch.Schema) (operator, error) {
	switch op := n.Op.(type) {
	case *plan.Node_PartialWindow:
		if e.time == nil {
			return nil, fmt.Errorf("a window without an event time")
		}
		forwards, late := e.readers(n)
		w, err := newEdgeWindow(t, op.PartialWindow, in, e.env, e.cfg.MaxGroups, forwards, late)
		if err != nil {
			return nil, err
		}
		e.windows = append(e.windows, w)
		return w, nil
	case *plan.Node_Late:
		w, ok := t.op(n.Input).(*edgeWindow)
		if !ok {
			return nil, fmt.Errorf("late rows of what is no window: %w", ErrPlan)
		}
		w.lates = append(w.lates, int(n.Id))
		return late{}, nil
	case *plan.Node_FinalWindow:
		return e.edgeFinal(t, n, op.FinalWindow)
	case *plan.Node_PortOut:
		return e.portOut(t, n, int(op.PortOut.Port), in)
	case *plan.Node_Sink:
		if e.cfg.Sink == nil {
			return nil, fmt.Errorf("a sink on the edge, and nothing that takes its rows: %w", ErrPlan)
		}
		return &sink{n, in, e.cfg.Sink}, nil
	default:
		return nil, fmt.Errorf("%T on the edge: %w", n.Op, ErrPlan)
	}
}

// readers tells what reads a partial window beside a port of partials: a port that takes
// the rows it forwards, nodes that take late rows.
func (e *Edge) readers(w *plan.Node) (forwards, late bool) {
	for _, n := range e.plan.Edge.Nodes {
		if int64(n.Input) != int64(w.Id) {
			continue
		}
		late = late || n.GetLate() != nil
		if p := n.GetPortOut(); p != nil && int(p.Port) < len(e.plan.Ports) {
			forwards = forwards || e.plan.Ports[p.Port].Kind == plan.Port_WINDOW_ROWS
		}
	}
	return forwards, late
}

// Process takes rows in order of arrival. now is the cloud's time in
// microseconds, or 0 where it is unknown or rows are replayed. What the watermark
// sets off happens within.
func (e *Edge) Process(b *batch.Batch, now int64) error {
	e.env.before = nil
	if e.time != nil {
		e.env.watermark = e.time.watermark
		b = e.time.observe(b, now, e.env)
		e.env.eventTime, e.env.before = e.time.newest(), e.time.before
		b = e.limits.within(b, e.time.column)
	}
	if err := e.tree.runAll(e.tree.roots, b); err != nil {
		return err
	}
	return e.advance()
}

// advance gives the watermark to all that waits for it.
func (e *Edge) advance() error {
	e.env.before = nil
	if e.time == nil || e.time.watermark == NoWatermark {
		return nil
	}
	e.env.watermark = e.time.watermark
	return e.tree.advance(e.time.watermark, e.time.watermark)
}

// Watermark is the largest event time seen minus max_disorder, or NoWatermark.
func (e *Edge) Watermark() int64 {
	if e.time == nil {
		return NoWatermark
	}
	return e.time.watermark
}

// AdvanceTo lifts the watermark to at least watermark, and does what that sets
// off: while idle, to the cloud's when leaving IDLE, and to EndOfTime at the
// end of a bounded source.
func (e *Edge) AdvanceTo(watermark int64) error {
	if e.time == nil || watermark <= e.time.watermark {
		return nil
	}
	e.time.watermark = watermark
	e.env.eventTime = e.time.newest()
	return e.advance()
}

// Resume sets the watermark that was stored before a restart, after the last Restore
// and RestoreState. Nothing is emitted.
func (e *Edge) Resume(watermark int64) {
	if e.time == nil || watermark == NoWatermark {
		return
	}
	e.time.watermark = max(e.time.watermark, watermark)
	e.env.watermark = e.time.watermark
	for _, w := range e.windows {
		w.fresh.Saw(e.time.newest())
	}
	e.tree.resume(e.time.watermark, e.time.watermark)
}

// Changes gives the state of the edge's steps and windows, by section: what
// changed since the last call, or all. What waits at the ports is not in it: see Journal.
func (e *Edge) Changes(full bool, emit PortEmit) error { return e.tree.changes(full, emit) }

// RestoreState takes back a section that Changes gave before a restart: a full one, then those
// that came after it, in order. Resume follows.
func (e *Edge) RestoreState(section uint32, b *batch.Batch) error { return e.tree.restore(section, b) }

// StateSection describes a section of Changes; where there is none it has no schema.
func (e *Edge) StateSection(section uint32) Section { return e.tree.section(section) }

// FlushWatermark is the watermark that the next frame may carry: it does not
// pass what is still pending, at ports that the last Flush left out. It may lie below
// what an earlier frame carried, which then still holds.
func (e *Edge) FlushWatermark() int64 {
	wm := e.Watermark()
	for _, pt := range e.ports {
		wm = min(wm, pt.bound())
	}
	return wm
}

// noBound is the bound of a port where nothing is pending.
const noBound = math.MaxInt64
