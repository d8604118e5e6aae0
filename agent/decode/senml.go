package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// senmlFormat decodes packs of SenML (RFC 8428) in JSON. The schema chooses how records become rows:
//
//	narrow: a schema that has a column n, v, vs, vb or vd: a row per record, with these
//	        columns, u, s, bn and t. n is the full name, t the time.
//	wide:   any other schema: a row per base name and time, in order of their first records. A column takes the value of
//	        the record whose n is its name; bn and t are as above.
//
// The older form {"e":[...],"bn":...,"bt":...} with sv for strings is read, too.
type senmlFormat struct {
	*Decoder
	names    names
	tolerant bool // numbers may be given as strings
	narrow   bool
	name     *column // n
	base     *column // bn
	unit     *column
	time     *column
	seconds  int // from SenML's times to microseconds, as a shift
	relative bool
	value    [5]*column // v, vs, vb, vd, s

	records []senmlRecord // of the pack
	packed  senmlBase
	text    []byte // strings that had escapes, and full names
	groups  map[senmlGroup]int
	order   []int
}

// senmlBase is what base fields say from a record on.
type senmlBase struct {
	name, unit []byte
	micros     int64
	value, sum float64
	number     uint8 // which of value and sum are given
}

const (
	baseValue = 1 << iota
	baseSum
)

// senmlRecord is a record with the base fields applied. Slices point into the message, or into text.
type senmlRecord struct {
	base   []byte
	n      []byte
	unit   []byte
	micros int64
	value  [5]span // v, vs, vb, vd, s as they stand
	from   senmlBase
	group  int
}

// span is a JSON value in the message; empty = not there.
type span struct{ from, to int }

func (s span) there() bool { return s.to > 0 }

type senmlGroup struct {
	base   string
	micros int64
}

// Places in senmlRecord.value.
const (
	senmlNumber = iota
	senmlString
	senmlBool
	senmlData
	senmlSum
)

// senmlAbsolute is where SenML's times begin to be absolute; below they are relative to now. Seconds.
const senmlAbsolute = 1 << 28

// senmlVersion is the newest version that this knows.
const senmlVersion = 10

func newSenML(d *Decoder, tolerant bool) (*senmlFormat, error) {
	f := &senmlFormat{Decoder: d, names: namesOf(d), tolerant: tolerant, seconds: 6, relative: true, groups: map[senmlGroup]int{}}
	for _, label := range []string{"n", "v", "vs", "vb", "vd"} {
		f.narrow = f.narrow || f.names.byName[label] != nil
	}
	for _, c := range []struct {
		to    **column
		name  string
		typ   batch.Type
		needs bool // only where the form is narrow
	}{
		{&f.base, "bn", batch.String, false}, {&f.time, "t", batch.Timestamp, false},
		{&f.name, "n", batch.String, true}, {&f.unit, "u", batch.String, true}, {&f.value[senmlSum], "s", batch.Double, true},
		{&f.value[senmlNumber], "v", batch.Double, true}, {&f.value[senmlString], "vs", batch.String, true},
		{&f.value[senmlBool], "vb", batch.Bool, true}, {&f.value[senmlData], "vd", batch.Bytes, true},
	} {
		if c.needs && !f.narrow {
			continue
		}
		*c.to = f.names.take(c.name)
		if col := *c.to; col != nil && col.typ != c.typ && !(c.name == "v" && col.typ == batch.Int) {
			return nil, fmt.Errorf("decode: column %q of format senml is a %s, not %s", c.name, c.typ, col.typ)
		}
	}
	if f.narrow && len(f.names.byName) > 0 {
		for name := range f.names.byName {
			return nil, fmt.Errorf("decode: column %q of format senml: a schema with n, v, vs, vb or vd has a row per record, and besides them only u, s, bn and t", name)
		}
	}
	if c := f.time; c != nil && c.unit != plan.TimeUnit_TIME_UNIT_RFC3339 {
		f.seconds, f.relative = c.shift, c.unit == plan.TimeUnit_TIME_UNIT_SECONDS
	}
	return f, nil
}

func (f *senmlFormat) record(p []byte) error {
	if err := f.pack(p); err != nil {
		return err
	}
	if f.narrow {
		return f.rowByRow(p)
	}
	return f.wide(p)
}

// rowByRow gives a row per record; one that only sets base fields is none.
func (f *senmlFormat) rowByRow(p []byte) error {
	for k := range f.records {
		r := &f.records[k]
		has := false
		for i := range r.value {
			has = has || r.has(i)
		}
		if !has {
			continue
		}
		f.startRow()
		seen := f.setCommon(r)
		if f.name != nil {
			seen += f.first(f.name)
			f.name.codes[f.rows] = f.name.intern(toUTF8(f.fullName(r)))
		}
		if f.unit != nil && r.unit != nil {
			seen += f.first(f.unit)
			f.unit.codes[f.rows] = f.unit.intern(toUTF8(r.unit))
		}
		for i, c := range f.value {
			if c == nil || !r.has(i) {
				continue
			}
			seen += f.first(c)
			if err := f.set(c, p, r, i); err != nil {
				return f.recordError(r, err)
			}
		}
		f.endRow(seen)
	}
	return nil
}

// has tells whether a record has a value at a place, be it a base field's.
func (r *senmlRecord) has(i int) bool {
	switch i {
	case senmlNumber:
		bare := !r.value[senmlString].there() && !r.value[senmlBool].there() && !r.value[senmlData].there()
		return r.value[i].there() || bare && r.from.number&baseValue != 0
	case senmlSum:
		return r.value[i].there() || r.from.number&baseSum != 0
	}
	return r.value[i].there()
}

