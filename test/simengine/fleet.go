package simengine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/log/memory"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/jsonl"
)

// fleet is the agents and the cloud of a world.
type fleet struct {
	t          *testing.T
	rng        *rand.Rand
	plan       *plan.Plan
	agents     []*agent
	partitions int
	log        *memory.Store
	tables     *tables
	workers    []*worker.Worker
	stops      []func() error
	met        map[string]int // what happened, by name
}

// tables is the result table in memory; upserts go over lower revisions only.
type tables struct {
	mu        sync.Mutex
	rows      results
	revisions map[string]int64
	deleted   int
	revised   int
}

func newFleet(t *testing.T, w *world, p *plan.Plan) *fleet {
	t.Helper()
	rng := rand.New(rand.NewPCG(w.seed, 11))
	f := &fleet{t: t, rng: rng, plan: p, partitions: 1, met: map[string]int{}, tables: &tables{rows: results{}, revisions: map[string]int64{}}}
	if p.Spread > 1 {
		f.partitions += rng.IntN(3)
	}
	f.log = memory.New(memory.Config{Partitions: f.partitions})
	for i, rows := range w.streams {
		f.agents = append(f.agents, newAgent(t, fmt.Sprintf("agent-%d", i), p, rows))
	}
	f.workers, f.stops = make([]*worker.Worker, f.partitions), make([]func() error, f.partitions)
	for k := range f.partitions {
		f.startWorker(k)
	}
	for _, a := range f.agents {
		f.member(a, record.Expected)
	}
	return f
}

