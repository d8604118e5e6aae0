package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/leatio/leat/internal/pb"
)

func FuzzParseFrame(f *testing.F) {
	for _, g := range goldenFrames() {
		f.Add(g, false)
		f.Add(g, true)
	}
	f.Fuzz(func(t *testing.T, src []byte, mend bool) {
		if n := len(src); mend && n >= prefixBytes+trailerBytes && n < MaxHeaderBytes { // lets the fuzzer past the checksum
			binary.LittleEndian.PutUint16(src[4:], uint16(n))
			binary.LittleEndian.PutUint32(src[n-4:], crc(src[:n-4]))
		}
		h, payload, rest, err := ParseFrame(src, Limits{MaxPayloadBytes: 1 << 16})
		if err != nil {
			if !errors.Is(err, ErrShort) && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrVersion) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		again := AppendFrame(nil, h, payload)
		h2, p2, _, err := ParseFrame(again, Limits{})
		h2.Checksum = h.Checksum // varints may have been longer than need be
		if err != nil || h2 != h || !bytes.Equal(p2, payload) || len(rest) > len(src) {
			t.Fatalf("written anew %+v %x became %+v %x: %v", h, payload, h2, p2, err)
		}
	})
}

func FuzzMessages(f *testing.F) {
	kinds := []func() pb.Message{
		func() pb.Message { return new(StreamStart) }, func() pb.Message { return new(ToAgent) }, func() pb.Message { return new(ToCloud) },
		func() pb.Message { return new(StreamReply) }, func() pb.Message { return new(StreamDown) }, func() pb.Message { return new(FetchReply) },
		func() pb.Message { return new(JoinReply) },
	}
	hello, err := AppendMessage(nil, &StreamStart{Kind: &StreamStart_Hello{Hello: &Hello{AgentVersion: "1", Labels: map[string]string{"a": "b"}, Plans: []*PlanRef{{PipelineId: "p", Version: 3}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hello, uint8(0))
	f.Add([]byte{2, 0, 0}, uint8(4))
	f.Fuzz(func(t *testing.T, src []byte, kind uint8) {
		m := kinds[int(kind)%len(kinds)]()
		if _, err := ParseMessage(src, m, 1<<16); err != nil {
			return
		}
		b, err := AppendMessage(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		again := kinds[int(kind)%len(kinds)]()
		if _, err := ParseMessage(b, again, 1<<20); err != nil || !pb.Equal(m, again) {
			t.Fatalf("%v became %v: %v", m, again, err)
		}
	})
}