func (f *senmlFormat) recordError(r *senmlRecord, err error) error {
	return fmt.Errorf("record %.80q: %w", f.fullName(r), err)
}

// fullName is valid until the next one.
func (f *senmlFormat) fullName(r *senmlRecord) []byte {
	if len(r.base) == 0 {
		return r.n
	}
	if len(r.n) == 0 {
		return r.base
	}
	n := len(f.text)
	f.text = append(append(f.text, r.base...), r.n...)
	return f.text[n:]
}

// setCommon sets the columns that both forms have.
func (f *senmlFormat) setCommon(r *senmlRecord) (seen int) {
	if f.base != nil && r.base != nil {
		seen += f.first(f.base)
		f.base.codes[f.rows] = f.base.intern(toUTF8(r.base))
	}
	if f.time != nil {
		seen += f.first(f.time)
		f.time.ints[f.rows] = r.micros
	}
	return seen
}

// wide gives a row per base name and time that has a record for one of the columns.
func (f *senmlFormat) wide(p []byte) error {
	clear(f.groups)
	groups := 0
	var last *senmlRecord // of the row that the record before belongs to
	for k := range f.records {
		r := &f.records[k]
		r.group = -1
		if f.names.at(k, r.n) == nil {
			continue
		}
		if last != nil && last.micros == r.micros && bytes.Equal(last.base, r.base) {
			r.group = last.group
		} else if g, ok := f.groups[senmlGroup{string(r.base), r.micros}]; ok {
			r.group = g
		} else {
			if last != nil && groups == 1 { // most packs make one row and need no table
				f.groups[senmlGroup{string(last.base), last.micros}] = 0
			}
			if r.group = groups; groups > 0 {
				f.groups[senmlGroup{string(r.base), r.micros}] = groups
			}
			groups++
		}
		last = r
	}
	f.order = f.order[:0]
	for k := range f.records {
		if f.records[k].group >= 0 {
			f.order = append(f.order, k)
		}
	}
	slices.SortStableFunc(f.order, func(a, b int) int { return f.records[a].group - f.records[b].group })
	for from := 0; from < len(f.order); {
		r := &f.records[f.order[from]]
		f.startRow()
		seen := f.setCommon(r)
		group := r.group
		for ; from < len(f.order) && f.records[f.order[from]].group == group; from++ {
			k := f.order[from]
			r := &f.records[k]
			c := f.names.at(k, r.n)
			seen += f.first(c)
			if err := f.setWide(c, p, r); err != nil {
				return f.recordError(r, err)
			}
		}
		f.endRow(seen)
	}
	return nil
}

// setWide sets a column to the value that a record has.
func (f *senmlFormat) setWide(c *column, p []byte, r *senmlRecord) error {
	for i := range senmlSum {
		if r.has(i) {
			return f.set(c, p, r, i)
		}
	}
	c.setNull(f.rows)
	return nil
}

// set sets a column to the value of a record at a place.
func (f *senmlFormat) set(c *column, p []byte, r *senmlRecord, i int) error {
	s := r.value[i]
	plus, based := r.from.value, i == senmlNumber && r.from.number&baseValue != 0
	if i == senmlSum {
		plus, based = r.from.sum, r.from.number&baseSum != 0
	}
	if !s.there() {
		return c.setDouble(f.rows, plus)
	}
	raw := p[s.from:s.to]
	if string(raw) == "null" {
		c.setNull(f.rows)
		return nil
	}
	switch i {
	case senmlString:
		text, err := f.unquote(raw, "vs")
		if err != nil {
			return err
		}
		if k := kindOf(c); f.tolerant && (k == kindDouble || k == kindInt || k == kindTimeNumber) {
			if text, err = f.number(raw); err != nil {
				return err
			}
			return f.setNumber(c, text, 0, false)
		}
		return c.setString(f.rows, text)
	case senmlBool:
		if raw[0] != 't' && raw[0] != 'f' {
			return fmt.Errorf("vb: expected true or false, found %s", describe(raw))
		}
		return c.setBool(f.rows, raw[0] == 't')
	case senmlData:
		text, err := f.unquote(raw, "vd")
		if err != nil {
			return err
		}
		return f.setData(c, text)
	}
	text, err := f.number(raw)
	if err != nil {
		return err
	}
	return f.setNumber(c, text, plus, based)
}

// number gives the text of a number, which may stand in quotes where the plan tolerates that.
func (f *senmlFormat) number(raw []byte) ([]byte, error) {
	if raw[0] == '"' && f.tolerant {
		if text := bytes.TrimSpace(raw[1 : len(raw)-1]); len(text) > 0 && skipNumber(text, 0) == len(text) {
			return text, nil
		}
		return nil, fmt.Errorf("expected a number, found %.40s", raw)
	}
	if describe(raw) != "a number" {
		return nil, fmt.Errorf("expected a number, found %s", describe(raw))
	}
	return raw, nil
}

// setNumber sets a column to a number, and what a base field adds to it.
func (f *senmlFormat) setNumber(c *column, text []byte, plus float64, based bool) error {
	if !based {
		return c.setDecimal(f.rows, text)
	}
	v, err := parseDouble(text)
	if err != nil {
		return err
	}
	if v += plus; math.IsInf(v, 0) {
		return errRange
	}
	return c.setDouble(f.rows, v)
}

// unquote gives the text of a JSON string.
func (f *senmlFormat) unquote(raw []byte, label string) ([]byte, error) {
	if raw[0] != '"' {
		return nil, fmt.Errorf("%s: expected a string, found %s", label, describe(raw))
	}
	if plainString(raw, 1) == len(raw)-1 {
		return raw[1 : len(raw)-1], nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fmt.Errorf("%s: malformed string: %w", label, err)
	}
	return []byte(text), nil
}
