package columnar

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/klauspost/compress/huff0"
)

// A plane is a run of bytes of known length, in chunks of planeChunk, each
// behind its kind.
const (
	planeRaw    = 0 // the bytes
	planeSame   = 1 // one byte, all are equal to it
	planeHuff   = 2 // uvarint length, huff0 table and stream
	planeSparse = 3 // byte, uvarint count, then per exception: uvarint distance to the one before, byte

	planeChunk = 64 << 10
)

type histogram [256]uint32

// cost estimates the bytes of a plane of all bytes, n of which the histogram counts.
func (h *histogram) cost(n, all int) float64 {
	if n == 0 {
		return 0
	}
	distinct, most := 0, uint32(0)
	entropy, whole := 0.0, log2(uint32(n))
	for _, c := range h {
		if c == 0 {
			continue
		}
		distinct++
		most = max(most, c)
		entropy += float64(float64(c) * (whole - log2(c)))
	}
	if distinct == 1 {
		return 2
	}
	scale := float64(all) / float64(n)
	huff := float64(max(entropy, float64(n))*scale/8*1.01) + float64(float64(distinct)*0.45) + 6
	sparse := float64(float64(n-int(most))*scale*2.3) + 4
	return min(huff, sparse, float64(all+1))
}

// logTable[i] is log2(1+i/256).
var logTable = func() (t [256]float64) {
	for i := range t {
		t[i] = math.Log2(1 + float64(float64(i)/256))
	}
	return t
}()

// log2 is the logarithm of a positive number to eight binary places.
func log2(v uint32) float64 {
	e := bits.Len32(v) - 1
	return float64(e) + logTable[byte(uint64(v)<<8>>e)]
}

// appendPlane appends the plane of p.
func (e *encoder) appendPlane(dst, p []byte) []byte {
	for len(p) > planeChunk {
		dst = e.appendChunk(dst, p[:planeChunk])
		p = p[planeChunk:]
	}
	if len(p) > 0 {
		dst = e.appendChunk(dst, p)
	}
	return dst
}

func (e *encoder) appendChunk(dst, p []byte) []byte {
	var h histogram
	for _, c := range p {
		h[c]++
	}
	common, count := mostCommon(&h)
	if int(count) == len(p) {
		return append(dst, planeSame, common)
	}
	start := len(dst)
	if others := len(p) - int(count); others*8 < len(p) {
		dst = appendSparse(append(dst, planeSparse), p, common, others)
		if len(dst)-start < len(p)/8 { // less than huff0's least
			return dst
		}
	}
	sparse := len(dst) - start
	e.huff.Reuse = huff0.ReusePolicyNone
	out, _, err := huff0.Compress1X(p, &e.huff)
	if err == nil && len(out)+2 < len(p) && (sparse == 0 || len(out)+3 < sparse) {
		dst = append(dst[:start], planeHuff)
		dst = binary.AppendUvarint(dst, uint64(len(out)))
		return append(dst, out...)
	}
	if sparse > 0 && sparse < len(p) {
		return dst
	}
	return append(append(dst[:start], planeRaw), p...)
}

func mostCommon(h *histogram) (c byte, count uint32) {
	for i, n := range h {
		if n > count {
			c, count = byte(i), n
		}
	}
	return c, count
}

func appendSparse(dst, p []byte, common byte, others int) []byte {
	dst = append(dst, common)
	dst = binary.AppendUvarint(dst, uint64(others))
	last := -1
	for i, c := range p {
		if c != common {
			dst = binary.AppendUvarint(dst, uint64(i-last-1))
			dst = append(dst, c)
			last = i
		}
	}
	return dst
}

// plane reads a plane of len(dst) bytes.
func (r *reader) plane(dst []byte) {
	for len(dst) > 0 && r.err == nil {
		n := min(len(dst), planeChunk)
		r.chunk(dst[:n:n])
		dst = dst[n:]
	}
}

func (r *reader) chunk(dst []byte) {
	switch kind := r.byte("plane kind"); kind {
	case planeRaw:
		copy(dst, r.bytes("plane", len(dst)))
	case planeSame:
		fill(dst, r.byte("plane byte"))
	case planeSparse:
		fill(dst, r.byte("plane byte"))
		count := r.count("exceptions", len(dst))
		at := -1
		for range count {
			at += 1 + r.count("exception", len(dst)-at-2)
			c := r.byte("exception byte")
			if r.err != nil {
				return
			}
			dst[at] = c
		}
	case planeHuff:
		r.huffman(dst, r.bytes("huffman stream", r.count("huffman length", len(dst))))
	default:
		r.fail("plane kind %d", kind)
	}
}

func (r *reader) huffman(dst, src []byte) {
	if r.err != nil {
		return
	}
	s, stream, err := huff0.ReadTable(src, r.huff)
	if s != nil {
		r.huff = s
	}
	if err != nil {
		r.fail("huffman table: %v", err)
		return
	}
	out, err := s.Decoder().Decompress1X(dst[:0:len(dst)], stream)
	if err != nil {
		r.fail("huffman stream: %v", err)
		return
	}
	if len(out) != len(dst) {
		r.fail("huffman stream of %d bytes, %d expected", len(out), len(dst))
	}
}

func fill(dst []byte, c byte) {
	for i := range dst {
		dst[i] = c
	}
}
