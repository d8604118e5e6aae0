package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
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

const testFile = `
name: t
source:
  mqtt: {broker: "tcp://127.0.0.1:1", topics: [t]}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts, max_disorder: 1h, max_future: 0s}
freshness: 10s
steps:
  - window: {by: [device], tumbling: 10s, allowed_lateness: 1h, emit: {n: count(*), total: sum(temp)}}
sinks:
  - table: {name: t}
`

func testPlan(t *testing.T) *plan.Plan {
	t.Helper()
	p, err := compile.Compile([]byte(testFile), compile.Options{File: "t.yaml", PipelineID: "t-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// queue is a source that delivers again what was not acknowledged.
type queue struct {
	ready chan struct{}
	all   []string
	taken int // of all
	acked int
	rng   *rand.Rand
}

func (q *queue) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (q *queue) Ready() <-chan struct{}        { return q.ready }
func (q *queue) Connected() bool               { return false }
func (q *queue) Status() source.Status         { return source.Status{} }

func (q *queue) Take(c *source.Chunk, most int) {
	c.Reset()
	n := min(most, 1+q.rng.IntN(20), len(q.all)-q.taken)
	for _, m := range q.all[q.taken : q.taken+n] {
		c.Messages = append(c.Messages, source.Message{Topic: "t", Payload: []byte(m)})
	}
	q.taken += n
	c.Dry = q.taken == len(q.all) || q.rng.IntN(3) == 0
	upTo := q.taken
	c.Puts = append(c.Puts, source.Entry{Key: "position", Value: fmt.Append(nil, upTo)})
	c.Done = func() { q.acked = upTo }
}

// stepper is a store on disk and a pipeline over it, stepped by hand.
type stepper struct {
	t     *testing.T
	dir   string
	store *checkpoint.Store
	stop  func()
	pipe  *pipeline
	now   time.Time
}

func (s *stepper) open(src source.Source) {
	s.t.Helper()
	store, err := checkpoint.Open(checkpoint.Config{Dir: s.dir, SegmentBytes: 64 << 10})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- store.Run(ctx) }()
	s.store = store
	s.stop = func() {
		cancel()
		if err := errors.Join(<-done, store.Close()); err != nil {
			s.t.Error(err)
		}
	}
	s.pipe, err = newPipeline(pipelineConfig{
		Agent: "a", Epoch: 1, Plan: testPlan(s.t), Store: store, Source: src, Clock: func() time.Time { return s.now },
		CloudTime: func() int64 { return 0 }, Log: slog.New(slog.DiscardHandler), Commit: time.Hour,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// results reads every frame of the stream and merges their partials.
func (s *stepper) results() map[string]string {
	s.t.Helper()
	p := testPlan(s.t)
	out := map[string]string{}
	cloud, err := engine.NewCloud(p, engine.CloudConfig{Sink: func(_ *plan.Node, _ batch.Schema, b *batch.Batch) error {
		for i := range b.N {
			c := b.Cols
			out[fmt.Sprintf("%s@%d", c[2].Str(i), c[0].Ints[i]/1e6)] = fmt.Sprintf("n=%d total=%v", c[3].Ints[i], c[4].Doubles[i])
		}
		return nil
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	st := s.store.Stream(streamName("t-1", 1, 0))
	var before uint32
	for seq := st.First(); seq < st.Next(); seq++ {
		data, err := st.Read(seq)
		if err != nil {
			s.t.Fatal(err)
		}
		h, payload, rest, err := wire.ParseFrame(data, wire.Limits{})
		if err != nil || len(rest) != 0 {
			s.t.Fatalf("frame %d: %v, %d bytes behind it", seq, err, len(rest))
		}
		if h.From != seq || h.Previous != before || h.Epoch != 1 {
			s.t.Fatalf("frame %d: header %+v does not follow checksum %08x", seq, h, before)
		}
		before = h.Checksum
		if len(payload) == 0 {
			continue
		}
		sections, err := columnar.DecodePayload(payload, func(port uint32) batch.Schema { return engine.PortSchema(p, port) }, columnar.Limits{})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, sec := range sections {
			if err := cloud.Apply(sec.Port, sec.Batch); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if err := cloud.Advance(engine.EndOfTime, engine.NoWatermark); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// Restarts between any two commits, with and without flushes in between, lose
// nothing and count nothing twice: what was acknowledged is in the frames or
// the journal, what was not comes again.
func TestRestartsBetweenCommitsKeepExactTotals(t *testing.T) {
	journals, flushes, restarts := 0, 0, 0
	for seed := range 20 {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		q := &queue{ready: make(chan struct{}, 1), rng: rng}
		want := map[string]string{}
		counts, sums := map[string]int{}, map[string]int{}
		for i := range 600 {
			device, second, v := fmt.Sprintf("d%d", rng.IntN(5)), 1_700_000_000+i/6, rng.IntN(100)
			q.all = append(q.all, fmt.Sprintf(`{"device":%q,"ts":%d,"temp":%d}`, device, second*1000, v))
			key := fmt.Sprintf("%s@%d", device, second/10*10)
			counts[key]++
			sums[key] += v
			want[key] = fmt.Sprintf("n=%d total=%d", counts[key], sums[key])
		}
		s := &stepper{t: t, dir: t.TempDir(), now: time.Unix(1_700_000_000, 0)}
		s.open(q)
		for q.acked < len(q.all) {
			s.now = s.now.Add(time.Duration(rng.IntN(4)) * time.Second)
			frames := s.store.Stream(streamName("t-1", 1, 0)).Next()
			if err := s.pipe.takeAndCommit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.store.Stream(streamName("t-1", 1, 0)).Next() > frames {
				flushes++
			} else {
				journals++
			}
			if rng.IntN(6) == 0 {
				// A crash may come after more was taken and processed, before its commit.
				if rng.IntN(2) == 0 {
					c := s.pipe.nextChunk()
					q.Take(c, takeMessages)
					if err := s.pipe.process(c); err != nil {
						t.Fatal(err)
					}
				}
				s.stop()
				q.taken = q.acked
				s.open(q)
				restarts++
			}
		}
		s.now = s.now.Add(time.Minute)
		if err := s.pipe.quiet(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := s.results()
		s.stop()
		if !maps.Equal(got, want) {
			t.Errorf("seed %d: %d results, want %d; differing: %v", seed, len(got), len(want), differing(got, want))
		}
	}
	if journals < 100 || flushes < 50 || restarts < 30 {
		t.Errorf("met %d journals, %d flushes, %d restarts: too tame", journals, flushes, restarts)
	}
}

func differing(got, want map[string]string) []string {
	var out []string
	for k, v := range want {
		if got[k] != v {
			out = append(out, fmt.Sprintf("%s: %q, want %q", k, got[k], v))
		}
	}
	slices.Sort(out)
	return out[:min(len(out), 5)]
}
