package decode

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
)

var (
	errPack    = errors.New("expected a SenML pack: an array of records")
	errNoClose = errors.New("malformed JSON")
)

// pack reads the records of a message.
func (f *senmlFormat) pack(p []byte) error {
	f.records, f.text, f.packed = f.records[:0], f.text[:0], senmlBase{}
	i := skipSpace(p, 0)
	if i == len(p) {
		return errEmpty
	}
	var err error
	switch p[i] {
	case '[':
		i, err = f.array(p, i)
	case '{':
		i, err = f.older(p, i)
	default:
		return f.malformed(p, errPack)
	}
	if err == nil && skipSpace(p, i) != len(p) {
		err = errNoClose
	}
	if err != nil {
		return f.malformed(p, err)
	}
	return nil
}

// malformed words what is wrong with a message: the library knows where, if it is no JSON.
func (f *senmlFormat) malformed(p []byte, err error) error {
	if depth := checkNesting(p, f.limits.Depth); depth != nil {
		return depth
	}
	if !json.Valid(p) {
		var v json.RawMessage
		return fmt.Errorf("malformed JSON: %w", jsonError(json.Unmarshal(p, &v)))
	}
	if errors.Is(err, errNoClose) {
		return errPack
	}
	return err
}

// array reads the array of records that begins at p[i].
func (f *senmlFormat) array(p []byte, i int) (int, error) {
	i = skipSpace(p, i+1)
	if i < len(p) && p[i] == ']' {
		return i + 1, nil
	}
	for {
		if i == len(p) || p[i] != '{' {
			return 0, errPack
		}
		if len(f.records) == f.limits.Rows {
			return 0, fmt.Errorf("a pack of more records than the limit (%d)", f.limits.Rows)
		}
		var err error
		if i, err = f.member(p, i); err != nil {
			return 0, err
		}
		i = skipSpace(p, i)
		if i == len(p) {
			return 0, errNoClose
		}
		if p[i] == ']' {
			return i + 1, nil
		}
		if p[i] != ',' {
			return 0, errNoClose
		}
		i = skipSpace(p, i+1)
	}
}

// members calls f for each member of the object that begins at p[i] with its key and where its value stands.
func (f *senmlFormat) members(p []byte, i int, each func(key []byte, value span) error) (int, error) {
	i = skipSpace(p, i+1)
	if i < len(p) && p[i] == '}' {
		return i + 1, nil
	}
	for {
		if i == len(p) || p[i] != '"' {
			return 0, errNoClose
		}
		end := skipString(p, i+1)
		if end < 0 {
			return 0, errNoClose
		}
		key := p[i+1 : end-1]
		i = skipSpace(p, end)
		if i == len(p) || p[i] != ':' {
			return 0, errNoClose
		}
		i = skipSpace(p, i+1)
		if end = skipValue(p, i, f.limits.Depth-2); end < 0 {
			return 0, errNoClose
		}
		if err := each(key, span{i, end}); err != nil {
			return 0, err
		}
		i = skipSpace(p, end)
		if i == len(p) {
			return 0, errNoClose
		}
		if p[i] == '}' {
			return i + 1, nil
		}
		if p[i] != ',' {
			return 0, errNoClose
		}
		i = skipSpace(p, i+1)
	}
}

// older reads {"e":[...],"bn":...}, the form that SenML had before the RFC: its base fields count for
// all records, wherever they stand.
func (f *senmlFormat) older(p []byte, i int) (int, error) {
	entries := span{}
	end, err := f.members(p, i, func(key []byte, value span) error {
		if string(key) == "e" && p[value.from] == '[' {
			entries = value
			return nil
		}
		_, err := f.baseField(key, p, value)
		return err
	})
	if err != nil {
		return 0, err
	}
	if !entries.there() {
		return 0, errPack
	}
	_, err = f.array(p, entries.from)
	return end, err
}

