package columnar

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
)

// A batch is uvarint rows, uvarint columns, then per column a tag and its
// values that are not null:
//
//	tag      batch.Type, plus tagNulls where a plane of ⌈rows/8⌉ bytes follows that tells the rows with a value
//	bool     a plane of the bits
//	int, timestamp   integers
//	double   doubles
//	string   a string column
//	bytes    lengths (integers), then the bytes as one plane
const (
	tagNulls = 0x80

	maxColumns = 1 << 12
)

// Append appends the counting rows of b, whose columns are of schema s.
func Append(dst []byte, s batch.Schema, b *batch.Batch) []byte {
	if len(s) != len(b.Cols) {
		panic(fmt.Sprintf("BUG: batch of %d columns for a schema of %d", len(b.Cols), len(s)))
	}
	e := encoders.Get().(*encoder)
	defer e.release()
	e.hasKey, e.before = false, e.before[:0]
	dst = binary.AppendUvarint(dst, uint64(b.Len()))
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	for i := range s {
		if s[i].Type != b.Cols[i].Type {
			panic(fmt.Sprintf("BUG: column %q is %s, its schema says %s", s[i].Name, b.Cols[i].Type, s[i].Type))
		}
		dst = e.appendColumn(dst, b, &b.Cols[i])
	}
	return dst
}

func (e *encoder) appendColumn(dst []byte, b *batch.Batch, c *batch.Column) []byte {
	tag := byte(c.Type)
	rows, nulls := e.present(b, c)
	if nulls > 0 {
		tag |= tagNulls
	}
	dst = append(dst, tag)
	if nulls > 0 {
		dst = e.appendNulls(dst, b, c)
	}
	switch c.Type {
	case batch.Bool:
		e.plane = append(e.plane[:0], make([]byte, (len(rows)+7)/8)...)
		for i, r := range rows {
			if c.Bools[r] {
				e.plane[i>>3] |= 1 << (i & 7)
			}
		}
		return e.appendPlane(dst, e.plane)
	case batch.Double:
		e.doubles = e.doubles[:0]
		for _, r := range rows {
			e.doubles = append(e.doubles, c.Doubles[r])
		}
		return e.appendDoubles(dst, e.doubles)
	case batch.String:
		dst = e.appendStrings(dst, c, rows)
		if nulls == 0 && len(rows) > 0 && !e.hasKey {
			e.keyed(e.codes, len(e.distinct))
		}
		return dst
	case batch.Bytes:
		e.ints, e.text = e.ints[:0], e.text[:0]
		for _, r := range rows {
			p := c.Blob(int(r))
			e.ints = append(e.ints, int64(len(p)))
			e.text = append(e.text, p...)
		}
		return e.appendPlane(e.appendInts(dst, e.ints), e.text)
	default:
		e.ints = e.ints[:0]
		for _, r := range rows {
			e.ints = append(e.ints, c.Ints[r])
		}
		return e.appendInts(dst, e.ints)
	}
}

// present lists the counting rows at which c has a value.
func (e *encoder) present(b *batch.Batch, c *batch.Column) (rows []uint32, nulls int) {
	e.rows = e.rows[:0]
	if b.Sel != nil {
		for _, r := range b.Sel {
			if !c.Null(int(r)) {
				e.rows = append(e.rows, r)
			}
		}
	} else {
		for r := range b.N {
			if !c.Null(r) {
				e.rows = append(e.rows, uint32(r))
			}
		}
	}
	return e.rows, b.Len() - len(e.rows)
}

func (e *encoder) appendNulls(dst []byte, b *batch.Batch, c *batch.Column) []byte {
	n := b.Len()
	e.plane = append(e.plane[:0], make([]byte, (n+7)/8)...)
	for i := range n {
		r := i
		if b.Sel != nil {
			r = int(b.Sel[i])
		}
		if !c.Null(r) {
			e.plane[i>>3] |= 1 << (i & 7)
		}
	}
	return e.appendPlane(dst, e.plane)
}

// Decode appends the rows at the start of src to dst, whose columns are of
// schema s, and returns what follows them. Strings are interned in dst's
// Dicts; a column without one, or an empty one whose Dict is full, gets a new one. On an error dst has the
// rows it had.
func Decode(src []byte, s batch.Schema, dst *batch.Batch, lim Limits) (rest []byte, err error) {
	r := newReader(src, lim)
	defer r.release()
	return r.decode(s, dst)
}

func (r *reader) decode(s batch.Schema, dst *batch.Batch) (rest []byte, err error) {
	if dst.Sel != nil {
		panic("BUG: Decode to a batch with a selection")
	}
	into := dst
	if dst.N > 0 {
		into = batch.New(s)
	}
	if r.batch(s, into); r.err != nil {
		if into == dst {
			dst.Reset()
		}
		return nil, r.err
	}
	if into != dst {
		dst.AppendRows(into)
	}
	return r.src, nil
}

