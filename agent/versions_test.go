package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire"
	"github.com/leatio/leat/transport/wire/columnar"
)

// countOf is version n of a pipeline that counts by device or by area.
func countOf(t *testing.T, n uint64, by string, startsAt int64) *plan.Plan {
	t.Helper()
	p, err := compile.Compile(fmt.Appendf(nil, `
name: t
source:
  mqtt: {broker: "tcp://127.0.0.1:1", topics: [t]}
  format: json
  schema: {device: string, area: string, ts: timestamp_s}
  event_time: {column: ts, max_disorder: 5s, max_future: 0s}
steps:
  - window: {by: [%s], tumbling: 10s, allowed_lateness: 10s, emit: {n: count(*)}}
sinks:
  - table: {name: t}
`, by), compile.Options{File: "t.yaml", PipelineID: "t-1", Version: n})
	if err != nil {
		t.Fatal(err)
	}
	p.StartsAtMicros = startsAt
	return p
}

// lanesOf reads all frames of a version and gives its windows, and whether its lane has ended.
func lanesOf(t *testing.T, store *checkpoint.Store, p *plan.Plan) (counts map[string]int64, ended bool) {
	t.Helper()
	counts = map[string]int64{}
	cloud, err := engine.NewCloud(p, engine.CloudConfig{Sink: func(_ *plan.Node, _ batch.Schema, b *batch.Batch) error {
		for i := range b.N {
			counts[fmt.Sprintf("%s@%d", b.Cols[2].Str(i), b.Cols[0].Ints[i]/1e6)] = b.Cols[3].Ints[i]
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	lane := store.Stream(laneOf(p))
	for seq := lane.First(); seq < lane.Next(); seq++ {
		data, err := lane.Read(seq)
		if err != nil {
			t.Fatal(err)
		}
		h, payload, _, err := wire.ParseFrame(data, wire.Limits{MaxPayloadBytes: len(data)})
		if err != nil {
			t.Fatal(err)
		}
		ended = h.Watermark == engine.EndOfTime
		if len(payload) == 0 {
			continue
		}
		sections, err := columnar.DecodePayload(payload, func(port uint32) batch.Schema { return engine.PortSchema(p, port) }, columnar.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sections {
			if err := cloud.Apply(s.Port, s.Batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cloud.Advance(engine.EndOfTime, engine.EndOfTime); err != nil {
		t.Fatal(err)
	}
	return counts, ended
}

// Around the boundary between two versions each row counts in one of them,
// whatever order the rows come in, and through a restart; the older version
// ends once no row can reach it.
func TestRowsBeforeABoundaryBelongToTheOlderVersion(t *testing.T) {
	const boundary = 1_700_000_020
	dir := filepath.Join(t.TempDir(), "store")
	old, next := countOf(t, 1, "device", 0), countOf(t, 2, "area", boundary*1e6)
	var store *checkpoint.Store
	var stop func()
	open := func() *pipeline {
		store, stop = storeAt(t, dir)
		p, err := newPipeline(pipelineConfig{
			Agent: "a", Epoch: 1, Plan: next, Older: []version{{Plan: old, Until: boundary * 1e6}}, Store: store, Source: silent{},
			Clock: func() time.Time { return time.Unix(1_700_000_000, 0) }, CloudTime: func() int64 { return 0 }, Log: slog.New(slog.DiscardHandler), Commit: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open()
	if err := store.Commit(&checkpoint.Batch{Puts: []checkpoint.Entry{{Key: untilPrefix + laneOf(old), Value: []byte{1}}}}); err != nil {
		t.Fatal(err)
	}
	take := func(due dues, seconds ...int) {
		t.Helper()
		c := p.nextChunk()
		c.Messages = nil
		for _, s := range seconds {
			c.Messages = append(c.Messages, source.Message{Topic: "t", Payload: fmt.Appendf(nil, `{"device":"d","area":"x","ts":%d}`, boundary+s)})
		}
		if err := p.process(c); err != nil {
			t.Fatal(err)
		}
		if err := p.commitChunks(t.Context(), due); err != nil {
			t.Fatal(err)
		}
	}
	take(nil, -15, -12, 3, -1) // before and behind the boundary in one batch
	take(p.all(), -3, 1)
	take(nil, 12, -2)
	stop()
	p = open()
	take(nil, 4, -8)
	if _, ended := lanesOf(t, store, old); ended || len(p.older) != 1 {
		t.Error("the older version has ended although its last window still takes rows")
	}
	take(p.all(), 26) // the watermark passes the boundary, the window and its lateness
	take(p.all(), -4) // late for every window
	if len(p.older) != 0 {
		t.Error("the older version has not ended")
	}
	if value, err := store.Get(untilPrefix + laneOf(old)); value != nil || err != nil {
		t.Errorf("%q, %v", value, err)
	}
	counts, ended := lanesOf(t, store, old)
	want := map[string]int64{"d@1700000000": 2, "d@1700000010": 4}
	if !ended || !maps.Equal(counts, want) {
		t.Errorf("the older version ended: %t, counts %v, want %v", ended, counts, want)
	}
	counts, ended = lanesOf(t, store, next)
	want = map[string]int64{"x@1700000020": 3, "x@1700000030": 1, "x@1700000040": 1}
	if ended || !maps.Equal(counts, want) {
		t.Errorf("the newer version ended: %t, counts %v, want %v", ended, counts, want)
	}
	stop()
}

// A row is judged by the rows before it, whatever version took these: the lane of
// a new version begins with the watermark of the one before.
func TestNewVersionGoesOnWithTheWatermark(t *testing.T) {
	store, stop := storeAt(t, filepath.Join(t.TempDir(), "store"))
	defer stop()
	a := &Agent{store: store}
	old, next := countOf(t, 1, "device", 0), countOf(t, 2, "area", 0)
	p := sinkPipeline(t, old, store)
	c := p.nextChunk()
	c.Messages = []source.Message{{Topic: "t", Payload: []byte(`{"device":"d","area":"x","ts":1700000000}`)}}
	if err := errors.Join(p.process(c), p.commitChunks(t.Context(), p.all())); err != nil {
		t.Fatal(err)
	}
	if w := p.edge.Watermark(); w != 1_699_999_995e6 {
		t.Fatalf("the watermark is %d", w)
	}
	for name, c := range map[string]struct {
		next *plan.Plan
		want int64
	}{"same source": {next, p.edge.Watermark()}, "another source": {countOf(t, 3, "area", 0), engine.NoWatermark}} {
		if name == "another source" {
			c.next.Source.GetMqtt().Topics = []string{"elsewhere"}
		}
		b := &checkpoint.Batch{}
		if err := a.handOn(b, old, c.next); err != nil {
			t.Fatal(err)
		}
		if len(b.Puts) > 0 {
			if err := store.Commit(b); err != nil {
				t.Fatal(err)
			}
		}
		begun := sinkPipeline(t, c.next, store)
		if got := begun.edge.Watermark(); got != c.want || begun.totals.Rows != 0 || begun.packer.head.From != 1 {
			t.Errorf("%s: watermark %d, want %d; %d rows, next frame %d", name, got, c.want, begun.totals.Rows, begun.packer.head.From)
		}
	}
}
