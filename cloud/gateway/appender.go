package gateway

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	cloudlog "github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/cloud/record"
)

// Bounds of an appender.
const (
	maxQueueBytes  = 16 << 20 // waiting entries; senders block beyond
	maxBundleBytes = 1 << 20
	maxBundle      = 4096 // entries
	retryMin       = 50 * time.Millisecond
	retryMax       = 5 * time.Second
)

// item is an entry, or a record of its own, on its way into the log.
type item struct {
	entry record.Entry
	alone *record.Record // instead of entry
	done  func()         // called once it is durable
}

func (it *item) bytes() int {
	if it.alone != nil {
		return 128 * (1 + len(it.alone.Members))
	}
	return len(it.entry.Payload) + 128
}

// appender writes the records of one partition, one at a time.
type appender struct {
	partition int
	log       cloudlog.Log
	slog      *slog.Logger

	appended atomic.Uint64 // offset of the last record appended
	bundles  atomic.Uint64
	retries  atomic.Uint64

	mu      sync.Mutex
	waiting []item
	size    int
	space   chan struct{} // closed and replaced when entries leave
	work    chan struct{} // holds a token when entries wait
}

func newAppender(partition int, l cloudlog.Log, s *slog.Logger) *appender {
	return &appender{partition: partition, log: l, slog: s, space: make(chan struct{}), work: make(chan struct{}, 1)}
}

// put queues an item in order; it blocks while the queue is full.
func (a *appender) put(ctx context.Context, it item) error {
	for {
		a.mu.Lock()
		if a.size < maxQueueBytes {
			a.waiting = append(a.waiting, it)
			a.size += it.bytes()
			a.mu.Unlock()
			select {
			case a.work <- struct{}{}:
			default:
			}
			return nil
		}
		space := a.space
		a.mu.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take removes what fits in one record: a run of entries, or a record of its own.
func (a *appender) take() []item {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, size := 0, 0
	for n < len(a.waiting) && n < maxBundle {
		it := &a.waiting[n]
		if n > 0 && (it.alone != nil || a.waiting[0].alone != nil || size+it.bytes() > maxBundleBytes) {
			break
		}
		size += it.bytes()
		n++
	}
	taken := a.waiting[:n:n]
	a.waiting = a.waiting[n:]
	a.size -= size
	close(a.space)
	a.space = make(chan struct{})
	return taken
}

// run appends until ctx ends. What is still queued then was never
// acknowledged.
func (a *appender) run(ctx context.Context) error {
	var buf []byte
	var previous uint32
	for {
		items := a.take()
		if len(items) == 0 {
			select {
			case <-a.work:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		buf = appendItems(buf[:0], items, previous)
		if err := a.append(ctx, buf); err != nil {
			return err
		}
		previous = record.Checksum(buf)
		a.bundles.Add(1)
		for i := range items {
			if items[i].done != nil {
				items[i].done()
			}
		}
	}
}

func appendItems(dst []byte, items []item, previous uint32) []byte {
	if r := items[0].alone; r != nil {
		r.Previous = previous
		return record.Append(dst, r)
	}
	r := record.Record{Kind: record.KindBundle, Previous: previous, Entries: make([]record.Entry, len(items))}
	for i := range items {
		r.Entries[i] = items[i].entry
	}
	return record.Append(dst, &r)
}

// append repeats until the record is durable or ctx ends.
func (a *appender) append(ctx context.Context, rec []byte) error {
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		offset, err := a.log.Append(ctx, a.partition, rec)
		if err == nil {
			a.appended.Store(offset)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.retries.Add(1)
		a.slog.Warn("append to the log failed; agents keep their frames until it succeeds",
			"partition", a.partition, "error", err, "retry_in", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
