package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatio/leat/agent/decode"
	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire"
)

// part is one version of a pipeline at work: its fragment and its lane. Around
// the boundary at which a version takes over, two work on the same messages: rows before
// the boundary belong to the older one.
type part struct {
	plan  *plan.Plan
	store *checkpoint.Store
	clock func() time.Time
	log   *slog.Logger
	grace int64 // a row before until is late for all of its windows from the watermark until+grace on
	until int64 // rows from this event time on belong to the next version; math.MaxInt64 = there is none

	// Owned by the loop.
	decoder *decode.Decoder
	edge    *engine.Edge
	rejects *engine.RejectLog
	steps   steps
	packer  packer
	pace    pace
	rows    *batch.Batch
	taken   int    // bytes of messages since the last flush
	passes  bool   // rows leave as they are, all their bytes wait
	totals  Totals // as of the last commit

	cloudWatermark atomic.Int64 // as last acknowledged

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

// version is a version of a pipeline that takes rows.
type version struct {
	Plan      *plan.Plan
	Functions expr.Functions
	// Until is the event time from which on rows belong to the next version; 0 = there is none.
	Until int64
}

func newPart(c *pipelineConfig, v version, sink engine.SinkFunc) (*part, error) {
	p := &part{
		plan: v.Plan, store: c.Store, clock: c.Clock, log: c.Log, until: math.MaxInt64,
		rejects: engine.NewRejectLog(maxRejects), rows: batch.New(v.Plan.Source.Schema()), grace: graceOf(v.Plan),
	}
	if v.Until != 0 {
		p.until = v.Until
	}
	p.cloudWatermark.Store(wire.NoWatermark)
	var err error
	if p.decoder, err = decode.New(v.Plan.Source, decode.Meta{Agent: c.Agent}); err != nil {
		return nil, err
	}
	for _, port := range v.Plan.Ports {
		p.passes = p.passes || port.Kind == plan.Port_ROWS
	}
	p.edge, err = engine.NewEdge(v.Plan, engine.EdgeConfig{Functions: v.Functions, Lookups: c.Lookups, Reject: p.reject, Sink: sink})
	if err != nil {
		return nil, err
	}
	p.steps = steps{store: c.Store, edge: p.edge, lane: laneOf(v.Plan)}
	p.pace = paceOf(v.Plan, c.Clock())
	return p, p.recover(c.Epoch)
}

// recover sets the packer behind the last committed frame and takes the
// journal back in.
func (p *part) recover(epoch uint64) error {
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

func (p *part) stateKey() string { return statePrefix + p.packerStream() }

func (p *part) packerStream() string { return laneOf(p.plan) }

const stateFormat = 1

// appendState writes the small state that goes into each commit: format,
// checksum and number of the last frame, watermarks, counters.
func (p *part) appendState(dst []byte, watermark int64) []byte {
	dst = append(dst, stateFormat)
	dst = binary.LittleEndian.AppendUint32(dst, p.packer.head.Previous)
	dst = binary.AppendUvarint(dst, p.packer.head.From-1)
	dst = binary.AppendVarint(dst, watermark)
	dst = binary.AppendVarint(dst, p.packer.sent)
	for _, v := range []uint64{p.totals.Rows, p.totals.Messages, p.totals.RawBytes, p.totals.Rejects, p.totals.Late, p.totals.Frames, p.totals.SentBytes} {
		dst = binary.AppendUvarint(dst, v)
	}
	return dst
}

func (p *part) loadState(b []byte) error {
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
func (p *part) reject(topic string, payload []byte, reason string) {
	p.totals.Rejects++
	p.rejects.Add(p.clock().UnixMicro(), topic, payload, reason)
}

// everything is due.
func everything(uint32) bool { return true }

// due gives the ports that are due; nil = none, and nothing else to say by a frame.
func (p *part) due() func(port uint32) bool {
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
func (p *part) full() bool {
	_, size := p.edge.Pending()
	return p.edge.Full() || size > maxPendingBytes || p.passes && p.taken > maxPendingBytes || p.packer.journaled > maxJournalBytes
}

// graceOf is how far behind the watermark a row may be and still count.
func graceOf(p *plan.Plan) int64 {
	var most int64
	for _, n := range p.Edge.Nodes {
		w := n.GetPartialWindow()
		for _, s := range w.GetWindows() {
			most = max(most, max(s.SizeMicros, s.EveryMicros)+w.AllowedLatenessMicros)
		}
	}
	return most
}

// process runs messages through the fragment. now is the cloud's time.
func (p *part) process(messages []source.Message, now int64) error {
	if p.pace.row(p.clock()) {
		if err := p.edge.AdvanceTo(p.cloudWatermark.Load()); err != nil {
			return err
		}
	}
	p.totals.Messages += uint64(p.decoder.Decode(p.rows, messages, p.reject))
	p.totals.Rows += uint64(p.rows.N)
	for i := range messages {
		p.totals.RawBytes += uint64(len(messages[i].Payload))
		p.taken += len(messages[i].Payload)
	}
	return p.edge.Process(p.rows, now)
}

// silence lets time go by while nothing comes. It tells whether the agent
// should say something.
func (p *part) silence(now time.Time, connected bool) (speak bool, err error) {
	watermark, speak := p.pace.silence(now, connected, p.edge.Watermark(), p.edge.LastSliceEnd())
	if err := p.edge.AdvanceTo(watermark); err != nil {
		return false, err
	}
	if w := p.cloudWatermark.Load(); p.pace.follow(now, p.edge.Watermark(), w) {
		return true, p.edge.AdvanceTo(w)
	}
	return speak, nil
}

// pack adds to the batch of a commit what has come since the last one. What
// waits at the ports that are due leaves; due is nil where none is. with says that the commit holds
// messages.
func (p *part) pack(b *checkpoint.Batch, due func(port uint32) bool, with bool) error {
	before := len(b.Records)
	if due != nil {
		if p.packer.due(p.pace.idle) {
			records, err := p.packer.flush(due, p.pace.idle)
			if err != nil {
				return err
			}
			b.Records = append(b.Records, records...)
		}
		p.pace.flushed(p.clock(), due)
		p.taken = 0
	} else {
		r, err := p.packer.journal()
		if err != nil {
			return err
		}
		if r != nil {
			b.Records = append(b.Records, *r)
		}
	}
	var err error
	if b.Puts, err = p.steps.changes(b.Puts); err != nil {
		return err
	}
	if len(b.Records) > before || with {
		p.totals.Watermark, p.totals.Idle = p.edge.Watermark(), p.pace.idle
		p.totals.Late += uint64(p.edge.TakeLate())
		p.totals.Frames, p.totals.SentBytes = p.totals.Frames+p.packer.frames, p.totals.SentBytes+p.packer.bytes
		p.packer.frames, p.packer.bytes = 0, 0
		b.Puts = append(b.Puts, checkpoint.Entry{Key: p.stateKey(), Value: p.appendState(nil, p.edge.Watermark())})
	}
	return nil
}

func (p *part) share() {
	p.mu.Lock()
	p.view = p.totals
	p.mu.Unlock()
}

// Totals gives the counters as of the last commit.
func (p *part) Totals() Totals {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.view
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
