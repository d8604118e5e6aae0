package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/leatio/leat/transport/wire"
)

// feed drives the Sender of one data stream over session after session.
type feed struct {
	client *Client
	key    StreamKey
	src    FrameSource
	room   chan struct{} // the window got room

	mu     sync.Mutex
	sender *Sender      // guarded by mu
	state  StreamStatus // guarded by mu
}

func newFeed(c *Client, key StreamKey, src FrameSource) *feed {
	return &feed{client: c, key: key, src: src, room: make(chan struct{}, 1),
		sender: NewSender(c.cfg.WindowFrames, c.cfg.WindowBytes), state: StreamStatus{Key: key, Watermark: wire.NoWatermark}}
}

func (f *feed) status() StreamStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state
	s.Sent, s.Resent = f.sender.highest, f.sender.resent
	return s
}

func (f *feed) setState(sending bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Sending, f.state.Err = sending, err
}

// run sends until ctx ends.
func (f *feed) run(ctx context.Context) {
	pause := newBackoff(f.client.cfg.BackoffMin, f.client.cfg.BackoffMax)
	for {
		s, err := f.client.current(ctx, nil)
		if err != nil {
			return
		}
		progress, err := f.stream(ctx, s)
		if ctx.Err() != nil {
			return
		}
		if progress {
			pause.reset()
		}
		wait := pause.next()
		var r *Refusal
		if errors.As(err, &r) && s.conn.Context().Err() == nil {
			if r.Code.Permanent() {
				wait = pause.longest()
			}
			f.client.cfg.Log.Warn("the cloud takes no frames of a pipeline", "pipeline", f.key.Pipeline, "version", f.key.Version,
				"lane", f.key.Lane, "code", r.Code.String(), "reason", r.Reason, "retry_in", wait)
		}
		if s.conn.Context().Err() != nil { // the session has ended: the next is the time to try again
			f.setState(false, errNoSession)
			if _, err := f.client.current(ctx, s); err != nil {
				return
			}
			continue
		}
		f.setState(false, err)
		if !sleep(ctx, wait) {
			return
		}
	}
}

// stream sends over one session and returns why it ended. progress: frames were acknowledged.
func (f *feed) stream(ctx context.Context, s *clientSession) (progress bool, err error) {
	open, err := f.open(ctx)
	if err != nil {
		return false, err
	}
	sio, err := openStream(ctx, s.conn, &wire.StreamStart{Kind: &wire.StreamStart_Data{Data: open}})
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := sio.abortWith(ctx)
	var wg sync.WaitGroup
	defer func() {
		cancel(ErrClosed)
		wg.Wait()
		stop()
		sio.finish()
	}()
	if err := f.accepted(ctx, sio); err != nil {
		return false, err
	}
	f.setState(true, nil)
	wg.Go(func() {
		p, err := f.receive(sio)
		progress = p
		cancel(err)
	})
	err = f.send(ctx, sio)
	cancel(err)
	wg.Wait()
	return progress, context.Cause(ctx)
}

// span is what the source held at one moment, while it goes on to add frames.
type span struct {
	first, last uint64 // unacknowledged frames; last = first-1 where there are none
	sum         uint32 // checksum of frame last
}

func (f *feed) span(ctx context.Context) (span, error) {
	first := f.src.First() // rises only by what this feed does
	last, sum, err := f.src.Last(ctx)
	if err == nil && (first == 0 || last+1 < first) {
		err = fmt.Errorf("transport: the source has frames %d to %d", first, last)
	}
	return span{first, last, sum}, err
}

func (f *feed) open(ctx context.Context) (*wire.StreamOpen, error) {
	has, err := f.span(ctx)
	if err != nil {
		return nil, err
	}
	previous, err := f.checksum(has.first-1, has)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.sender.Open(has.first)
	f.mu.Unlock()
	return &wire.StreamOpen{PipelineId: f.key.Pipeline, Version: f.key.Version, Lane: f.key.Lane, Epoch: f.key.Epoch,
		First: has.first, Next: has.last + 1, Previous: previous}, nil
}

