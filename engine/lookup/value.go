package lookup

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// text appends a field of a CSV file to a column.
func (p *parser) text(dst *batch.Column, c Column, s string) error {
	if c.Type != batch.String {
		s = strings.TrimSpace(s)
	}
	if s == "" {
		dst.AppendNull()
		return nil
	}
	switch c.Type {
	case batch.Bool:
		v, err := strconv.ParseBool(strings.ToLower(s))
		if err != nil {
			return fmt.Errorf("%.64q is no bool, expected true or false", s)
		}
		appendBool(dst, v)
		return nil
	case batch.String:
		return appendString(dst, s)
	case batch.Bytes:
		return appendBase64(dst, s)
	case batch.Timestamp:
		if c.Unit == plan.TimeUnit_TIME_UNIT_RFC3339 {
			return appendTime(dst, s)
		}
	}
	return appendNumber(dst, c, s)
}

// value appends a JSON value to a column.
func (p *parser) value(dst *batch.Column, c Column, v any) error {
	switch v := v.(type) {
	case nil:
		dst.AppendNull()
		return nil
	case bool:
		if c.Type == batch.Bool {
			appendBool(dst, v)
			return nil
		}
	case json.Number:
		if c.Type == batch.Int || c.Type == batch.Double || c.Type == batch.Timestamp && c.Unit != plan.TimeUnit_TIME_UNIT_RFC3339 {
			return appendNumber(dst, c, v.String())
		}
	case string:
		switch {
		case c.Type == batch.String:
			return appendString(dst, v)
		case c.Type == batch.Bytes:
			return appendBase64(dst, v)
		case c.Type == batch.Timestamp && c.Unit == plan.TimeUnit_TIME_UNIT_RFC3339:
			return appendTime(dst, v)
		}
	}
	return fmt.Errorf("found %s, expected %s", kindOf(v), c.Type)
}

func kindOf(v any) string {
	switch v.(type) {
	case bool:
		return "a bool"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

func appendBool(dst *batch.Column, v bool) {
	n := dst.Len()
	dst.Bools = append(dst.Bools, v)
	present(dst, n)
}

func appendInt(dst *batch.Column, v int64) {
	n := dst.Len()
	dst.Ints = append(dst.Ints, v)
	present(dst, n)
}

func appendString(dst *batch.Column, s string) error {
	n := dst.Len()
	if dst.Dict == nil {
		dst.Dict = batch.NewDict()
	}
	dst.Codes = append(dst.Codes, dst.Dict.CodeString(s))
	present(dst, n)
	return nil
}

func appendBase64(dst *batch.Column, s string) error {
	v, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return errors.New("bytes are written in base64")
	}
	n := dst.Len()
	dst.AppendBlob(v)
	present(dst, n)
	return nil
}

func appendTime(dst *batch.Column, s string) error {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("%.64q is no time, expected one like 2026-01-31T12:00:00Z", s)
	}
	appendInt(dst, t.UnixMicro())
	return nil
}

// appendNumber takes ints, doubles and timestamps that are counted in a unit.
func appendNumber(dst *batch.Column, c Column, s string) error {
	if c.Type == batch.Double {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("%.64q is no double", s)
		}
		if v != v {
			v = batch.CanonicalNaN
		}
		n := dst.Len()
		dst.Doubles = append(dst.Doubles, v)
		present(dst, n)
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("%.64q is no whole number of 64 bits", s)
	}
	if c.Type == batch.Timestamp {
		scale := map[plan.TimeUnit]int64{plan.TimeUnit_TIME_UNIT_SECONDS: 1_000_000, plan.TimeUnit_TIME_UNIT_MILLIS: 1000}[c.Unit]
		switch {
		case c.Unit == plan.TimeUnit_TIME_UNIT_NANOS:
			v = floorDiv(v, 1000)
		case scale > 0 && (v > math.MaxInt64/scale || v < math.MinInt64/scale):
			return fmt.Errorf("%d is beyond all times; check the unit", v)
		case scale > 0:
			v *= scale
		}
	}
	appendInt(dst, v)
	return nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// present marks row n, which was appended last, as not null.
func present(c *batch.Column, n int) {
	if c.Valid != nil {
		c.Valid = c.Valid.Append(n, true)
	}
}
