package columnar

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/leatio/leat/engine/batch"
)

// A payload is its format, its compression, then
//
//	uvarint sections, then per section: uvarint port, a batch
//
// as it is or, where that is shorter, behind its length (uvarint) as one zstd frame.
const (
	payloadFormat = 1

	compressNone = 0
	compressZstd = 1

	// zstdWindow bounds the memory of both sides.
	zstdWindow = 1 << 20
	// minCompress is the length below which zstd is not tried.
	minCompress = 64
)

// zstdEncoders and zstdDecoders keep coders between calls; they hold no state.
// Each coder works in its caller's goroutine, and idle ones go with the garbage.
var zstdEncoders = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithAllLitEntropyCompression(true),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic("BUG: zstd options: " + err.Error())
	}
	return e
}}

var zstdDecoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("BUG: zstd options: " + err.Error())
	}
	return d
}}

// AppendPayload appends a payload of the sections, compressed where that
// shrinks it. schemas gives the schema of a port.
func AppendPayload(dst []byte, sections []Section, schemas func(port uint32) batch.Schema) []byte {
	start := len(dst)
	dst = append(dst, payloadFormat, compressNone)
	body := len(dst)
	dst = binary.AppendUvarint(dst, uint64(len(sections)))
	for _, s := range sections {
		dst = binary.AppendUvarint(dst, uint64(s.Port))
		dst = Append(dst, schemas(s.Port), s.Batch)
	}
	plain := len(dst) - body
	if plain < minCompress {
		return dst
	}
	z := zstdEncoders.Get().(*zstd.Encoder)
	defer zstdEncoders.Put(z)
	end := len(dst)
	dst = z.EncodeAll(dst[body:], binary.AppendUvarint(dst, uint64(plain)))
	if len(dst)-end >= plain {
		return dst[:end]
	}
	dst[start+1] = compressZstd
	return append(dst[:body], dst[end:]...)
}

// PlainBytes is the length of a payload of AppendPayload before it was compressed.
func PlainBytes(payload []byte) int {
	if len(payload) > 1 && payload[1] == compressZstd {
		size, _ := binary.Uvarint(payload[2:])
		return int(size)
	}
	return max(len(payload)-2, 0)
}

// DecodePayload is the inverse of AppendPayload. schemas returns nil for a port that the plan
// does not have. Every section gets a batch and Dicts of its own.
func DecodePayload(src []byte, schemas func(port uint32) batch.Schema, lim Limits) ([]Section, error) {
	lim = lim.withDefaults()
	body, err := decompress(src, lim)
	if err != nil {
		return nil, err
	}
	r := newReader(body, lim)
	defer r.release()
	n := r.count("sections", lim.MaxSections)
	var sections []Section
	for range n {
		port := r.uvarint("port")
		if r.err != nil {
			break
		}
		var s batch.Schema
		if port <= 1<<32-1 {
			s = schemas(uint32(port))
		}
		if s == nil {
			return nil, fmt.Errorf("%w: no port %d in the plan", ErrSchema, port)
		}
		if !r.charge(len(s)+1, columnBytes) {
			break
		}
		b := batch.New(s)
		if _, err := r.decode(s, b); err != nil {
			return nil, fmt.Errorf("port %d: %w", port, err)
		}
		sections = append(sections, Section{uint32(port), b})
	}
	if r.err == nil && len(r.src) > 0 {
		r.fail("%d bytes after the last section", len(r.src))
	}
	if r.err != nil {
		return nil, r.err
	}
	return sections, nil
}

// columnBytes is what an empty column takes in memory, an empty Dict included.
const columnBytes = 1024

func decompress(src []byte, lim Limits) ([]byte, error) {
	if len(src) < 2 {
		return nil, fmt.Errorf("%w: %d bytes long", ErrCorrupt, len(src))
	}
	if src[0] != payloadFormat {
		return nil, fmt.Errorf("%w: format %d, this program reads %d", ErrCorrupt, src[0], payloadFormat)
	}
	body := src[2:]
	switch src[1] {
	case compressNone:
		return body, nil
	case compressZstd:
	default:
		return nil, fmt.Errorf("%w: compression %d", ErrCorrupt, src[1])
	}
	size, n := binary.Uvarint(body)
	if n <= 0 {
		return nil, fmt.Errorf("%w: its length is no number", ErrCorrupt)
	}
	if size > uint64(lim.MaxBytes) {
		return nil, fmt.Errorf("%w: %d bytes once decompressed, %d are allowed", ErrLimit, size, lim.MaxBytes)
	}
	// A zstd block of 128 KiB takes at least 4 bytes; what promises more is a bomb.
	if size > uint64(len(body)-n)*(128<<10)/4 {
		return nil, fmt.Errorf("%w: %d bytes cannot come from %d", ErrCorrupt, size, len(body)-n)
	}
	z := zstdDecoders.Get().(*zstd.Decoder)
	defer zstdDecoders.Put(z)
	out, err := z.DecodeAll(body[n:], make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if uint64(len(out)) != size {
		return nil, fmt.Errorf("%w: %d bytes once decompressed, it says %d", ErrCorrupt, len(out), size)
	}
	return out, nil
}
