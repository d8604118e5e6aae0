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

// orderKey maps doubles to integers in SQL's order: NaN is the greatest, and equal doubles have equal keys.
func orderKey(v float64) int64 {
	k := int64(math.Float64bits(canonical(v)))
	if k < 0 {
		k ^= math.MaxInt64
	}
	return k
}

func fromOrderKey(k int64) float64 {
	if k < 0 {
		k ^= math.MaxInt64
	}
	return math.Float64frombits(uint64(k))
}

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

func boolCodec() valueCodec[int64] {
	return valueCodec[int64]{
		append: func(dst []byte, v int64) []byte { return append(dst, byte(v)) },
		read: func(r *stateReader) int64 {
			v := r.byte()
			if v > 1 {
				r.fail()
			}
			return int64(v & 1)
		},
		json: func(dst []byte, v int64) []byte { return strconv.AppendBool(dst, v == 1) },
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

func doubleCodec() valueCodec[int64] {
	return valueCodec[int64]{
		append: func(dst []byte, v int64) []byte {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(fromOrderKey(v)))
		},
		read: func(r *stateReader) int64 {
			b := r.bytes(8)
			if r.bad {
				return 0
			}
			return orderKey(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		},
		json: func(dst []byte, v int64) []byte { return appendJSONDouble(dst, fromOrderKey(v)) },
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

// doubleKeys gives the order keys of doubles as timed wants values.
func doubleKeys() func(col *batch.Column, rows []uint32, n int) []int64 {
	var buf []int64
	return func(col *batch.Column, rows []uint32, n int) []int64 {
		buf = buf[:0]
		for i := range n {
			buf = append(buf, orderKey(col.Doubles[rowAt(rows, i)]))
		}
		return buf
	}
}
