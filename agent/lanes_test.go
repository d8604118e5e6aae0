package agent

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
	"github.com/leatio/leat/wasm"
)

// laneAgent is an agent with a store of 256 KiB, a pipeline in it that has a
// row in its journal and no session with any cloud.
func laneAgent(t *testing.T) (*Agent, *plan.Plan) {
	t.Helper()
	store, err := checkpoint.Open(checkpoint.Config{Dir: t.TempDir(), SegmentBytes: 64 << 10, MaxBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- store.Run(ctx) }()
	host, err := wasm.NewHost(ctx, wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{
		cfg: Config{Log: slog.New(slog.DiscardHandler)}.withDefaults(), id: &identity.Agent{ID: "a", Epoch: 1}, store: store, host: host,
		feeds: map[string]func(){}, finished: map[string]bool{},
	}
	if a.client, err = transport.NewClient(transport.ClientConfig{Addrs: []string{"127.0.0.1:1"}, Identity: a.id}, a); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.stopFeeds()
		cancel()
		if err := errors.Join(<-ran, host.Close(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	p := testPlan(t)
	now := time.Unix(1_700_000_000, 0)
	pipe, err := newPipeline(pipelineConfig{
		Agent: "a", Epoch: 1, Plan: p, Store: store, Source: silent{}, Clock: func() time.Time { return now },
		CloudTime: func() int64 { return 0 }, Log: a.cfg.Log, Commit: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, due := range []dues{pipe.all(), nil} {
		c := pipe.nextChunk()
		c.Messages = []source.Message{{Topic: "t", Payload: []byte(`{"device":"d","ts":1700000000000,"temp":1}`)}}
		if err := errors.Join(pipe.process(c), pipe.commitChunks(t.Context(), due)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := plan.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Commit(&checkpoint.Batch{Puts: []checkpoint.Entry{{Key: oldPrefix + laneOf(p), Value: data}}}); err != nil {
		t.Fatal(err)
	}
	return a, p
}

// A full outbox held the supervisor before it fed the lane whose frames filled it: for ever.
func TestFullOutboxDoesNotHoldUpAReplacedVersion(t *testing.T) {
	a, p := laneAgent(t)
	for seq := uint64(1); ; seq++ {
		err := a.store.Commit(&checkpoint.Batch{Records: []checkpoint.Record{{Stream: "other", Kind: checkpoint.Frame, Seq: seq, Data: make([]byte, 1000)}}})
		if errors.Is(err, checkpoint.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	name := laneOf(p)
	lane, other := a.store.Stream(name), a.store.Stream("other")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.finishOldLanes(ctx); err != nil {
		t.Fatal(err)
	}
	if !a.isFed(name) || a.finished[name] || lane.Next() != 2 {
		t.Fatalf("fed %t, finished %t, next frame %d; want a lane that is fed and not finished", a.isFed(name), a.finished[name], lane.Next())
	}
	if err := errors.Join(other.Ack(other.Next()-1), a.finishOldLanes(ctx)); err != nil {
		t.Fatal(err)
	}
	if lane.Next() != 3 {
		t.Fatalf("the next frame is %d, want 3: the lane's last rows are not in the outbox", lane.Next())
	}
	data, err := lane.Read(2)
	if err != nil {
		t.Fatal(err)
	}
	if h, _, err := wire.ParseHeader(data, wire.Limits{}); err != nil || h.Rows != 1 || h.Watermark != engine.EndOfTime {
		t.Errorf("the last frame has %d rows and watermark %d (%v)", h.Rows, h.Watermark, err)
	}
	for range 2 { // again does nothing; acknowledged, the lane goes
		if err := errors.Join(a.finishOldLanes(ctx), lane.Ack(2), a.dropDrained()); err != nil && !errors.Is(err, checkpoint.ErrDropped) {
			t.Fatal(err)
		}
	}
	if names := a.store.Streams(); len(names) != 1 || names[0] != "other" {
		t.Errorf("streams %q are left", names)
	}
}

// An agent that died between the two steps of dropping a lane took its state for damage ever after.
func TestLaneThatWasHalfDroppedIsDropped(t *testing.T) {
	a, p := laneAgent(t)
	name := laneOf(p)
	if err := errors.Join(a.store.DropStream(name), a.finishOldLanes(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{oldPrefix + name, statePrefix + name} {
		if v, err := a.store.Get(key); v != nil || err != nil {
			t.Errorf("%s is still there (%v)", key, err)
		}
	}
}

// One plan that needs a newer agent kept all others from being taken over.
func TestUnreadablePlanHoldsUpNoOther(t *testing.T) {
	a, p := laneAgent(t)
	data, err := plan.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	running := testPlan(t)
	running.PipelineId = "running"
	old := map[string]*plan.Plan{"running": running}
	next := a.readSet(old, &wire.Plans{Plans: [][]byte{[]byte("of the future"), data}})
	if next[p.PipelineId] == nil || next["running"] != running || len(next) != 2 {
		t.Errorf("got %v, want the new one and the one that runs", next)
	}
	if next = a.readSet(old, &wire.Plans{Plans: [][]byte{data}}); len(next) != 1 {
		t.Errorf("got %v, want the new one alone", next)
	}
	if err := a.keepPlans(old, next); err != nil {
		t.Fatal(err)
	}
	if kept, err := a.keptPlans(); err != nil || len(kept) != 1 || kept[p.PipelineId] == nil {
		t.Errorf("kept %v, %v", kept, err)
	}
	if v, err := a.store.Get(oldPrefix + laneOf(running)); v == nil || err != nil {
		t.Errorf("the plan of the lane that ended is not kept: %v", err)
	}
}

// The cloud kept the windows of a replaced version for an agent that had been given it and never had a row.
func TestUnusedLaneEndsWithAFrame(t *testing.T) {
	a, p := laneAgent(t)
	unused := pb.Clone(p)
	unused.Version = p.Version + 1
	data, err := plan.Marshal(unused)
	if err != nil {
		t.Fatal(err)
	}
	name := laneOf(unused)
	if err := a.store.Commit(&checkpoint.Batch{Puts: []checkpoint.Entry{{Key: oldPrefix + name, Value: data}}}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time does nothing
		if err := a.finishOldLanes(t.Context()); err != nil {
			t.Fatal(err)
		}
		clear(a.finished)
	}
	st := a.store.Stream(name)
	if st.Next() != 2 {
		t.Fatalf("%d frames, want 1", st.Next()-1)
	}
	frame, err := st.Read(1)
	if err != nil {
		t.Fatal(err)
	}
	if h, _, _, err := wire.ParseFrame(frame, wire.Limits{}); err != nil || h.Watermark != engine.EndOfTime {
		t.Errorf("watermark %d, %v; want the end of time", h.Watermark, err)
	}
}