// member reads the record that begins at p[i].
func (f *senmlFormat) member(p []byte, i int) (int, error) {
	r := senmlRecord{}
	time := span{}
	end, err := f.members(p, i, func(key []byte, value span) (err error) {
		switch string(key) {
		case "n":
			r.n, err = f.unquote(p[value.from:value.to], "n")
		case "u":
			r.unit, err = f.unquote(p[value.from:value.to], "u")
		case "t":
			time = value
		case "s":
			r.value[senmlSum] = value
		case "v":
			r.value[senmlNumber] = value
		case "vs", "sv":
			r.value[senmlString] = value
		case "vb", "bv":
			if string(key) == "bv" && p[value.from] != 't' && p[value.from] != 'f' {
				_, err = f.baseField(key, p, value)
				return err
			}
			r.value[senmlBool] = value
		case "vd":
			r.value[senmlData] = value
		default:
			var known bool
			if known, err = f.baseField(key, p, value); !known && err == nil && len(key) > 0 && key[len(key)-1] == '_' {
				err = fmt.Errorf("field %.40q must be understood (RFC 8428, 4.4) and is not", key)
			}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	r.base, r.from = f.packed.name, f.packed
	if r.unit == nil {
		r.unit = f.packed.unit
	}
	if r.micros, err = f.timeOf(p, time); err != nil {
		return 0, fmt.Errorf("t: %w", err)
	}
	f.records = append(f.records, r)
	return end, nil
}

// baseField notes a base field; known tells whether it is one.
func (f *senmlFormat) baseField(key []byte, p []byte, value span) (known bool, err error) {
	raw, b := p[value.from:value.to], &f.packed
	switch string(key) {
	case "bn":
		b.name, err = f.unquote(raw, "bn")
	case "bu":
		b.unit, err = f.unquote(raw, "bu")
	case "bt":
		if b.micros, err = f.micros(raw); err != nil {
			err = fmt.Errorf("bt: %w", err)
		}
	case "bv":
		b.number |= baseValue
		b.value, err = f.baseNumber(raw, "bv")
	case "bs":
		b.number |= baseSum
		b.sum, err = f.baseNumber(raw, "bs")
	case "bver":
		v, e := f.baseNumber(raw, "bver")
		if err = e; err == nil && v > senmlVersion {
			err = fmt.Errorf("bver: version %v, this build reads versions up to %d", v, senmlVersion)
		}
	default:
		return false, nil
	}
	return true, err
}

func (f *senmlFormat) baseNumber(raw []byte, label string) (float64, error) {
	text, err := f.number(raw)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", label, err)
	}
	v, err := parseDouble(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", label, err)
	}
	return v, nil
}

// micros gives a time as SenML writes it.
func (f *senmlFormat) micros(raw []byte) (int64, error) {
	text, err := f.number(raw)
	if err != nil {
		return 0, err
	}
	v, _, err := parseDecimal(text, f.seconds)
	return v, err
}

// timeOf gives the time of a record: base and own time added up. What is then below 2^28 seconds is relative to when
// the message was received.
func (f *senmlFormat) timeOf(p []byte, own span) (int64, error) {
	t := f.packed.micros
	if own.there() {
		v, err := f.micros(p[own.from:own.to])
		if err != nil {
			return 0, err
		}
		if v > 0 && t > math.MaxInt64-v || v < 0 && t < math.MinInt64-v {
			return 0, errRange
		}
		t += v
	}
	if f.relative && t < senmlAbsolute*1_000_000 || t == 0 {
		if t < math.MinInt64+f.received {
			return 0, errRange
		}
		t += f.received
	}
	return t, nil
}

// setData sets a column to base64url without padding, as vd has it; a padding is tolerated.
func (f *senmlFormat) setData(c *column, text []byte) error {
	for len(text) > 0 && text[len(text)-1] == '=' {
		text = text[:len(text)-1]
	}
	n := len(f.text)
	data, err := base64.RawURLEncoding.AppendDecode(f.text, text)
	if err != nil {
		return fmt.Errorf("vd: expected base64url: %w", err)
	}
	f.text = data
	if c.typ != batch.Bytes {
		return wrong(c, "bytes")
	}
	return c.setBlob(f.rows, data[n:])
}
