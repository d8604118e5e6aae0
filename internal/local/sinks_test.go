package local_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/agent"
	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/local"
)

// runText runs a pipeline over rows of standard input.
func runText(t *testing.T, pipeline, input, dir string, change func(p *plan.Plan)) (out string, st local.Stats) {
	t.Helper()
	p, err := compile.Compile([]byte(pipeline), compile.Options{File: "p.yaml", PipelineID: "p", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(p)
	}
	src, err := agent.OpenSource(p, agent.SourceOptions{Dir: dir, Stdin: strings.NewReader(input)})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	st, err = local.Run(t.Context(), local.Config{Plan: p, Source: src, Stdout: &b, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), st
}

const rowsText = `
name: p
source:
  file: {path: "-"}
  format: json
  schema: {k: string, ts: timestamp_ms, v: double}
  event_time: {column: ts}
steps:
  - select: [k, v]
sinks:
  - stdout: {}
`

// TestSinksOfBothFragments has sinks on the edge, two of which share a file, and one in the cloud.
func TestSinksOfBothFragments(t *testing.T) {
	dir := t.TempDir()
	in := `{"k":"a","ts":1,"v":1.5}` + "\n" + `{"k":"b","ts":2}` + "\n"
	out, st := runText(t, rowsText, in, dir, func(p *plan.Plan) {
		schema := plan.ColumnsOf(p.Source.Schema())
		for _, s := range []*plan.Sink{
			{Kind: &plan.Sink_File{File: &plan.FileSink{Path: "both.jsonl"}}}, {Kind: &plan.Sink_File{File: &plan.FileSink{Path: "both.jsonl"}}},
			{Kind: &plan.Sink_Mqtt{Mqtt: &plan.MqttSink{Topic: "t"}}},
		} {
			p.Edge.Nodes = append(p.Edge.Nodes, &plan.Node{Id: uint32(len(p.Edge.Nodes)), Input: -1, Schema: schema, Op: &plan.Node_Sink{Sink: s}})
		}
	})
	source := `{"k":"a","ts":"1970-01-01T00:00:00.001Z","v":1.5}` + "\n" + `{"k":"b","ts":"1970-01-01T00:00:00.002Z","v":null}` + "\n"
	if out != source+`{"k":"a","v":1.5}`+"\n"+`{"k":"b","v":null}`+"\n" { // of the broker's sink, then of the cloud's
		t.Errorf("standard output is\n%s", out)
	}
	file, err := os.ReadFile(filepath.Join(dir, "both.jsonl"))
	if err != nil || string(file) != source+source {
		t.Errorf("the file holds\n%s (%v)", file, err)
	}
	if st.Results != 8 || st.Rows != 2 || st.Messages != 2 {
		t.Errorf("counted %+v", st)
	}
}

// feed is a source that a test gives rows; it has no end.
type feed struct {
	rows  chan string
	ready chan struct{}
}

func (f *feed) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (f *feed) Ready() <-chan struct{}        { return f.ready }
func (f *feed) Connected() bool               { return true }
func (f *feed) Status() source.Status         { return source.Status{} }
func (f *feed) Take(c *source.Chunk, _ int) {
	c.Reset()
	select {
	case row := <-f.rows:
		c.Messages = append(c.Messages, source.Message{Topic: "t", Payload: []byte(row)})
	default:
	}
	c.Dry = true
}

// lines gives each line that is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		l <- strings.TrimSuffix(line, "\n")
	}
	return len(p), nil
}

// TestLiveRunRevises: a late row gives its window's result anew.
func TestLiveRunRevises(t *testing.T) {
	p, err := compile.Compile([]byte(`
name: p
source:
  mqtt: {broker: "tcp://127.0.0.1:1883", topics: [t]}
  format: json
  schema: {k: string, ts: timestamp_s, v: double}
  event_time: {column: ts}
steps:
  - window: {by: [k], tumbling: 10s, allowed_lateness: 1h, emit: {n: count(*)}}
sinks:
  - stdout: {}
`), compile.Options{File: "p.yaml", PipelineID: "p", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{rows: make(chan string, 1), ready: make(chan struct{})}
	out := make(lines, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := local.Run(ctx, local.Config{Plan: p, Source: f, Stdout: out})
		done <- err
	}()
	give := func(rows ...string) {
		for _, row := range rows {
			f.rows <- row
			f.ready <- struct{}{}
		}
	}
	give(`{"k":"a","ts":100}`, `{"k":"b","ts":120}`)
	want := `{"window_start":"1970-01-01T00:01:40Z","window_end":"1970-01-01T00:01:50Z","k":"a","n":1}`
	if got := <-out; got != want {
		t.Errorf("got %s", got)
	}
	give(`{"k":"a","ts":101}`)
	if got := <-out; got != strings.Replace(want, `"n":1`, `"n":2`, 1) {
		t.Errorf("got %s", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
