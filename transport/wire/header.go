package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// FrameVersion is the format of the frames that AppendFrame makes.
const FrameVersion = 1

// NoWatermark stands in Header.Watermark when no row has been seen yet.
const NoWatermark = math.MinInt64

// Bounds of a header.
const (
	MaxPipelineID  = 64
	MaxNumber      = math.MaxInt64 // of a frame, so that the number after it is one too
	MaxHeaderBytes = prefixBytes + MaxPipelineID + 10*10 + trailerBytes

	prefixBytes  = 6
	trailerBytes = 12
)

// Flags of a frame.
type Flags uint8

// The flags. Readers refuse the ones that they do not know.
const (
	// FlagIdle says that the source is connected and silent: the lane holds up no watermark.
	FlagIdle Flags = 1 << 0
	// FlagHole says that the frame stands for data that a declared policy dropped.
	FlagHole Flags = 1 << 1

	knownFlags = FlagIdle | FlagHole
	// flagNoWatermark is set in the bytes alone; Header says NoWatermark.
	flagNoWatermark Flags = 1 << 7
)

// Header is what a frame says about itself.
type Header struct {
	Flags     Flags
	Epoch     uint64 // of the agent's store
	Pipeline  string // pipeline id, at most MaxPipelineID bytes
	Version   uint64 // of the pipeline
	Lane      uint32
	From, To  uint64 // numbers of the frame; To is From unless it replaces several
	Watermark int64  // low watermark after the frame's rows, microseconds; NoWatermark = none
	Rows      uint32
	Previous  uint32 // Checksum of the frame before in the lane; 0 for the first

	// Set by the parsers.
	PayloadBytes int
	Checksum     uint32 // of this frame
}

// Limits bound what a parser takes.
type Limits struct {
	MaxPayloadBytes int // default DefaultMaxPayload
}

// DefaultMaxPayload is the largest payload taken by default.
const DefaultMaxPayload = 4 << 20

func (l Limits) withDefaults() Limits {
	if l.MaxPayloadBytes == 0 {
		l.MaxPayloadBytes = DefaultMaxPayload
	}
	return l
}

func crc(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }

// AppendFrame appends the frame of h and payload. PayloadBytes and Checksum of
// h are not looked at.
func AppendFrame(dst []byte, h Header, payload []byte) []byte {
	if len(h.Pipeline) > MaxPipelineID || h.To < h.From || h.To > MaxNumber || h.Flags&^knownFlags != 0 || len(payload) > math.MaxInt32 {
		panic(fmt.Sprintf("BUG: frame header out of bounds: %+v with %d bytes", h, len(payload)))
	}
	start := len(dst)
	flags, watermark := h.Flags, h.Watermark
	if watermark == NoWatermark {
		flags, watermark = flags|flagNoWatermark, 0
	}
	dst = append(dst, 'L', 'F', FrameVersion, byte(flags), 0, 0)
	dst = binary.AppendUvarint(dst, h.Epoch)
	dst = binary.AppendUvarint(dst, uint64(len(h.Pipeline)))
	dst = append(dst, h.Pipeline...)
	dst = binary.AppendUvarint(dst, h.Version)
	dst = binary.AppendUvarint(dst, uint64(h.Lane))
	dst = binary.AppendUvarint(dst, h.From)
	dst = binary.AppendUvarint(dst, h.To-h.From)
	dst = binary.AppendVarint(dst, watermark)
	dst = binary.AppendUvarint(dst, uint64(h.Rows))
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	dst = binary.LittleEndian.AppendUint32(dst, h.Previous)
	dst = binary.LittleEndian.AppendUint32(dst, crc(payload))
	binary.LittleEndian.PutUint16(dst[start+4:], uint16(len(dst)+4-start))
	dst = binary.LittleEndian.AppendUint32(dst, crc(dst[start:]))
	return append(dst, payload...)
}

// ParseFrame parses the frame at the start of src and checks both its sums.
// payload points into src.
func ParseFrame(src []byte, lim Limits) (h Header, payload, rest []byte, err error) {
	h, n, err := ParseHeader(src, lim)
	if err != nil {
		return Header{}, nil, nil, err
	}
	if len(src) < n+h.PayloadBytes {
		return Header{}, nil, nil, fmt.Errorf("frame payload of %d bytes, %d there: %w", h.PayloadBytes, len(src)-n, ErrShort)
	}
	payload, rest = src[n:n+h.PayloadBytes:n+h.PayloadBytes], src[n+h.PayloadBytes:]
	if got, want := crc(payload), binary.LittleEndian.Uint32(src[n-8:]); got != want {
		return Header{}, nil, nil, fmt.Errorf("frame %d payload checksum is %08x, header says %08x: %w", h.From, got, want, ErrCorrupt)
	}
	return h, payload, rest, nil
}

// ParseHeader parses the header at the start of src, checks its sum and gives
// its length. The payload need not be there.
func ParseHeader(src []byte, lim Limits) (h Header, length int, err error) {
	n, err := HeaderLength(src)
	if err != nil {
		return Header{}, 0, err
	}
	if len(src) < n {
		return Header{}, 0, fmt.Errorf("frame header of %d bytes, %d there: %w", n, len(src), ErrShort)
	}
	src = src[:n]
	sum := binary.LittleEndian.Uint32(src[n-4:])
	if got := crc(src[:n-4]); got != sum {
		return Header{}, 0, fmt.Errorf("frame header checksum is %08x, header says %08x: %w", got, sum, ErrCorrupt)
	}
	h, err = parseFields(src, lim.withDefaults())
	if err != nil {
		return Header{}, 0, err
	}
	h.Checksum = sum
	return h, n, nil
}

// PrefixBytes is how much of a frame HeaderLength needs.
const PrefixBytes = prefixBytes

// HeaderLength reads the length of a header from its first PrefixBytes bytes.
func HeaderLength(prefix []byte) (int, error) {
	if len(prefix) < prefixBytes {
		return 0, fmt.Errorf("frame prefix: %w", ErrShort)
	}
	if prefix[0] != 'L' || prefix[1] != 'F' {
		return 0, fmt.Errorf("frame begins with %02x%02x, not with LF: %w", prefix[0], prefix[1], ErrCorrupt)
	}
	if prefix[2] != FrameVersion {
		return 0, fmt.Errorf("frame format %d, this program reads %d: %w", prefix[2], FrameVersion, ErrVersion)
	}
	n := int(binary.LittleEndian.Uint16(prefix[4:]))
	if n < prefixBytes+trailerBytes || n > MaxHeaderBytes {
		return 0, fmt.Errorf("frame header length %d: %w", n, ErrCorrupt)
	}
	return n, nil
}

// Checksum is the checksum of a whole frame: its header's CRC32C, which covers
// the payload's and the checksum of the frame before. It returns 0 for
// bytes that are no frame.
func Checksum(frame []byte) uint32 {
	n, err := HeaderLength(frame)
	if err != nil || len(frame) < n {
		return 0
	}
	return binary.LittleEndian.Uint32(frame[n-4:])
}
