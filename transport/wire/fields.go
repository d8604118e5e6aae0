package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// fields reads varints from the header's bytes and remembers the first failure.
type fields struct {
	src []byte
	err error
}

func (f *fields) fail(name string) {
	if f.err == nil {
		f.err = fmt.Errorf("frame header field %q: %w", name, ErrCorrupt)
	}
	f.src = nil
}

func (f *fields) uvarint(name string, max uint64) uint64 {
	v, n := binary.Uvarint(f.src)
	if n <= 0 || v > max {
		f.fail(name)
		return 0
	}
	f.src = f.src[n:]
	return v
}

func (f *fields) varint(name string) int64 {
	v, n := binary.Varint(f.src)
	if n <= 0 {
		f.fail(name)
		return 0
	}
	f.src = f.src[n:]
	return v
}

func (f *fields) text(name string, max int) string {
	n := f.uvarint(name, uint64(max))
	if uint64(len(f.src)) < n {
		f.fail(name)
		return ""
	}
	s := string(f.src[:n])
	f.src = f.src[n:]
	return s
}

// parseFields reads the fields of a header whose sum is right.
func parseFields(src []byte, lim Limits) (Header, error) {
	flags := Flags(src[3])
	if flags&^(knownFlags|flagNoWatermark) != 0 {
		return Header{}, fmt.Errorf("frame flags %02x: %w", flags, ErrVersion)
	}
	f := fields{src: src[prefixBytes : len(src)-trailerBytes]}
	h := Header{Flags: flags & knownFlags}
	h.Epoch = f.uvarint("epoch", math.MaxUint64)
	h.Pipeline = f.text("pipeline", MaxPipelineID)
	h.Version = f.uvarint("version", math.MaxUint64)
	h.Lane = uint32(f.uvarint("lane", math.MaxUint32))
	h.From = f.uvarint("from", MaxNumber)
	h.To = h.From + f.uvarint("to", MaxNumber-h.From)
	h.Watermark = f.varint("watermark")
	h.Rows = uint32(f.uvarint("rows", math.MaxUint32))
	size := f.uvarint("payload length", math.MaxInt64)
	if f.err == nil && len(f.src) != 0 {
		f.fail("length")
	}
	if f.err != nil {
		return Header{}, f.err
	}
	if size > uint64(lim.MaxPayloadBytes) {
		return Header{}, fmt.Errorf("frame payload of %d bytes, at most %d are taken: %w", size, lim.MaxPayloadBytes, ErrTooLarge)
	}
	h.PayloadBytes = int(size)
	if flags&flagNoWatermark != 0 {
		h.Watermark = NoWatermark
	}
	h.Previous = binary.LittleEndian.Uint32(src[len(src)-trailerBytes:])
	return h, nil
}
