package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	cloudlog "github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire"
)

// Workers is what a gateway asks of the partitions' owners.
type Workers interface {
	// Lane waits until the partition's owner has applied the record at offset (and what the log held
	// when it took over), then gives the lane.
	Lane(ctx context.Context, partition int, offset uint64, k worker.LaneKey) (worker.LaneView, bool, error)
	// Watermark is the one up to which a pipeline's windows have fired in a partition.
	Watermark(partition int, pipeline string, version uint64) int64
	// Epoch is the owner epoch of a partition.
	Epoch(partition int) uint64
}

// Stream is a data stream of an agent; *transport.ServerStream is one.
type Stream interface {
	Open() *wire.StreamOpen
	Accept(durable uint64, checksum uint32) error
	Refuse(code wire.Code, reason string)
	Recv(ctx context.Context) (h wire.Header, frame, payload []byte, err error)
	Ack(seq uint64, watermark int64)
}

// Config is how a gateway works.
type Config struct {
	Partitions int
	Log        *slog.Logger
	// Remind is how often the pipeline's watermark is told to agents that send nothing, if it has risen; default 30 s.
	Remind time.Duration
	// SetAside keeps the bytes of a frame that cannot be decoded.
	SetAside func(ctx context.Context, agent string, h wire.Header, frame []byte, reason string) error
}

// Counters count since the start.
type Counters struct {
	Frames, FrameBytes, Rows, SetAside, Refused, Bundles, Retries uint64
}

// Gateway appends the frames of agents to the log.
type Gateway struct {
	cfg       Config
	appenders []*appender
	workers   Workers
	plans     worker.Plans

	frames, frameBytes, rows, setAside, refused atomic.Uint64
}

// New returns a gateway; Run starts its appenders.
func New(l cloudlog.Log, w Workers, plans worker.Plans, cfg Config) *Gateway {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Remind = cmp.Or(cfg.Remind, 30*time.Second)
	g := &Gateway{cfg: cfg, workers: w, plans: plans}
	for p := range cfg.Partitions {
		g.appenders = append(g.appenders, newAppender(p, l, cfg.Log))
	}
	return g
}

// Run runs the appenders until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	eg, ctx := errgroup.WithContext(ctx)
	for _, a := range g.appenders {
		eg.Go(func() error { return a.run(ctx) })
	}
	if err := eg.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Counters gives the counters.
func (g *Gateway) Counters() Counters {
	c := Counters{
		Frames: g.frames.Load(), FrameBytes: g.frameBytes.Load(), Rows: g.rows.Load(),
		SetAside: g.setAside.Load(), Refused: g.refused.Load(),
	}
	for _, a := range g.appenders {
		c.Bundles += a.bundles.Load()
		c.Retries += a.retries.Load()
	}
	return c
}

// maxMembers bounds the statements of a membership record.
const maxMembers = 4096

