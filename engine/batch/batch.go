package batch

import (
	"fmt"
	"math"
)

// Type is the type of a column. The numbers stand in plans, frames and the UDF
// ABI and never change.
type Type uint8

// The types of the pipeline file.
const (
	Bool      Type = 1
	Int       Type = 2 // 64-bit, signed
	Double    Type = 3
	String    Type = 4
	Bytes     Type = 5
	Timestamp Type = 6 // microseconds since 1970-01-01T00:00:00Z
)

var typeNames = [...]string{Bool: "bool", Int: "int", Double: "double", String: "string", Bytes: "bytes", Timestamp: "timestamp"}

// String gives the type's name in the pipeline file.
func (t Type) String() string {
	if t.Valid() {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Valid tells whether t is one of the types above.
func (t Type) Valid() bool { return t >= Bool && t <= Timestamp }

// ParseType is the inverse of String.
func ParseType(name string) (Type, bool) {
	for t := Bool; t <= Timestamp; t++ {
		if typeNames[t] == name {
			return t, true
		}
	}
	return 0, false
}

// Field names and types one column.
type Field struct {
	Name string
	Type Type
}

// Schema is the ordered list of a batch's fields.
type Schema []Field

// Index gives the position of the named field, or -1.
func (s Schema) Index(name string) int {
	for i := range s {
		if s[i].Name == name {
			return i
		}
	}
	return -1
}

// Column is one column. Which slice holds the values is given by Type; the
// others are nil.
type Column struct {
	Type    Type
	Bools   []bool    // Bool
	Ints    []int64   // Int, Timestamp
	Doubles []float64 // Double
	Codes   []uint32  // String: codes of Dict
	Dict    *Dict     // String; never nil for a String column with rows
	Offsets []uint32  // Bytes: row i is Data[Offsets[i]:Offsets[i+1]]; empty or N+1 long
	Data    []byte    // Bytes
	Valid   Bitmap    // set bit = present; nil = no nulls
}

// Batch is a set of columns of N rows each; see the package comment.
type Batch struct {
	Cols []Column
	N    int
	// Sel lists the rows that count in ascending order; nil = all N rows.
	Sel []uint32
	// Deleted marks rows that take back what was said of their key before: a
	// sink deletes it. Nil = none. Only the results of windows and what follows them have such rows.
	Deleted Bitmap
	// Origin tells where the rows came from, for rejects. Nil where nobody knows.
	Origin Origin
}

// Origin gives the message that a row of a batch was decoded from.
type Origin interface {
	// Message returns the topic (or file name) and the raw bytes of the row's message, valid while the batch is.
	Message(row int) (topic string, payload []byte)
}

// New returns an empty batch with columns of the schema's types.
func New(s Schema) *Batch {
	b := &Batch{Cols: make([]Column, len(s))}
	for i, f := range s {
		b.Cols[i].Type = f.Type
	}
	return b
}

// Len is the number of rows that count.
func (b *Batch) Len() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.N
}

// Reset makes the batch empty and keeps its memory. Dicts stay.
func (b *Batch) Reset() {
	for i := range b.Cols {
		b.Cols[i].Reset()
	}
	b.N, b.Sel, b.Deleted, b.Origin = 0, nil, nil, nil
}

// Reset makes the column empty and keeps its memory and its Dict.
func (c *Column) Reset() {
	c.Bools, c.Ints, c.Doubles, c.Codes = c.Bools[:0], c.Ints[:0], c.Doubles[:0], c.Codes[:0]
	c.Offsets, c.Data, c.Valid = c.Offsets[:0], c.Data[:0], nil
}

// Len is the number of rows the column holds.
func (c *Column) Len() int {
	switch c.Type {
	case Bool:
		return len(c.Bools)
	case Double:
		return len(c.Doubles)
	case String:
		return len(c.Codes)
	case Bytes:
		if len(c.Offsets) == 0 {
			return 0
		}
		return len(c.Offsets) - 1
	default:
		return len(c.Ints)
	}
}

// Null tells whether row i is null.
func (c *Column) Null(i int) bool { return c.Valid != nil && !c.Valid.Get(i) }

// Blob is row i of a Bytes column.
func (c *Column) Blob(i int) []byte { return c.Data[c.Offsets[i]:c.Offsets[i+1]:c.Offsets[i+1]] }

// Str is row i of a String column.
func (c *Column) Str(i int) string { return c.Dict.Value(c.Codes[i]) }

// AppendBlob adds a row to a Bytes column.
func (c *Column) AppendBlob(p []byte) {
	if len(c.Offsets) == 0 {
		c.Offsets = append(c.Offsets, 0)
	}
	c.Data = append(c.Data, p...)
	c.Offsets = append(c.Offsets, uint32(len(c.Data)))
}

// AppendZero adds a row that is not null: false, 0, the empty string or no bytes.
func (c *Column) AppendZero() {
	n := c.Len()
	c.appendZero()
	if c.Valid != nil {
		c.Valid = c.Valid.Append(n, true)
	}
}

// AppendNull adds a null row (zero value below it).
func (c *Column) AppendNull() {
	n := c.Len()
	c.appendZero()
	if c.Valid == nil {
		c.Valid = NewBitmap(n, true)
	}
	c.Valid = c.Valid.Append(n, false)
}

func (c *Column) appendZero() {
	switch c.Type {
	case Bool:
		c.Bools = append(c.Bools, false)
	case Double:
		c.Doubles = append(c.Doubles, 0)
	case String:
		if c.Dict == nil {
			c.Dict = NewDict()
		}
		c.Codes = append(c.Codes, c.Dict.CodeString(""))
	case Bytes:
		c.AppendBlob(nil)
	default:
		c.Ints = append(c.Ints, 0)
	}
}

// AppendFrom adds row i of src, which has the same type. A string is interned
// in c's own Dict unless both share one.
func (c *Column) AppendFrom(src *Column, i int) {
	if src.Null(i) {
		c.AppendNull()
		return
	}
	n := c.Len()
	switch c.Type {
	case Bool:
		c.Bools = append(c.Bools, src.Bools[i])
	case Double:
		c.Doubles = append(c.Doubles, src.Doubles[i])
	case String:
		if c.Dict == nil {
			c.Dict = NewDict()
		}
		if c.Dict == src.Dict {
			c.Codes = append(c.Codes, src.Codes[i])
		} else {
			c.Codes = append(c.Codes, c.Dict.CodeString(src.Str(i)))
		}
	case Bytes:
		c.AppendBlob(src.Blob(i))
	default:
		c.Ints = append(c.Ints, src.Ints[i])
	}
	if c.Valid != nil {
		c.Valid = c.Valid.Append(n, true)
	}
}

// AppendRows copies the counting rows of src, whose columns have the same
// types, to the end of b. b must not have a selection.
func (b *Batch) AppendRows(src *Batch) {
	if b.Sel != nil {
		panic("BUG: AppendRows to a batch with a selection")
	}
	for i := range b.Cols {
		dst, from := &b.Cols[i], &src.Cols[i]
		if src.Sel != nil {
			for _, r := range src.Sel {
				dst.AppendFrom(from, int(r))
			}
			continue
		}
		for r := range src.N {
			dst.AppendFrom(from, r)
		}
	}
	b.appendDeleted(src)
	b.N += src.Len()
}

// appendDeleted takes over the marks of the counting rows of src.
func (b *Batch) appendDeleted(src *Batch) {
	if b.Deleted == nil && src.Deleted == nil {
		return
	}
	if b.Deleted == nil {
		b.Deleted = NewBitmap(b.N, false)
	}
	for k := range src.Len() {
		r := k
		if src.Sel != nil {
			r = int(src.Sel[k])
		}
		b.Deleted = b.Deleted.Append(b.N+k, src.Deleted != nil && src.Deleted.Get(r))
	}
}

// SizeBytes estimates the memory that the batch's values take.
func (b *Batch) SizeBytes() int {
	n := 0
	for i := range b.Cols {
		c := &b.Cols[i]
		n += cap(c.Bools) + 8*cap(c.Ints) + 8*cap(c.Doubles) + 4*cap(c.Codes) + 4*cap(c.Offsets) + cap(c.Data) + 8*cap(c.Valid)
	}
	return n
}

// CanonicalNaN is the one bit pattern that a NaN has in results, states and frames.
var CanonicalNaN = math.Float64frombits(0x7FF8000000000000)

// RowError says that one row of a batch could not be worked on, and why.
type RowError struct {
	Row    int
	Reason string
}
