package sqlite

import (
	"math"
	"time"

	"github.com/leatio/leat/engine/batch"
)

// sqlTypes are the declared types. TIMESTAMP_TEXT has the affinity of text.
var sqlTypes = [...]string{
	batch.Bool:      "BOOLEAN",
	batch.Int:       "INTEGER",
	batch.Double:    "REAL",
	batch.String:    "TEXT",
	batch.Bytes:     "BLOB",
	batch.Timestamp: "TIMESTAMP_TEXT",
}

// typeOf is the inverse of sqlTypes; 0 for the type of an expression.
func typeOf(sqlType string) batch.Type {
	for t, name := range sqlTypes {
		if name != "" && name == sqlType {
			return batch.Type(t)
		}
	}
	return 0
}

const textNaN = "NaN"

// value is row i of a column as the driver takes it.
func value(c *batch.Column, i int) any {
	if c.Null(i) {
		return nil
	}
	switch c.Type {
	case batch.Bool:
		if c.Bools[i] {
			return int64(1)
		}
		return int64(0)
	case batch.Int:
		return c.Ints[i]
	case batch.Double:
		if math.IsNaN(c.Doubles[i]) {
			return textNaN
		}
		return c.Doubles[i]
	case batch.String:
		return c.Str(i)
	case batch.Bytes:
		if b := c.Blob(i); len(b) > 0 {
			return b
		}
		return []byte{} // the driver takes nil for null
	case batch.Timestamp:
		return formatTime(c.Ints[i])
	}
	panic("BUG: a column of unknown type passed Write.Validate")
}

// formatTime writes microseconds since 1970 as 2026-01-31T08:15:00.000000Z.
func formatTime(micros int64) string {
	t := time.UnixMicro(micros).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b := make([]byte, 0, 32)
	if year >= 0 && year <= 9999 {
		b = digits(b, year, 4)
	} else {
		sign := byte('+')
		if year < 0 {
			sign, year = '-', -year
		}
		b = digits(append(b, sign), year, 6)
	}
	b = digits(append(b, '-'), int(month), 2)
	b = digits(append(b, '-'), day, 2)
	b = digits(append(b, 'T'), hour, 2)
	b = digits(append(b, ':'), minute, 2)
	b = digits(append(b, ':'), second, 2)
	b = digits(append(b, '.'), t.Nanosecond()/1000, 6)
	return string(append(b, 'Z'))
}

func digits(b []byte, v, width int) []byte {
	n := len(b)
	for range width {
		b = append(b, '0')
	}
	for i := n + width - 1; i >= n; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
	return b
}

// normalTime gives a text literal that is an RFC 3339 time in UTC the form
// of the timestamp columns.
func normalTime(s string) (string, bool) {
	const shape = "dddd-dd-ddTdd:dd:dd"
	if len(s) < len(shape)+1 || s[len(s)-1] != 'Z' {
		return "", false
	}
	for i := range shape {
		if shape[i] == 'd' && (s[i] < '0' || s[i] > '9') || shape[i] != 'd' && s[i] != shape[i] {
			return "", false
		}
	}
	fraction := s[len(shape) : len(s)-1]
	if fraction != "" && (fraction[0] != '.' || len(fraction) < 2 || len(fraction) > 7) {
		return "", false
	}
	if fraction == "" {
		fraction = "."
	}
	for i := 1; i < len(fraction); i++ {
		if fraction[i] < '0' || fraction[i] > '9' {
			return "", false
		}
	}
	return s[:len(shape)] + fraction + "000000"[len(fraction)-1:] + "Z", true
}
