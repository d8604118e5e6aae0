package checkpoint

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// The segment format, drawn in docs/format/outbox.md.
const (
	segmentMagic   = "LEATSEG\x00"
	segmentVersion = 1

	segmentHeaderBytes = 48
	recordHeaderBytes  = 40
	recordAlign        = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the checksum that LastChecksum reports: CRC-32C of a frame's data.
func Checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// storeID tells the segments of one store from those of another.
type storeID [16]byte

func appendSegmentHeader(dst []byte, id storeID, number uint32) []byte {
	start := len(dst)
	dst = append(dst, segmentMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, segmentVersion)
	dst = binary.LittleEndian.AppendUint32(dst, number)
	dst = append(dst, id[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	return binary.LittleEndian.AppendUint32(dst, Checksum(dst[start:]))
}

// parseSegmentHeader checks the first bytes of a segment file.
func parseSegmentHeader(src []byte) (id storeID, number uint32, err error) {
	if len(src) < segmentHeaderBytes {
		return id, 0, fmt.Errorf("the file header is cut off after %d bytes", len(src))
	}
	src = src[:segmentHeaderBytes]
	if string(src[:8]) != segmentMagic {
		return id, 0, fmt.Errorf("the file header begins with % x, not with the segment magic", src[:8])
	}
	if sum := binary.LittleEndian.Uint32(src[44:]); sum != Checksum(src[:44]) {
		return id, 0, fmt.Errorf("the file header's checksum is wrong")
	}
	if v := binary.LittleEndian.Uint32(src[8:]); v != segmentVersion {
		return id, 0, fmt.Errorf("segment format version %d, this program reads version %d", v, segmentVersion)
	}
	return storeID(src[16:32]), binary.LittleEndian.Uint32(src[12:]), nil
}

// recordHeader stands before each record's data.
type recordHeader struct {
	dataSum uint32
	length  uint32
	stream  uint32
	kind    Kind
	seq     uint64
	commit  uint64
}

// segmentSeed starts the header checksums of one segment, so that a header is
// valid only in the store, file and place it was written for: bytes of a
// payload or of an older file can never pass for a record.
func segmentSeed(id storeID, number uint32) uint32 {
	var b [20]byte
	copy(b[:], id[:])
	binary.LittleEndian.PutUint32(b[16:], number)
	return Checksum(b[:])
}

func headerSum(seed uint32, offset int64, b []byte) uint32 {
	var o [8]byte
	binary.LittleEndian.PutUint64(o[:], uint64(offset))
	return crc32.Update(crc32.Update(seed, castagnoli, o[:]), castagnoli, b[4:recordHeaderBytes])
}

func appendRecordHeader(dst []byte, h recordHeader, seed uint32, offset int64) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, h.dataSum)
	dst = binary.LittleEndian.AppendUint32(dst, h.length)
	dst = binary.LittleEndian.AppendUint32(dst, h.stream)
	dst = binary.LittleEndian.AppendUint64(dst, h.seq)
	dst = binary.LittleEndian.AppendUint64(dst, h.commit)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.kind))
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	binary.LittleEndian.PutUint32(dst[start:], headerSum(seed, offset, dst[start:]))
	return dst
}

// parseRecordHeader reads the header at offset, or reports false when the bytes
// are not one. The cheap checks come first: resynchronising tries every place.
func parseRecordHeader(src []byte, seed uint32, offset int64) (h recordHeader, ok bool) {
	if len(src) < recordHeaderBytes {
		return h, false
	}
	kind := binary.LittleEndian.Uint32(src[32:])
	if kind != uint32(Frame) && kind != uint32(State) || binary.LittleEndian.Uint32(src[36:]) != 0 {
		return h, false
	}
	h = recordHeader{
		dataSum: binary.LittleEndian.Uint32(src[4:]),
		length:  binary.LittleEndian.Uint32(src[8:]),
		stream:  binary.LittleEndian.Uint32(src[12:]),
		seq:     binary.LittleEndian.Uint64(src[16:]),
		commit:  binary.LittleEndian.Uint64(src[24:]),
		kind:    Kind(kind),
	}
	if h.length > MaxRecordBytes || binary.LittleEndian.Uint32(src) != headerSum(seed, offset, src) {
		return recordHeader{}, false
	}
	return h, true
}

// recordBytes is what a record with n bytes of data takes in a segment.
func recordBytes(n int) int64 {
	return recordHeaderBytes + (int64(n)+recordAlign-1)&^(recordAlign-1)
}

const segmentSuffix = ".seg"

func segmentName(number uint32) string { return fmt.Sprintf("%08x%s", number, segmentSuffix) }

// parseSegmentName reports false for files that are not segments.
func parseSegmentName(name string) (uint32, bool) {
	hex, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(hex) != 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || n == 0 || segmentName(uint32(n)) != name {
		return 0, false
	}
	return uint32(n), true
}
