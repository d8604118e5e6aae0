package gateway_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/gateway"
	"github.com/leatio/leat/cloud/log/memory"
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire"
	"github.com/leatio/leat/transport/wire/columnar"
)

const partitions = 5

const file = `
name: climate
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts, max_disorder: 1m}
steps:
  - window: {by: [device], tumbling: 10s, allowed_lateness: 1h, emit: {n: count(*), total: sum(temp)}}
sinks:
  - table: {name: t}
`

// world is a cloud in memory: a gateway, a worker for each partition, a table.
type world struct {
	t       *testing.T
	plan    *plan.Plan
	log     *memory.Store
	gate    *gateway.Gateway
	workers []*worker.Worker
	stop    func()
	table   *table
	fired   atomic.Int64 // watermark of every pipeline
}

type onePlan struct{ p *plan.Plan }

func (o onePlan) Plan(id string, version uint64) (*plan.Plan, error) {
	if id != o.p.PipelineId || version != o.p.Version {
		return nil, worker.ErrNoPlan
	}
	return o.p, nil
}

// table keeps the newest revision of each result.
type table struct {
	mu        sync.Mutex
	rows      map[string]string
	revisions map[string]int64
}

func (tb *table) Apply(_ context.Context, writes []sink.Write) error {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, w := range writes {
		for i := range w.Rows.N {
			c := w.Rows.Cols
			key := fmt.Sprintf("%s@%d", c[2].Str(i), c[0].Ints[i]/1e6)
			if w.Revisions[i] > tb.revisions[key] {
				tb.revisions[key], tb.rows[key] = w.Revisions[i], fmt.Sprintf("n=%d total=%v", c[3].Ints[i], c[4].Doubles[i])
			}
		}
	}
	return nil
}
func (tb *table) Ensure(context.Context, sink.Table) error { return nil }
func (tb *table) Drop(context.Context, string) error       { return nil }
func (tb *table) Expire(context.Context, int64) error      { return nil }

func (tb *table) copy() map[string]string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return maps.Clone(tb.rows)
}

