package transport

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/transport/wire"
)

// pace bounds how long a message that has begun may take: grace, plus its
// length at rate bytes a second.
type pace struct {
	grace time.Duration
	rate  int
}

func (p pace) allow(bytes int) time.Duration {
	return p.grace + time.Duration(bytes)*time.Second/time.Duration(p.rate)
}

const (
	readBuffer = 4 << 10
	// firstRead bounds what is allocated for a message before any of it is there.
	firstRead = 64 << 10
)

// stream is what streamIO asks of a stream; *quic.Stream is one.
type stream interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	CancelRead(code quic.StreamErrorCode)
	CancelWrite(code quic.StreamErrorCode)
}

// streamIO reads and writes whole messages on a stream. One goroutine reads
// and one writes.
type streamIO struct {
	st   stream
	r    *bufio.Reader
	pace pace
	out  []byte // scratch of the writer
}

func newStreamIO(st stream, p pace) *streamIO {
	return &streamIO{st: st, r: bufio.NewReaderSize(st, readBuffer), pace: p}
}

// begin waits for the first byte of a message, for ever where waitFirst is
// false, and sets the deadline for its head.
func (s *streamIO) begin(waitFirst bool) error {
	if waitFirst {
		s.readUntil(s.pace.allow(0))
	} else {
		s.readUntil(0)
	}
	if _, err := s.r.Peek(1); err != nil {
		return s.readError(err)
	}
	s.readUntil(s.pace.allow(0))
	return nil
}

// readUntil sets the deadline of reads; 0 = none.
func (s *streamIO) readUntil(d time.Duration) {
	t := time.Time{}
	if d > 0 {
		t = time.Now().Add(d)
	}
	_ = s.st.SetReadDeadline(t) // never fails
}

func (s *streamIO) readError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Refuse(wire.CodeTooSlow, "a message did not arrive in time")
	}
	return err
}

// message reads one control message. first: the message has to begin within the grace.
func (s *streamIO) message(m pb.Message, maxBytes int, first bool) error {
	if err := s.begin(first); err != nil {
		return err
	}
	size, err := s.length()
	if err != nil {
		return err
	}
	if size > uint64(maxBytes) {
		return Refuse(wire.CodeTooLarge, "a message of %d bytes; at most %d are taken", size, maxBytes)
	}
	body, err := s.body(nil, int(size))
	if err != nil {
		return err
	}
	if err := pb.Unmarshal(body, m); err != nil {
		return Refuse(wire.CodeBadMessage, "a %s that cannot be read", m.ProtoName())
	}
	return nil
}

// length reads the length of a message.
func (s *streamIO) length() (uint64, error) {
	var b [binary.MaxVarintLen64]byte
	for i := range b {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, s.readError(noEOF(err))
		}
		if b[i] = c; c < 0x80 {
			if v, n := binary.Uvarint(b[:i+1]); n > 0 {
				return v, nil
			}
			break
		}
	}
	return 0, Refuse(wire.CodeBadMessage, "a length that is no number")
}

// body appends size bytes to dst. Memory grows with what arrives, not with
// what was promised.
func (s *streamIO) body(dst []byte, size int) ([]byte, error) {
	s.readUntil(s.pace.allow(size))
	for step := firstRead; size > 0; step *= 2 {
		n := min(size, step)
		at := len(dst)
		if cap(dst)-at < n {
			dst = append(make([]byte, 0, at+n), dst...)
		}
		dst = dst[:at+n]
		if _, err := io.ReadFull(s.r, dst[at:]); err != nil {
			return nil, s.readError(noEOF(err))
		}
		size -= n
	}
	return dst, nil
}

// frame reads one frame. Where only the payload's checksum is wrong, header
// and frame are given with the error, which is wire.ErrCorrupt.
func (s *streamIO) frame(lim wire.Limits) (h wire.Header, frame, payload []byte, err error) {
	if err := s.begin(false); err != nil {
		return h, nil, nil, err
	}
	prefix, err := s.r.Peek(wire.PrefixBytes)
	if err != nil {
		return h, nil, nil, s.readError(noEOF(err))
	}
	n, err := wire.HeaderLength(prefix)
	if err != nil {
		return h, nil, nil, badFrame(err)
	}
	head, err := s.r.Peek(n)
	if err != nil {
		return h, nil, nil, s.readError(noEOF(err))
	}
	if h, _, err = wire.ParseHeader(head, lim); err != nil {
		return h, nil, nil, badFrame(err)
	}
	first := make([]byte, 0, n+min(h.PayloadBytes, firstRead))
	if frame, err = s.body(first, n+h.PayloadBytes); err != nil {
		return h, nil, nil, err
	}
	if _, payload, _, err = wire.ParseFrame(frame, lim); err != nil {
		return h, frame, nil, err
	}
	return h, frame, payload, nil
}

func badFrame(err error) error {
	code := wire.CodeBadMessage
	if errors.Is(err, wire.ErrTooLarge) {
		code = wire.CodeTooLarge
	}
	return &Refusal{code, err.Error()}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// send writes one control message.
func (s *streamIO) send(m pb.Message) error {
	out, err := wire.AppendMessage(s.out[:0], m)
	if err != nil {
		return err
	}
	if s.out = out; cap(out) > firstRead {
		s.out = nil
	}
	return s.write(out)
}

// write writes bytes within the time that the pace allows.
func (s *streamIO) write(p []byte) error {
	_ = s.st.SetWriteDeadline(time.Now().Add(s.pace.allow(len(p)))) // never fails
	if _, err := s.st.Write(p); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%w: the other side does not read", ErrTooSlow)
		}
		return err
	}
	return nil
}

// finish ends both directions of the stream. What was written still arrives.
func (s *streamIO) finish() {
	s.st.CancelRead(0)
	_ = s.st.Close() // fails only where the stream has ended already
}

// abort ends both directions of the stream at once.
func (s *streamIO) abort(code wire.Code) {
	s.st.CancelRead(quic.StreamErrorCode(code))
	s.st.CancelWrite(quic.StreamErrorCode(code))
}

// abortWith aborts the stream when ctx ends before the returned stop is called.
func (s *streamIO) abortWith(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { s.abort(wire.CodeNone) })
}

// writeAll writes bytes and waits for the other side as long as it takes: what
// it does not read stays in the outbox.
func (s *streamIO) writeAll(p []byte) error {
	_ = s.st.SetWriteDeadline(time.Time{}) // never fails
	_, err := s.st.Write(p)
	return err
}
