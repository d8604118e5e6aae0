package agent

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine/compile"
)

// vouching is a source that is connected and silent.
type vouching struct{ source.Source }

func (vouching) Connected() bool { return true }

// What was flushed was no longer known to belong to a window, so the last window of
// an agent that fell silent never ended where it is longer than idle_after.
func TestLastLongWindowOfASilentAgentEnds(t *testing.T) {
	for name, restart := range map[string]bool{"running on": false, "started again": true} {
		t.Run(name, func(t *testing.T) {
			plan, err := compile.Compile([]byte(`
name: t
source:
  mqtt: {broker: "tcp://127.0.0.1:1", topics: [t]}
  format: json
  schema: {device: string, ts: timestamp_ms}
  event_time: {column: ts, max_disorder: 5s, idle_after: 30s, max_future: 0s}
steps:
  - window: {by: [device], tumbling: 5m, emit: {n: count(*)}}
sinks:
  - table: {name: t}
`), compile.Options{File: "t.yaml", PipelineID: "t-1", Version: 1})
			if err != nil {
				t.Fatal(err)
			}
			store, err := checkpoint.Open(checkpoint.Config{Dir: t.TempDir(), SegmentBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ran := make(chan error, 1)
			go func() { ran <- store.Run(ctx) }()
			defer func() {
				cancel()
				if err := errors.Join(<-ran, store.Close()); err != nil {
					t.Error(err)
				}
			}()
			now := time.Unix(1_700_000_000, 0)
			open := func() *pipeline {
				p, err := newPipeline(pipelineConfig{
					Agent: "a", Epoch: 1, Plan: plan, Store: store, Source: vouching{}, Clock: func() time.Time { return now },
					CloudTime: func() int64 { return 0 }, Log: slog.New(slog.DiscardHandler), Commit: time.Hour,
				})
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			p := open()
			c := p.nextChunk()
			c.Messages = []source.Message{{Topic: "t", Payload: []byte(`{"device":"d","ts":1700000000000}`)}}
			if err := errors.Join(p.process(c), p.commitChunks(t.Context(), p.all())); err != nil {
				t.Fatal(err)
			}
			if restart {
				p = open()
			}
			for range 1200 {
				now = now.Add(time.Second)
				if err := p.quiet(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			const end = (1_700_000_000/300 + 1) * 300_000_000
			frames := store.Stream(p.packerStream()).Next() - 1
			if p.packer.sent < end || frames > 5 {
				t.Errorf("after 20 min of silence the cloud knows watermark %d from %d frames; want the window's end, %d, from few", p.packer.sent, frames, int64(end))
			}
		})
	}
}
