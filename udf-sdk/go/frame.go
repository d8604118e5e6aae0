//go:build wasip1

package leat

import "unsafe"

const (
	magic       = 0x3146544C
	headerBytes = 40
	columnBytes = 24
	areas       = headerBytes + columnBytes // where the areas of a result begin
)

// header and column are the fixed parts of a frame. WebAssembly is little-endian, as the frame is.
type header struct {
	magic                       uint32
	operation, columns          uint16
	rows, length                uint32
	eventTime                   int64
	groups, flags, timers, zero uint32
}

type column struct {
	typ, flags                          uint8
	role                                uint16
	bitmap, values, size, bytes, length uint32
}

// Input is a batch of rows.
type Input struct {
	base unsafe.Pointer
	rows int
}

func view[T any](base unsafe.Pointer, offset uint32, n int) []T {
	return unsafe.Slice((*T)(unsafe.Add(base, offset)), n)
}

func (in *Input) column(c int) *column {
	return (*column)(unsafe.Add(in.base, headerBytes+columnBytes*c))
}

// Rows is the number of rows.
func (in *Input) Rows() int { return in.rows }

// EventTime is the batch's event time in microseconds.
func (in *Input) EventTime() int64 { return (*header)(in.base).eventTime }

// Doubles is argument c. Below a null stands zero, here and in the others.
func (in *Input) Doubles(c int) []float64 {
	return view[float64](in.base, in.column(c).values, in.rows)
}

// Ints is argument c, an int or timestamp.
func (in *Input) Ints(c int) []int64 { return view[int64](in.base, in.column(c).values, in.rows) }

// Bools is argument c.
func (in *Input) Bools(c int) []bool { return view[bool](in.base, in.column(c).values, in.rows) }

// Bytes is one row of argument c, a string or bytes.
func (in *Input) Bytes(c, row int) []byte {
	col := in.column(c)
	offsets := view[uint32](in.base, col.values, in.rows+1)
	return view[byte](in.base, col.bytes+offsets[row], int(offsets[row+1]-offsets[row]))
}

// String is Bytes as a string that is valid until the function returns.
func (in *Input) String(c, row int) string {
	p := in.Bytes(c, row)
	return unsafe.String(unsafe.SliceData(p), len(p))
}

// Null tells whether a row of argument c is null. Only functions with CallNulls see any.
func (in *Input) Null(c, row int) bool {
	at := in.column(c).bitmap
	return at != 0 && *(*byte)(unsafe.Add(in.base, at+uint32(row>>3)))>>(row&7)&1 == 0
}

// Output is the column of results. The method of its type is called once, before the
// rows are set; all rows are present until SetNull.
type Output struct {
	typ   Type
	rows  int
	frame []uint64 // its memory is reused

	data    []byte // of strings and bytes
	offsets []uint32
}

func (o *Output) reset(typ Type, rows int) {
	o.typ, o.rows = typ, rows
	o.offsets, o.data = o.offsets[:0], o.data[:0]
	width := 8
	switch typ {
	case Bool:
		width = 1
	case String, Bytes:
		width = 0
		o.offsets = append(o.offsets, 0)
	}
	o.begin(o.bitmapBytes() + (rows*width+7)&^7)
	*o.column() = column{typ: uint8(typ), values: uint32(areas + o.bitmapBytes()), size: uint32(rows * width)}
}

// begin makes the frame long enough for n bytes of areas and fills it: bitmap all
// present, values zero.
func (o *Output) begin(n int) {
	words := (areas + n) / 8
	if cap(o.frame) < words {
		o.frame = make([]uint64, words)
	}
	o.frame = o.frame[:words]
	clear(o.frame)
	*(*header)(o.base()) = header{magic: magic, columns: 1, rows: uint32(o.rows), length: uint32(areas + n)}
	for i := range o.bitmapBytes() / 8 {
		o.frame[areas/8+i] = ^uint64(0)
	}
}

func (o *Output) base() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(o.frame)) }

func (o *Output) column() *column { return (*column)(unsafe.Add(o.base(), headerBytes)) }

func (o *Output) bitmapBytes() int { return (o.rows + 63) / 64 * 8 }

// Doubles is the result, to be filled.
func (o *Output) Doubles() []float64 { return fill[float64](o, o.typ == Double, "Doubles") }

// Ints is the result, an int or timestamp, to be filled.
func (o *Output) Ints() []int64 { return fill[int64](o, o.typ == Int || o.typ == Timestamp, "Ints") }

// Bools is the result, to be filled.
func (o *Output) Bools() []bool { return fill[bool](o, o.typ == Bool, "Bools") }

func fill[T any](o *Output, fits bool, method string) []T {
	if !fits {
		panic("leat: Output." + method + " on a result of type " + typeNames[o.typ])
	}
	return view[T](o.base(), o.column().values, o.rows)
}

// AppendString adds the next row of a result of type string or bytes; p is copied.
func (o *Output) AppendString(p string) {
	if o.typ != String && o.typ != Bytes {
		panic("leat: Output.AppendString on a result of type " + typeNames[o.typ])
	}
	o.data = append(o.data, p...)
	o.offsets = append(o.offsets, uint32(len(o.data)))
}

// SetNull makes a row null.
func (o *Output) SetNull(row int) {
	c := o.column()
	c.flags, c.bitmap = 1, areas
	o.frame[areas/8+row>>6] &^= 1 << (row & 63)
}

// finish completes the frame and returns its length.
func (o *Output) finish() int {
	if o.typ != String && o.typ != Bytes {
		return 8 * len(o.frame)
	}
	for len(o.offsets) < o.rows+1 {
		o.offsets = append(o.offsets, uint32(len(o.data)))
	}
	bitmap := o.bitmapBytes()
	offsets := (4*len(o.offsets) + 7) &^ 7
	words := (areas + bitmap + offsets + (len(o.data)+7)&^7) / 8
	o.frame = append(o.frame[:(areas+bitmap)/8], make([]uint64, words-(areas+bitmap)/8)...)
	c := o.column()
	c.values, c.size = uint32(areas+bitmap), uint32(4*len(o.offsets))
	c.bytes, c.length = c.values+uint32(offsets), uint32(len(o.data))
	copy(view[uint32](o.base(), c.values, len(o.offsets)), o.offsets)
	copy(view[byte](o.base(), c.bytes, len(o.data)), o.data)
	(*header)(o.base()).length = uint32(8 * words)
	return 8 * words
}
