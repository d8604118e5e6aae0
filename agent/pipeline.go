package agent

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatio/leat/agent/decode"
	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire"
)

// Bounds of the loop.
const (
	takeMessages    = 4096    // messages per batch
	maxPendingBytes = 8 << 20 // of partials, or of the messages that rows came from; a flush follows
	maxJournalBytes = 4 << 20 // likewise: only what is flushed ever leaves the outbox
	maxRejects      = 100     // samples between two flushes
)

// pipeline runs one pipeline version on one source.
type pipeline struct {
	plan   *plan.Plan
	store  *checkpoint.Store
	source source.Source
	clock  func() time.Time
	now    func() int64 // the cloud's time in microseconds; 0 while unknown
	log    *slog.Logger
	commit time.Duration // commit interval

	// Owned by the loop.
	decoder *decode.Decoder
	edge    *engine.Edge
	rejects *engine.RejectLog
	sinks   *edgeSinks
	steps   steps
	packer  packer
	pace    pace
	rows    *batch.Batch
	chunks  []*source.Chunk // taken since the last commit
	used    int
	taken   int  // bytes of messages since the last flush
	passes  bool // rows leave as they are, all their bytes wait
	ended   bool
	totals  Totals // as of the last commit

	cloudWatermark atomic.Int64 // as last acknowledged
	reconnected    atomic.Bool  // a session has begun

	mu   sync.Mutex
	view Totals // guarded by mu
}

// Totals are a pipeline's counters since it was first given to this agent.
type Totals struct {
	Rows      uint64 // decoded
	Messages  uint64
	RawBytes  uint64
	Rejects   uint64
	Late      uint64
	Frames    uint64
	SentBytes uint64 // of frames
	Commits   uint64
	Watermark int64
	Idle      bool
}

// pipelineConfig is what a pipeline needs.
type pipelineConfig struct {
	Agent     string
	Epoch     uint64
	Plan      *plan.Plan
	Store     *checkpoint.Store
	Source    source.Source
	Functions expr.Functions
	Sinks     SinkOptions
	Clock     func() time.Time
	CloudTime func() int64
	Log       *slog.Logger
	Commit    time.Duration
}

func newPipeline(c pipelineConfig) (*pipeline, error) {
	p := &pipeline{
		plan: c.Plan, store: c.Store, source: c.Source, clock: c.Clock, now: c.CloudTime, log: c.Log, commit: c.Commit,
		rejects: engine.NewRejectLog(maxRejects), rows: batch.New(c.Plan.Source.Schema()),
	}
	p.cloudWatermark.Store(wire.NoWatermark)
	var err error
	if p.decoder, err = decode.New(c.Plan.Source, decode.Meta{Agent: c.Agent}); err != nil {
		return nil, err
	}
	for _, port := range c.Plan.Ports {
		p.passes = p.passes || port.Kind != plan.Port_PARTIALS
	}
	if p.sinks, err = openSinks(c.Plan, c.Store, c.Agent, c.Sinks, c.Log); err != nil {
		return nil, err
	}
	p.edge, err = engine.NewEdge(c.Plan, engine.EdgeConfig{Functions: c.Functions, Reject: p.reject, Sink: p.sinks.take})
	if err != nil {
		return nil, err
	}
	p.steps = steps{store: c.Store, edge: p.edge, lane: laneOf(c.Plan)}
	p.pace = paceOf(c.Plan, c.Clock())
	return p, p.recover(c.Epoch)
}