// checksum gives the checksum of a frame between has.first-1 and has.last.
func (f *feed) checksum(seq uint64, has span) (uint32, error) {
	switch {
	case seq == 0:
		return 0, nil
	case seq == has.last:
		return has.sum, nil
	case seq < has.first: // acknowledged and gone: the frame after it knows
		h, _, err := f.read(seq + 1)
		return h.Previous, err
	}
	h, _, err := f.read(seq)
	return h.Checksum, err
}

func (f *feed) read(seq uint64) (h wire.Header, frame []byte, err error) {
	frame, err = f.src.Read(seq)
	if err != nil {
		return h, nil, fmt.Errorf("read frame %d of the outbox: %w", seq, err)
	}
	if h, _, err = wire.ParseHeader(frame, wire.Limits{MaxPayloadBytes: len(frame)}); err != nil {
		return h, nil, fmt.Errorf("read frame %d of the outbox: %w", seq, err)
	}
	return h, frame, nil
}

// accepted reads the cloud's answer to open.
func (f *feed) accepted(ctx context.Context, sio *streamIO) error {
	var reply wire.StreamReply
	if err := sio.message(&reply, f.client.cfg.MaxMessageBytes, true); err != nil {
		return err
	}
	if r := reply.GetRefused(); r != nil {
		return received(r)
	}
	a := reply.GetAccepted()
	if a == nil {
		return Refuse(wire.CodeBadMessage, "the cloud node gave an empty answer")
	}
	has, err := f.span(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	upTo, err := f.sender.Accepted(a.Durable, a.Checksum, has.last+1, func(seq uint64) (uint32, error) { return f.checksum(seq, has) })
	watermark := f.state.Watermark
	if err == nil {
		f.state.Acked = upTo
		f.state.Found += upTo + 1 - min(has.first, upTo+1)
	}
	f.mu.Unlock()
	if err != nil || upTo < has.first {
		return err
	}
	return f.src.Ack(upTo, watermark)
}

// receive takes acknowledgements until the stream ends.
func (f *feed) receive(sio *streamIO) (progress bool, err error) {
	for {
		var m wire.StreamDown
		if err := sio.message(&m, f.client.cfg.MaxMessageBytes, false); err != nil {
			return progress, err
		}
		if r := m.GetRefused(); r != nil {
			return progress, received(r)
		}
		ack := m.GetAck()
		if ack == nil {
			continue
		}
		f.mu.Lock()
		news, err := f.sender.Acked(ack.Seq)
		risen := err == nil && ack.Watermark > f.state.Watermark
		if err == nil {
			f.state.Acked, f.state.Watermark = max(f.state.Acked, ack.Seq), ack.Watermark
		}
		f.mu.Unlock()
		if err != nil {
			return progress, err
		}
		progress = progress || news
		if news || risen {
			if err := f.src.Ack(ack.Seq, ack.Watermark); err != nil {
				return progress, fmt.Errorf("acknowledge frame %d to the outbox: %w", ack.Seq, err)
			}
			wake(f.room)
		}
	}
}

// send sends frames until ctx ends.
func (f *feed) send(ctx context.Context, sio *streamIO) error {
	for {
		f.mu.Lock()
		seq, ok := f.sender.Want()
		f.mu.Unlock()
		if !ok {
			if err := f.waitRoom(ctx); err != nil {
				return err
			}
			continue
		}
		if seq >= f.src.Next() {
			if err := f.src.Wait(ctx, seq); err != nil {
				return err
			}
		}
		h, frame, err := f.read(seq)
		if err != nil {
			return err
		}
		for !f.fits(len(frame)) {
			if err := f.waitRoom(ctx); err != nil {
				return err
			}
		}
		f.mu.Lock()
		err = f.sender.Sent(h.From, h.To, len(frame))
		f.state.Bytes += uint64(len(frame))
		f.mu.Unlock()
		if err != nil {
			return err
		}
		if err := sio.writeAll(frame); err != nil {
			return err
		}
	}
}

func (f *feed) fits(bytes int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sender.Fits(bytes)
}

func (f *feed) waitRoom(ctx context.Context) error {
	select {
	case <-f.room:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
