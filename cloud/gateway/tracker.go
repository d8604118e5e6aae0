package gateway

import (
	"cmp"
	"slices"
	"sync"
)

// tracker turns completions in several partitions into one cumulative
// acknowledgement for a stream.
type tracker struct {
	notify chan struct{} // holds a token when acked has risen

	mu      sync.Mutex
	acked   uint64    // every frame up to it is durable in every partition
	pending []awaited // in order of their numbers
}

// awaited is a frame that is not durable everywhere.
type awaited struct {
	seq        uint64 // its last number: it may stand for several
	partitions int    // still missing
}

func newTracker(acked uint64) *tracker {
	return &tracker{notify: make(chan struct{}, 1), acked: acked}
}

// add notes that frame seq, which follows those before, waits for some partitions.
func (t *tracker) add(seq uint64, partitions int) {
	t.mu.Lock()
	t.pending = append(t.pending, awaited{seq, partitions})
	t.mu.Unlock()
}

// done notes that frame seq is durable in one more partition.
func (t *tracker) done(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, found := slices.BinarySearchFunc(t.pending, seq, func(a awaited, seq uint64) int { return cmp.Compare(a.seq, seq) })
	if !found {
		panic("BUG: a frame is durable that nobody waits for")
	}
	t.pending[at].partitions--
	n := 0
	for n < len(t.pending) && t.pending[n].partitions == 0 {
		n++
	}
	if n == 0 {
		return
	}
	t.acked = t.pending[n-1].seq
	t.pending = t.pending[n:]
	select {
	case t.notify <- struct{}{}:
	default:
	}
}

func (t *tracker) value() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.acked
}
