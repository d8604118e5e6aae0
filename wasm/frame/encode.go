package frame

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/leatio/leat/engine/batch"
)

// Input is what a scalar call is given: rows Start to Start+N of the columns or,
// where Rows is not nil, those of the rows that Rows[Start:Start+N] lists.
type Input struct {
	EventTime int64
	Args      []batch.Column
	Rows      []uint32
	Start, N  int
	// Nullable columns carry a bitmap where they have nulls. Without it the caller
	// vouches that no row has a null.
	Nullable bool
}

// Size is the length of the frame in bytes. It can be above MaxBytes; such a
// frame cannot be written.
func (in *Input) Size() uint64 {
	size := HeaderBytes + DescriptorBytes*uint64(len(in.Args))
	for i := range in.Args {
		size += in.columnSize(&in.Args[i])
	}
	return size
}

func (in *Input) columnSize(c *batch.Column) uint64 {
	n, size := uint64(in.N), uint64(0)
	if in.bitmap(c) {
		size = align((n + 7) / 8)
	}
	if w := width(c.Type); w > 0 {
		return size + align(n*w)
	}
	return size + align(4*(n+1)) + align(in.blobBytes(c))
}

// bitmap tells whether a null bitmap stands in the frame.
func (in *Input) bitmap(c *batch.Column) bool { return in.Nullable && c.Valid != nil }

// row is the row of the columns that stands at place i of the frame.
func (in *Input) row(i int) int {
	if in.Rows != nil {
		return int(in.Rows[in.Start+i])
	}
	return in.Start + i
}

func (in *Input) blobBytes(c *batch.Column) uint64 {
	total := uint64(0)
	for i := range in.N {
		if r := in.row(i); !c.Null(r) {
			total += blobLen(c, r)
		}
	}
	return total
}

func blobLen(c *batch.Column, r int) uint64 {
	if c.Type == batch.String {
		return uint64(len(c.Str(r)))
	}
	return uint64(c.Offsets[r+1] - c.Offsets[r])
}

// Put writes the frame to dst, which is Size bytes long.
func (in *Input) Put(dst []byte) {
	le := binary.LittleEndian
	clear(dst[:HeaderBytes])
	le.PutUint32(dst[0:], Magic)
	le.PutUint16(dst[4:], OpScalar)
	le.PutUint16(dst[6:], uint16(len(in.Args)))
	le.PutUint32(dst[8:], uint32(in.N))
	le.PutUint32(dst[12:], uint32(len(dst)))
	le.PutUint64(dst[16:], uint64(in.EventTime))
	at := HeaderBytes + DescriptorBytes*len(in.Args)
	for i := range in.Args {
		d := dst[HeaderBytes+DescriptorBytes*i:][:DescriptorBytes]
		at = in.putColumn(dst, d, at, &in.Args[i])
	}
	if at != len(dst) {
		panic("BUG: frame.Input.Put: the frame's size changed while it was written")
	}
}

// putColumn writes the areas of one column from at on and its descriptor to d,
// and returns where the next area begins.
func (in *Input) putColumn(dst, d []byte, at int, c *batch.Column) int {
	le := binary.LittleEndian
	clear(d)
	d[0] = byte(c.Type)
	if in.Nullable {
		d[1] = flagNullable
	}
	if in.bitmap(c) {
		le.PutUint32(d[4:], uint32(at))
		end := at + int(align(uint64(in.N+7)/8))
		in.putBitmap(dst[at:end], c)
		at = end
	}
	le.PutUint32(d[8:], uint32(at))
	if w := int(width(c.Type)); w > 0 {
		le.PutUint32(d[12:], uint32(in.N*w))
		in.putValues(dst[at:at+in.N*w], c)
		return pad(dst, at+in.N*w)
	}
	le.PutUint32(d[12:], uint32(4*(in.N+1)))
	data := int(align(uint64(at + 4*(in.N+1))))
	end := in.putBlobs(dst, at, data, c)
	pad(dst, at+4*(in.N+1))
	le.PutUint32(d[16:], uint32(data))
	le.PutUint32(d[20:], uint32(end-data))
	return pad(dst, end)
}

// pad zeroes up to the next multiple of 8 and returns it.
func pad(dst []byte, at int) int {
	end := int(align(uint64(at)))
	clear(dst[at:end])
	return end
}

func (in *Input) putBitmap(dst []byte, c *batch.Column) {
	clear(dst)
	for i := range in.N {
		if c.Valid.Get(in.row(i)) {
			dst[i>>3] |= 1 << (i & 7)
		}
	}
}

func (in *Input) putValues(dst []byte, c *batch.Column) {
	switch c.Type {
	case batch.Bool:
		for i := range in.N {
			if c.Bools[in.row(i)] {
				dst[i] = 1
			} else {
				dst[i] = 0
			}
		}
	case batch.Double:
		if in.Rows == nil {
			put64(dst, c.Doubles[in.Start:in.Start+in.N])
			break
		}
		for i, r := range in.Rows[in.Start : in.Start+in.N] {
			binary.LittleEndian.PutUint64(dst[8*i:], math.Float64bits(c.Doubles[r]))
		}
	default:
		if in.Rows == nil {
			put64(dst, c.Ints[in.Start:in.Start+in.N])
			break
		}
		for i, r := range in.Rows[in.Start : in.Start+in.N] {
			binary.LittleEndian.PutUint64(dst[8*i:], uint64(c.Ints[r]))
		}
	}
	if in.bitmap(c) {
		in.zeroNulls(dst, c)
	}
}

// zeroNulls clears what lies below nulls: it is unspecified, and a guest must
// not come to depend on it.
func (in *Input) zeroNulls(dst []byte, c *batch.Column) {
	w := int(width(c.Type))
	for i := range in.N {
		if !c.Valid.Get(in.row(i)) {
			clear(dst[w*i : w*i+w])
		}
	}
}

func (in *Input) putBlobs(dst []byte, offsets, data int, c *batch.Column) int {
	at := data
	for i := range in.N {
		binary.LittleEndian.PutUint32(dst[offsets+4*i:], uint32(at-data))
		r := in.row(i)
		switch {
		case c.Null(r):
		case c.Type == batch.String:
			at += copy(dst[at:], c.Str(r))
		default:
			at += copy(dst[at:], c.Blob(r))
		}
	}
	binary.LittleEndian.PutUint32(dst[offsets+4*in.N:], uint32(at-data))
	return at
}

// put64 copies values of 8 bytes in little-endian order.
func put64[T int64 | float64](dst []byte, values []T) {
	if len(values) == 0 {
		return
	}
	src := bytesOf(values)
	copy(dst, src)
	if !nativeLittleEndian() {
		swap64(dst[:len(src)])
	}
}

// get64 is the inverse of put64.
func get64[T int64 | float64](values []T, src []byte) {
	if len(values) == 0 {
		return
	}
	dst := bytesOf(values)
	copy(dst, src)
	if !nativeLittleEndian() {
		swap64(dst)
	}
}

// bytesOf views values of 8 bytes as bytes. A byte view of aligned memory is always valid.
func bytesOf[T int64 | float64](values []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), 8*len(values))
}

func nativeLittleEndian() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}

func swap64(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		binary.BigEndian.PutUint64(p, binary.LittleEndian.Uint64(p))
	}
}
