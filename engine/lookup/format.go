package lookup

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/leatio/leat/engine/batch"
)

// Format is the version of the encoding.
const Format = 1

const (
	magic       = "LEATLKP\x00"
	headerBytes = 24
	hasNulls    = 1 // flag of a column
)

// Append appends the encoded table; see docs/format/lookup.md. Equal tables have equal bytes.
func (t *Table) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint16(dst, Format)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(t.cols)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(t.rows))
	dst = append(dst, make([]byte, 8)...) // checksum, zero
	for i := range t.cols {
		dst = appendColumn(dst, t.schema[i].Name, &t.cols[i], t.rows)
	}
	binary.LittleEndian.PutUint32(dst[start+16:], checksum(dst[start:]))
	return dst
}

// checksum covers all but itself.
func checksum(b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, b[:16])
	return crc32.Update(sum, table, b[20:])
}

func appendColumn(dst []byte, name string, c *batch.Column, rows int) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	dst = append(dst, name...)
	dst = append(dst, byte(c.Type))
	nulls := false
	for i := range rows {
		nulls = nulls || c.Null(i)
	}
	if !nulls {
		dst = append(dst, 0)
	} else {
		dst = append(dst, hasNulls)
		dst = appendBits(dst, rows, func(i int) bool { return !c.Null(i) })
	}
	switch c.Type {
	case batch.Bool:
		return appendBits(dst, rows, func(i int) bool { return c.Bools[i] && !c.Null(i) })
	case batch.String:
		return appendStrings(dst, c, rows)
	}
	for i := range rows {
		if c.Null(i) {
			continue
		}
		switch c.Type {
		case batch.Double:
			v := c.Doubles[i]
			if v != v {
				v = batch.CanonicalNaN
			}
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
		case batch.Bytes:
			p := c.Blob(i)
			dst = binary.AppendUvarint(dst, uint64(len(p)))
			dst = append(dst, p...)
		default:
			dst = binary.AppendVarint(dst, c.Ints[i])
		}
	}
	return dst
}

func appendBits(dst []byte, n int, bit func(i int) bool) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, (n+7)/8)...)
	for i := range n {
		if bit(i) {
			dst[at+i/8] |= 1 << (i % 8)
		}
	}
	return dst
}

// appendStrings writes each different string once, in order of first sight, then the codes.
func appendStrings(dst []byte, c *batch.Column, rows int) []byte {
	d := batch.NewDict()
	var codes []uint32
	for i := range rows {
		if !c.Null(i) {
			codes = append(codes, d.CodeString(c.Str(i)))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(d.Len()))
	for _, s := range d.Values() {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	for _, code := range codes {
		dst = binary.AppendUvarint(dst, uint64(code))
	}
	return dst
}

// ParseTable reads an encoded table, which may come from outside. What it takes
// is bounded by MaxValues and by 80 times the memory of the bytes.
func ParseTable(b []byte) (*Table, error) {
	if len(b) < headerBytes || !bytes.HasPrefix(b, []byte(magic)) {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrFormat)
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v > Format {
		return nil, fmt.Errorf("%w: %d, this build reads up to %d: upgrade it", ErrVersion, v, Format)
	} else if v == 0 {
		return nil, fmt.Errorf("%w: format 0", ErrFormat)
	}
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrFormat, len(b), MaxBytes)
	}
	if got, want := checksum(b), binary.LittleEndian.Uint32(b[16:]); got != want {
		return nil, fmt.Errorf("%w: checksum is %08x, header says %08x", ErrFormat, got, want)
	}
	columns, rows := int(binary.LittleEndian.Uint16(b[10:])), int64(binary.LittleEndian.Uint32(b[12:]))
	if columns == 0 || columns > MaxColumns || rows > MaxRows || rows*int64(columns) > MaxValues || rows > 8*int64(len(b)) || binary.LittleEndian.Uint32(b[20:]) != 0 {
		return nil, fmt.Errorf("%w: %d columns of %d rows in %d bytes", ErrFormat, columns, rows, len(b))
	}
	r := &reader{b: b[headerBytes:], rows: int(rows)}
	t := &Table{rows: int(rows)}
	seen := map[string]bool{}
	for range columns {
		name, c := r.column()
		if r.bad == "" && seen[name] {
			r.bad = "two columns of one name"
		}
		if r.bad != "" {
			return nil, fmt.Errorf("%w: column %d: %s", ErrFormat, len(t.cols), r.bad)
		}
		seen[name] = true
		t.schema = append(t.schema, batch.Field{Name: name, Type: c.Type})
		t.cols = append(t.cols, c)
	}
	if len(r.b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrFormat, len(r.b))
	}
	return t, nil
}

