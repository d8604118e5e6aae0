package decode

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// names finds the column of a key, mostly by what stood at the same place of the record before.
type names struct {
	byName map[string]*column
	order  []named
}

type named struct {
	key string
	col *column // nil = no column wants it
}

// Bounds of names.
const (
	maxOrder    = 64
	maxOrderKey = 128
)

// namesOf knows the columns that stand in the payload.
func namesOf(d *Decoder) names {
	n := names{byName: map[string]*column{}}
	for i := range d.cols {
		if c := &d.cols[i]; c.hidden == plan.Hidden_HIDDEN_NONE {
			n.byName[c.name] = c
		}
	}
	return n
}

// take removes the column that has a meaning of its own in a format; nil = the schema has none.
func (n *names) take(name string) *column {
	c := n.byName[name]
	delete(n.byName, name)
	return c
}

// at gives the column of the k-th key of a record, or nil.
func (n *names) at(k int, key []byte) *column {
	if k < len(n.order) && n.order[k].key == string(key) {
		return n.order[k].col
	}
	c := n.byName[string(key)]
	switch known := (named{col: c}); {
	case k >= maxOrder || len(key) > maxOrderKey:
	case k < len(n.order):
		known.key = string(key)
		n.order[k] = known
	case k == len(n.order):
		known.key = string(key)
		n.order = append(n.order, known)
	}
	return c
}

// first notes that a column of the row has a value, and takes the value that it had
// already away: the last one counts. It gives 1 for the first one.
func (d *Decoder) first(c *column) int {
	if c.seen == d.serial {
		c.rollback(d.rows)
		return 0
	}
	c.seen = d.serial
	return 1
}

// columnError says which column it was.
func columnError(c *column, err error) error { return fmt.Errorf("column %q: %w", c.name, err) }

// setDecimal sets a row of a column of numbers, or of times in a unit, to a decimal number.
func (c *column) setDecimal(row int, text []byte) (err error) {
	if len(text) == 0 {
		return errNumber
	}
	switch k := kindOf(c); k {
	case kindDouble:
		if scanDouble(text, 0, &c.doubles[row]) == len(text) {
			return nil
		}
		c.doubles[row], err = parseDouble(text)
		if err == nil && !isDecimal(text) {
			err = errNumber
		}
		return err
	case kindInt, kindTimeNumber:
		if c.scanInteger(text, 0, row, k == kindInt) == len(text) {
			return nil
		}
		v, exact, err := parseDecimal(text, c.shift)
		if err == nil && k == kindInt && !exact {
			err = errFraction
		}
		c.ints[row] = v
		return err
	}
	return wrong(c, "a number")
}

// setInt sets a row of a column of numbers, or of times in a unit, to a whole number.
func (c *column) setInt(row int, v int64) error {
	switch kindOf(c) {
	case kindDouble:
		c.doubles[row] = float64(v)
		return nil
	case kindInt:
		c.ints[row] = v
		return nil
	case kindTimeNumber:
		t, ok := toMicros(v, c.shift)
		if !ok {
			return errRange
		}
		c.ints[row] = t
		return nil
	}
	return wrong(c, "a number")
}

// toMicros gives v times 10^shift, rounded down.
func toMicros(v int64, shift int) (int64, bool) {
	if shift < 0 {
		unit := int64(tens[-shift])
		q := v / unit
		if v%unit < 0 {
			q--
		}
		return q, true
	}
	unit := int64(tens[shift])
	return v * unit, v <= math.MaxInt64/unit && v >= math.MinInt64/unit
}

// setDouble sets a row of a column of numbers, or of times in a unit, to a double.
func (c *column) setDouble(row int, v float64) error {
	switch k := kindOf(c); k {
	case kindDouble:
		if v != v {
			v = batch.CanonicalNaN
		}
		c.doubles[row] = v
		return nil
	case kindInt, kindTimeNumber:
		if k == kindInt && v != math.Trunc(v) {
			return errFraction
		}
		if k == kindTimeNumber {
			v = math.Floor(v * math.Pow10(c.shift))
		}
		if !(v >= -1<<63 && v < 1<<63) {
			return errRange
		}
		c.ints[row] = int64(v)
		return nil
	}
	return wrong(c, "a number")
}

func (c *column) setBool(row int, v bool) error {
	if c.typ != batch.Bool {
		return wrong(c, "a boolean")
	}
	c.bools[row] = v
	return nil
}

// setString sets a row of a column of strings, or of RFC 3339 times, to a text.
func (c *column) setString(row int, text []byte) error {
	switch kindOf(c) {
	case kindString:
		if !utf8.Valid(text) {
			text = toUTF8(text)
		}
		c.codes[row] = c.intern(text)
		return nil
	case kindTimeText:
		return c.setTime(row, text)
	}
	return wrong(c, "a string")
}

// setTime sets a row of a column of times, of any unit, to RFC 3339 text.
func (c *column) setTime(row int, text []byte) error {
	v, ok := parseRFC3339(text)
	if !ok {
		return fmt.Errorf("expected a timestamp such as 2026-01-02T15:04:05.678Z, found %.40q", text)
	}
	c.ints[row] = v
	return nil
}

func (c *column) setBlob(row int, data []byte) error {
	if c.typ != batch.Bytes {
		return wrong(c, "bytes")
	}
	c.setBytes(row, data)
	return nil
}

// wrong says that a value has a type that the column does not take.
func wrong(c *column, found string) error {
	return fmt.Errorf("expected %s, found %s", wanted(c), found)
}

func wanted(c *column) string {
	switch kindOf(c) {
	case kindBool:
		return "true or false"
	case kindString:
		return "a string"
	case kindBytes:
		return "bytes"
	case kindTimeText:
		return "a timestamp such as 2026-01-02T15:04:05.678Z"
	}
	return "a number"
}

var (
	errEmpty = errors.New("the message is empty")
	errDepth = errors.New("values nest deeper than the limit")
)
