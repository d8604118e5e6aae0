package engine

import (
	"fmt"
	"io"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/step"
	"github.com/leatio/leat/engine/window"
)

// SinkFunc takes results for a sink node; b is valid until it returns.
type SinkFunc func(node *plan.Node, s batch.Schema, b *batch.Batch) error

// CloudConfig is what a Cloud needs beside its plan.
type CloudConfig struct {
	Functions expr.Functions
	Keyed     step.Functions // keyed UDFs; nil = none
	Lookups   Lookups        // reference tables; nil = none
	Reject    RejectFunc
	Sink      SinkFunc
	MaxKeys   int // bound on keys in one step; 0 = step.DefaultMaxKeys
	// LastOnly fires each window once, when no row can change it any more:
	// what a bounded run prints.
	LastOnly bool
	// Completeness gives how many of the agents have passed the end of a window; nil = 1 of 1.
	Completeness func(windowEnd int64) (seen, expected int64)
	// TooLate takes the partials that came for windows which are forgotten; they are
	// valid until it returns. Nil = they are only counted.
	TooLate func(n *plan.Node, partials *batch.Batch)
}

// Cloud runs the cloud fragment of a plan over what arrives at its ports.
type Cloud struct {
	plan    *plan.Plan
	cfg     CloudConfig
	env     *rowEnv
	tree    *tree
	ports   [][]int // nodes that read each port
	windows []*resultWindow
	finals  map[int]*window.Final // by node
	rejects int64
}

// NewCloud prepares the cloud fragment of a checked plan.
func NewCloud(p *plan.Plan, cfg CloudConfig) (*Cloud, error) {
	env, err := environment(p, cfg.Functions)
	if err != nil {
		return nil, err
	}
	c := &Cloud{plan: p, cfg: cfg, ports: make([][]int, len(p.Ports)), finals: map[int]*window.Final{}}
	c.env = &rowEnv{exprs: env, parts: stepParts{p.Lookups, cfg.Lookups, cfg.Keyed, cfg.MaxKeys}, reject: func(topic string, payload []byte, reason string) {
		c.rejects++
		if cfg.Reject != nil {
			cfg.Reject(topic, payload, reason)
		}
	}}
	t, err := build(p.Cloud, nil, c.env, c.special)
	if err != nil {
		return nil, fmt.Errorf("pipeline %q, cloud: %w", p.Pipeline, err)
	}
	c.tree = t
	return c, nil
}

// special makes the operators that only the cloud has.
func (c *Cloud) special(t *tree, n *plan.Node, in batch.Schema) (operator, error) {
	switch op := n.Op.(type) {
	case *plan.Node_PortIn:
		if int(op.PortIn.Port) >= len(c.ports) {
			return nil, fmt.Errorf("port %d of %d", op.PortIn.Port, len(c.ports))
		}
		c.ports[op.PortIn.Port] = append(c.ports[op.PortIn.Port], int(n.Id))
		return pass{}, nil
	case *plan.Node_FinalWindow:
		w, f, err := newFinalWindow(op.FinalWindow, c.env, c.finalConfig(n))
		if err != nil {
			return nil, err
		}
		w.from = c.plan.StartsAtMicros
		c.windows, c.finals[int(n.Id)] = append(c.windows, w), f
		return w, nil
	case *plan.Node_ChainWindow:
		w, err := newChainWindow(op.ChainWindow, in, c.env, c.finalConfig(n))
		if err != nil {
			return nil, err
		}
		c.windows = append(c.windows, w)
		return w, nil
	case *plan.Node_WindowRows:
		f := c.finals[int(op.WindowRows.GetWindow())]
		if f == nil {
			return nil, fmt.Errorf("rows for window %d, which does not stand before it: %w", op.WindowRows.GetWindow(), ErrPlan)
		}
		return windowRows{f}, nil
	case *plan.Node_Sink:
		return &sink{n, in, c.cfg.Sink}, nil
	default:
		return nil, fmt.Errorf("%T in the cloud: %w", n.Op, ErrPlan)
	}
}

func (c *Cloud) finalConfig(n *plan.Node) window.FinalConfig {
	cfg := window.FinalConfig{LastOnly: c.cfg.LastOnly, Completeness: c.cfg.Completeness}
	if c.cfg.TooLate != nil {
		cfg.OnTooLate = func(b *batch.Batch) { c.cfg.TooLate(n, b) }
	}
	return cfg
}

// pass hands batches on unchanged.
type pass struct{}

func (pass) process(b *batch.Batch, emit Emit) error { return emit(b) }

// sink gives batches to the world outside.
type sink struct {
	node *plan.Node
	in   batch.Schema
	give SinkFunc
}

func (s *sink) process(b *batch.Batch, _ Emit) error { return s.give(s.node, s.in, b) }

// Apply takes a batch that an edge fragment emitted at a port.
func (c *Cloud) Apply(port uint32, b *batch.Batch) error {
	if int(port) >= len(c.ports) {
		return fmt.Errorf("pipeline %q has no port %d", c.plan.Pipeline, port)
	}
	return c.tree.runAll(c.ports[port], b)
}

// Advance fires windows and timers up to the watermark fire, and forgets what no
// source can change any more, up to the watermark keep (keep <= fire).
func (c *Cloud) Advance(fire, keep int64) error {
	c.env.eventTime, c.env.watermark = fire, fire
	return c.tree.advance(fire, keep)
}

// States is the number of states that windows hold, by key and slice or session.
func (c *Cloud) States() int {
	n := 0
	for _, w := range c.windows {
		n += w.States()
	}
	return n
}

// Fired is the number of window results that left, revisions included.
func (c *Cloud) Fired() int64 {
	var n int64
	for _, w := range c.windows {
		n += w.fired
	}
	return n
}

// Rejects is the number of rows on which an expression or a function failed.
func (c *Cloud) Rejects() int64 { return c.rejects }

// Close frees the functions, if they can be closed.
func (c *Cloud) Close() error {
	if f, ok := c.env.exprs.Functions.(io.Closer); ok {
		return f.Close()
	}
	return nil
}

// TooLate is the number of partials that came for a forgotten window.
func (c *Cloud) TooLate() int64 {
	var n int64
	for _, w := range c.windows {
		n += w.TooLate()
	}
	return n
}

// Changes gives the state of windows and steps that changed since the last
// call, or all of it, by section. Watermarks are not in it: the worker keeps them.
func (c *Cloud) Changes(full bool, emit PortEmit) error { return c.tree.changes(full, emit) }

// RestoreState takes back a section of Changes: a full one, then those that
// came after it, in order. Resume follows.
func (c *Cloud) RestoreState(section uint32, b *batch.Batch) error { return c.tree.restore(section, b) }

// StateSection describes a section of Changes; where there is none it has no schema.
func (c *Cloud) StateSection(section uint32) Section { return c.tree.section(section) }

// Resume sets the watermarks that were stored with the state, after the last RestoreState.
func (c *Cloud) Resume(fire, keep int64) {
	c.env.eventTime, c.env.watermark = fire, fire
	c.tree.resume(fire, keep)
}
