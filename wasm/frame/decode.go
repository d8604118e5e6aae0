package frame

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/leatio/leat/engine/batch"
)

// Output is the checked column of a scalar call's output frame. It views the
// frame's bytes and is valid as long as these are.
type Output struct {
	typ      batch.Type
	rows     int
	constant bool
	valid    []byte // nil = no nulls
	values   []byte
	data     []byte
}

// Decode checks the output frame of a scalar call on rows rows. A column of
// bytes may not grow to more than maxData bytes when it is unfolded.
func Decode(src []byte, typ batch.Type, rows, maxData int) (Output, error) {
	o := Output{typ: typ, rows: rows}
	if err := checkHeader(src, rows); err != nil {
		return o, err
	}
	d := src[HeaderBytes:][:DescriptorBytes]
	if err := o.checkDescriptor(d); err != nil {
		return o, err
	}
	if err := o.findAreas(src, d); err != nil {
		return o, err
	}
	return o, o.checkValues(maxData)
}

func checkHeader(src []byte, rows int) error {
	le := binary.LittleEndian
	if len(src) < HeaderBytes+DescriptorBytes {
		return malformed("%d bytes are too few for a header and one column (%d)", len(src), HeaderBytes+DescriptorBytes)
	}
	switch {
	case le.Uint32(src[0:]) != Magic:
		return malformed("it begins with 0x%08x instead of 0x%08x (LTF1)", le.Uint32(src[0:]), uint32(Magic))
	case le.Uint16(src[4:]) != OpScalar:
		return malformed("operation %d in answer to a scalar call", le.Uint16(src[4:]))
	case le.Uint16(src[6:]) != 1:
		return malformed("%d columns in answer to a scalar call, which has one", le.Uint16(src[6:]))
	case uint64(le.Uint32(src[8:])) != uint64(rows):
		return malformed("%d rows in answer to %d", le.Uint32(src[8:]), rows)
	case uint64(le.Uint32(src[12:])) != uint64(len(src)):
		return malformed("the header says %d bytes, leat_call returned %d", le.Uint32(src[12:]), len(src))
	case le.Uint32(src[24:]) != 0 || le.Uint32(src[28:]) != 0 || le.Uint32(src[32:]) != 0 || le.Uint32(src[36:]) != 0:
		return malformed("groups, flags, timers and the last word of a scalar frame's header must be zero")
	}
	return nil
}

func (o *Output) checkDescriptor(d []byte) error {
	switch {
	case d[0] != byte(o.typ):
		return malformed("the result has type %d; the manifest says %v (%d)", d[0], o.typ, byte(o.typ))
	case d[1]&flagDictionary != 0:
		return malformed("the result is dictionary coded, which version 1 reserves")
	case d[1]&^(flagNullable|flagConstant) != 0:
		return malformed("the result has unknown flags 0x%02x", d[1])
	case binary.LittleEndian.Uint16(d[2:]) != 0:
		return malformed("the result has role %d; 0 was expected", binary.LittleEndian.Uint16(d[2:]))
	}
	o.constant = d[1]&flagConstant != 0
	return nil
}

// stored is the number of values that stand in the frame.
func (o *Output) stored() int {
	if o.constant {
		return 1
	}
	return o.rows
}

func (o *Output) findAreas(src, d []byte) (err error) {
	le, n := binary.LittleEndian, uint64(o.stored())
	if bitmap := le.Uint32(d[4:]); bitmap != 0 {
		if d[1]&flagNullable == 0 {
			return malformed("a column without the flag nullable has a null bitmap")
		}
		if o.valid, err = area(src, "null bitmap", bitmap, (n+7)/8); err != nil {
			return err
		}
	}
	size := n * width(o.typ)
	if size == 0 && width(o.typ) == 0 {
		size = 4 * (n + 1)
	}
	if got := le.Uint32(d[12:]); uint64(got) != size {
		return malformed("%d bytes of values for %d rows of type %v, which take %d", got, n, o.typ, size)
	}
	if o.values, err = area(src, "values", le.Uint32(d[8:]), size); err != nil {
		return err
	}
	if width(o.typ) == 0 {
		o.data, err = area(src, "bytes", le.Uint32(d[16:]), uint64(le.Uint32(d[20:])))
	}
	return err
}

