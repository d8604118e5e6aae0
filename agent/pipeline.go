package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
)

// Bounds of the loop.
const (
	takeMessages    = 4096    // messages per batch
	maxPendingBytes = 8 << 20 // of partials, or of the messages that rows came from; a flush follows
	maxJournalBytes = 4 << 20 // likewise: only what is flushed ever leaves the outbox
	maxRejects      = 100     // samples between two flushes
)

// pipeline runs a pipeline on one source: its present version, and beside it the
// one before where that still takes rows.
type pipeline struct {
	*part  // the present version
	older  []*part
	source source.Source
	sinks  *edgeSinks    // of all versions
	now    func() int64  // the cloud's time in microseconds; 0 while unknown
	commit time.Duration // commit interval

	// Owned by the loop.
	chunks []*source.Chunk // taken since the last commit
	used   int
	ended  bool

	reconnected atomic.Bool // a session has begun
}

// pipelineConfig is what a pipeline needs.
type pipelineConfig struct {
	Plan      *plan.Plan
	Functions expr.Functions
	Older     []version // that still take rows, oldest first
	Agent     string
	Epoch     uint64
	Store     *checkpoint.Store
	Source    source.Source
	Lookups   engine.Lookups
	Sinks     SinkOptions
	Clock     func() time.Time
	CloudTime func() int64
	Log       *slog.Logger
	Commit    time.Duration
}

func newPipeline(c pipelineConfig) (*pipeline, error) {
	p := &pipeline{source: c.Source, now: c.CloudTime, commit: c.Commit}
	versions := append(slices.Clone(c.Older), version{Plan: c.Plan, Functions: c.Functions})
	plans := make([]*plan.Plan, len(versions))
	for i := range versions {
		plans[i] = versions[i].Plan
	}
	var err error
	if p.sinks, err = openSinks(plans, c.Store, fmt.Sprintf("%s/%d", c.Agent, c.Epoch), c.Sinks, c.Log); err != nil {
		return nil, err
	}
	from := int64(math.MinInt64)
	for _, v := range versions {
		if p.part, err = newPart(&c, v, p.sinks.take); err != nil {
			return nil, err
		}
		p.edge.Limit(from, p.until)
		p.older, from = append(p.older, p.part), p.until
	}
	p.older = p.older[:len(p.older)-1]
	return p, nil
}

// parts are all versions at work, oldest first.
func (p *pipeline) parts() []*part { return append(p.older[:len(p.older):len(p.older)], p.part) }

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
		timer.Reset(p.wake())
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
		due := p.due()
		if p.ended {
			for _, v := range p.parts() {
				if err := v.edge.AdvanceTo(engine.EndOfTime); err != nil {
					return err
				}
			}
			due = p.all()
		} else if full {
			due = p.all()
		}
		if err := p.commitChunks(ctx, due); err != nil {
			return err
		}
	}
	return nil
}

// wake is how long the loop may sleep when nothing arrives.
func (p *pipeline) wake() time.Duration {
	least := time.Hour
	for _, v := range p.parts() {
		pending, _ := v.edge.Pending()
		least = min(least, v.pace.wake(v.clock(), pending > 0 || v.rejects.Pending() > 0))
	}
	return least
}

// full tells that a version has reached a bound.
func (p *pipeline) full() bool { return slices.ContainsFunc(p.parts(), (*part).full) }

// dues are the ports that are due, by version; nil = none.
type dues []func(port uint32) bool

func (p *pipeline) due() dues {
	var out dues
	for _, v := range p.parts() {
		out = append(out, v.due())
	}
	return out
}

// all is every port of every version.
func (p *pipeline) all() dues {
	out := make(dues, len(p.older)+1)
	for i := range out {
		out[i] = everything
	}
	return out
}

func (p *pipeline) nextChunk() *source.Chunk {
	if p.used == len(p.chunks) {
		p.chunks = append(p.chunks, new(source.Chunk))
	}
	p.used++
	return p.chunks[p.used-1]
}

