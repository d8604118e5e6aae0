package transport

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/leatio/leat/transport/wire"
)

// ServerStream is the cloud's end of a data stream. First Accept or Refuse, then Recv in one
// goroutine and Ack in any. It ends with Refuse, with an error of Recv, or with its session.
type ServerStream struct {
	session *ServerSession
	open    *wire.StreamOpen
	io      *streamIO
	release func() // ends both directions and gives the credit back; once
	endOnce func()

	// Owned by Recv's goroutine.
	got  bool
	last wire.Header

	wake chan struct{} // there is something to send

	mu       sync.Mutex
	answered bool          // guarded by mu
	writing  bool          // there is a writer; guarded by mu
	ack      *wire.Ack     // to be sent; guarded by mu
	refusal  *wire.Refusal // to be sent; guarded by mu
	ended    chan struct{}
}

func newServerStream(n *ServerSession, sio *streamIO, open *wire.StreamOpen, end func()) *ServerStream {
	s := &ServerStream{session: n, open: open, io: sio, wake: make(chan struct{}, 1), ended: make(chan struct{}), release: sync.OnceFunc(end)}
	s.endOnce = sync.OnceFunc(func() { close(s.ended) })
	return s
}

// end ends the stream: the writer sends what is pending and releases it, or, where there is none, end does.
func (s *ServerStream) end() {
	s.endOnce()
	s.mu.Lock()
	writing := s.writing
	s.mu.Unlock()
	if !writing {
		s.release()
	}
}

// Open is what the agent asked for.
func (s *ServerStream) Open() *wire.StreamOpen { return s.open }

// Key names the stream.
func (s *ServerStream) Key() StreamKey {
	return StreamKey{Pipeline: s.open.PipelineId, Version: s.open.Version, Lane: s.open.Lane, Epoch: s.open.Epoch}
}

// Accept tells the agent how far its lane is durable (0, 0: nothing is).
func (s *ServerStream) Accept(durable uint64, checksum uint32) error {
	s.mu.Lock()
	if s.answered {
		s.mu.Unlock()
		panic("BUG: a data stream answered twice")
	}
	s.answered = true
	s.mu.Unlock()
	err := s.io.send(&wire.StreamReply{Kind: &wire.StreamReply_Accepted{Accepted: &wire.Accepted{Durable: durable, Checksum: checksum}}})
	if err == nil {
		s.mu.Lock()
		s.writing = s.session.startWriter(s.write)
		if !s.writing {
			err = ErrClosed
		}
		s.mu.Unlock()
	}
	if err != nil {
		s.end()
	}
	return err
}

// Refuse ends the stream with a reason, before or after Accept. It does not wait for Recv, which returns ErrClosed.
func (s *ServerStream) Refuse(code wire.Code, reason string) {
	m := (&Refusal{code, reason}).message()
	s.mu.Lock()
	first := !s.answered
	s.answered = true
	s.refusal = m
	s.mu.Unlock()
	if first {
		_ = s.io.send(&wire.StreamReply{Kind: &wire.StreamReply_Refused{Refused: m}}) // where it fails, the connection has gone
		s.end()
		return
	}
	wake(s.wake)
}

// Ack acknowledges frames up to and with seq. It does not wait: of several
// acknowledgements on their way the last is sent. watermark: see wire.Ack.
func (s *ServerStream) Ack(seq uint64, watermark int64) {
	s.mu.Lock()
	s.ack = &wire.Ack{Seq: seq, Watermark: watermark}
	s.mu.Unlock()
	wake(s.wake)
}

// write sends acknowledgements, and the refusal that ends the stream.
func (s *ServerStream) write() {
	defer s.release()
	for last := false; !last; {
		select {
		case <-s.wake:
		case <-s.ended:
			last = true
		case <-s.session.conn.Context().Done():
			return
		}
		s.mu.Lock()
		ack, refusal := s.ack, s.refusal
		s.ack = nil
		s.mu.Unlock()
		if ack != nil {
			if err := s.io.send(&wire.StreamDown{Kind: &wire.StreamDown_Ack{Ack: ack}}); err != nil {
				s.io.abort(refusalFor(err).Code) // and Recv ends
				return
			}
		}
		if refusal != nil {
			_ = s.io.send(&wire.StreamDown{Kind: &wire.StreamDown_Refused{Refused: refusal}}) // where it fails, the connection has gone
			return
		}
	}
}

// Recv waits for the next frame. Its header fits the stream's key, its number
// and the checksum before it continue the frame received before on this stream; what came on an earlier
// stream may come again. frame is the whole frame and payload a part of it; both are the caller's to keep.
//
// io.EOF: the agent has ended the stream. wire.ErrCorrupt: the payload's
// checksum is wrong; h and frame are given, and Recv may be called again. Every other error ends the
// stream and has been told to the agent.
func (s *ServerStream) Recv(ctx context.Context) (h wire.Header, frame, payload []byte, err error) {
	defer s.io.abortWith(ctx)()
	h, frame, payload, err = s.io.frame(wire.Limits{MaxPayloadBytes: s.session.srv.cfg.MaxFrameBytes})
	if err == nil || errors.Is(err, wire.ErrCorrupt) && frame != nil {
		if bad := s.check(h); bad != nil {
			err = bad
		} else {
			s.got, s.last = true, h
			return h, frame, payload, err
		}
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case s.isRefused():
		err = ErrClosed
	case !errors.Is(err, io.EOF):
		r := refusalFor(err)
		s.Refuse(r.Code, r.Reason)
	}
	s.end()
	return wire.Header{}, nil, nil, err
}

func (s *ServerStream) isRefused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal != nil
}

// check holds a frame against the stream and the frame before it.
func (s *ServerStream) check(h wire.Header) error {
	o := s.open
	if h.Pipeline != o.PipelineId || h.Version != o.Version || h.Lane != o.Lane || h.Epoch != o.Epoch {
		return Refuse(wire.CodeBadMessage, "frame %d of pipeline %s version %d lane %d epoch %d on a stream of %s version %d lane %d epoch %d",
			h.From, h.Pipeline, h.Version, h.Lane, h.Epoch, o.PipelineId, o.Version, o.Lane, o.Epoch)
	}
	if !s.got {
		return nil
	}
	if h.From != s.last.To+1 || h.Previous != s.last.Checksum {
		return Refuse(wire.CodeDiverged, "frame %d after %08x follows frame %d of checksum %08x on the same stream",
			h.From, h.Previous, s.last.To, s.last.Checksum)
	}
	return nil
}
