package transport

import (
	"context"
	"sync/atomic"
	"testing"
)

// growing adds a frame after each of the first questions of a stream.
type growing struct {
	*source
	left atomic.Int32
}

func (g *growing) grow() {
	if g.left.Add(-1) >= 0 {
		g.add([]byte("one more"))
	}
}

func (g *growing) First() uint64 {
	defer g.grow()
	return g.source.First()
}

func (g *growing) Next() uint64 {
	defer g.grow()
	return g.source.Next()
}

func (g *growing) Last(ctx context.Context) (uint64, uint32, error) {
	defer g.grow()
	return g.source.Last(ctx)
}

// Frames that are committed while a stream begins must not make the agent look like a copy of itself.
func TestFramesAddedWhileAStreamBegins(t *testing.T) {
	n := newNode(t, nil)
	a := startAgent(t, n.agent("gw"), nil)
	src := newSource(climateKey)
	src.add(payloads(3, 10)...)
	for round := range 20 {
		grows := &growing{source: src}
		grows.left.Store(8)
		stop := a.Feed(climateKey, grows)
		await(t, "every frame acknowledged", func() bool { return grows.left.Load() <= 0 && src.inFlight() == 0 })
		if st := a.Streams()[0]; st.Err != nil {
			t.Fatalf("round %d: %v", round, st.Err)
		}
		stop()
	}
	if frames, duplicates := n.lane(climateKey); frames != 3+20*8 || duplicates != 0 {
		t.Errorf("%d frames and %d duplicates came", frames, duplicates)
	}
}