// process runs a chunk's messages through the fragments.
func (p *pipeline) process(c *source.Chunk) error {
	if len(c.Messages) == 0 {
		return nil
	}
	for _, v := range p.parts() {
		if err := v.process(c.Messages, p.now()); err != nil {
			return err
		}
	}
	return nil
}

// quiet flushes what has waited long enough and says when the source is idle.
func (p *pipeline) quiet(ctx context.Context) error {
	again := p.reconnected.Swap(false)
	due, some := p.due(), false
	for i, v := range p.parts() {
		v.pace.again = v.pace.again || again
		speak, err := v.silence(v.clock(), p.source.Connected())
		if err != nil {
			return err
		}
		switch {
		case speak:
			due[i] = everything
		case due[i] != nil && (!v.packer.due(v.packer.sentIdle) || v.pace.idle && !v.packer.holds()):
			due[i] = nil // an idle source's watermark is said at the ends of windows only
		}
		some = some || due[i] != nil
	}
	if !some && !p.sinks.pending() { // a step may have acted as time went by
		return nil
	}
	return p.commitChunks(ctx, due)
}

// commitChunks makes what was taken durable and acknowledges it. What waits at
// the ports that are due leaves.
func (p *pipeline) commitChunks(ctx context.Context, due dues) error {
	b, err := p.pack(due)
	if err != nil {
		return err
	}
	if len(b.Records) > 0 || len(b.Puts) > 0 {
		if err := p.commitBatch(ctx, b); err != nil {
			return err
		}
		for _, v := range p.parts() {
			v.totals.Commits++
		}
		if err := p.sinks.committed(); err != nil {
			return err
		}
	}
	for _, c := range p.chunks[:p.used] {
		if c.Done != nil {
			c.Done()
		}
	}
	p.used = 0
	for _, v := range p.parts() {
		v.share()
	}
	return p.retire(ctx)
}

// pack gathers the batch of a commit.
func (p *pipeline) pack(due dues) (*checkpoint.Batch, error) {
	b := &checkpoint.Batch{}
	for i, v := range p.parts() {
		var ports func(uint32) bool
		if due != nil {
			ports = due[i]
		}
		if err := v.pack(b, ports, p.used > 0); err != nil {
			return nil, err
		}
	}
	b.Records = p.sinks.records(b.Records)
	for _, c := range p.chunks[:p.used] {
		for _, e := range c.Puts {
			b.Puts = append(b.Puts, checkpoint.Entry{Key: sourceKey(p.plan, e.Key), Value: e.Value})
		}
	}
	return b, nil
}

// commitBatch commits; while the outbox is full it waits, and with it the source.
func (p *pipeline) commitBatch(ctx context.Context, b *checkpoint.Batch) error {
	for {
		err := p.store.Commit(b)
		if !errors.Is(err, checkpoint.ErrFull) {
			return err
		}
		p.log.Warn("the outbox is full: the source is held until the cloud has taken frames", "pipeline", p.plan.Pipeline)
		if err := p.store.WaitRoom(ctx); err != nil {
			return err
		}
	}
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

// retire ends the older versions that no row can reach any more: one of their
// rows would be late for all of its windows.
func (p *pipeline) retire(ctx context.Context) error {
	for len(p.older) > 0 {
		v := p.older[0]
		if w := v.edge.Watermark(); w == engine.NoWatermark || w < v.until+v.grace {
			return nil
		}
		v.packer.last = true
		b := &checkpoint.Batch{Puts: []checkpoint.Entry{{Key: untilPrefix + laneOf(v.plan)}}}
		if err := v.pack(b, everything, true); err != nil {
			return err
		}
		if err := p.commitBatch(ctx, b); err != nil {
			return err
		}
		p.log.Info("the version before is finished", "pipeline", v.plan.Pipeline, "version", v.plan.Version)
		p.older = p.older[1:]
	}
	return nil
}
