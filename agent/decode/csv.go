package decode

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine/plan"
)

// csvFormat knows what the newest header says.
type csvFormat struct {
	*Decoder
	fields []*column // by position; nil = a field that no column wants
}

var errNoHeader = errors.New("a CSV record without a header before it: only files carry one; send JSON over MQTT")

func (f *csvFormat) record(p []byte) error {
	if f.fields == nil {
		return errNoHeader
	}
	p = trimEOL(p)
	if bytes.IndexByte(p, '"') >= 0 {
		return f.recordQuoted(p)
	}
	return f.recordPlain(p)
}

func trimEOL(p []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(p, []byte("\n")), []byte("\r"))
}

func (f *csvFormat) header(m *source.Message) error {
	f.fields = nil // also when this one turns out to be unusable
	if m.Oversized || len(m.Payload) > f.limits.MessageBytes {
		return fmt.Errorf("the message is larger than the limit (%d bytes)", f.limits.MessageBytes)
	}
	names, err := readQuoted(m.Payload)
	if err != nil {
		return fmt.Errorf("the header of %s: %w", m.Topic, err)
	}
	fields := make([]*column, len(names))
	missing := ""
	for i := range f.cols {
		c := &f.cols[i]
		if c.hidden != plan.Hidden_HIDDEN_NONE {
			continue
		}
		at := -1
		for k, name := range names {
			if strings.TrimSpace(name) != c.name {
				continue
			}
			if at >= 0 {
				return fmt.Errorf("the header of %s names %q twice", m.Topic, c.name)
			}
			at = k
		}
		if at < 0 {
			missing += fmt.Sprintf(" %q", c.name)
			continue
		}
		fields[at] = c
	}
	f.fields = fields
	if missing != "" {
		return fmt.Errorf("the header of %s lacks%s: null in all rows of this file", m.Topic, missing)
	}
	return nil
}

// recordPlain splits a record that has no quotes.
func (f *csvFormat) recordPlain(p []byte) error {
	f.startRow()
	seen, last := 0, len(f.fields)-1
	for k, c := range f.fields {
		field := p
		end := bytes.IndexByte(p, ',')
		if end >= 0 {
			field, p = p[:end], p[end+1:]
		}
		if (end < 0) != (k == last) {
			return f.fieldCount(k+1, end >= 0, p)
		}
		if c != nil {
			if err := f.setField(c, field); err != nil {
				return err
			}
			seen++
		}
	}
	f.endRow(seen)
	return nil
}

func (f *csvFormat) fieldCount(n int, more bool, rest []byte) error {
	if more {
		n += 1 + bytes.Count(rest, []byte(","))
	}
	return fmt.Errorf("found %d fields, the header has %d", n, len(f.fields))
}

func (f *csvFormat) recordQuoted(p []byte) error {
	fields, err := readQuoted(p)
	if err != nil {
		return err
	}
	if len(fields) != len(f.fields) {
		return fmt.Errorf("found %d fields, the header has %d", len(fields), len(f.fields))
	}
	f.startRow()
	seen := 0
	for k, c := range f.fields {
		if c != nil {
			if err := f.setField(c, []byte(fields[k])); err != nil {
				return err
			}
			seen++
		}
	}
	f.endRow(seen)
	return nil
}

// readQuoted reads exactly one record by encoding/csv.
func readQuoted(p []byte) ([]string, error) {
	r := csv.NewReader(bytes.NewReader(p))
	fields, err := r.Read()
	if err != nil {
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			err = parse.Err
		} else if errors.Is(err, io.EOF) {
			err = errors.New("the record is empty")
		}
		return nil, fmt.Errorf("malformed CSV: %w", err)
	}
	if r.InputOffset() != int64(len(p)) {
		return nil, errors.New("malformed CSV: more than one record")
	}
	return fields, nil
}

// setField sets a column of the current row to a field's text.
func (d *Decoder) setField(c *column, field []byte) error {
	c.seen = d.serial
	k := kindOf(c)
	if k != kindString {
		field = bytes.TrimSpace(field)
	}
	if len(field) == 0 {
		c.setNull(d.rows)
		return nil
	}
	if err := c.setFieldText(d.rows, field, k); err != nil {
		return fmt.Errorf("column %q: %w", c.name, err)
	}
	return nil
}

func (c *column) setFieldText(row int, field []byte, k kind) error {
	switch k {
	case kindDouble:
		if scanDouble(field, 0, &c.doubles[row]) == len(field) {
			return nil
		}
		v, err := parseDouble(field)
		if err == nil && !isDecimal(field) {
			err = errNumber
		}
		if err != nil {
			return fmt.Errorf("expected a number, found %.40q: %w", field, err)
		}
		c.doubles[row] = v
	case kindInt, kindTimeNumber:
		if c.scanInteger(field, 0, row, k == kindInt) == len(field) {
			return nil
		}
		v, exact, err := parseDecimal(field, c.shift)
		if err == nil && k == kindInt && !exact {
			err = errFraction
		}
		if err != nil {
			return fmt.Errorf("expected a whole number, found %.40q: %w", field, err)
		}
		c.ints[row] = v
	case kindBool:
		switch {
		case string(field) == "1" || bytes.EqualFold(field, []byte("true")):
			c.bools[row] = true
		case string(field) == "0" || bytes.EqualFold(field, []byte("false")):
			c.bools[row] = false
		default:
			return fmt.Errorf("expected true or false, found %.40q", field)
		}
	case kindString:
		if !utf8.Valid(field) {
			field = bytes.ToValidUTF8(field, []byte("\uFFFD"))
		}
		c.codes[row] = c.intern(field)
	default:
		return c.setText(row, string(field), k)
	}
	return nil
}

// isDecimal tells whether a number that strconv reads is a plain decimal one,
// not hexadecimal, infinite or NaN.
func isDecimal(field []byte) bool {
	for _, c := range field {
		if c-'0' > 9 && c != '.' && c != '-' && c != '+' && c|0x20 != 'e' {
			return false
		}
	}
	return true
}
