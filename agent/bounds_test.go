package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/transport/wire"
	"github.com/leatio/leat/transport/wire/columnar"
)

// textPipeline passes rows of text on, at most once in freshness, over a small store.
func textPipeline(t *testing.T, freshness string) *pipeline {
	t.Helper()
	plan, err := compile.Compile([]byte(`
name: t
source:
  mqtt: {broker: "tcp://127.0.0.1:1", topics: [t]}
  format: json
  schema: {text: string}
freshness: `+freshness+`
sinks:
  - table: {name: t}
`), compile.Options{File: "t.yaml", PipelineID: "t-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	store, err := checkpoint.Open(checkpoint.Config{Dir: t.TempDir(), SegmentBytes: 1 << 20, MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, store.Close()); err != nil {
			t.Error(err)
		}
	})
	now := time.Unix(1_700_000_000, 0)
	p, err := newPipeline(pipelineConfig{
		Agent: "a", Epoch: 1, Plan: plan, Store: store, Source: silent{}, Clock: func() time.Time { return now },
		CloudTime: func() int64 { return 0 }, Log: slog.New(slog.DiscardHandler), Commit: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// texts is a source of messages of so many random bytes; after a commit of size messages it runs dry.
type texts struct {
	source.Source
	rng         *rand.Rand
	left, bytes int
}

func (s *texts) Take(c *source.Chunk, most int) {
	c.Reset()
	n := min(s.left, 16)
	for range n {
		raw := make([]byte, s.bytes)
		for i := range raw {
			raw[i] = byte(s.rng.Uint32())
		}
		c.Messages = append(c.Messages, source.Message{Topic: "t", Payload: []byte(`{"text":"` + hex.EncodeToString(raw) + `"}`)})
	}
	s.left -= n
	c.Dry = true
}

// A second's worth of large messages made a frame that no gateway takes: the lane stood still for ever.
func TestFramesStayWithinWhatAGatewayTakes(t *testing.T) {
	p := textPipeline(t, "1s")
	const messages = 240
	src := &texts{rng: rand.New(rand.NewPCG(1, 2)), left: messages, bytes: 50_000}
	p.source = src
	for c := p.nextChunk(); src.left > 0; c = p.nextChunk() { // 12 MB before the commit
		src.Take(c, takeMessages)
		if err := p.process(c); err != nil {
			t.Fatal(err)
		}
	}
	p.used--
	if err := p.commitChunks(t.Context(), p.all()); err != nil {
		t.Fatal(err)
	}
	lane := p.store.Stream(p.packerStream())
	rows := 0
	for seq := lane.First(); seq < lane.Next(); seq++ {
		data, err := lane.Read(seq)
		if err != nil {
			t.Fatal(err)
		}
		h, payload, _, err := wire.ParseFrame(data, wire.Limits{MaxPayloadBytes: len(data)})
		if err != nil || h.PayloadBytes > wire.DefaultMaxPayload {
			t.Fatalf("frame %d has a payload of %d bytes (%v), a gateway takes %d", seq, h.PayloadBytes, err, wire.DefaultMaxPayload)
		}
		sections, err := columnar.DecodePayload(payload, func(port uint32) batch.Schema { return engine.PortSchema(p.plan, port) }, columnar.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sections {
			rows += s.Batch.Len()
		}
	}
	if frames := lane.Next() - 1; rows != messages || frames < 4 {
		t.Errorf("%d rows in %d frames, want %d in several", rows, frames, messages)
	}
}

// With a long freshness the journal filled the outbox, where nothing but a flush ends it: the source was held for ever.
func TestJournalDoesNotFillTheOutbox(t *testing.T) {
	p := textPipeline(t, "24h")
	src := &texts{rng: rand.New(rand.NewPCG(3, 4)), bytes: 10_000}
	p.source = src
	lane := p.store.Stream(p.packerStream())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p.pace.flushed(p.clock(), everything)
	p.passes = false // as with partials, whose messages are not counted
	journals, flushes := 0, 0
	for range 150 { // 24 MB, compressed
		src.left = 16
		before := lane.Next()
		if err := p.takeAndCommit(ctx); err != nil {
			t.Fatalf("after %d commits and %d flushes: %v", journals, flushes, err)
		}
		if lane.Next() == before {
			journals++
			continue
		}
		flushes++
		if err := lane.Ack(lane.Next() - 1); err != nil { // the link is fine
			t.Fatal(err)
		}
	}
	if journals < 10 || flushes < 3 {
		t.Errorf("%d commits went to the journal, %d flushed: too tame", journals, flushes)
	}
}

func TestCutHalvesKeepAllRows(t *testing.T) {
	p := textPipeline(t, "1s")
	b := batch.New(p.packer.schema(0))
	dict := batch.NewDict()
	for i := range 1000 {
		for c := range b.Cols {
			b.Cols[c].Dict = dict
			b.Cols[c].Codes = append(b.Cols[c].Codes, dict.CodeString(fmt.Sprint(i, strings.Repeat("x", 40_000))))
		}
		b.N++
	}
	seen := map[string]bool{} // 40 MB that compress well: cut by their length before
	for _, c := range p.packer.encode(nil, []columnar.Section{{Batch: b}}) {
		if columnar.PlainBytes(c.payload) > maxPlainBytes {
			t.Fatalf("a payload of %d bytes before compression", columnar.PlainBytes(c.payload))
		}
		sections, err := columnar.DecodePayload(c.payload, p.packer.schema, columnar.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range sections[0].Batch.N {
			seen[sections[0].Batch.Cols[0].Str(i)] = true
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d different rows, want 1000", len(seen))
	}
}