// Members records statements about agents in a partition. It returns when they
// are durable; the partition's owner acts on them when it reads them back.
func (g *Gateway) Members(ctx context.Context, partition int, members []record.Member) error {
	writer := g.workers.Epoch(partition)
	done := make(chan struct{}, 1+len(members)/maxMembers)
	left := 0
	for part := range slices.Chunk(members, maxMembers) {
		it := item{alone: &record.Record{Kind: record.KindMembership, Writer: writer, Members: part}, done: func() { done <- struct{}{} }}
		if err := g.appenders[partition].put(ctx, it); err != nil {
			return err
		}
		left++
	}
	for ; left > 0; left-- {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// PartitionsOf gives the partitions that a pipeline uses, in the order of their key ranges.
func PartitionsOf(p *plan.Plan, partitions int) []int {
	spread := min(max(int(p.Spread), 1), partitions)
	base := int(xxhash.Sum64String(p.PipelineId) % uint64(partitions))
	out := make([]int, spread)
	for i := range out {
		out[i] = (base + i) % partitions
	}
	return out
}

// Serve takes the frames of one stream until it ends. agent is the id from
// the certificate.
func (g *Gateway) Serve(ctx context.Context, agent string, s Stream) error {
	o := s.Open()
	key := worker.LaneKey{Agent: agent, Epoch: o.Epoch, Pipeline: o.PipelineId, Version: o.Version, Lane: o.Lane}
	refuse := func(code wire.Code, reason string) error {
		g.refused.Add(1)
		g.cfg.Log.Warn("stream refused", "agent", agent, "pipeline", o.PipelineId, "version", o.Version, "reason", reason)
		s.Refuse(code, reason)
		return nil
	}
	pl, err := g.plans.Plan(o.PipelineId, o.Version)
	if errors.Is(err, worker.ErrNoPlan) {
		return refuse(wire.CodeUnknown, fmt.Sprintf("pipeline %s version %d is not known here; it was deleted", o.PipelineId, o.Version))
	}
	if err != nil {
		return err
	}
	if pl.OneLane && o.Lane != 0 {
		return refuse(wire.CodeBadMessage, fmt.Sprintf("pipeline %s has a step in the cloud that depends on the order of rows and keeps one lane; lane %d was opened", pl.Pipeline, o.Lane))
	}
	parts := PartitionsOf(pl, len(g.appenders))
	durable, err := g.durable(ctx, parts, key)
	if err != nil {
		return err
	}
	if reason := contradiction(o, durable); reason != "" {
		return refuse(wire.CodeDiverged, reason)
	}
	if err := s.Accept(durable.Last, durable.Sum); err != nil {
		return err
	}
	in := &intake{g: g, key: key, plan: pl, partitions: parts, durable: durable, stream: s, splitter: newSplitter(pl, len(parts)), before: o.Previous}
	in.next = o.First
	in.track = newTracker(max(durable.Last, o.First-1))
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error {
		err := in.receive(ctx)
		if err == nil {
			err = io.EOF // ends the acknowledger too
		}
		return err
	})
	eg.Go(func() error { return in.acknowledge(ctx) })
	if err := eg.Wait(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// durable is how far a lane has come in every partition.
func (g *Gateway) durable(ctx context.Context, parts []int, key worker.LaneKey) (worker.LaneView, error) {
	var low worker.LaneView
	for i, p := range parts {
		v, _, err := g.workers.Lane(ctx, p, g.appenders[p].appended.Load(), key)
		if err != nil {
			return low, err
		}
		if i == 0 || v.Last < low.Last {
			low = v
		}
	}
	return low, nil
}

// contradiction tells how what an agent says of its lane cannot be true, or "".
func contradiction(o *wire.StreamOpen, durable worker.LaneView) string {
	const wayOut = "its store was restored from a backup, cloned or replaced; stop the agent, empty its data directory and join it anew"
	switch {
	case o.First == 0:
		return "the agent's first frame is 0, but numbers begin with 1: its program is not one that this cloud node knows"
	case o.Next <= durable.Last:
		return fmt.Sprintf("frame %d is durable here but the agent has given numbers up to %d only: %s", durable.Last, o.Next-1, wayOut)
	case o.First > durable.Last+1:
		return fmt.Sprintf("the agent's first frame is %d but only frames up to %d are here: the cloud's log lost acknowledged frames, or %s", o.First, durable.Last, wayOut)
	case o.First == durable.Last+1 && o.Previous != durable.Sum:
		return fmt.Sprintf("frame %d of the agent is not the one that is durable here: %s", durable.Last, wayOut)
	default:
		return ""
	}
}

// intake is a stream being taken in.
type intake struct {
	g          *Gateway
	key        worker.LaneKey
	plan       *plan.Plan
	partitions []int
	durable    worker.LaneView // at the stream's start
	stream     Stream
	splitter   *splitter
	track      *tracker
	next       uint64 // number that must come next
	before     uint32 // checksum of frame next-1
}

// receive takes frames until the stream ends.
func (in *intake) receive(ctx context.Context) error {
	for {
		h, frame, payload, err := in.stream.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		damaged := errors.Is(err, wire.ErrCorrupt)
		if err != nil && !damaged {
			return err
		}
		if h.To < in.next {
			continue // a repetition of what is queued already
		}
		if in.next <= in.durable.Last && h.From == in.durable.Last+1 {
			in.next, in.before = h.From, in.durable.Sum // the agent left out what it was told is durable
		}
		if h.From != in.next || h.Previous != in.before {
			in.stream.Refuse(wire.CodeResend, fmt.Sprintf("frame %d came where %d should follow its predecessor; resend from %d", h.From, in.next, in.next))
			return nil
		}
		in.next, in.before = h.To+1, h.Checksum
		if h.To <= in.durable.Last {
			if h.To == in.durable.Last && h.Checksum != in.durable.Sum {
				in.stream.Refuse(wire.CodeDiverged, fmt.Sprintf("frame %d differs from the one that is durable here; the agent's store was restored or cloned", h.To))
				return nil
			}
			continue
		}
		if h.From <= in.durable.Last { // no worker could take it, but it would be acknowledged
			in.stream.Refuse(wire.CodeDiverged, fmt.Sprintf("frame %d..%d covers frame %d, which is durable here", h.From, h.To, in.durable.Last))
			return nil
		}
		if damaged {
			payload = nil
		}
		if err := in.take(ctx, h, frame, payload, err); err != nil {
			return err
		}
	}
}

// take splits a frame and queues its parts. A frame that cannot be decoded
// (damage says so, or the codec does) is set aside and the lane goes on without its rows.
func (in *intake) take(ctx context.Context, h wire.Header, frame, payload []byte, damage error) error {
	g := in.g
	g.frames.Add(1)
	g.frameBytes.Add(uint64(len(frame)))
	g.rows.Add(uint64(h.Rows))
	parts, err := in.splitter.split(in.key.Agent, payload)
	if err = errors.Join(damage, err); err != nil {
		g.setAside.Add(1)
		g.cfg.Log.Error("frame set aside: it cannot be decoded", "agent", in.key.Agent, "pipeline", in.plan.Pipeline, "frame", h.From, "error", err)
		if g.cfg.SetAside != nil {
			if err := g.cfg.SetAside(ctx, in.key.Agent, h, frame, err.Error()); err != nil {
				return fmt.Errorf("set frame %d aside: %w", h.From, err)
			}
		}
		parts = make([][]byte, len(in.partitions))
	}
	seq := h.To
	in.track.add(seq, len(in.partitions))
	for i, p := range in.partitions {
		it := item{entry: in.entry(h, parts[i]), done: func() { in.track.done(seq) }}
		if err := g.appenders[p].put(ctx, it); err != nil {
			return err
		}
	}
	return nil
}

func (in *intake) entry(h wire.Header, payload []byte) record.Entry {
	e := record.Entry{
		Agent: in.key.Agent, Epoch: h.Epoch, Pipeline: h.Pipeline, Version: h.Version, Lane: h.Lane,
		From: h.From, To: h.To, Before: h.Previous, Sum: h.Checksum, Watermark: h.Watermark, Payload: payload,
	}
	if h.Flags&wire.FlagIdle != 0 {
		e.Flags |= record.FlagIdle
	}
	return e
}

// acknowledge sends cumulative acknowledgements as the tracker rises, and with them, or
// from time to time alone, the pipeline's watermark.
func (in *intake) acknowledge(ctx context.Context) error {
	remind := time.NewTicker(in.g.cfg.Remind)
	defer remind.Stop()
	told := int64(wire.NoWatermark)
	for {
		select {
		case <-in.track.notify:
		case <-remind.C:
			if in.watermark() <= told {
				continue
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		told = in.watermark()
		in.stream.Ack(in.track.value(), told)
	}
}

// watermark is the pipeline's: the lowest of its partitions.
func (in *intake) watermark() int64 {
	low := int64(wire.NoWatermark)
	for i, p := range in.partitions {
		w := in.g.workers.Watermark(p, in.key.Pipeline, in.key.Version)
		if i == 0 || w < low {
			low = w
		}
	}
	return low
}
