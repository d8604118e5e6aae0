package decode

import (
	"math"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// column is one column while a batch is decoded. Its value slices are as long
// as there is room; row r is written at index r and counts once the row does.
type column struct {
	name   string
	typ    batch.Type
	unit   plan.TimeUnit
	shift  int // decimal places from the unit to microseconds
	hidden plan.Hidden
	factor int64  // ten to shift
	most   uint64 // largest integer that may be multiplied by it; 0 where the shift is negative

	seen  uint32 // serial of the last row that set it
	dict  *batch.Dict
	empty uint32 // code of "", which stands under nulls
	nulls []uint32

	bools   []bool
	ints    []int64
	doubles []float64
	codes   []uint32
	offsets []uint32 // bytes: as long as rows+1, not longer
	data    []byte

	cache stringCache
}

func newColumn(c *plan.SourceColumn) column {
	shift, _ := unitShift(c.Unit)
	col := column{name: c.Name, typ: batch.Type(c.Type), unit: c.Unit, shift: shift, hidden: c.Hidden}
	if shift >= 0 {
		col.factor = int64(tens[shift])
		col.most = uint64(math.MaxInt64 / col.factor)
	}
	return col
}

// begin takes over the memory of b's column.
func (c *column) begin(b *batch.Column) {
	c.bools, c.ints, c.doubles, c.codes = b.Bools, b.Ints, b.Doubles, b.Codes
	c.offsets, c.data, c.nulls = b.Offsets[:0], b.Data[:0], c.nulls[:0]
	if c.typ == batch.String && (c.dict == nil || c.dict.Full()) {
		c.dict = batch.NewDict()
		c.empty = c.dict.CodeString("")
		c.cache.reset()
	}
	if c.typ == batch.Bytes {
		c.offsets = append(c.offsets, 0)
	}
}

func (c *column) grow(rows int) {
	switch c.typ {
	case batch.Bool:
		c.bools = extend(c.bools, rows)
	case batch.Double:
		c.doubles = extend(c.doubles, rows)
	case batch.String:
		c.codes = extend(c.codes, rows)
	case batch.Bytes: // grows by appending
	default:
		c.ints = extend(c.ints, rows)
	}
}

func extend[T any](s []T, n int) []T {
	return slices.Grow(s, max(0, n-len(s)))[:n]
}

func (c *column) setNull(row int) {
	c.nulls = append(c.nulls, uint32(row))
	switch c.typ {
	case batch.Bool:
		c.bools[row] = false
	case batch.Double:
		c.doubles[row] = 0
	case batch.String:
		c.codes[row] = c.empty
	case batch.Bytes:
		c.setBytes(row, nil)
	default:
		c.ints[row] = 0
	}
}

// setBytes is called at most once more for the same row.
func (c *column) setBytes(row int, p []byte) {
	c.offsets = c.offsets[:row+1]
	c.data = append(c.data[:c.offsets[row]], p...)
	c.offsets = append(c.offsets, uint32(len(c.data)))
}

// rollback forgets row and what follows.
func (c *column) rollback(row int) {
	for len(c.nulls) > 0 && c.nulls[len(c.nulls)-1] >= uint32(row) {
		c.nulls = c.nulls[:len(c.nulls)-1]
	}
	if c.typ == batch.Bytes {
		c.offsets = c.offsets[:row+1]
		c.data = c.data[:c.offsets[row]]
	}
}

// finish gives the first rows rows to b's column.
func (c *column) finish(b *batch.Column, rows int) {
	switch c.typ {
	case batch.Bool:
		b.Bools = c.bools[:rows]
	case batch.Double:
		b.Doubles = c.doubles[:rows]
	case batch.String:
		b.Codes, b.Dict = c.codes[:rows], c.dict
	case batch.Bytes:
		b.Offsets, b.Data = c.offsets, c.data
	default:
		b.Ints = c.ints[:rows]
	}
	b.Valid = nil
	if len(c.nulls) > 0 {
		b.Valid = batch.NewBitmap(rows, true)
		for _, r := range c.nulls {
			b.Valid.Clear(int(r))
		}
	}
	c.bools, c.ints, c.doubles, c.codes, c.offsets, c.data = nil, nil, nil, nil, nil, nil
}
