package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/leatio/leat/internal/pb"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenFrames are the frames whose bytes are kept in testdata.
func goldenFrames() map[string][]byte {
	first := AppendFrame(nil, Header{Epoch: 1, Pipeline: "p-7f3a", Version: 1, From: 1, To: 1, Watermark: 1_700_000_000_000_000, Rows: 1000}, []byte("payload of the first frame"))
	second := AppendFrame(nil, Header{Flags: FlagIdle, Epoch: 1, Pipeline: "p-7f3a", Version: 1, From: 2, To: 2, Watermark: 1_700_000_010_000_000, Previous: Checksum(first)}, nil)
	return map[string][]byte{
		"first": first, "idle": second,
		"hole":    AppendFrame(nil, Header{Flags: FlagHole, Epoch: math.MaxUint64, Pipeline: string(bytes.Repeat([]byte("x"), MaxPipelineID)), Version: math.MaxUint64, Lane: math.MaxUint32, From: 1 << 40, To: 1<<40 + 999, Watermark: NoWatermark, Rows: math.MaxUint32, Previous: math.MaxUint32}, []byte{0}),
		"minimal": AppendFrame(nil, Header{Watermark: NoWatermark}, nil),
	}
}

func TestGolden(t *testing.T) {
	for name, got := range goldenFrames() {
		path := filepath.Join("testdata", name+".frame")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the frame is now\n% x, not\n% x: stored frames could not be read any more", name, got, want)
		}
	}
}

func drawHeader(t *rapid.T) Header {
	from := rapid.Uint64Max(MaxNumber).Draw(t, "from")
	return Header{
		Flags: Flags(rapid.Byte().Draw(t, "flags")) & knownFlags, Epoch: rapid.Uint64().Draw(t, "epoch"),
		Pipeline: string(rapid.SliceOfN(rapid.Byte(), 0, MaxPipelineID).Draw(t, "pipeline")), Version: rapid.Uint64().Draw(t, "version"),
		Lane: rapid.Uint32().Draw(t, "lane"), From: from, To: rapid.Uint64Range(from, MaxNumber).Draw(t, "to"),
		Watermark: rapid.Int64().Draw(t, "watermark"), Rows: rapid.Uint32().Draw(t, "rows"), Previous: rapid.Uint32().Draw(t, "previous"),
	}
}

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHeader(t)
		payload := rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		f := AppendFrame([]byte("before"), h, payload)[6:]
		got, p, rest, err := ParseFrame(append(f, "after"...), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		h.PayloadBytes, h.Checksum = len(payload), Checksum(f)
		if got != h || !bytes.Equal(p, payload) || string(rest) != "after" {
			t.Fatalf("came back as %+v, %x, %q, not %+v", got, p, rest, h)
		}
	})
}

func TestFrameCutAndFlipped(t *testing.T) {
	for name, f := range goldenFrames() {
		for n := range f {
			if _, _, _, err := ParseFrame(f[:n], Limits{}); !errors.Is(err, ErrShort) {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(f), err)
			}
		}
		for bit := range 8 * len(f) {
			g := bytes.Clone(f)
			g[bit/8] ^= 1 << (bit % 8)
			if h, p, _, err := ParseFrame(g, Limits{}); err == nil {
				t.Fatalf("%s with bit %d flipped was read as %+v and %x", name, bit, h, p)
			}
		}
	}
}

// Two frames that differ anywhere, also in the frames before them, have other
// checksums.
func TestChecksumCoversAll(t *testing.T) {
	base := Header{Epoch: 1, Pipeline: "p", Version: 1, From: 2, To: 2, Previous: 7}
	sums := map[uint32]string{}
	add := func(name string, h Header, payload string) {
		s := Checksum(AppendFrame(nil, h, []byte(payload)))
		if other, taken := sums[s]; taken {
			t.Errorf("%s and %s have the same checksum", name, other)
		}
		sums[s] = name
	}
	add("base", base, "payload")
	add("other payload", base, "payloaD")
	h := base
	h.Previous = 8
	add("other frame before", h, "payload")
	h = base
	h.Watermark = 5
	add("other watermark", h, "payload")
	h = base
	h.Epoch = 2
	add("other epoch", h, "payload")
	if Checksum([]byte("no frame at all")) != 0 || Checksum(nil) != 0 {
		t.Error("what is no frame has a checksum")
	}
}

