package decode

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// influxFormat decodes the line protocol of InfluxDB:
//
//	measurement,tag=value,tag=value field=value,field=value timestamp
//
// A message has one or more lines; a line is a row.
type influxFormat struct {
	*Decoder
	names       names
	measurement *column // nil = not used
	time        *column // nil = not used
	shift       int     // from the timestamp's unit to microseconds
	buf         []byte  // a text without its escapes
}

func newInflux(d *Decoder) (*influxFormat, error) {
	f := &influxFormat{Decoder: d, names: namesOf(d)}
	f.measurement, f.time = f.names.take("measurement"), f.names.take("time")
	if c := f.measurement; c != nil && c.typ != batch.String {
		return nil, fmt.Errorf("decode: column \"measurement\" of format influx is a string, not %s", c.typ)
	}
	if c := f.time; c != nil {
		if c.typ != batch.Timestamp {
			return nil, fmt.Errorf("decode: column \"time\" of format influx is a timestamp, not %s", c.typ)
		}
		if f.shift = c.shift; c.unit == plan.TimeUnit_TIME_UNIT_RFC3339 {
			f.shift = -3
		}
	}
	return f, nil
}

var (
	errNoMeasurement = errors.New("malformed line: it begins with no measurement")
	errNoFields      = errors.New("malformed line: it has no fields")
	errOpenQuote     = errors.New("malformed line: a string has no end")
	errNoEqual       = errors.New("malformed line: expected key=value")
	errTimestamp     = errors.New("malformed line: the timestamp is no whole number within range")
)

func (f *influxFormat) record(p []byte) error {
	lines, most, comments := 0, f.rows+f.limits.Rows, false
	for n := 1; len(p) > 0; n++ {
		if p[0] == '\n' || p[0] == '\r' || p[0] == ' ' {
			p = p[1:]
			n--
			continue
		}
		if p[0] == '#' {
			comments = true
			end := bytes.IndexByte(p, '\n')
			if end < 0 {
				break
			}
			p = p[end:]
			n--
			continue
		}
		if f.rows == most {
			return fmt.Errorf("more lines than the limit (%d)", f.limits.Rows)
		}
		rest, err := f.line(p)
		if err != nil {
			if n > 1 || bytes.IndexByte(p, '\n') >= 0 && lines > 0 {
				return fmt.Errorf("line %d: %w", n, err)
			}
			return err
		}
		p = rest
		lines++
	}
	if lines == 0 && !comments {
		return errEmpty
	}
	return nil
}

// line decodes the line at the beginning of p into a row and gives what follows it.
func (f *influxFormat) line(p []byte) ([]byte, error) {
	f.startRow()
	seen := 0
	name, i := f.text(p, 0, comma|space|lineFeed, comma|space)
	if len(name) == 0 {
		return nil, errNoMeasurement
	}
	if c := f.measurement; c != nil {
		seen += f.first(c)
		if err := c.setString(f.rows, name); err != nil {
			return nil, columnError(c, err)
		}
	}
	k := 0
	for ; i < len(p) && p[i] == ','; k++ { // tags
		n, next, err := f.tag(p, i+1, k)
		if err != nil {
			return nil, err
		}
		seen, i = seen+n, next
	}
	if i == len(p) || p[i] != ' ' {
		return nil, errNoFields
	}
	for i < len(p) && p[i] == ' ' {
		i++
	}
	for ; ; k++ { // fields
		n, next, err := f.field(p, i, k)
		if err != nil {
			return nil, err
		}
		seen, i = seen+n, next
		if i == len(p) || p[i] != ',' {
			break
		}
		i++
	}
	n, i, err := f.timestamp(p, i)
	if err != nil {
		return nil, err
	}
	f.endRow(seen + n)
	return p[i:], nil
}

// Bytes that mean something in a line.
const (
	comma = 1 << iota
	space
	equal
	lineFeed
	backslash
	quote
)

var influxClass = [256]uint8{',': comma, ' ': space, '=': equal, '\n': lineFeed, '\\': backslash, '"': quote}

// text reads up to an unescaped byte of ends, or to the end of the line. A backslash before a byte of
// escapes stands for that byte, and for itself elsewhere. The text is valid until the next one.
func (f *influxFormat) text(p []byte, i int, ends, escapes uint8) (text []byte, next int) {
	start, escaped := i, false
	for ends |= backslash; i < len(p); i++ {
		if influxClass[p[i]]&ends == 0 {
			continue
		}
		if p[i] != '\\' {
			break
		}
		if i+1 < len(p) && influxClass[p[i+1]]&escapes != 0 {
			escaped = true
			i++
		}
	}
	if !escaped {
		return p[start:i], i
	}
	return f.unescape(p[start:i], escapes), i
}

func (f *influxFormat) unescape(text []byte, escapes uint8) []byte {
	f.buf = f.buf[:0]
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && influxClass[text[i+1]]&escapes != 0 {
			i++
		}
		f.buf = append(f.buf, text[i])
	}
	return f.buf
}

