package agent

import (
	"context"
	"sync"
	"testing"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/transport/wire"
)

// An agent that was killed begins its stream while it commits its first frames.
// When number and checksum of the last frame were read one after the other, a commit
// came between them, and the cloud refused the agent as a restored copy.
func TestLastFrameIsReadInOneMoment(t *testing.T) {
	store, err := checkpoint.Open(checkpoint.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer func() {
		cancel()
		running.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	running.Go(func() {
		if err := store.Run(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	plan := testPlan(t)
	edge, err := engine.NewEdge(plan, engine.EdgeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const frames = 100
	p := &part{plan: plan, store: store, edge: edge}
	name := p.packerStream()
	p.packer = packer{stream: name, edge: edge, plan: plan, head: wire.Header{Epoch: 1, Pipeline: plan.PipelineId, Version: plan.Version, From: 1, To: 1}}
	out := &outbox{Stream: store.Stream(name), state: func() ([]byte, error) { return store.Get(p.stateKey()) }, acked: func(int64) {}}
	if seq, sum, err := out.Last(ctx); seq != 0 || sum != 0 || err != nil {
		t.Fatal(seq, sum, err)
	}
	var mu sync.Mutex
	sums := map[uint64]uint32{}
	running.Go(func() {
		for range frames {
			r := p.packer.frame(content{}, 0, false)
			mu.Lock()
			sums[r.Seq] = wire.Checksum(r.Data)
			mu.Unlock()
			b := &checkpoint.Batch{Records: []checkpoint.Record{r}, Puts: []checkpoint.Entry{{Key: p.stateKey(), Value: p.appendState(nil, 0)}}}
			if err := store.Commit(b); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for seen := uint64(0); seen < frames; {
		seq, sum, err := out.Last(ctx)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		want := sums[seq]
		mu.Unlock()
		if sum != want || seq < seen {
			t.Fatalf("after frame %d: the last frame is %d with checksum %08x, want %08x", seen, seq, sum, want)
		}
		if next := out.Next(); next <= seq {
			t.Fatalf("frame %d is given as the last, but the stream's next is %d", seq, next)
		}
		seen = seq
	}
}
