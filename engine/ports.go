package engine

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
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
	// bound is the highest watermark that may leave before what is pending does, or noBound.
	bound() int64
}

// portOut wires port k to the window that feeds it, or gives it row buffers.
func (e *Edge) portOut(t *tree, n *plan.Node, k int, in batch.Schema) (operator, error) {
	if k >= len(e.ports) || e.ports[k] != nil {
		return nil, fmt.Errorf("port %d is not there or is written twice", k)
	}
	pt := &port{out: batch.New(plan.SchemaOf(e.plan.Ports[k].Schema))}
	e.ports[k] = pt
	if kind := e.plan.Ports[k].Kind; kind != plan.Port_ROWS {
		var err error
		if pt.fresh, pt.held, err = e.windowPort(t, n, kind); err != nil {
			return nil, fmt.Errorf("port %d: %w", k, err)
		}
		return nothing{}, nil
	}
	fresh := newRowPending(in, e.env)
	pt.fresh, pt.held = fresh, newRowPending(in, e.env)
	return fresh, nil
}

// nothing is the operator of a port that takes its batches at flush time.
type nothing struct{}

func (nothing) process(*batch.Batch, Emit) error { return nil }

// rowPending buffers rows that go to the cloud as they are.
type rowPending struct {
	b     *batch.Batch
	env   *rowEnv
	since int64 // the watermark that stood before the first pending row
}

func newRowPending(s batch.Schema, env *rowEnv) *rowPending {
	return &rowPending{b: batch.New(s), env: env, since: noBound}
}

func (p *rowPending) process(b *batch.Batch, _ Emit) error {
	if p.b.N == 0 {
		p.since = p.env.watermarkBefore(b)
	}
	p.b.AppendRows(b)
	return nil
}

// merge takes rows whose place in time is not known any more.
func (p *rowPending) merge(b *batch.Batch) error {
	if p.b.N == 0 {
		p.since = NoWatermark
	}
	p.b.AppendRows(b)
	return nil
}

func (p *rowPending) drain(dst *batch.Batch) {
	dst.AppendRows(p.b)
	p.b.Reset()
	p.since = noBound
	for i := range p.b.Cols {
		if c := &p.b.Cols[i]; c.Dict != nil && c.Dict.Full() {
			c.Dict = nil
		}
	}
}

func (p *rowPending) rows() int      { return p.b.N }
func (p *rowPending) sizeBytes() int { return p.b.SizeBytes() }
func (p *rowPending) bound() int64   { return p.since }

// PortEmit takes what leaves through a port, or a section of a state; b is valid until it returns.
type PortEmit func(port uint32, b *batch.Batch) error

// Journal gives what came since the last Journal or Flush, and keeps it: it
// is what must be made durable, beside Changes, before the input may be acknowledged.
func (e *Edge) Journal(emit PortEmit) error {
	for k, pt := range e.ports {
		if pt.fresh.rows() == 0 {
			continue
		}
		since := pt.bound()
		b := pt.take(pt.fresh)
		if err := emit(uint32(k), b); err != nil {
			return err
		}
		if err := pt.hold(b, since); err != nil {
			return fmt.Errorf("port %d: %w", k, err)
		}
	}
	return nil
}

// Flush gives everything pending at the ports that are due (nil: at all of
// them) and forgets it: it is what frames carry.
func (e *Edge) Flush(due func(port uint32) bool, emit PortEmit) error {
	for k, pt := range e.ports {
		if due != nil && !due(uint32(k)) {
			continue
		}
		n, err := pt.flush(func(b *batch.Batch) error { return emit(uint32(k), b) })
		if err != nil {
			return fmt.Errorf("port %d: %w", k, err)
		}
		if w, ok := pt.fresh.(partialPending); ok && (n > 0 || w.Forwards()) {
			w.Flushed(n)
		}
	}
	return nil
}

// flush gives and forgets what is pending; n is how many rows that was.
func (pt *port) flush(emit Emit) (n int, err error) {
	from := pt.fresh
	if pt.held.rows() > 0 {
		if from.rows() > 0 {
			if err := pt.held.merge(pt.take(from)); err != nil {
				return 0, err
			}
		}
		from = pt.held
	}
	if from.rows() == 0 {
		return 0, nil
	}
	b := pt.take(from)
	return b.N, emit(b)
}

func (pt *port) take(from pending) *batch.Batch {
	pt.out.Reset()
	from.drain(pt.out)
	return pt.out
}

// hold keeps what was journalled until it is flushed.
func (pt *port) hold(b *batch.Batch, since int64) error {
	if err := pt.held.merge(b); err != nil {
		return err
	}
	if rows, ok := pt.held.(*rowPending); ok {
		rows.since = since
	}
	return nil
}

// bound is the highest watermark that may leave before what is pending here does.
func (pt *port) bound() int64 { return min(pt.fresh.bound(), pt.held.bound()) }

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
	for k := range e.ports {
		r, b := e.PendingAt(uint32(k))
		rows, bytes = rows+r, bytes+b
	}
	return rows, bytes
}

// Ended is the number of partials that wait for a flush though their slices are over.
func (e *Edge) Ended() (n int) {
	for _, w := range e.windows {
		if !w.local {
			n += w.fresh.Ended(e.Watermark())
		}
	}
	return n
}

// PendingAt is Pending of one port.
func (e *Edge) PendingAt(port uint32) (rows, bytes int) {
	pt := e.ports[port]
	return pt.fresh.rows() + pt.held.rows(), pt.fresh.sizeBytes() + pt.held.sizeBytes()
}

// SliceEndAt is the end of the oldest slice that waits at a port of a window:
// where fresh results are wanted once a slice, it is due when the watermark has reached it. ok
// is false where no slice waits.
func (e *Edge) SliceEndAt(port uint32) (end int64, ok bool) {
	if e.plan.Ports[port].Kind == plan.Port_ROWS {
		return 0, false
	}
	b := e.ports[port].bound()
	return b + 1, b != noBound
}

// Full tells that a window's group bound is reached: flush before more rows.
func (e *Edge) Full() bool {
	for _, w := range e.windows {
		if w.full() {
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
		n += w.fresh.Counts().Late
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
