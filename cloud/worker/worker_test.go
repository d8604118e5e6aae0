package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudlog "github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/cloud/log/memory"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire/columnar"
)

const file = `
name: climate
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts, max_disorder: 0s}
steps:
  - window:
      by: [device]
      tumbling: 10s
      allowed_lateness: 1m
      emit: {n: count(*), temp_sum: sum(temp)}
sinks:
  - table: {name: t}
`

type plans struct{ p *plan.Plan }

func (p plans) Plan(id string, version uint64) (*plan.Plan, error) {
	if p.p == nil || id != p.p.PipelineId || version != p.p.Version {
		return nil, worker.ErrNoPlan
	}
	return p.p, nil
}

func fragments(p *plan.Plan, cfg engine.CloudConfig) (*engine.Cloud, error) {
	return engine.NewCloud(p, cfg)
}

// tables is a sink in memory that upserts over lower revisions.
type tables struct {
	mu      sync.Mutex
	rows    map[string]int64 // revision by key and values
	fail    bool
	changed chan struct{}
}

func newTables() *tables { return &tables{rows: map[string]int64{}, changed: make(chan struct{}, 1)} }

func (t *tables) Apply(_ context.Context, writes []sink.Write) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fail {
		return errors.New("the disk is gone")
	}
	for _, w := range writes {
		for i := range w.Rows.N {
			if w.Table.Name == "late" {
				t.rows["late "+lateText(w.Rows, i)+" "+w.IDs[i]] = 1
				continue
			}
			if w.IDs != nil {
				t.rows["row "+w.IDs[i]] = 1
				continue
			}
			c := w.Rows.Cols
			key := fmt.Sprintf("%s@%d", c[2].Str(i), c[0].Ints[i]/1e6)
			val := key
			for k := 3; k < len(c); k++ {
				val += " " + strings.TrimPrefix(w.Table.Schema[k].Name, "temp_") + "=" + number(&c[k], i)
			}
			for k, rev := range t.rows {
				if len(k) > len(key) && k[:len(key)+1] == key+" " && rev < w.Revisions[i] {
					delete(t.rows, k)
				}
			}
			t.rows[val] = w.Revisions[i]
		}
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
	return nil
}

func number(c *batch.Column, i int) string {
	switch {
	case c.Null(i):
		return "null"
	case c.Type == batch.Double:
		return fmt.Sprint(c.Doubles[i])
	default:
		return fmt.Sprint(c.Ints[i])
	}
}

// lateText gives agent, key, slice, rows and partials of a row of the table late.
func lateText(b *batch.Batch, i int) string {
	key := "several"
	if !b.Cols[2].Null(i) {
		key = b.Cols[2].Str(i)
	}
	return fmt.Sprint(b.Cols[1].Str(i), " ", key, " ", b.Cols[3].Ints[i]/1e6, "-", b.Cols[4].Ints[i]/1e6, " rows=", b.Cols[5].Ints[i], " partials=", b.Cols[7].Ints[i])
}