func newWorld(t *testing.T, fault func(memory.Call) memory.Fault) *world {
	t.Helper()
	p, err := compile.Compile([]byte(file), compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, plan: p, log: memory.New(memory.Config{Partitions: partitions, Fault: fault}),
		table: &table{rows: map[string]string{}, revisions: map[string]int64{}},
	}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

// start starts a node over the log; stop ends it like a crash.
func (w *world) start() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	back := worker.Backend{Log: w.log, Keys: w.log, Objects: w.log, Tables: w.table}
	w.workers = nil
	for p := range partitions {
		wk := worker.New(back, onePlan{w.plan}, func(p *plan.Plan, cfg engine.CloudConfig) (*engine.Cloud, error) {
			return engine.NewCloud(p, cfg)
		}, worker.Config{Partition: p, CheckpointEvery: 2 * time.Millisecond})
		w.workers = append(w.workers, wk)
		wg.Go(func() {
			// As a node does: a worker that met a failing log starts again.
			for err := wk.Run(ctx); ctx.Err() == nil; err = wk.Run(ctx) {
				w.t.Log("worker again:", err)
			}
		})
	}
	w.gate = gateway.New(w.log, w, onePlan{w.plan}, gateway.Config{Partitions: partitions, Remind: time.Millisecond})
	wg.Go(func() {
		if err := w.gate.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	w.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
}

func (w *world) Lane(ctx context.Context, partition int, offset uint64, k worker.LaneKey) (worker.LaneView, bool, error) {
	if err := w.workers[partition].WaitApplied(ctx, offset); err != nil {
		return worker.LaneView{}, false, err
	}
	v, ok := w.workers[partition].Lane(k)
	return v, ok, nil
}
func (w *world) Watermark(int, string, uint64) int64 { return w.fired.Load() }
func (w *world) Epoch(p int) uint64                  { return w.workers[p].View().Epoch }

// agent makes frames and remembers them, as an outbox does.
type agent struct {
	id     string
	w      *world
	edge   *engine.Edge
	frames [][]byte
	heads  []wire.Header
}

func (w *world) agent(id string) *agent {
	edge, err := engine.NewEdge(w.plan, engine.EdgeConfig{})
	if err != nil {
		w.t.Fatal(err)
	}
	return &agent{id: id, w: w, edge: edge}
}

// frame adds a frame of rows.
func (a *agent) frame(rows map[string]float64, second int64, idle bool) {
	b := batch.New(a.w.plan.Source.Schema())
	dict := batch.NewDict()
	for device, v := range rows {
		for i, f := range a.w.plan.Source.Schema() {
			c := &b.Cols[i]
			switch f.Name {
			case "device":
				c.Dict = dict
				c.Codes = append(c.Codes, dict.CodeString(device))
			case "ts":
				c.Ints = append(c.Ints, second*1e6)
			default:
				c.Doubles = append(c.Doubles, v)
			}
		}
		b.N++
	}
	if err := a.edge.Process(b, 0); err != nil {
		a.w.t.Fatal(err)
	}
	var sections []columnar.Section
	if err := a.edge.Flush(nil, func(port uint32, b *batch.Batch) error {
		sections = append(sections, columnar.Section{Port: port, Batch: b})
		return nil
	}); err != nil {
		a.w.t.Fatal(err)
	}
	seq := uint64(len(a.frames) + 1)
	h := wire.Header{Epoch: 1, Pipeline: a.w.plan.PipelineId, Version: 1, From: seq, To: seq, Watermark: a.edge.Watermark(), Rows: uint32(b.N)}
	if idle {
		h.Flags |= wire.FlagIdle
		h.Watermark = (second + 3600) * 1e6
	}
	if seq > 1 {
		h.Previous = wire.Checksum(a.frames[seq-2])
	}
	data := wire.AppendFrame(nil, h, columnar.AppendPayload(nil, sections, a.edge.PortSchema))
	parsed, _, _, err := wire.ParseFrame(data, wire.Limits{})
	if err != nil {
		a.w.t.Fatal(err)
	}
	a.frames, a.heads = append(a.frames, data), append(a.heads, parsed)
}

// stream is one connection's data stream; it breaks after some frames.
type stream struct {
	a       *agent
	open    *wire.StreamOpen
	next    int // index of the frame that comes next
	end     int // index at which the connection breaks
	wait    bool
	mu      sync.Mutex
	acked   uint64
	refusal string
	code    wire.Code
	done    chan struct{}
	once    sync.Once
	mangle  func(h wire.Header, payload []byte) (wire.Header, []byte)
}

func (a *agent) stream(first, end int) *stream {
	o := &wire.StreamOpen{PipelineId: a.w.plan.PipelineId, Version: 1, Epoch: 1, First: uint64(first + 1), Next: uint64(len(a.frames) + 1)}
	if first > 0 {
		o.Previous = wire.Checksum(a.frames[first-1])
	}
	return &stream{a: a, open: o, next: first, end: end, done: make(chan struct{})}
}

func (s *stream) Open() *wire.StreamOpen { return s.open }

func (s *stream) Accept(durable uint64, _ uint32) error {
	if durable >= uint64(s.end) {
		s.once.Do(func() { close(s.done) }) // no acknowledgement will come
	}
	return nil
}

func (s *stream) Refuse(code wire.Code, reason string) { s.code, s.refusal = code, reason }

func (s *stream) Recv(ctx context.Context) (wire.Header, []byte, []byte, error) {
	if s.next >= s.end {
		if s.wait {
			select { // an idle connection: the acknowledgements come
			case <-s.done:
			case <-ctx.Done():
				return wire.Header{}, nil, nil, ctx.Err()
			}
		}
		return wire.Header{}, nil, nil, io.EOF
	}
	data := s.a.frames[s.next]
	s.next++
	h, payload, _, err := wire.ParseFrame(data, wire.Limits{})
	if err == nil && s.mangle != nil {
		h, payload = s.mangle(h, payload)
	}
	return h, data, payload, err
}

func (s *stream) Ack(seq uint64, _ int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked = seq
	if seq == uint64(s.end) {
		s.once.Do(func() { close(s.done) })
	}
}

// drain sends everything from frame first on and waits until it is acknowledged.
func (a *agent) drain(first int) {
	a.w.t.Helper()
	s := a.stream(first, len(a.frames))
	s.wait = true
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if first == len(a.frames) {
		return
	}
	err := a.w.gate.Serve(ctx, a.id, s)
	if err != nil || s.refusal != "" {
		a.w.t.Fatalf("drain: %v, refused: %q", err, s.refusal)
	}
}

// Streams that break anywhere, a log whose appends fail or end in the unknown,
// and nodes that die do not change what reaches the table.
func TestBrokenStreamsAndAppendsKeepExactTotals(t *testing.T) {
	met := map[memory.Fault]int{}
	var failing bool
	rng := rand.New(rand.NewPCG(11, 12))
	var mu sync.Mutex
	w := newWorld(t, func(c memory.Call) memory.Fault {
		mu.Lock()
		defer mu.Unlock()
		if !failing || c.Op != memory.OpAppend || rng.IntN(3) != 0 {
			return memory.None
		}
		f := []memory.Fault{memory.Fail, memory.Unknown, memory.Late}[rng.IntN(3)]
		met[f]++
		return f
	})
	agents := []*agent{w.agent("a"), w.agent("b")}
	counts, sums := map[string]int{}, map[string]float64{}
	pick := rand.New(rand.NewPCG(3, 4))
	sent := map[*agent]int{} // acknowledged
	for round := range 30 {
		for _, a := range agents {
			for range pick.IntN(4) {
				second := int64(1_700_000_000 + round)
				rows := map[string]float64{}
				for range 1 + pick.IntN(6) {
					rows[fmt.Sprintf("d%d", pick.IntN(20))] = float64(pick.IntN(50))
				}
				for d, v := range rows {
					key := fmt.Sprintf("%s@%d", d, second/10*10)
					counts[key]++
					sums[key] += v
				}
				a.frame(rows, second, false)
			}
			if len(a.frames) == sent[a] {
				continue
			}
			mu.Lock()
			failing = true
			mu.Unlock()
			// The connection breaks somewhere; acknowledgements may be lost.
			end := sent[a] + pick.IntN(len(a.frames)-sent[a]+1)
			s := a.stream(sent[a], end)
			if err := w.gate.Serve(context.Background(), a.id, s); err != nil || s.refusal != "" {
				t.Fatalf("%v, refused: %q", err, s.refusal)
			}
			if pick.IntN(2) == 0 {
				s.mu.Lock()
				sent[a] = max(sent[a], int(s.acked))
				s.mu.Unlock()
			}
			mu.Lock()
			failing = false
			mu.Unlock()
		}
		if round%7 == 6 {
			w.stop()
			w.start()
		}
	}
	want := map[string]string{}
	for k, n := range counts {
		want[k] = fmt.Sprintf("n=%d total=%v", n, sums[k])
	}
	for _, a := range agents {
		a.frame(nil, 1_700_000_100, true)
		a.drain(sent[a])
	}
	deadline := time.Now().Add(20 * time.Second)
	for !maps.Equal(w.table.copy(), want) {
		if time.Now().After(deadline) {
			t.Fatalf("the table holds\n%v\nwant\n%v", w.table.copy(), want)
		}
	}
	var dups uint64
	for _, wk := range w.workers {
		dups += wk.View().Counters.Duplicates
	}
	if met[memory.Unknown] == 0 || met[memory.Fail] == 0 || dups == 0 {
		t.Errorf("faults met: %v, duplicates dropped: %d: too tame", met, dups)
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	a := w.agent("a")
	for i := range 5 {
		a.frame(map[string]float64{"x": 1}, 1_700_000_000+int64(i), false)
	}
	a.drain(0)
	cases := map[string]func(s *stream){
		"numbers go back":      func(s *stream) { s.open.First, s.open.Next = 3, 4 },
		"frames are missing":   func(s *stream) { s.open.First, s.open.Next = 9, 12 },
		"another frame before": func(s *stream) { s.open.First, s.open.Next, s.open.Previous = 6, 7, 1 },
		"another frame comes": func(s *stream) {
			s.mangle = func(h wire.Header, p []byte) (wire.Header, []byte) { h.Checksum++; return h, p }
		},
		"unknown pipeline": func(s *stream) { s.open.PipelineId = "other" },
		"unknown version":  func(s *stream) { s.open.Version = 2 },
	}
	for name, change := range cases {
		s := a.stream(4, 5)
		change(s)
		if err := w.gate.Serve(t.Context(), a.id, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.refusal == "" || s.code == wire.CodeNone {
			t.Errorf("%s: not refused", name)
		}
	}
	if n := w.gate.Counters().Refused; n < 5 {
		t.Errorf("%d refusals counted", n)
	}
}

// A frame whose payload cannot be decoded is kept aside and the lane goes on.
func TestUndecodableFrameIsSetAside(t *testing.T) {
	w := newWorld(t, nil)
	a := w.agent("a")
	for i := range 3 {
		a.frame(map[string]float64{"x": 1}, 1_700_000_000+int64(i), false)
	}
	a.frame(nil, 1_700_000_100, true)
	s := a.stream(0, 4)
	s.wait = true
	s.mangle = func(h wire.Header, p []byte) (wire.Header, []byte) {
		if h.From == 2 {
			p = []byte("not a payload")
		}
		return h, p
	}
	if err := w.gate.Serve(t.Context(), a.id, s); err != nil || s.refusal != "" {
		t.Fatalf("%v, refused %q", err, s.refusal)
	}
	if n := w.gate.Counters().SetAside; n != 1 {
		t.Errorf("%d frames set aside, want 1", n)
	}
	deadline := time.Now().Add(10 * time.Second)
	for w.table.copy()["x@1700000000"] != "n=2 total=2" {
		if time.Now().After(deadline) {
			t.Fatalf("the table holds %v", w.table.copy())
		}
	}
}

// A frame that covers durable numbers and more would be acknowledged and then refused by every worker.
func TestFrameAcrossTheDurableNumberIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	a := w.agent("a")
	for i := range 3 {
		a.frame(map[string]float64{"x": 1}, 1_700_000_000+int64(i), false)
	}
	a.drain(0)
	s := a.stream(2, 3)
	s.open.Next = 6
	s.mangle = func(h wire.Header, p []byte) (wire.Header, []byte) { h.To = 5; return h, p }
	if err := w.gate.Serve(t.Context(), a.id, s); err != nil || s.code != wire.CodeDiverged || s.acked != 0 {
		t.Errorf("%v, refused with %v %q, acknowledged %d", err, s.code, s.refusal, s.acked)
	}
}

// reminded is a stream that stays open until it is told a watermark.
type reminded struct {
	*stream
	all  func()
	want int64
}

func (r *reminded) Ack(seq uint64, watermark int64) {
	if seq == uint64(r.end) && watermark < r.want {
		r.all()
	}
	if watermark == r.want {
		r.once.Do(func() { close(r.done) })
	}
}

// An agent that sends nothing learned the cloud's watermark with its next frame only.
func TestSilentAgentsAreToldTheWatermark(t *testing.T) {
	w := newWorld(t, nil)
	a := w.agent("a")
	a.frame(map[string]float64{"x": 1}, 1_700_000_000, false)
	s := a.stream(0, 1)
	s.wait = true
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.gate.Serve(ctx, a.id, &reminded{s, func() { w.fired.Store(7) }, 7}); err != nil {
		t.Errorf("the watermark that rose after the last frame did not come: %v", err)
	}
}

// A second lane of a pipeline that keeps one is refused when it is opened.
func TestSecondLaneIsRefusedWhereThereIsOne(t *testing.T) {
	w := newWorld(t, nil)
	w.plan.OneLane = true
	a := w.agent("a")
	a.frame(map[string]float64{"x": 1}, 1_700_000_000, false)
	a.drain(0)
	s := a.stream(0, 1)
	s.open.Lane = 1
	if err := w.gate.Serve(t.Context(), a.id, s); err != nil || s.code != wire.CodeBadMessage || !strings.Contains(s.refusal, "one lane") {
		t.Errorf("%v, refused with %v %q", err, s.code, s.refusal)
	}
}

// Partials without a key belong to one window, wherever they come from.
func TestPartialsWithoutAKeyGoToOnePlace(t *testing.T) {
	w := newWorld(t, nil)
	p, err := compile.Compile([]byte(strings.Replace(file, "by: [device], ", "", 1)), compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.Spread = 4 // as beside a branch with keys
	used := map[int]bool{}
	for i := range 20 {
		w.plan = p
		a := w.agent(fmt.Sprint("agent-", i))
		a.frame(map[string]float64{"x": 1}, 1_700_000_000, false)
		_, payload, _, err := wire.ParseFrame(a.frames[0], wire.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		parts, err := gateway.Split(p, 4, a.id, payload)
		if err != nil {
			t.Fatal(err)
		}
		for k := range parts {
			used[k] = used[k] || len(parts[k]) > 0
		}
	}
	n := 0
	for _, u := range used {
		if u {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the partials are in %d partitions, want 1", n)
	}
}
