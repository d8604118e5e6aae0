package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/leatio/leat/cloud/log"
)

const (
	pullBatch     = 256
	pullExpires   = 30 * time.Second
	pullHeartbeat = 5 * time.Second
	silence       = 3 * pullHeartbeat // after which the consumer counts as lost
	idleConsumer  = 5 * time.Minute   // after which the server removes a consumer that nobody asks
	retryWait     = 100 * time.Millisecond
)

// reader pulls from an ephemeral consumer. One request is outstanding at a
// time, bounded in messages and bytes; at the tail the server holds it until there is a record.
type reader struct {
	// Constant.
	s         *Store
	partition int
	request   []byte
	closed    chan struct{}
	closeOnce sync.Once

	using sync.Mutex // held by Next; guards what follows
	next  uint64     // the offset that comes next

	consumer   string
	askSubject string
	sub        *nats.Subscription
	inbox      chan *nats.Msg
	asked      int  // messages that the outstanding request may still give; 0 = no request is outstanding
	restarts   int  // consumers made since the last record
	gap        bool // the last consumer gave a record above next
}

func newReader(s *Store, partition int, from uint64) (*reader, error) {
	request, err := json.Marshal(map[string]any{
		"batch":          pullBatch,
		"max_bytes":      s.cfg.ReadAheadBytes,
		"expires":        pullExpires,
		"idle_heartbeat": pullHeartbeat,
	})
	if err != nil {
		return nil, err
	}
	return &reader{s: s, partition: partition, request: request, next: from, closed: make(chan struct{})}, nil
}

// Next gives the next record; see log.Reader.
func (r *reader) Next(ctx context.Context) (uint64, []byte, error) {
	r.using.Lock()
	defer r.using.Unlock()
	for {
		if err := r.ended(ctx); err != nil {
			return 0, nil, r.fail(err)
		}
		msg, err := r.receive(ctx)
		if err != nil {
			if ended := r.ended(ctx); ended != nil {
				return 0, nil, r.fail(ended)
			}
			r.s.cfg.Logger.Debug("jetstream: reader starts again", "partition", r.partition, "offset", r.next, "error", err)
			r.drop()
			if err := r.pause(ctx); err != nil {
				return 0, nil, r.fail(err)
			}
			continue
		}
		if msg == nil {
			continue
		}
		meta, err := msg.Metadata()
		if err != nil {
			return 0, nil, r.fail(err)
		}
		switch offset := meta.Sequence.Stream; {
		case offset < r.next: // a consumer that was asked twice; seen already
		case offset > r.next:
			if err := r.checkGap(ctx, offset); err != nil {
				return 0, nil, r.fail(err)
			}
		default:
			r.next++
			r.restarts, r.gap = 0, false
			return offset, msg.Data, nil
		}
	}
}

func (r *reader) fail(err error) error {
	return fmt.Errorf("log: read partition %d at %d: %w", r.partition, r.next, err)
}

func (r *reader) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-r.closed:
		return log.ErrClosed
	case <-r.s.done:
		return log.ErrClosed
	default:
		return nil
	}
}

// receive gives a message, or nil when there was only talk about the request,
// or an error when the consumer is of no more use.
func (r *reader) receive(ctx context.Context) (*nats.Msg, error) {
	if r.sub == nil {
		if err := r.start(ctx); err != nil {
			return nil, err
		}
	}
	if r.asked == 0 {
		if err := r.s.reads.PublishRequest(r.askSubject, r.sub.Subject, r.request); err != nil {
			return nil, err
		}
		r.asked = pullBatch
	}
	msg, err := r.wait(ctx)
	if err != nil {
		return nil, err
	}
	switch status := msg.Header.Get("Status"); status {
	case "": // records have no headers
		r.asked--
		return msg, nil
	case "100": // heartbeat
		return nil, nil
	case "404", "408": // the request is over
		r.asked = 0
		return nil, nil
	default:
		d := msg.Header.Get("Description")
		if status == "409" && (d == "Message Size Exceeds MaxBytes" || d == "Batch Completed") {
			r.asked = 0
			return nil, nil
		}
		return nil, fmt.Errorf("status %s %s", status, d)
	}
}

// wait takes the next message from the inbox.
func (r *reader) wait(ctx context.Context) (*nats.Msg, error) {
	select { // the usual case, without a timer
	case msg := <-r.inbox:
		return msg, nil
	default:
	}
	silent := time.NewTimer(silence)
	defer silent.Stop()
	select {
	case msg := <-r.inbox:
		return msg, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.closed:
		return nil, log.ErrClosed
	case <-r.s.done:
		return nil, log.ErrClosed
	case <-silent.C:
		return nil, fmt.Errorf("nothing heard for %v", silence)
	}
}

// start makes a consumer that begins at the next offset.
func (r *reader) start(ctx context.Context) error {
	ctx, cancel := r.s.bounded(ctx)
	defer cancel()
	c, err := r.s.parts[r.partition].CreateConsumer(ctx, js.ConsumerConfig{
		DeliverPolicy:     js.DeliverByStartSequencePolicy,
		OptStartSeq:       r.next,
		AckPolicy:         js.AckNonePolicy,
		InactiveThreshold: idleConsumer,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return err
	}
	r.consumer = c.CachedInfo().Name
	r.askSubject = fmt.Sprintf("$JS.API.CONSUMER.MSG.NEXT.%s.%s", partitionStream(r.partition), r.consumer)
	r.inbox = make(chan *nats.Msg, 2*pullBatch)
	r.asked = 0
	r.sub, err = r.s.reads.ChanSubscribe(r.s.reads.NewInbox(), r.inbox)
	return err
}

// drop gives up the consumer. The server also forgets it by itself.
func (r *reader) drop() {
	if r.sub != nil {
		_ = r.sub.Unsubscribe() // fails only where the connection is gone, and the subscription with it
		r.sub = nil
	}
	if r.consumer != "" && !r.s.closed.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), r.s.cfg.Timeout)
		defer cancel()
		if err := r.s.parts[r.partition].DeleteConsumer(ctx, r.consumer); err != nil && !errors.Is(err, js.ErrConsumerNotFound) && !r.s.closed.Load() {
			r.s.cfg.Logger.Debug("jetstream: a reader's consumer is left to its timeout", "partition", r.partition, "error", err)
		}
	}
	r.consumer = ""
}

// pause waits before the second and later consumers without a record.
func (r *reader) pause(ctx context.Context) error {
	r.restarts++
	if r.restarts == 1 {
		return nil
	}
	t := time.NewTimer(retryWait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-r.closed:
	case <-r.s.done:
	}
	return r.ended(ctx)
}

// checkGap is called when the record at offset came instead of the one at
// r.next. That one was trimmed, or a message got lost on the way (a new consumer gives it), or the server has lost it.
func (r *reader) checkGap(ctx context.Context, offset uint64) error {
	first, _, err := r.s.Bounds(ctx, r.partition)
	if err != nil {
		return err
	}
	if first > r.next {
		return fmt.Errorf("%w, the first one is %d", log.ErrTrimmed, first)
	}
	if r.gap {
		return fmt.Errorf("%w: the server has no record at %d, the one that follows is at %d", log.ErrCorrupt, r.next, offset)
	}
	r.drop()
	r.gap = true
	return nil
}

// Close frees the reader; see log.Reader.
func (r *reader) Close() error {
	r.closeOnce.Do(func() { close(r.closed) })
	r.using.Lock() // until Next has seen it
	defer r.using.Unlock()
	r.drop()
	return nil
}
