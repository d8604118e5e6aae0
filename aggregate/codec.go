package aggregate

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/leatio/leat/engine/batch"
)

// valueCodec writes single values into states, and as JSON in the way that results are written.
//
//	bool              one byte
//	int, timestamp    zigzag varint
//	double            8 bytes, little-endian
//	string, bytes     uvarint length, bytes
type valueCodec[T any] struct {
	append func(dst []byte, v T) []byte
	read   func(r *stateReader) T
	json   func(dst []byte, v T) []byte
	size   func(v T) int // bytes beyond those of T; nil = none
}

func boolCodec() valueCodec[uint8] {
	return valueCodec[uint8]{
		append: func(dst []byte, v uint8) []byte { return append(dst, v) },
		read: func(r *stateReader) uint8 {
			v := r.byte()
			if v > 1 {
				r.fail()
			}
			return v & 1
		},
		json: func(dst []byte, v uint8) []byte { return strconv.AppendBool(dst, v == 1) },
	}
}

func intCodec() valueCodec[int64] {
	return valueCodec[int64]{
		append: binary.AppendVarint,
		read:   func(r *stateReader) int64 { return r.varint(math.MinInt64, math.MaxInt64) },
		json:   func(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) },
	}
}

func timestampCodec() valueCodec[int64] {
	c := intCodec()
	c.json = func(dst []byte, v int64) []byte {
		dst = time.UnixMicro(v).UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano)
		return append(dst, '"')
	}
	return c
}

func doubleCodec() valueCodec[float64] {
	return valueCodec[float64]{
		append: func(dst []byte, v float64) []byte {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(canonical(v)))
		},
		read: func(r *stateReader) float64 {
			b := r.bytes(8)
			if r.bad {
				return 0
			}
			return canonical(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		},
		json: appendJSONDouble,
	}
}

func stringCodec() valueCodec[string] {
	return valueCodec[string]{
		append: func(dst []byte, v string) []byte {
			return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
		},
		read: func(r *stateReader) string { return string(r.bytes(r.uvarint(math.MaxUint32))) },
		json: appendJSONString,
		size: stringBytes,
	}
}

func bytesCodec() valueCodec[string] {
	c := stringCodec()
	c.json = func(dst []byte, v string) []byte {
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), []byte(v))
		return append(dst, '"')
	}
	return c
}

func appendMember(dst []byte, name string, v uint64) []byte {
	return strconv.AppendUint(append(dst, name...), v, 10)
}

func appendJSONDouble(dst []byte, v float64) []byte {
	switch {
	case v != v:
		return append(dst, `"NaN"`...)
	case v > math.MaxFloat64:
		return append(dst, `"Infinity"`...)
	case v < -math.MaxFloat64:
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, 64)
}

// appendJSONString appends a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', byte(c))
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = utf8.AppendRune(dst, c)
		}
	}
	return append(dst, '"')
}

// canonicalDoubles gives values as timed wants them, equal ones with equal bits.
func canonicalDoubles() func(col *batch.Column, rows []uint32, n int) []float64 {
	var buf []float64
	return func(col *batch.Column, rows []uint32, n int) []float64 {
		buf = buf[:0]
		for i := range n {
			buf = append(buf, canonical(col.Doubles[rowAt(rows, i)]))
		}
		return buf
	}
}
