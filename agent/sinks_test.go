package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
)

// withFileSink is a plan whose rows also go to a file on the gateway.
func withFileSink(t *testing.T, path string, budget uint64) *plan.Plan {
	t.Helper()
	p, err := compile.Compile([]byte(`
name: t
source:
  mqtt: {broker: "tcp://127.0.0.1:1", topics: [t]}
  format: json
  schema: {device: string, ts: timestamp_ms}
  event_time: {column: ts, max_future: 0s}
freshness: 24h
sinks:
  - table: {name: t}
`), compile.Options{File: "t.yaml", PipelineID: "t-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.Edge.Nodes = append(p.Edge.Nodes, &plan.Node{Id: uint32(len(p.Edge.Nodes)), Input: -1, Schema: plan.ColumnsOf(p.Source.Schema()), Op: &plan.Node_Sink{
		Sink: &plan.Sink{Name: "log", BudgetBytes: budget, Kind: &plan.Sink_File{File: &plan.FileSink{Path: path}}},
	}})
	return p
}

// storeAt opens the store in a directory; stop ends it.
func storeAt(t *testing.T, dir string) (store *checkpoint.Store, stop func()) {
	t.Helper()
	store, err := checkpoint.Open(checkpoint.Config{Dir: dir, SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- store.Run(ctx) }()
	return store, func() {
		cancel()
		if err := errors.Join(<-ran, store.Close()); err != nil {
			t.Error(err)
		}
	}
}

func sinkPipeline(t *testing.T, p *plan.Plan, store *checkpoint.Store) *pipeline {
	t.Helper()
	pipe, err := newPipeline(pipelineConfig{
		Agent: "a", Epoch: 1, Plan: p, Store: store, Source: silent{}, Clock: func() time.Time { return time.Unix(1_700_000_000, 0) },
		CloudTime: func() int64 { return 0 }, Log: slog.New(slog.DiscardHandler), Commit: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return pipe
}

func takeRow(t *testing.T, p *pipeline, device string) {
	t.Helper()
	c := p.nextChunk()
	c.Messages = []source.Message{{Topic: "t", Payload: fmt.Appendf(nil, `{"device":%q,"ts":1700000000000}`, device)}}
	if err := p.process(c); err != nil {
		t.Fatal(err)
	}
}

// deliverAll runs the sinks until their queues are empty.
func deliverAll(t *testing.T, p *pipeline) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var g errgroup.Group
	p.sinks.run(ctx, g.Go)
	for p.sinks.stats()[0].Waiting > 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond) // between two looks at the queue
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// Rows reach an edge sink when they are committed, without any cloud, in the
// order of the commits and under ids that do not change.
func TestEdgeSinkDeliversWhatWasCommitted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.jsonl")
	p := withFileSink(t, path, 0)
	store, stop := storeAt(t, filepath.Join(dir, "store"))
	pipe := sinkPipeline(t, p, store)
	for _, commit := range [][]string{{"a", "b"}, {"c"}} {
		for _, device := range commit {
			takeRow(t, pipe, device)
		}
		if err := pipe.commitChunks(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	takeRow(t, pipe, "lost with the crash, and not acknowledged")
	stop()

	store, stop = storeAt(t, filepath.Join(dir, "store"))
	defer stop()
	pipe = sinkPipeline(t, p, store)
	takeRow(t, pipe, "d")
	if err := pipe.commitChunks(t.Context(), pipe.all()); err != nil {
		t.Fatal(err)
	}
	deliverAll(t, pipe)
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"_id":"a/1/t-1/1/log/1/0","device":"a","ts":"2023-11-14T22:13:20Z"}
{"_id":"a/1/t-1/1/log/1/1","device":"b","ts":"2023-11-14T22:13:20Z"}
{"_id":"a/1/t-1/1/log/2/0","device":"c","ts":"2023-11-14T22:13:20Z"}
{"_id":"a/1/t-1/1/log/3/0","device":"d","ts":"2023-11-14T22:13:20Z"}
`
	if string(got) != want {
		t.Errorf("the file holds\n%swant\n%s", got, want)
	}
}

// A sink that cannot deliver drops its oldest rows beyond its budget; the
// pipeline goes on.
func TestEdgeSinkWithinItsBudget(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "none", "rows.jsonl") // the directory is not there
	p := withFileSink(t, path, 2000)
	store, stop := storeAt(t, filepath.Join(dir, "store"))
	defer stop()
	pipe := sinkPipeline(t, p, store)
	for i := range 100 {
		takeRow(t, pipe, fmt.Sprint(i))
		if err := pipe.commitChunks(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	s := pipe.sinks.stats()[0]
	if s.Dropped == 0 || s.Dropped+s.Waiting != 100 || s.Bytes > 2000 {
		t.Fatalf("%+v", s)
	}
	if err := os.Mkdir(filepath.Join(dir, "none"), 0o700); err != nil {
		t.Fatal(err)
	}
	deliverAll(t, pipe)
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(got), "\n"); uint64(lines) != s.Waiting || !strings.Contains(string(got), `"device":"99"`) {
		t.Errorf("%d rows arrived, want the newest %d", lines, s.Waiting)
	}
}