// recover sets the packer behind the last committed frame and takes the
// journal back in.
func (p *pipeline) recover(epoch uint64) error {
	name := p.packerStream()
	next := p.store.Stream(name).Next()
	p.packer = packer{
		stream: name, edge: p.edge, plan: p.plan, log: p.rejects, sent: engine.NoWatermark,
		head: wire.Header{Epoch: epoch, Pipeline: p.plan.PipelineId, Version: p.plan.LaneVersion(), From: next, To: next},
	}
	value, err := p.store.Get(p.stateKey())
	if err != nil {
		return err
	}
	if value != nil {
		if err := p.loadState(value); err != nil {
			return err
		}
	}
	if err := errors.Join(p.store.Stream(name).State(p.packer.restore), p.steps.restore()); err != nil {
		return err
	}
	if value != nil {
		p.edge.Resume(p.totals.Watermark)
	}
	return nil
}

// statePrefix goes before the name of a stream; the key holds its pipeline's state.
const statePrefix = "op/"

func (p *pipeline) stateKey() string { return statePrefix + p.packerStream() }

func (p *pipeline) packerStream() string { return laneOf(p.plan) }

const stateFormat = 1

// appendState writes the small state that goes into each commit: format,
// checksum and number of the last frame, watermarks, counters.
func (p *pipeline) appendState(dst []byte) []byte {
	dst = append(dst, stateFormat)
	dst = binary.LittleEndian.AppendUint32(dst, p.packer.head.Previous)
	dst = binary.AppendUvarint(dst, p.packer.head.From-1)
	dst = binary.AppendVarint(dst, p.edge.Watermark())
	dst = binary.AppendVarint(dst, p.packer.sent)
	for _, v := range []uint64{p.totals.Rows, p.totals.Messages, p.totals.RawBytes, p.totals.Rejects, p.totals.Late, p.totals.Frames, p.totals.SentBytes} {
		dst = binary.AppendUvarint(dst, v)
	}
	return dst
}

func (p *pipeline) loadState(b []byte) error {
	bad := fmt.Errorf("pipeline %s: %w", p.plan.Pipeline, errState)
	if len(b) < 5 || b[0] != stateFormat {
		return bad
	}
	p.packer.head.Previous = binary.LittleEndian.Uint32(b[1:])
	last, n := binary.Uvarint(b[5:])
	if n <= 0 || last+1 != p.packer.head.From {
		return bad
	}
	b = b[5+n:]
	for _, to := range []*int64{&p.totals.Watermark, &p.packer.sent} {
		v, n := binary.Varint(b)
		if n <= 0 {
			return bad
		}
		*to, b = v, b[n:]
	}
	t := &p.totals
	for _, to := range []*uint64{&t.Rows, &t.Messages, &t.RawBytes, &t.Rejects, &t.Late, &t.Frames, &t.SentBytes} {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return bad
		}
		*to, b = v, b[n:]
	}
	p.view = *t
	return nil
}

// reject counts and samples a row or message that cannot be worked on.
func (p *pipeline) reject(topic string, payload []byte, reason string) {
	p.totals.Rejects++
	p.rejects.Add(p.clock().UnixMicro(), topic, payload, reason)
}