// batch reads a batch into dst, which is empty.
func (r *reader) batch(s batch.Schema, dst *batch.Batch) {
	rows := r.rowCount()
	r.key, r.before = nil, r.before[:0]
	if n := r.count("columns", maxColumns); r.err == nil && n != len(s) {
		r.err = fmt.Errorf("%w: %d columns, the schema has %d", ErrSchema, n, len(s))
	}
	for i := range s {
		if r.err != nil {
			return
		}
		tag := r.byte("column")
		if t := batch.Type(tag &^ tagNulls); r.err == nil && t != s[i].Type {
			r.err = fmt.Errorf("%w: column %q is %s, the schema says %s", ErrSchema, s[i].Name, t, s[i].Type)
			return
		}
		r.column(&dst.Cols[i], rows, tag&tagNulls != 0)
	}
	if r.err == nil {
		dst.N = rows
	}
}

func (r *reader) rowCount() int {
	v := r.uvarint("rows")
	if r.err == nil && v > uint64(r.rows) {
		r.err = fmt.Errorf("%w: %d rows, %d are allowed", ErrLimit, v, r.rows)
	}
	if r.err != nil {
		return 0
	}
	r.rows -= int(v)
	return int(v)
}

// valueBytes is what a row of a type takes in memory; scratch included.
const valueBytes = 16

func (r *reader) column(c *batch.Column, rows int, nulls bool) {
	if c.Type == batch.String && (c.Dict == nil || c.Dict.Full()) {
		c.Dict = batch.NewDict()
	}
	if !r.charge(rows, valueBytes) {
		return
	}
	present := rows
	if nulls {
		if c.Valid, present = r.nulls(rows); r.err != nil {
			return
		}
	}
	switch c.Type {
	case batch.Bool:
		bits := r.planeScratch((present + 7) / 8)
		r.plane(bits)
		c.Bools = resize(c.Bools, rows)
		if r.err == nil {
			for i := range present {
				c.Bools[i] = bits[i>>3]>>(i&7)&1 != 0
			}
		}
		spread(c.Bools, present, c.Valid)
	case batch.Double:
		c.Doubles = resize(c.Doubles, rows)
		r.doubles(c.Doubles[:present])
		spread(c.Doubles, present, c.Valid)
	case batch.String:
		c.Codes = resize(c.Codes, rows)
		r.strings(c.Codes[:present], c.Dict)
		if nulls && r.err == nil {
			spread(c.Codes, present, c.Valid)
			r.nullCodes(c)
		}
		if !nulls && r.key == nil {
			r.key = c.Codes
		}
	case batch.Bytes:
		r.blobs(c, rows, present)
	default:
		c.Ints = resize(c.Ints, rows)
		r.ints(c.Ints[:present])
		spread(c.Ints, present, c.Valid)
	}
}

// nulls reads the rows that have a value.
func (r *reader) nulls(rows int) (valid batch.Bitmap, present int) {
	bits := r.planeScratch((rows + 7) / 8)
	if r.plane(bits); r.err != nil {
		return nil, 0
	}
	valid = batch.NewBitmap(rows, false)
	for i := range rows {
		if bits[i>>3]>>(i&7)&1 != 0 {
			valid.Set(i)
			present++
		}
	}
	return valid, present
}

// spread moves the first present values to the rows that valid tells, from the
// end so that none is overwritten before it moved.
func spread[T any](vals []T, present int, valid batch.Bitmap) {
	if valid == nil {
		return
	}
	var zero T
	for i := len(vals) - 1; i >= 0; i-- {
		if valid.Get(i) {
			present--
			vals[i] = vals[present]
		} else {
			vals[i] = zero
		}
	}
}

// nullCodes gives null rows a code that the Dict has.
func (r *reader) nullCodes(c *batch.Column) {
	empty := c.Dict.CodeString("")
	for i := range c.Codes {
		if !c.Valid.Get(i) {
			c.Codes[i] = empty
		}
	}
}

func (r *reader) blobs(c *batch.Column, rows, present int) {
	lengths := r.intScratch(present)
	if r.ints(lengths); r.err != nil {
		return
	}
	total := int64(0)
	for _, n := range lengths {
		if n < 0 || n > math.MaxUint32 || total+n > math.MaxUint32 {
			r.fail("bytes of length %d", n)
			return
		}
		total += n
	}
	if !r.charge(int(total), 1) {
		return
	}
	c.Offsets = append(resize(c.Offsets, 0), 0)
	at, k := int64(0), 0
	for i := range rows {
		if c.Valid == nil || c.Valid.Get(i) {
			at += lengths[k]
			k++
		}
		c.Offsets = append(c.Offsets, uint32(at))
	}
	c.Data = resize(c.Data, int(total))
	r.plane(c.Data)
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