// area is the part of the frame at offset, size bytes long.
func area(src []byte, what string, offset uint32, size uint64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	if offset%8 != 0 || offset < HeaderBytes+DescriptorBytes || uint64(offset)+size > uint64(len(src)) {
		return nil, malformed("the %s at offset %d, %d bytes long, do not fit in a frame of %d bytes (or are not 8-byte aligned)", what, offset, size, len(src))
	}
	return src[offset : uint64(offset)+size], nil
}

func (o *Output) checkValues(maxData int) error {
	switch o.typ {
	case batch.Bool:
		for i, v := range o.values {
			if v > 1 {
				return malformed("the bool in row %d is %d", i, v)
			}
		}
	case batch.String, batch.Bytes:
		return o.checkBlobs(maxData)
	}
	return nil
}

func (o *Output) checkBlobs(maxData int) error {
	last, n := uint32(0), o.stored()
	for i := range n + 1 {
		at := binary.LittleEndian.Uint32(o.values[4*i:])
		if at < last || uint64(at) > uint64(len(o.data)) || i == 0 && at != 0 {
			return malformed("offset %d of row %d does not follow %d or lies beyond %d bytes", at, i, last, len(o.data))
		}
		if o.typ == batch.String && i > 0 && o.present(i-1) && !utf8.Valid(o.data[last:at]) {
			return malformed("the string in row %d is not UTF-8", i-1)
		}
		last = at
	}
	if o.typ == batch.Bytes && o.constant && uint64(last)*uint64(o.rows) > uint64(maxData) {
		return malformed("a constant of %d bytes for %d rows is more than the %d bytes allowed", last, o.rows, maxData)
	}
	return nil
}

// present tells whether the i-th stored value is not null.
func (o *Output) present(i int) bool { return o.valid == nil || o.valid[i>>3]>>(i&7)&1 != 0 }

// Append adds the rows to out, whose type is the result's. NaNs become
// batch.CanonicalNaN; strings are interned in out.Dict.
func (o *Output) Append(out *batch.Column) {
	first := out.Len()
	switch {
	case o.constant:
		o.appendConstant(out)
	case o.typ == batch.Bool:
		for _, v := range o.values {
			out.Bools = append(out.Bools, v != 0)
		}
	case o.typ == batch.Double:
		out.Doubles = slices.Grow(out.Doubles, o.rows)[:first+o.rows]
		get64(out.Doubles[first:], o.values)
		canonical(out.Doubles[first:])
	case o.typ == batch.String, o.typ == batch.Bytes:
		for i := range o.rows {
			o.appendBlob(out, i)
		}
	default:
		out.Ints = slices.Grow(out.Ints, o.rows)[:first+o.rows]
		get64(out.Ints[first:], o.values)
	}
	o.appendValid(out, first)
}

func canonical(values []float64) {
	for i, v := range values {
		if v != v {
			values[i] = batch.CanonicalNaN
		}
	}
}

func (o *Output) appendBlob(out *batch.Column, i int) {
	from, to := binary.LittleEndian.Uint32(o.values[4*i:]), binary.LittleEndian.Uint32(o.values[4*i+4:])
	if !o.present(i) {
		to = from
	}
	if o.typ == batch.Bytes {
		out.AppendBlob(o.data[from:to])
		return
	}
	if out.Dict == nil {
		out.Dict = batch.NewDict()
	}
	out.Codes = append(out.Codes, out.Dict.Code(o.data[from:to]))
}

func (o *Output) appendConstant(out *batch.Column) {
	switch o.typ {
	case batch.Bool:
		for range o.rows {
			out.Bools = append(out.Bools, o.values[0] != 0)
		}
	case batch.Double:
		var one [1]float64
		get64(one[:], o.values)
		canonical(one[:])
		for range o.rows {
			out.Doubles = append(out.Doubles, one[0])
		}
	case batch.String, batch.Bytes:
		for range o.rows {
			o.appendBlob(out, 0)
		}
	default:
		var one [1]int64
		get64(one[:], o.values)
		for range o.rows {
			out.Ints = append(out.Ints, one[0])
		}
	}
}

func (o *Output) appendValid(out *batch.Column, first int) {
	if out.Valid == nil {
		if o.valid == nil || o.allPresent() {
			return
		}
		out.Valid = batch.NewBitmap(first+o.rows, true)
	}
	for i := range o.rows {
		stored := i
		if o.constant {
			stored = 0
		}
		out.Valid = out.Valid.Append(first+i, o.present(stored))
	}
}

func (o *Output) allPresent() bool {
	for i := range o.stored() {
		if !o.present(i) {
			return false
		}
	}
	return true
}