// seal makes a header of the given fields with right checksums.
func seal(flags byte, fields []byte) []byte {
	f := append([]byte{'L', 'F', FrameVersion, flags, 0, 0}, fields...)
	f = append(f, make([]byte, 8)...)
	binary.LittleEndian.PutUint16(f[4:], uint16(len(f)+4))
	return binary.LittleEndian.AppendUint32(f, crc(f))
}

func TestParseRefuses(t *testing.T) {
	fields := func(payload uint64) []byte { return binary.AppendUvarint([]byte{1, 1, 'p', 1, 0, 1, 0, 0, 0}, payload) }
	for _, tc := range []struct {
		name string
		src  []byte
		want error
	}{
		{"4 GB payload", seal(0, fields(4<<30)), ErrTooLarge},
		{"payload of 2^63", seal(0, fields(1<<63)), ErrCorrupt},
		{"unknown flag", seal(0x40, fields(0)), ErrVersion},
		{"bytes behind the fields", seal(0, append(fields(0), 0)), ErrCorrupt},
		{"fields missing", seal(0, []byte{1, 1, 'p', 1}), ErrCorrupt},
		{"endless varint", seal(0, bytes.Repeat([]byte{255}, 30)), ErrCorrupt},
		{"long pipeline id", seal(0, append([]byte{1, MaxPipelineID + 1}, make([]byte, 90)...)), ErrCorrupt},
		{"pipeline id beyond the header", seal(0, []byte{1, 60, 'p'}), ErrCorrupt},
		{"first number too large", seal(0, append(binary.AppendUvarint([]byte{1, 1, 'p', 1, 0}, MaxNumber+1), 0, 0, 0, 0)), ErrCorrupt},
		{"last number too large", seal(0, append(binary.AppendUvarint([]byte{1, 1, 'p', 1, 0}, MaxNumber), 1, 0, 0, 0)), ErrCorrupt},
		{"another version", append([]byte{'L', 'F', 2}, make([]byte, 60)...), ErrVersion},
		{"another magic", bytes.Repeat([]byte("x"), 60), ErrCorrupt},
		{"header length 0", append([]byte{'L', 'F', 1, 0, 0, 0}, make([]byte, 60)...), ErrCorrupt},
		{"header length 65535", append([]byte{'L', 'F', 1, 0, 255, 255}, make([]byte, 60)...), ErrCorrupt},
	} {
		if _, _, _, err := ParseFrame(tc.src, Limits{}); !errors.Is(err, tc.want) {
			t.Errorf("%s: error is %v, not %v", tc.name, err, tc.want)
		}
	}
}

func TestMessages(t *testing.T) {
	m := &StreamOpen{PipelineId: "p", Version: 2, Lane: 1, Epoch: 4, First: 5, Next: 9, Previous: 77}
	b, err := AppendMessage([]byte("x"), m)
	if err != nil {
		t.Fatal(err)
	}
	var got StreamOpen
	rest, err := ParseMessage(append(b[1:], "rest"...), &got, MaxMessageBytes)
	if err != nil || string(rest) != "rest" || !pb.Equal(&got, m) {
		t.Errorf("came back as %v, rest %q, %v", &got, rest, err)
	}
	for n := range len(b) - 1 {
		if _, err := ParseMessage(b[1:1+n], &got, MaxMessageBytes); !errors.Is(err, ErrShort) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := ParseMessage(binary.AppendUvarint(nil, 4<<30), &got, MaxMessageBytes); !errors.Is(err, ErrTooLarge) {
		t.Errorf("4 GB: %v", err)
	}
	if _, err := ParseMessage([]byte{3, 255, 255, 255}, &got, MaxMessageBytes); !errors.Is(err, ErrCorrupt) {
		t.Errorf("no protobuf: %v", err)
	}
	if _, err := ParseMessage(bytes.Repeat([]byte{255}, 11), &got, MaxMessageBytes); !errors.Is(err, ErrCorrupt) {
		t.Errorf("endless length: %v", err)
	}
}