func (t *tables) Ensure(context.Context, sink.Table) error { return nil }
func (t *tables) Drop(context.Context, string) error       { return nil }
func (t *tables) Expire(context.Context, int64) error      { return nil }
func (t *tables) list() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for k := range t.rows {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

type rig struct {
	t      *testing.T
	log    *memory.Store
	plan   *plan.Plan
	tables *tables
	lanes  map[string]*lane
	plans  worker.Plans // nil = plan alone
}

type lane struct {
	seq  uint64
	sum  uint32
	edge *engine.Edge
}

func newRig(t *testing.T) *rig {
	t.Helper()
	p, err := compile.Compile([]byte(file), compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, log: memory.New(memory.Config{Partitions: 1}), plan: p, tables: newTables(), lanes: map[string]*lane{}}
}

type row struct {
	device string
	second int64
	temp   float64
}

// entry makes an agent's next entry of rows, with its watermark.
func (r *rig) entry(agent string, rows ...row) record.Entry {
	name := fmt.Sprint(agent, " ", r.plan.Version)
	l := r.lanes[name]
	if l == nil {
		edge, err := engine.NewEdge(r.plan, engine.EdgeConfig{})
		if err != nil {
			r.t.Fatal(err)
		}
		l = &lane{edge: edge}
		r.lanes[name] = l
	}
	b := batch.New(r.plan.Source.Schema())
	s := r.plan.Source.Schema()
	dict := batch.NewDict()
	for _, in := range rows {
		for i, f := range s {
			c := &b.Cols[i]
			switch f.Name {
			case "device":
				c.Dict = dict
				c.Codes = append(c.Codes, dict.CodeString(in.device))
			case "ts":
				c.Ints = append(c.Ints, in.second*1e6)
			case "temp":
				c.Doubles = append(c.Doubles, in.temp)
			}
		}
		b.N++
	}
	if err := l.edge.Process(b, 0); err != nil {
		r.t.Fatal(err)
	}
	var payload []byte
	err := l.edge.Flush(nil, func(port uint32, b *batch.Batch) error {
		payload = columnar.AppendPayload(nil, []columnar.Section{{Port: port, Batch: b}}, l.edge.PortSchema)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	l.seq++
	e := record.Entry{
		Agent: agent, Epoch: 1, Pipeline: r.plan.PipelineId, Version: r.plan.Version, From: l.seq, To: l.seq,
		Before: l.sum, Sum: uint32(l.seq * 77), Watermark: l.edge.Watermark(), Payload: payload,
	}
	l.sum = e.Sum
	return e
}

func (r *rig) append(entries ...record.Entry) {
	r.t.Helper()
	rec := record.Append(nil, &record.Record{Kind: record.KindBundle, Entries: entries})
	if _, err := r.log.Append(r.t.Context(), 0, rec); err != nil {
		r.t.Fatal(err)
	}
}

// start runs a worker; stop ends it like a crash: nothing is written on the way out.
func (r *rig) start(every time.Duration) (w *worker.Worker, stop func() error) {
	ctx, cancel := context.WithCancel(r.t.Context())
	known := r.plans
	if known == nil {
		known = plans{r.plan}
	}
	w = worker.New(worker.Backend{Log: r.log, Keys: r.log, Objects: r.log, Tables: r.tables}, known, fragments,
		worker.Config{CheckpointEvery: every})
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return w, func() error { cancel(); return <-done }
}

func (r *rig) caughtUp(w *worker.Worker) {
	r.t.Helper()
	_, next, err := r.log.Bounds(r.t.Context(), 0)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	if err := w.WaitApplied(ctx, next-1); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) expect(want ...string) {
	r.t.Helper()
	slices.Sort(want)
	if got := r.tables.list(); !slices.Equal(got, want) {
		r.t.Errorf("tables hold\n%q, want\n%q", got, want)
	}
}

func TestWindowsOfSeveralAgentsWaitForTheSlowest(t *testing.T) {
	r := newRig(t)
	w, stop := r.start(time.Hour)
	r.append(r.entry("b", row{"x", 2, 5}))
	r.append(r.entry("a", row{"x", 1, 10}, row{"x", 12, 1}))
	r.caughtUp(w)
	r.expect() // b stands at 2 s
	r.append(r.entry("b", row{"y", 11, 5}))
	r.caughtUp(w)
	r.expect("x@0 n=2 sum=15")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestSequenceRule(t *testing.T) {
	r := newRig(t)
	w, stop := r.start(time.Hour)
	one := r.entry("a", row{"x", 1, 1})
	two := r.entry("a", row{"x", 2, 2})
	three := r.entry("a", row{"x", 30, 3})
	r.append(one)
	r.append(three) // a gap: refused
	r.append(one, two)
	forged := three
	forged.Before++
	r.append(forged) // does not follow two: refused
	r.append(two, three, three)
	old := r.entry("a", row{"x", 31, 1})
	old.Epoch = 0
	r.append(old)
	r.caughtUp(w)
	r.expect("x@0 n=2 sum=3")
	c := w.View().Counters
	if c.Duplicates != 3 || c.Gaps != 1 || c.Mismatches != 1 || c.Fenced != 1 {
		t.Errorf("counters %+v", c)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// A worker that dies at any record and is followed by another gives what one
// that never died gives, revisions included.
func TestRecoveryAtEveryRecord(t *testing.T) {
	entries := func(r *rig) []record.Entry {
		var out []record.Entry
		for i := range 40 {
			agent := []string{"a", "b"}[i%2]
			second := int64(i * 3)
			if i%7 == 6 {
				second -= 25 // late, within the lateness: revisions
			}
			out = append(out, r.entry(agent, row{"x", second, float64(i)}, row{"y", second + 1, 0.1}))
		}
		return out
	}
	whole := newRig(t)
	w, stop := whole.start(time.Hour)
	for _, e := range entries(whole) {
		whole.append(e)
	}
	whole.caughtUp(w)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	want := whole.tables.list()
	if len(want) < 10 {
		t.Fatalf("only %d results: %q", len(want), want)
	}
	revised := false
	for _, rev := range whole.tables.rows {
		revised = revised || rev > 1
	}
	if !revised {
		t.Fatal("no window was revised: the test does not meet what it is about")
	}

	r := newRig(t)
	for i, e := range entries(r) {
		// Short intervals so that checkpoints, full ones and deltas, are met.
		w, stop := r.start(time.Duration(1+i%3) * time.Millisecond)
		r.append(e)
		r.caughtUp(w)
		if i%4 == 0 {
			r.checkpointed(w)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	r.expect(want...)
	for k, rev := range whole.tables.rows {
		if r.tables.rows[k] != rev {
			t.Errorf("%s has revision %d, want %d", k, r.tables.rows[k], rev)
		}
	}
}

// checkpointed waits until the manifest has changed.
func (r *rig) checkpointed(*worker.Worker) {
	r.t.Helper()
	_, before, err := r.log.Get(r.t.Context(), "checkpoints/0000")
	if err != nil {
		r.t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for rev := before; rev == before; {
		if time.Now().After(deadline) {
			r.t.Fatal("no checkpoint within 10 s")
		}
		r.append(record.Entry{Agent: "a", Epoch: 1, Pipeline: "gone", Version: 1, From: 1, To: 1})
		if _, rev, err = r.log.Get(r.t.Context(), "checkpoints/0000"); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestNothingIsPublishedBeforeTheTablesHoldIt(t *testing.T) {
	r := newRig(t)
	r.tables.fail = true
	r.append(r.entry("a", row{"x", 1, 1}, row{"x", 12, 1}))
	w := worker.New(worker.Backend{Log: r.log, Keys: r.log, Objects: r.log, Tables: r.tables}, plans{r.plan}, fragments,
		worker.Config{CheckpointEvery: time.Nanosecond})
	if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Fatalf("Run gave %v, want the tables' failure", err)
	}
	value, _, err := r.log.Get(t.Context(), "checkpoints/0000")
	if err != nil {
		t.Fatal(err)
	}
	m := new(worker.Manifest)
	if err := worker.ParseEnvelope(value, m); err != nil {
		t.Fatal(err)
	}
	if len(m.Objects) != 0 && m.Objects[len(m.Objects)-1].Offset >= 1 {
		t.Errorf("a checkpoint covers results that no table holds: %v", m)
	}
	r.tables.fail = false
	w, stop := r.start(time.Hour)
	r.caughtUp(w)
	r.expect("x@0 n=1 sum=1")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestReplacedLogStopsThePartition(t *testing.T) {
	r := newRig(t)
	w, stop := r.start(time.Millisecond)
	r.append(r.entry("a", row{"x", 1, 1}, row{"x", 12, 1}))
	r.caughtUp(w)
	r.checkpointed(w)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	other := memory.New(memory.Config{Partitions: 1})
	for range 5 {
		if _, err := other.Append(t.Context(), 0, record.Append(nil, &record.Record{Kind: record.KindEpoch, Writer: 9})); err != nil {
			t.Fatal(err)
		}
	}
	w2 := worker.New(worker.Backend{Log: other, Keys: r.log, Objects: r.log, Tables: r.tables}, plans{r.plan}, fragments, worker.Config{})
	if err := w2.Run(t.Context()); !errors.Is(err, worker.ErrLogReplaced) {
		t.Fatalf("got %v, want ErrLogReplaced", err)
	}
}

// An agent whose bytes decode but make no sense stopped its partition for ever, and all pipelines in it.
func TestPartialOfNoSliceDoesNotStopThePartition(t *testing.T) {
	r := newRig(t)
	w, stop := r.start(time.Hour)
	bad := r.entry("liar", row{"x", 1, 1})
	schema := func(uint32) batch.Schema { return plan.SchemaOf(r.plan.Ports[0].Schema) }
	sections, err := columnar.DecodePayload(bad.Payload, schema, columnar.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sections[0].Batch.Cols[1].Ints[0]++ // the start of the slice
	bad.Payload = columnar.AppendPayload(nil, sections, schema)
	r.append(bad)
	r.append(r.entry("a", row{"x", 1, 1}, row{"x", 12, 1}), r.entry("liar", row{"x", 13, 1}))
	r.caughtUp(w)
	r.expect("x@0 n=1 sum=1")
	if n := w.View().Counters.Undecoded; n != 1 {
		t.Errorf("%d sections counted as undecoded, want 1", n)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// An agent that joined anew left a lane behind that nothing could move any more: no window fired again.
func TestOldEpochOfARejoinedAgentHoldsUpNothing(t *testing.T) {
	r := newRig(t)
	w, stop := r.start(time.Millisecond)
	r.append(r.entry("a", row{"x", 1, 1}))
	r.caughtUp(w)
	r.checkpointed(w)
	delete(r.lanes, "a 1")
	anew := r.entry("a", row{"x", 2, 1}, row{"x", 12, 1})
	anew.Epoch = 2
	r.append(anew)
	r.caughtUp(w)
	r.expect("x@0 n=2 sum=2")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w, stop = r.start(time.Hour) // a full checkpoint and deltas hold the old lane
	later := r.entry("a", row{"x", 22, 5})
	later.Epoch = 2
	r.append(later)
	r.caughtUp(w)
	r.expect("x@0 n=2 sum=2", "x@10 n=1 sum=1")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// plansByVersion has several versions of one pipeline.
type plansByVersion map[uint64]*plan.Plan

func (p plansByVersion) Plan(_ string, version uint64) (*plan.Plan, error) {
	if p[version] == nil {
		return nil, worker.ErrNoPlan
	}
	return p[version], nil
}

// Results of two versions with different columns, written together, took the whole node down.
func TestVersionsWithDifferentColumnsInOneWrite(t *testing.T) {
	r := newRig(t)
	wider, err := compile.Compile([]byte(strings.Replace(file, "sum(temp)", "sum(temp), temp_max: max(temp)", 1)),
		compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: 2})
	if err != nil {
		t.Fatal(err)
	}
	versions := plansByVersion{1: r.plan, 2: wider}
	old := r.entry("a", row{"x", 1, 1}, row{"x", 12, 1})
	r.plan = wider
	fresh := r.entry("b", row{"y", 1, 2}, row{"y", 12, 1})
	fresh.Version = 2
	r.append(fresh, old)
	ctx, cancel := context.WithCancel(t.Context())
	w := worker.New(worker.Backend{Log: r.log, Keys: r.log, Objects: r.log, Tables: r.tables}, versions, fragments, worker.Config{})
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	r.caughtUp(w)
	r.expect("x@0 n=1 sum=1", "y@0 n=1 sum=2 max=2")
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Each death between an object and the manifest left an object behind for ever.
func TestCheckpointsThatNothingNamesAreDeleted(t *testing.T) {
	r := newRig(t)
	w, stop := r.start(time.Millisecond)
	r.append(r.entry("a", row{"x", 1, 1}))
	r.caughtUp(w)
	r.checkpointed(w)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"checkpoints/0000/9-9", "checkpoints/0001/1-1"} {
		if err := r.log.PutObject(t.Context(), name, []byte("left behind")); err != nil {
			t.Fatal(err)
		}
	}
	w, stop = r.start(time.Hour)
	r.caughtUp(w)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.log.GetObject(t.Context(), "checkpoints/0000/9-9"); !errors.Is(err, cloudlog.ErrNotFound) {
		t.Errorf("the object is still there: %v", err)
	}
	if names, err := r.log.ListObjects(t.Context(), "checkpoints/"); err != nil || len(names) < 2 {
		t.Errorf("%q are left (%v), want the checkpoint and the other partition's", names, err)
	}
}

// Rows on which an expression fails after a window vanished without a trace.
func TestRowsThatFailInTheCloudAreCounted(t *testing.T) {
	r := newRig(t)
	p, err := compile.Compile([]byte(strings.Replace(file, "sinks:", "  - where: 1 / (n - 1) > 0\nsinks:", 1)),
		compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.plan = p
	w, stop := r.start(time.Hour)
	r.append(r.entry("a", row{"x", 1, 1}, row{"y", 1, 1}, row{"y", 2, 1}, row{"z", 12, 1}))
	r.caughtUp(w)
	r.expect("y@0 n=2 sum=2")
	if v := w.View().Pipelines; len(v) != 1 || v[0].Rejects != 1 {
		t.Errorf("%+v, want one rejected row", v)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