// run works until ctx ends, a bounded source ends or nothing can be
// done any more.
func (p *pipeline) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.source.Run(ctx) })
	g.Go(func() error { return p.loop(ctx) })
	p.sinks.run(ctx, g.Go)
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (p *pipeline) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !p.ended {
		pending, _ := p.edge.Pending()
		timer.Reset(p.pace.wake(p.clock(), pending > 0 || p.rejects.Pending() > 0))
		select {
		case <-ctx.Done():
			// What was taken is committed or will come again.
			return ctx.Err()
		case <-p.source.Ready():
			if err := p.takeAndCommit(ctx); err != nil {
				return err
			}
		case <-timer.C:
			if err := p.quiet(ctx); err != nil {
				return err
			}
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// takeAndCommit takes until the source runs dry or the commit interval is
// over, then commits. It goes on until the source is dry.
func (p *pipeline) takeAndCommit(ctx context.Context) error {
	for dry := false; !dry && !p.ended; {
		began := p.clock()
		full := false
		for !dry && !full && !p.ended && p.clock().Sub(began) < p.commit {
			c := p.nextChunk()
			p.source.Take(c, takeMessages)
			dry, p.ended = c.Dry || c.End, c.End
			if len(c.Messages) == 0 && len(c.Puts) == 0 && c.Done == nil {
				p.used-- // nothing to commit
				continue
			}
			if err := p.process(c); err != nil {
				return err
			}
			full = p.full()
		}
		if p.ended {
			if err := p.edge.AdvanceTo(engine.EndOfTime); err != nil {
				return err
			}
		}
		due := p.due()
		if full || p.ended {
			due = everything
		}
		if err := p.commitChunks(ctx, due); err != nil {
			return err
		}
	}
	return nil
}

// everything is due.
func everything(uint32) bool { return true }

// due gives the ports that are due; nil = none, and nothing else to say by a frame.
func (p *pipeline) due() func(port uint32) bool {
	now, watermark := p.clock(), p.edge.Watermark()
	ports, some := make([]bool, len(p.plan.Ports)), false
	for k := range ports {
		ends, waits := p.edge.SliceEndAt(uint32(k))
		ports[k] = p.pace.due(k, now, ends, waits, watermark, p.packer.sent)
		some = some || ports[k]
	}
	if !some && (p.rejects.Pending() == 0 || !p.pace.speakDue(now)) {
		return nil
	}
	return func(port uint32) bool { return ports[port] }
}

// full tells that what waits for a flush has reached a bound.
func (p *pipeline) full() bool {
	_, size := p.edge.Pending()
	return p.edge.Full() || size > maxPendingBytes || p.passes && p.taken > maxPendingBytes || p.packer.journaled > maxJournalBytes
}

func (p *pipeline) nextChunk() *source.Chunk {
	if p.used == len(p.chunks) {
		p.chunks = append(p.chunks, new(source.Chunk))
	}
	p.used++
	return p.chunks[p.used-1]
}

// process runs a chunk's messages through the fragment.
func (p *pipeline) process(c *source.Chunk) error {
	if len(c.Messages) == 0 {
		return nil
	}
	if p.pace.row(p.clock()) {
		if err := p.edge.AdvanceTo(p.cloudWatermark.Load()); err != nil {
			return err
		}
	}
	p.totals.Messages += uint64(p.decoder.Decode(p.rows, c.Messages, p.reject))
	p.totals.Rows += uint64(p.rows.N)
	for i := range c.Messages {
		p.totals.RawBytes += uint64(len(c.Messages[i].Payload))
		p.taken += len(c.Messages[i].Payload)
	}
	return p.edge.Process(p.rows, p.now())
}

// quiet flushes what has waited long enough and says when the source is idle.
func (p *pipeline) quiet(ctx context.Context) error {
	now := p.clock()
	if p.reconnected.Swap(false) {
		p.pace.again = true
	}
	watermark, speak := p.pace.silence(now, p.source.Connected(), p.edge.Watermark(), p.edge.LastSliceEnd())
	if speak {
		if err := p.edge.AdvanceTo(watermark); err != nil {
			return err
		}
	}
	if w := p.cloudWatermark.Load(); p.pace.follow(now, p.edge.Watermark(), w) {
		speak = true
		if err := p.edge.AdvanceTo(w); err != nil {
			return err
		}
	}
	if speak {
		return p.commitChunks(ctx, everything)
	}
	if due := p.due(); due != nil && p.packer.due(p.packer.sentIdle) {
		return p.commitChunks(ctx, due)
	}
	if p.sinks.pending() { // a step has acted as time went by
		return p.commitChunks(ctx, nil)
	}
	return nil
}

// commitChunks makes what was taken durable and acknowledges it. What waits at
// the ports that are due leaves; due is nil where none is.
func (p *pipeline) commitChunks(ctx context.Context, due func(port uint32) bool) error {
	b, err := p.pack(due)
	if err != nil {
		return err
	}
	if len(b.Records) > 0 || len(b.Puts) > 0 {
		if err := errors.Join(p.commitBatch(ctx, b), p.sinks.committed()); err != nil {
			return err
		}
	}
	for _, c := range p.chunks[:p.used] {
		if c.Done != nil {
			c.Done()
		}
	}
	p.used = 0
	p.share()
	return nil
}

// pack gathers the batch of a commit.
func (p *pipeline) pack(due func(port uint32) bool) (_ *checkpoint.Batch, err error) {
	b := &checkpoint.Batch{}
	if due != nil {
		if p.packer.due(p.pace.idle) {
			records, err := p.packer.flush(due, p.pace.idle)
			if err != nil {
				return nil, err
			}
			b.Records = records
		}
		p.pace.flushed(p.clock(), due)
		p.taken = 0
	} else {
		r, err := p.packer.journal()
		if err != nil {
			return nil, err
		}
		if r != nil {
			b.Records = []checkpoint.Record{*r}
		}
	}
	b.Records = p.sinks.records(b.Records)
	if b.Puts, err = p.steps.changes(b.Puts); err != nil {
		return nil, err
	}
	for _, c := range p.chunks[:p.used] {
		for _, e := range c.Puts {
			b.Puts = append(b.Puts, checkpoint.Entry{Key: sourceKey(p.plan, e.Key), Value: e.Value})
		}
	}
	if len(b.Records) > 0 || p.used > 0 {
		p.totals.Watermark, p.totals.Idle = p.edge.Watermark(), p.pace.idle
		p.totals.Late += uint64(p.edge.TakeLate())
		p.totals.Frames, p.totals.SentBytes = p.totals.Frames+p.packer.frames, p.totals.SentBytes+p.packer.bytes
		p.packer.frames, p.packer.bytes = 0, 0
		b.Puts = append(b.Puts, checkpoint.Entry{Key: p.stateKey(), Value: p.appendState(nil)})
	}
	return b, nil
}

// commitBatch commits; while the outbox is full it waits, and with it the source.
func (p *pipeline) commitBatch(ctx context.Context, b *checkpoint.Batch) error {
	for {
		err := p.store.Commit(b)
		if !errors.Is(err, checkpoint.ErrFull) {
			p.totals.Commits++
			return err
		}
		p.log.Warn("the outbox is full: the source is held until the cloud has taken frames", "pipeline", p.plan.Pipeline)
		if err := p.store.WaitRoom(ctx); err != nil {
			return err
		}
	}
}

func (p *pipeline) share() {
	p.mu.Lock()
	p.view = p.totals
	p.mu.Unlock()
}

// Totals gives the counters as of the last commit.
func (p *pipeline) Totals() Totals {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.view
}

// sourceKey files a source's entries under its pipeline; they outlive versions.
func sourceKey(p *plan.Plan, key string) string { return "source/" + p.PipelineId + "/" + key }

// sourceStore is what a source reads at its start.
type sourceStore struct {
	store *checkpoint.Store
	plan  *plan.Plan
}

func (s sourceStore) Get(key string) ([]byte, error) { return s.store.Get(sourceKey(s.plan, key)) }

func (s sourceStore) Range(prefix string, f func(key string, value []byte) error) error {
	cut := len(sourceKey(s.plan, ""))
	return s.store.Range(sourceKey(s.plan, prefix), func(key string, value []byte) error { return f(key[cut:], value) })
}

// lastOfState reads number and checksum of the last frame from a stored state.
func lastOfState(b []byte) (seq uint64, checksum uint32, err error) {
	if len(b) < 5 || b[0] != stateFormat {
		return 0, 0, errState
	}
	seq, n := binary.Uvarint(b[5:])
	if n <= 0 {
		return 0, 0, errState
	}
	return seq, binary.LittleEndian.Uint32(b[1:]), nil
}

var errState = errors.New("the state of a pipeline in the store is damaged")
