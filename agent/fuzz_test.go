package agent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leatio/leat/agent/decode"
	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire"
	"github.com/leatio/leat/transport/wire/columnar"
)

const fuzzRowsFile = `
name: t
source:
  mqtt: {broker: "tcp://127.0.0.1:1", topics: [t]}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double, raw: bytes, n: int, on: bool}
steps:
  - where: temp > 1
  - add: {twice: temp * 2}
sinks:
  - table: {name: t}
`

func fuzzCompile(f *testing.F, text string) *plan.Plan {
	f.Helper()
	p, err := compile.Compile([]byte(text), compile.Options{File: "t.yaml", PipelineID: "t-1", Version: 1})
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// fuzzPipeline is a pipeline without a store, behind frame next-1.
func fuzzPipeline(t testing.TB, p *plan.Plan, next uint64) *pipeline {
	t.Helper()
	edge, err := engine.NewEdge(p, engine.EdgeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	out := &pipeline{part: &part{
		plan: p, edge: edge, rejects: engine.NewRejectLog(maxRejects), rows: batch.New(p.Source.Schema()),
		clock: time.Now, log: slog.New(slog.DiscardHandler),
	}}
	out.packer = packer{
		stream: "s", edge: edge, plan: p, log: out.rejects, sent: engine.NoWatermark,
		head: wire.Header{Epoch: 1, Pipeline: p.PipelineId, Version: 1, From: next, To: next},
	}
	return out
}

// FuzzLoadState reads the stored state of a pipeline: what is taken is the same
// when it is written and read again.
func FuzzLoadState(f *testing.F) {
	p := fuzzCompile(f, testFile)
	full := fuzzPipeline(f, p, 1<<40)
	full.packer.head.Previous, full.packer.sent, full.totals = 0xfeedbeef, -5, Totals{1, 2, 3, 1 << 63, 5, 6, 7, 0, 0, false}
	if err := full.edge.AdvanceTo(1_700_000_000_000_000); err != nil {
		f.Fatal(err)
	}
	f.Add(full.appendState(nil, full.edge.Watermark()), uint64(1<<40))
	f.Add(fuzzPipeline(f, p, 1).appendState(nil, engine.NoWatermark), uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, next uint64) {
		got := fuzzPipeline(t, p, next)
		seq, checksum, lastErr := lastOfState(b)
		if err := got.loadState(b); err != nil {
			if !errors.Is(err, errState) {
				t.Fatal(err)
			}
			return
		}
		if lastErr != nil || seq+1 != next || checksum != got.packer.head.Previous {
			t.Fatalf("the last frame is %d, %08x (%v), the next %d after %08x", seq, checksum, lastErr, next, got.packer.head.Previous)
		}
		got.edge.Resume(got.totals.Watermark)
		again := fuzzPipeline(t, p, next)
		if err := again.loadState(got.appendState(nil, got.edge.Watermark())); err != nil {
			t.Fatal(err)
		}
		again.edge.Resume(again.totals.Watermark)
		if again.totals != got.totals || again.packer.head != got.packer.head || again.packer.sent != got.packer.sent || again.edge.Watermark() != got.edge.Watermark() {
			t.Fatalf("%+v became %+v", got.totals, again.totals)
		}
	})
}

// fuzzJournal is a journal record of a few rows and a reject, not compressed.
func fuzzJournal(f *testing.F, p *plan.Plan, rows string) []byte {
	f.Helper()
	s := fuzzPipeline(f, p, 1)
	var err error
	if s.decoder, err = decode.New(p.Source, decode.Meta{Agent: "a"}); err != nil {
		f.Fatal(err)
	}
	s.now = func() int64 { return 0 }
	c := &source.Chunk{Messages: []source.Message{{Topic: "t", Payload: []byte("{")}, {Topic: "t", Payload: []byte(rows)}}}
	if err := s.process(c); err != nil {
		f.Fatal(err)
	}
	var out []byte
	emit := func(port uint32, b *batch.Batch) error {
		section := append(columnar.AppendPayload(nil, nil, nil)[:2], 1) // one section
		section = columnar.Append(binary.AppendUvarint(section, uint64(port)), s.packer.schema(port), b)
		out = append(binary.AppendUvarint(out, uint64(len(section))), section...)
		return nil
	}
	if err := errors.Join(s.edge.Journal(emit), s.rejects.Journal(emit)); err != nil {
		f.Fatal(err)
	}
	return out
}

// isSmall tells whether a journal record decodes within narrow limits; restore itself
// has wide ones, as what it reads bears a checksum.
func isSmall(p *packer, data []byte) bool {
	for len(data) > 0 {
		n, w := binary.Uvarint(data)
		if w <= 0 || n > uint64(len(data)-w) {
			return true
		}
		_, err := columnar.DecodePayload(data[w:w+int(n)], p.schema, columnar.Limits{MaxRows: 1 << 14, MaxBytes: 1 << 20})
		if errors.Is(err, columnar.ErrLimit) {
			return false
		}
		data = data[w+int(n):]
	}
	return true
}

// FuzzRestore takes journal records back in: what is taken leaves in frames that can be read.
func FuzzRestore(f *testing.F) {
	windows, rows := fuzzCompile(f, testFile), fuzzCompile(f, fuzzRowsFile)
	text := `[{"device":"a","ts":1700000000000,"temp":1.5,"raw":"aGk=","n":5,"on":true},{"device":"b","ts":1700000010000,"temp":2},{"temp":3,"ts":1}]`
	f.Add(fuzzJournal(f, windows, text), false)
	f.Add(fuzzJournal(f, rows, text), true)
	f.Add([]byte{0x80}, false)
	f.Fuzz(func(t *testing.T, data []byte, plain bool) {
		p := windows
		if plain {
			p = rows
		}
		s := fuzzPipeline(t, p, 1)
		if !isSmall(&s.packer, data) || s.packer.restore(bytes.Clone(data)) != nil {
			return
		}
		pending, _ := s.edge.Pending()
		want := pending + s.rejects.Pending()
		if r, err := s.packer.journal(); err != nil || r != nil {
			t.Fatalf("what was restored is journalled again: %v, %v", r, err)
		}
		records, err := s.packer.flush(everything, false)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, r := range records {
			h, payload, _, err := wire.ParseFrame(r.Data, wire.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got += int(h.Rows)
			if len(payload) == 0 {
				continue
			}
			if _, err := columnar.DecodePayload(payload, s.packer.schema, columnar.Limits{}); err != nil {
				t.Fatal(err)
			}
		}
		if got != want {
			t.Fatalf("%d rows restored, %d in frames", want, got)
		}
	})
}

// FuzzPlan gives an agent and a cloud node a plan from outside: one that passes the check runs,
// or is refused with an error when it is started.
func FuzzPlan(f *testing.F) {
	files, err := filepath.Glob("../engine/compile/testdata/plans/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	texts := []string{testFile, fuzzRowsFile}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	for _, text := range texts {
		p, err := compile.Compile([]byte(text), compile.Options{File: "t.yaml", PipelineID: "t-1", Version: 1})
		if err != nil {
			continue // it needs a module
		}
		raw, err := plan.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := plan.Unmarshal(raw)
		if err != nil {
			return
		}
		_, _ = OpenSource(p, SourceOptions{Dir: "nowhere", ClientID: "c", Log: slog.New(slog.DiscardHandler)}) // a reason is fine
		runPlan(p)
	})
}

// runPlan decodes rows, runs them through both fragments and fires all windows.
// An error is an answer, too.
func runPlan(p *plan.Plan) {
	decoder, err := decode.New(p.Source, decode.Meta{Agent: "a"})
	if err != nil {
		return
	}
	edge, err := engine.NewEdge(p, engine.EdgeConfig{})
	if err != nil {
		return
	}
	cloud, err := engine.NewCloud(p, engine.CloudConfig{Sink: func(*plan.Node, batch.Schema, *batch.Batch) error { return nil }})
	if err != nil {
		return
	}
	msgs := []source.Message{
		{Topic: "t", Header: true, Payload: []byte("device,ts,temp")},
		{Topic: "t", Payload: []byte("a,1700000000000,1.5")},
		{Topic: "t", Payload: []byte(`[{"device":"a","ts":1700000000000,"temp":1.5},{"device":"b","ts":1700000010000,"temp":2,"humidity":3},{}]`)},
	}
	b := batch.New(p.Source.Schema())
	for range 2 {
		decoder.Decode(b, msgs, func(string, []byte, string) {})
		if edge.Process(b, 0) != nil {
			return
		}
		if edge.Journal(func(uint32, *batch.Batch) error { return nil }) != nil {
			return
		}
	}
	if edge.Flush(nil, cloud.Apply) != nil {
		return
	}
	if cloud.Advance(engine.EndOfTime, engine.NoWatermark) != nil {
		return
	}
	_ = cloud.Changes(true, func(uint32, *batch.Batch) error { return nil })
}
