package engine

import (
	"fmt"
	"io"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/window"
)

// SinkFunc takes results for a sink node; b is valid until it returns.
type SinkFunc func(node *plan.Node, s batch.Schema, b *batch.Batch) error

// CloudConfig is what a Cloud needs beside its plan.
type CloudConfig struct {
	Functions expr.Functions
	Reject    RejectFunc
	Sink      SinkFunc
	// LastOnly fires each window once, when no row can change it any more:
	// what a bounded run prints.
	LastOnly bool
}

// Cloud runs the cloud fragment of a plan over what arrives at its ports.
type Cloud struct {
	plan    *plan.Plan
	env     *rowEnv
	tree    *tree
	ports   [][]int // nodes that read each port
	windows []*cloudWindow
	fired   int64
	rejects int64
}

// NewCloud prepares the cloud fragment of a checked plan.
func NewCloud(p *plan.Plan, cfg CloudConfig) (*Cloud, error) {
	c := &Cloud{plan: p, ports: make([][]int, len(p.Ports))}
	c.env = &rowEnv{functions: cfg.Functions, reject: func(topic string, payload []byte, reason string) {
		c.rejects++
		if cfg.Reject != nil {
			cfg.Reject(topic, payload, reason)
		}
	}}
	t, err := build(p.Cloud, nil, c.env, func(n *plan.Node, in batch.Schema) (operator, error) {
		switch op := n.Op.(type) {
		case *plan.Node_PortIn:
			if int(op.PortIn.Port) >= len(c.ports) {
				return nil, fmt.Errorf("port %d of %d", op.PortIn.Port, len(c.ports))
			}
			c.ports[op.PortIn.Port] = append(c.ports[op.PortIn.Port], int(n.Id))
			return pass{}, nil
		case *plan.Node_FinalWindow:
			f, err := window.NewFinal(op.FinalWindow, window.FinalConfig{LastOnly: cfg.LastOnly})
			if err != nil {
				return nil, err
			}
			schema, err := window.SnapshotSchema(op.FinalWindow)
			if err != nil {
				return nil, err
			}
			w := &cloudWindow{node: int(n.Id), final: f, schema: schema}
			c.windows = append(c.windows, w)
			return w, nil
		case *plan.Node_Sink:
			return &sink{n, in, cfg.Sink}, nil
		default:
			return nil, fmt.Errorf("%T in the cloud: %w", n.Op, ErrPlan)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("pipeline %q, cloud: %w", p.Pipeline, err)
	}
	c.tree = t
	return c, nil
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

// cloudWindow merges partials; results leave when the watermark advances.
type cloudWindow struct {
	node   int
	final  *window.Final
	schema batch.Schema // of snapshots
	snap   *batch.Batch
}

func (w *cloudWindow) process(b *batch.Batch, _ Emit) error { return w.final.Merge(b) }

// Apply takes a batch that an edge fragment emitted at a port.
func (c *Cloud) Apply(port uint32, b *batch.Batch) error {
	if int(port) >= len(c.ports) {
		return fmt.Errorf("pipeline %q has no port %d", c.plan.Pipeline, port)
	}
	return c.tree.runAll(c.ports[port], b)
}

// Advance fires windows up to the watermark fire, and forgets those that no
// source can change any more, up to the watermark keep (keep <= fire).
func (c *Cloud) Advance(fire, keep int64) error {
	c.env.eventTime = fire
	for _, w := range c.windows {
		err := w.final.Advance(fire, keep, func(b *batch.Batch) error {
			c.fired += int64(b.Len())
			return c.tree.emits[w.node](b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Fired is the number of window results that left, revisions included.
func (c *Cloud) Fired() int64 { return c.fired }

// Rejects is the number of rows on which an expression or a function failed.
func (c *Cloud) Rejects() int64 { return c.rejects }

// Close frees the functions, if they can be closed.
func (c *Cloud) Close() error {
	if f, ok := c.env.functions.(io.Closer); ok {
		return f.Close()
	}
	return nil
}

// TooLate is the number of partials that came for a forgotten window.
func (c *Cloud) TooLate() int64 {
	var n int64
	for _, w := range c.windows {
		n += w.final.TooLate()
	}
	return n
}

// Snapshot gives the state that changed since the last Snapshot, or all of
// it, by section. Watermarks are not in it: the worker keeps them.
func (c *Cloud) Snapshot(full bool, emit PortEmit) error {
	for i, w := range c.windows {
		if w.snap == nil {
			w.snap = batch.New(w.schema)
		}
		w.snap.Reset()
		if err := w.final.Snapshot(full, w.snap); err != nil {
			return fmt.Errorf("pipeline %q: %w", c.plan.Pipeline, err)
		}
		if w.snap.N == 0 {
			continue
		}
		if err := emit(uint32(i), w.snap); err != nil {
			return err
		}
	}
	return nil
}

// Restore takes back a section of a Snapshot.
func (c *Cloud) Restore(section uint32, b *batch.Batch) error {
	if int(section) >= len(c.windows) {
		return fmt.Errorf("checkpoint names section %d of %d", section, len(c.windows))
	}
	return c.windows[section].final.Restore(b)
}

// Resume sets the watermarks that were stored with the snapshot, after the last Restore.
func (c *Cloud) Resume(fire, keep int64) {
	for _, w := range c.windows {
		w.final.Resume(fire, keep)
	}
}

// SnapshotSchema is the schema of a section, or nil where there is none.
func (c *Cloud) SnapshotSchema(section uint32) batch.Schema {
	if int(section) >= len(c.windows) {
		return nil
	}
	return c.windows[section].schema
}
