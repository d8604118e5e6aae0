package transport

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/transport/wire"
)

// byteStream is a stream of given bytes, a few at a time.
type byteStream struct {
	rest []byte
	step int
}

func (s *byteStream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *byteStream) Write(p []byte) (int, error)        { return len(p), nil }
func (s *byteStream) Close() error                       { return nil }
func (s *byteStream) SetReadDeadline(time.Time) error    { return nil }
func (s *byteStream) SetWriteDeadline(time.Time) error   { return nil }
func (s *byteStream) CancelRead(_ quic.StreamErrorCode)  {}
func (s *byteStream) CancelWrite(_ quic.StreamErrorCode) {}

// FuzzStreamIO reads messages and frames from a stream that brings a few bytes at a
// time: they are those that the parsers of package wire find in the whole.
func FuzzStreamIO(f *testing.F) {
	const most = 1 << 16
	hello, err := wire.AppendMessage(nil, &wire.StreamStart{Kind: &wire.StreamStart_Hello{Hello: &wire.Hello{AgentVersion: "1"}}})
	if err != nil {
		f.Fatal(err)
	}
	frame := wire.AppendFrame(nil, wire.Header{Epoch: 1, Pipeline: "p", Version: 1, From: 1, To: 1}, []byte("payload"))
	damaged := bytes.Clone(frame)
	damaged[len(damaged)-1] ^= 1
	f.Add(append(append(bytes.Clone(hello), frame...), hello...), uint64(0b010), uint8(0))
	f.Add(append(append(bytes.Clone(damaged), frame...), hello...), uint64(0b011), uint8(200))
	f.Add(bytes.Repeat([]byte{0xff}, 11), uint64(0), uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, frames uint64, step uint8) {
		s := newStreamIO(&byteStream{text, 1 + int(step)}, clientPace)
		lim := wire.Limits{MaxPayloadBytes: most}
		for ; ; frames >>= 1 {
			var rest []byte
			var ok bool
			if frames&1 == 1 {
				rest, ok = readFrame(t, s, text, lim)
			} else {
				rest, ok = readMessage(t, s, text, most)
			}
			if !ok || len(rest) == 0 {
				return
			}
			text = rest
		}
	})
}

func readFrame(t *testing.T, s *streamIO, text []byte, lim wire.Limits) (rest []byte, ok bool) {
	t.Helper()
	h, got, payload, err := s.frame(lim)
	want, wantPayload, rest, wantErr := wire.ParseFrame(text, lim)
	if errors.Is(err, wire.ErrCorrupt) && got != nil { // the payload alone is damaged
		if !errors.Is(wantErr, wire.ErrCorrupt) || !bytes.HasPrefix(text, got) {
			t.Fatalf("% x: %v, want %v", text, err, wantErr)
		}
		return text[len(got):], true
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("% x: %v, want %v", text, err, wantErr)
	}
	if err == nil && (h != want || !bytes.Equal(payload, wantPayload) || !bytes.Equal(got, text[:len(text)-len(rest)])) {
		t.Fatalf("% x gives %+v, want %+v", text, h, want)
	}
	return rest, err == nil
}

func readMessage(t *testing.T, s *streamIO, text []byte, most int) (rest []byte, ok bool) {
	t.Helper()
	got, want := new(wire.StreamStart), new(wire.StreamStart)
	err := s.message(got, most, true)
	rest, wantErr := wire.ParseMessage(text, want, most)
	if (err == nil) != (wantErr == nil) || err == nil && !pb.Equal(got, want) {
		t.Fatalf("% x gives %v (%v), want %v (%v)", text, got, err, want, wantErr)
	}
	return rest, err == nil
}
