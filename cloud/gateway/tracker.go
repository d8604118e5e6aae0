package gateway

import "sync"

// tracker turns completions in several partitions into one cumulative
// acknowledgement for a stream.
type tracker struct {
	notify chan struct{} // holds a token when acked has risen

	mu      sync.Mutex
	acked   uint64 // every frame up to it is durable in every partition
	base    uint64 // number of pending[0]
	pending []int  // partitions still missing, by frame
}

func newTracker(acked uint64) *tracker {
	return &tracker{notify: make(chan struct{}, 1), acked: acked, base: acked + 1}
}

// add notes that frame seq, the one after the last, waits for some partitions.
func (t *tracker) add(partitions int) {
	t.mu.Lock()
	t.pending = append(t.pending, partitions)
	t.mu.Unlock()
}

// done notes that frame seq is durable in one more partition.
func (t *tracker) done(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending[seq-t.base]--
	n := 0
	for n < len(t.pending) && t.pending[n] == 0 {
		n++
	}
	if n == 0 {
		return
	}
	t.pending = t.pending[n:]
	t.base += uint64(n)
	t.acked = t.base - 1
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