// reader takes an encoded table apart; bad says what was found first that cannot be.
type reader struct {
	b    []byte
	rows int
	bad  string
}

func (r *reader) fail(what string) {
	if r.bad == "" {
		r.bad, r.b = what, nil
	}
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("it ends too early")
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.fail("a number that is cut off or not written as short as it can be")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// bits reads one bit per row; those beyond the last row must be clear.
func (r *reader) bits() []byte {
	p := r.take(uint64(r.rows+7) / 8)
	if n := r.rows % 8; n != 0 && p != nil && p[len(p)-1]>>n != 0 {
		r.fail("bits beyond the last row")
	}
	return p
}

func (r *reader) column() (name string, c batch.Column) {
	name = string(r.take(r.uvarint()))
	head := r.take(2)
	if r.bad != "" {
		return "", c
	}
	c.Type = batch.Type(head[0])
	if name == "" || !c.Type.Valid() || head[1] > hasNulls {
		r.fail("no name, or an unknown type or flag")
		return "", c
	}
	present := r.rows
	if head[1] == hasNulls {
		bits := r.bits()
		if r.bad != "" {
			return "", c
		}
		c.Valid, present = batch.NewBitmap(r.rows, false), 0
		for i := range r.rows {
			if bits[i/8]>>(i%8)&1 != 0 {
				c.Valid.Set(i)
				present++
			}
		}
		if present == r.rows {
			r.fail("nulls were announced, and there are none")
		}
	}
	r.values(&c, present)
	return name, c
}

// values reads the values of the rows that are not null.
func (r *reader) values(c *batch.Column, present int) {
	least := map[batch.Type]int{batch.Bool: 0, batch.Double: 8}
	if n, ok := least[c.Type]; (!ok && present > len(r.b)) || (ok && n*present > len(r.b)) {
		r.fail("it ends too early")
	}
	if r.bad != "" {
		return
	}
	switch c.Type {
	case batch.Bool:
		bits := r.bits()
		c.Bools = make([]bool, r.rows)
		for i := range c.Bools {
			c.Bools[i] = bits != nil && bits[i/8]>>(i%8)&1 != 0
			if c.Bools[i] && c.Null(i) {
				r.fail("a null with a value")
			}
		}
	case batch.Double:
		c.Doubles = make([]float64, r.rows)
		r.each(c, func(i int) {
			v := math.Float64frombits(binary.LittleEndian.Uint64(r.take(8)))
			if v != v && math.Float64bits(v) != math.Float64bits(batch.CanonicalNaN) {
				r.fail("a NaN of other bits")
			}
			c.Doubles[i] = v
		})
	case batch.String:
		r.strings(c)
	case batch.Bytes:
		c.Offsets = append(make([]uint32, 0, r.rows+1), 0)
		for i := range r.rows {
			if !c.Null(i) {
				c.Data = append(c.Data, r.take(r.uvarint())...)
			}
			c.Offsets = append(c.Offsets, uint32(len(c.Data)))
		}
	default:
		c.Ints = make([]int64, r.rows)
		r.each(c, func(i int) { c.Ints[i] = r.varint() })
	}
}

// each calls f for the rows that are not null, until something is bad.
func (r *reader) each(c *batch.Column, f func(i int)) {
	for i := range r.rows {
		if r.bad != "" {
			return
		}
		if !c.Null(i) {
			f(i)
		}
	}
}

func (r *reader) strings(c *batch.Column) {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("more strings than bytes")
	}
	c.Dict = batch.NewDict()
	for i := uint64(0); i < n && r.bad == ""; i++ {
		if c.Dict.Code(r.take(r.uvarint())) != uint32(i) {
			r.fail("a string that stands there twice")
		}
	}
	c.Codes = make([]uint32, r.rows)
	next := uint64(0)
	r.each(c, func(i int) {
		code := r.uvarint()
		if code > next || code >= n {
			r.fail("a string that is not there, or not in order of first sight")
			return
		}
		if code == next {
			next++
		}
		c.Codes[i] = uint32(code)
	})
	if next != n {
		r.fail("a string that no row has")
	}
}
