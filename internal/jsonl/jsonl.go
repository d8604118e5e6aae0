// Package jsonl writes batches as JSON lines: an object a row, keys in the
// order of the schema, timestamps as RFC 3339 in UTC, doubles in the shortest
// form that reads back as the same number, NaN and infinities as the strings PostgreSQL prints, bytes
// as base64. Columns named in Hidden are left out, the revision not where its results say how complete they are.
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

// Append appends a line for each counting row. A row that takes back what was
// said of its key ends in "_deleted":true.
func Append(dst []byte, s batch.Schema, b *batch.Batch) []byte {
	var times [4]timeText
	shown := s.Index(plan.AgentsSeen) >= 0 // completeness: true
	for k := range b.Len() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		dst = append(dst, '{')
		first := true
		for c := range s {
			if Hidden(s[c].Name) && !shown {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(AppendString(dst, s[c].Name), ':')
			if col := &b.Cols[c]; col.Type == batch.Timestamp && !col.Null(i) {
				dst = times[c%len(times)].append(dst, col.Ints[i])
			} else {
				dst = appendValue(dst, col, i)
			}
		}
		if b.Deleted != nil && b.Deleted.Get(i) {
			if !first {
				dst = append(dst, ',')
			}
			dst = append(dst, `"_deleted":true`...)
		}
		dst = append(dst, '}', '\n')
	}
	return dst
}

// timeText is the timestamp that was written last: the results of a window share two.
type timeText struct {
	micros int64
	text   [40]byte
	n      uint8 // 0 = none
}

func (t *timeText) append(dst []byte, micros int64) []byte {
	if t.n == 0 || t.micros != micros {
		text := time.UnixMicro(micros).UTC().AppendFormat(t.text[:0], time.RFC3339Nano)
		if len(text) > len(t.text) { // a year beyond all bounds
			return append(append(append(dst, '"'), text...), '"')
		}
		t.micros, t.n = micros, uint8(len(text))
	}
	return append(append(append(dst, '"'), t.text[:t.n]...), '"')
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
	if whole, digits := shortDecimal(v); digits > 0 {
		return appendDecimal(dst, whole, digits)
	}
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, 64)
}

// shortDecimal gives a number as whole / 10^digits with up to three digits, or 0 digits where it is
// none such. A decimal of up to 15 digits that reads back as v is the shortest that does: different
// ones read back as different numbers.
func shortDecimal(v float64) (whole int64, digits int) {
	scale := 10.0
	for digits = 1; digits <= 3; digits++ {
		if t := v * scale; t == math.Trunc(t) && math.Abs(t) < 1e15 && t/scale == v {
			if digits == 1 && v == math.Trunc(v) {
				return 0, 0 // no fraction, or a negative zero
			}
			for whole = int64(t); whole%10 == 0; digits-- { // the product by fewer tens was rounded
				whole /= 10
			}
			return whole, digits
		}
		scale *= 10
	}
	return 0, 0
}

func appendDecimal(dst []byte, whole int64, digits int) []byte {
	if whole < 0 {
		dst, whole = append(dst, '-'), -whole
	}
	scale := [4]int64{1, 10, 100, 1000}[digits]
	dst = append(strconv.AppendInt(dst, whole/scale, 10), '.')
	for whole %= scale; digits > 0; digits-- {
		scale /= 10
		dst = append(dst, '0'+byte(whole/scale))
		whole %= scale
	}
	return dst
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