func (f *fleet) startWorker(k int) {
	ctx, cancel := context.WithCancel(context.Background())
	w := worker.New(worker.Backend{Log: f.log, Keys: f.log, Objects: f.log, Tables: f.tables}, f,
		func(p *plan.Plan, cfg engine.CloudConfig) (*engine.Cloud, error) { return engine.NewCloud(p, cfg) },
		worker.Config{Partition: k, CheckpointEvery: time.Duration(1+f.rng.IntN(3)) * time.Millisecond})
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	f.workers[k], f.stops[k] = w, func() error {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
}

// Plan makes the fleet the workers' source of plans.
func (f *fleet) Plan(id string, version uint64) (*plan.Plan, error) {
	if id != f.plan.PipelineId || version != f.plan.Version {
		return nil, worker.ErrNoPlan
	}
	return f.plan, nil
}

// stop ends the workers, as a crash would.
func (f *fleet) stop() {
	for _, stop := range f.stops {
		if err := stop(); err != nil {
			f.t.Error(err)
		}
	}
}

// run lets things happen in a random order until all rows are taken, then brings all home.
func (f *fleet) run() {
	for busy := true; busy; {
		a := f.agents[f.rng.IntN(len(f.agents))]
		f.step(a)
		busy = false
		for _, a := range f.agents {
			busy = busy || len(a.rows) > 0
		}
	}
	for _, a := range f.agents {
		if a.idle {
			a.idle = false
		}
		if err := a.edge.AdvanceTo(engine.EndOfTime); err != nil {
			f.t.Fatal(err)
		}
		a.flush(f.rng, f.partitions, true)
		a.away = false
		f.deliver(a, len(a.outbox))
	}
	f.caughtUp()
}

// step lets one thing happen at an agent.
func (f *fleet) step(a *agent) {
	switch n := f.rng.IntN(100); {
	case n < 45:
		if a.idle {
			f.met["return from IDLE"]++
		}
		a.process(1+f.rng.IntN(60), f.cloudWatermark())
	case n < 60:
		a.flush(f.rng, f.partitions, f.rng.IntN(2) == 0)
	case n < 80:
		if !a.away {
			f.deliver(a, 1+f.rng.IntN(4))
		}
	case n < 84:
		f.met["commit"]++
		a.commit()
	case n < 88:
		f.met["agent restarted"]++
		a.restart()
	case n < 92:
		f.fallSilent(a)
	case n < 95:
		f.comeOrGo(a)
	case n < 97:
		f.repeat(a)
	default:
		f.newOwner()
	}
}

// fallSilent makes an agent say that it is idle and its watermark goes on.
func (f *fleet) fallSilent(a *agent) {
	if a.away || a.edge.Watermark() == engine.NoWatermark {
		return
	}
	f.met["idle"]++
	a.idle = true
	a.raise(a.edge.Watermark() + f.rng.Int64N(20*second)*1000)
	a.flush(f.rng, f.partitions, true)
	f.deliver(a, len(a.outbox))
}

// comeOrGo makes an agent unreachable, makes windows not wait for it any more, or brings it back with its backlog.
func (f *fleet) comeOrGo(a *agent) {
	switch {
	case !a.away:
		f.met["away"]++
		a.away = true
		f.member(a, record.Away)
	case f.rng.IntN(2) == 0:
		f.met["passed over"]++
		f.member(a, record.Passed)
	default:
		if a.next < len(a.outbox) {
			f.met["return with backlog"]++
		}
		a.away = false
		f.deliver(a, len(a.outbox))
	}
}

// repeat delivers frames that were delivered before.
func (f *fleet) repeat(a *agent) {
	if a.next == 0 || a.away {
		return
	}
	f.met["repeated frames"]++
	for _, fr := range a.outbox[max(0, a.next-2):a.next] {
		f.append(fr)
	}
}

// newOwner kills a partition's worker and starts another.
func (f *fleet) newOwner() {
	f.met["new owner"]++
	k := f.rng.IntN(f.partitions)
	if err := f.stops[k](); err != nil {
		f.t.Fatal(err)
	}
	f.startWorker(k)
}

// deliver brings up to n waiting frames to the log.
func (f *fleet) deliver(a *agent, n int) {
	for ; n > 0 && a.next < len(a.outbox); n-- {
		f.append(a.outbox[a.next])
		a.next++
	}
}

func (f *fleet) append(fr frame) {
	for k := range f.partitions {
		e := fr.entry
		e.Payload = fr.payloads[k]
		f.write(k, &record.Record{Kind: record.KindBundle, Entries: []record.Entry{e}})
	}
}

func (f *fleet) member(a *agent, state record.Membership) {
	for k := range f.partitions {
		f.write(k, &record.Record{Kind: record.KindMembership, Writer: 1 << 40, Members: []record.Member{
			{Agent: a.name, Pipeline: f.plan.PipelineId, Version: f.plan.Version, State: state},
		}})
	}
}

func (f *fleet) write(k int, r *record.Record) {
	if _, err := f.log.Append(f.t.Context(), k, record.Append(nil, r)); err != nil {
		f.t.Fatal(err)
	}
}

// caughtUp waits until the workers have applied all.
func (f *fleet) caughtUp() {
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	for k, w := range f.workers {
		_, next, err := f.log.Bounds(ctx, k)
		if err == nil {
			err = w.WaitApplied(ctx, next-1)
		}
		if err != nil {
			f.t.Fatalf("partition %d: %v", k, err)
		}
	}
}

// cloudWatermark is what an acknowledgement would tell: all partitions have passed it.
func (f *fleet) cloudWatermark() int64 {
	f.caughtUp()
	low := int64(engine.EndOfTime)
	for _, w := range f.workers {
		for _, p := range w.View().Pipelines {
			low = min(low, p.Watermark)
		}
	}
	if low == engine.EndOfTime {
		return engine.NoWatermark
	}
	return low
}

// Apply takes results.
func (t *tables) Apply(_ context.Context, writes []sink.Write) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range writes {
		for i := range w.Rows.N {
			id := identityOf(w, i)
			switch {
			case w.Rows.Deleted != nil && w.Rows.Deleted.Get(i):
				if t.revisions[id] <= w.Revisions[i] {
					if _, there := t.rows[id]; there {
						t.deleted++
					}
					delete(t.rows, id)
					delete(t.revisions, id)
				}
			case w.Revisions[i] > t.revisions[id]:
				if t.revisions[id] > 0 {
					t.revised++
				}
				t.rows[id], t.revisions[id] = lineOf(w, i), w.Revisions[i]
			}
		}
	}
	return nil
}

func identityOf(w sink.Write, i int) string {
	c := w.Rows.Cols
	key := make([]string, 0, len(w.Table.Keys))
	for _, k := range w.Table.Keys[2:] {
		key = append(key, valueOf(w, k, i))
	}
	return identity(c[w.Table.Keys[0]].Ints[i]/1000, c[w.Table.Keys[1]].Ints[i]/1000, key)
}

// lineOf prints the emitted columns as the oracle does.
func lineOf(w sink.Write, i int) string {
	var parts []string
	for c, f := range w.Table.Schema {
		if c < len(w.Table.Keys) { // they stand in front
			continue
		}
		parts = append(parts, f.Name+"="+valueOf(w, c, i))
	}
	return strings.Join(parts, " ")
}

func valueOf(w sink.Write, c, i int) string {
	one := batch.Batch{Cols: w.Rows.Cols[c : c+1], N: w.Rows.N, Sel: []uint32{uint32(i)}}
	line := string(jsonl.Append(nil, batch.Schema{{Name: "x", Type: w.Table.Schema[c].Type}}, &one))
	return strings.TrimSuffix(strings.TrimPrefix(line, `{"x":`), "}\n")
}

// Ensure, Drop and Expire do nothing here.
func (t *tables) Ensure(context.Context, sink.Table) error { return nil }
func (t *tables) Drop(context.Context, string) error       { return nil }
func (t *tables) Expire(context.Context, int64) error      { return nil }