// key reads a key and the sign behind it, as the k-th of its line.
func (f *influxFormat) key(p []byte, i, k int) (c *column, next int, err error) {
	key, i := f.text(p, i, comma|equal|space|lineFeed, comma|equal|space)
	if len(key) == 0 || i == len(p) || p[i] != '=' {
		return nil, 0, errNoEqual
	}
	return f.names.at(k, key), i + 1, nil
}

func (f *influxFormat) tag(p []byte, i, k int) (seen, next int, err error) {
	c, i, err := f.key(p, i, k)
	if err != nil {
		return 0, 0, err
	}
	value, i := f.text(p, i, comma|space|lineFeed, comma|equal|space)
	if len(value) == 0 {
		return 0, 0, errNoEqual
	}
	if c == nil {
		return 0, i, nil
	}
	seen = f.first(c)
	if err := c.setFieldText(f.rows, value, kindOf(c)); err != nil {
		return 0, 0, columnError(c, err)
	}
	return seen, i, nil
}

func (f *influxFormat) field(p []byte, i, k int) (seen, next int, err error) {
	c, i, err := f.key(p, i, k)
	if err != nil {
		return 0, 0, err
	}
	if i < len(p) && p[i] == '"' {
		return f.quoted(c, p, i+1)
	}
	start := i
	for i < len(p) && p[i] != ',' && p[i] != ' ' && p[i] != '\n' && p[i] != '\r' {
		i++
	}
	value := p[start:i]
	kind, b := influxKind(value)
	if kind == influxNone {
		return 0, 0, fmt.Errorf("malformed line: %.40q is no value of a field", value)
	}
	if c == nil {
		return 0, i, nil
	}
	seen = f.first(c)
	switch kind {
	case influxBool:
		err = c.setBool(f.rows, b)
	case influxInt:
		err = c.setDecimal(f.rows, value[:len(value)-1])
	default:
		err = c.setDecimal(f.rows, value)
	}
	if err != nil {
		return 0, 0, columnError(c, err)
	}
	return seen, i, nil
}

// quoted reads the string of a field, whose first byte is p[i].
func (f *influxFormat) quoted(c *column, p []byte, i int) (seen, next int, err error) {
	start, escaped := i, false
	for ; i < len(p) && p[i] != '"'; i++ {
		if p[i] == '\\' && i+1 < len(p) && influxClass[p[i+1]]&(quote|backslash) != 0 {
			escaped = true
			i++
		}
	}
	if i >= len(p) {
		return 0, 0, errOpenQuote
	}
	if c == nil {
		return 0, i + 1, nil
	}
	text := p[start:i]
	if escaped {
		text = f.unescape(text, quote|backslash)
	}
	seen = f.first(c)
	if err := c.setString(f.rows, text); err != nil {
		return 0, 0, columnError(c, err)
	}
	return seen, i + 1, nil
}

// timestamp reads the end of a line.
func (f *influxFormat) timestamp(p []byte, i int) (seen, next int, err error) {
	for i < len(p) && p[i] == ' ' {
		i++
	}
	start := i
	for i < len(p) && p[i] != '\n' && p[i] != '\r' && p[i] != ' ' {
		i++
	}
	text := p[start:i]
	for i < len(p) && (p[i] == '\r' || p[i] == ' ') {
		i++
	}
	if i < len(p) && p[i] != '\n' {
		return 0, 0, fmt.Errorf("malformed line: found %.40q behind the timestamp", p[i:])
	}
	micros := f.received
	if len(text) > 0 {
		v, whole, err := parseDecimal(text, 0)
		if err == nil && whole && isDecimal(text) {
			var ok bool
			if micros, ok = toMicros(v, f.shift); !ok {
				return 0, 0, errTimestamp
			}
		} else {
			return 0, 0, errTimestamp
		}
	}
	if f.time == nil {
		return 0, i, nil
	}
	seen = f.first(f.time)
	f.time.ints[f.rows] = micros
	return seen, i, nil
}

type influxType uint8

const (
	influxNone influxType = iota
	influxBool
	influxInt
	influxFloat
)

// influxKind tells what an unquoted value of a field is.
func influxKind(v []byte) (t influxType, b bool) {
	switch string(v) {
	case "":
		return influxNone, false
	case "t", "T", "true", "True", "TRUE":
		return influxBool, true
	case "f", "F", "false", "False", "FALSE":
		return influxBool, false
	}
	var fast float64
	if scanDouble(v, 0, &fast) == len(v) {
		return influxFloat, false
	}
	if v[0] != '-' && v[0] != '+' && v[0] != '.' && v[0]-'0' > 9 || !isDecimal(v[:len(v)-1]) {
		return influxNone, false
	}
	switch last := v[len(v)-1]; {
	case last == 'i' || last == 'u':
		if skipDigits(v, 0) != len(v)-1 && !(v[0] == '-' && last == 'i' && skipDigits(v, 1) == len(v)-1) {
			return influxNone, false
		}
		return influxInt, false
	case !isDecimal(v):
		return influxNone, false
	}
	if _, err := parseDouble(v); errors.Is(err, errNumber) {
		return influxNone, false
	}
	return influxFloat, false
}
