// Package jsonl writes batches as JSON lines: an object a row, keys in the
// order of the schema, timestamps as RFC 3339 in UTC, doubles in the shortest
// form that reads back as the same number, NaN and infinities as the strings PostgreSQL prints, bytes
// as base64. Columns named in Hidden are left out.
package jsonl

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Hidden tells whether a column is not written: those that Leat keeps for itself.
func Hidden(name string) bool { return name == plan.Revision }

// Append appends a line for each counting row.
func Append(dst []byte, s batch.Schema, b *batch.Batch) []byte {
	row := func(i int) {
		dst = append(dst, '{')
		first := true
		for c := range s {
			if Hidden(s[c].Name) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(AppendString(dst, s[c].Name), ':')
			dst = appendValue(dst, &b.Cols[c], i)
		}
		dst = append(dst, '}', '\n')
	}
	if b.Sel != nil {
		for _, i := range b.Sel {
			row(int(i))
		}
		return dst
	}
	for i := range b.N {
		row(i)
	}
	return dst
}

func appendValue(dst []byte, c *batch.Column, i int) []byte {
	if c.Null(i) {
		return append(dst, "null"...)
	}
	switch c.Type {
	case batch.Bool:
		return strconv.AppendBool(dst, c.Bools[i])
	case batch.Double:
		return AppendDouble(dst, c.Doubles[i])
	case batch.String:
		return AppendString(dst, c.Str(i))
	case batch.Bytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, c.Blob(i))
		return append(dst, '"')
	case batch.Timestamp:
		dst = append(dst, '"')
		dst = time.UnixMicro(c.Ints[i]).UTC().AppendFormat(dst, time.RFC3339Nano)
		return append(dst, '"')
	default:
		return strconv.AppendInt(dst, c.Ints[i], 10)
	}
}

// AppendDouble appends a number as JSON does: digits from 1e-6 up to 1e21, an exponent beyond.
func AppendDouble(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, 64)
}

const hex = "0123456789abcdef"

// AppendString appends a JSON string; bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		if b := s[i]; b < utf8.RuneSelf {
			if b >= ' ' && b != '"' && b != '\\' {
				i++
				continue
			}
			dst = append(dst, s[from:i]...)
			switch b {
			case '"', '\\':
				dst = append(dst, '\\', b)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, s[from:i]...)
			dst = append(dst, "\uFFFD"...)
			from = i + 1
		}
		i += n
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
