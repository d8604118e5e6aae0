package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/window"
)

// port gathers what leaves the edge fragment through one of its ports.
type port struct {
	fresh pending      // since the last Journal or Flush
	held  pending      // journalled since the last Flush
	out   *batch.Batch // reused by Journal and Flush
}

// pending is mergeable state that waits to leave: partial aggregates or rows.
type pending interface {
	merge(b *batch.Batch) error
	drain(dst *batch.Batch)
	rows() int
	sizeBytes() int
}

// nothing is the operator of a port that takes its batches at flush time.
type nothing struct{}

func (nothing) process(*batch.Batch, Emit) error { return nil }

// edgeWindow feeds the rows of a batch to partial aggregates.
type edgeWindow struct {
	time        *eventTime
	fresh, held partialPending
}

func newEdgeWindow(w *plan.Window, in batch.Schema, t *eventTime, cfg window.PartialConfig) (*edgeWindow, error) {
	fresh, err := window.NewPartial(w, in, cfg)
	if err != nil {
		return nil, err
	}
	held, err := window.NewPartial(w, in, cfg)
	if err != nil {
		return nil, err
	}
	return &edgeWindow{time: t, fresh: partialPending{fresh}, held: partialPending{held}}, nil
}

func (w *edgeWindow) process(b *batch.Batch, _ Emit) error {
	return w.fresh.Process(b, w.time.before)
}

type partialPending struct{ *window.Partial }

func (p partialPending) merge(b *batch.Batch) error { return p.Merge(b) }
func (p partialPending) drain(dst *batch.Batch)     { p.Drain(dst) }
func (p partialPending) rows() int                  { return p.Rows() }
func (p partialPending) sizeBytes() int             { return p.SizeBytes() }

// rowPending buffers rows that go to the cloud as they are.
type rowPending struct{ b *batch.Batch }

func newRowPending(s batch.Schema) *rowPending { return &rowPending{batch.New(s)} }

func (p *rowPending) process(b *batch.Batch, _ Emit) error { return p.merge(b) }

func (p *rowPending) merge(b *batch.Batch) error {
	p.b.AppendRows(b)
	return nil
}

func (p *rowPending) drain(dst *batch.Batch) {
	dst.AppendRows(p.b)
	p.b.Reset()
	for i := range p.b.Cols {
		if c := &p.b.Cols[i]; c.Dict != nil && c.Dict.Full() {
			c.Dict = nil
		}
	}
}

func (p *rowPending) rows() int      { return p.b.N }
func (p *rowPending) sizeBytes() int { return p.b.SizeBytes() }

// PortEmit takes what leaves through a port; b is valid until it returns.
type PortEmit func(port uint32, b *batch.Batch) error

// Journal gives what came since the last Journal or Flush, and keeps it: it
// is what must be made durable before the input may be acknowledged.
func (e *Edge) Journal(emit PortEmit) error {
	for k, pt := range e.ports {
		if pt.fresh.rows() == 0 {
			continue
		}
		b := pt.take(pt.fresh)
		if err := emit(uint32(k), b); err != nil {
			return err
		}
		if err := pt.held.merge(b); err != nil {
			return fmt.Errorf("port %d: %w", k, err)
		}
	}
	return nil
}

// Flush gives everything pending and forgets it: it is what frames carry.
func (e *Edge) Flush(emit PortEmit) error {
	for k, pt := range e.ports {
		from := pt.fresh
		if pt.held.rows() > 0 {
			if from.rows() > 0 {
				if err := pt.held.merge(pt.take(from)); err != nil {
					return fmt.Errorf("port %d: %w", k, err)
				}
			}
			from = pt.held
		}
		if from.rows() == 0 {
			continue
		}
		if err := emit(uint32(k), pt.take(from)); err != nil {
			return err
		}
	}
	return nil
}

func (pt *port) take(from pending) *batch.Batch {
	pt.out.Reset()
	from.drain(pt.out)
	return pt.out
}

// Restore takes back a batch that Journal gave before a restart.
func (e *Edge) Restore(port uint32, b *batch.Batch) error {
	if int(port) >= len(e.ports) {
		return fmt.Errorf("journal names port %d of %d", port, len(e.ports))
	}
	return e.ports[port].held.merge(b)
}

// PortSchema is the schema of what leaves through a port, or nil.
func (e *Edge) PortSchema(port uint32) batch.Schema { return PortSchema(e.plan, port) }

// PortSchema is the schema of what leaves through a port of a plan, or nil
// where there is no such port.
func PortSchema(p *plan.Plan, port uint32) batch.Schema {
	if port == RejectsPort {
		return RejectsSchema()
	}
	if uint64(port) >= uint64(len(p.Ports)) { // an int may have 32 bits
		return nil
	}
	return plan.SchemaOf(p.Ports[port].Schema)
}

// Pending is the number of partials and rows that wait for a flush, and an
// estimate of the memory they take.
func (e *Edge) Pending() (rows, bytes int) {
	for _, pt := range e.ports {
		rows += pt.fresh.rows() + pt.held.rows()
		bytes += pt.fresh.sizeBytes() + pt.held.sizeBytes()
	}
	return rows, bytes
}

// Full tells that a window's group bound is reached: flush before more rows.
func (e *Edge) Full() bool {
	for _, w := range e.windows {
		if w.fresh.Full() || w.held.Full() {
			return true
		}
	}
	return false
}

// TakeLate is the number of rows that were late for their window since the
// last call.
func (e *Edge) TakeLate() int64 {
	var n int64
	for _, w := range e.windows {
		n += w.fresh.Late()
	}
	n, e.late = n-e.late, n
	return n
}

// LastSliceEnd is the end of the newest slice that took a row, or NoWatermark.
func (e *Edge) LastSliceEnd() int64 {
	end := int64(NoWatermark)
	for _, w := range e.windows {
		end = max(end, w.fresh.NewestSliceEnd())
	}
	return end
}
