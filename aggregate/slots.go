package aggregate

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// grow extends s to n entries; the new ones hold identity.
func grow[T any](s []T, n int, identity T) []T {
	if n <= len(s) {
		return s
	}
	if n > cap(s) {
		t := make([]T, len(s), max(n, 2*cap(s)))
		copy(t, s)
		s = t
	}
	old := len(s)
	s = s[:n]
	for i := old; i < n; i++ {
		s[i] = identity
	}
	return s
}

// peer is from, the accumulator of the same Spec that MergeFrom was given.
func peer[A Accumulator](a A, from Accumulator) A {
	b, ok := from.(A)
	if !ok {
		panic(fmt.Sprintf("BUG: %T merges from %T", a, from))
	}
	return b
}

// present leaves the rows out that are null in a column. It keeps its lists
// from call to call.
type present struct {
	slots, rows []uint32
}

func (p *present) of(col *batch.Column, slots, rows []uint32) (s, r []uint32) {
	if col.Valid == nil {
		return slots, rows
	}
	s, r = p.slots[:0], p.rows[:0]
	if rows == nil {
		for i, slot := range slots {
			if col.Valid.Get(i) {
				s, r = append(s, slot), append(r, uint32(i))
			}
		}
	} else {
		for i, slot := range slots {
			if row := rows[i]; col.Valid.Get(int(row)) {
				s, r = append(s, slot), append(r, row)
			}
		}
	}
	if r == nil { // nil would mean "row i"
		r = make([]uint32, 0, 16)
	}
	p.slots, p.rows = s, r
	return s, r
}

func (p *present) sizeBytes() int { return 4 * (cap(p.slots) + cap(p.rows)) }

func rowAt(rows []uint32, i int) int {
	if rows == nil {
		return i
	}
	return int(rows[i])
}

// The put functions append a value that is not null.

func putInt(c *batch.Column, v int64) {
	c.Ints = append(c.Ints, v)
	if c.Valid != nil {
		c.Valid = c.Valid.Append(len(c.Ints)-1, true)
	}
}

func putDouble(c *batch.Column, v float64) {
	c.Doubles = append(c.Doubles, canonical(v))
	if c.Valid != nil {
		c.Valid = c.Valid.Append(len(c.Doubles)-1, true)
	}
}

func putBool(c *batch.Column, v bool) {
	c.Bools = append(c.Bools, v)
	if c.Valid != nil {
		c.Valid = c.Valid.Append(len(c.Bools)-1, true)
	}
}

func putString(c *batch.Column, v string) {
	if c.Dict == nil {
		c.Dict = batch.NewDict()
	}
	c.Codes = append(c.Codes, c.Dict.CodeString(v))
	if c.Valid != nil {
		c.Valid = c.Valid.Append(len(c.Codes)-1, true)
	}
}

func putBytes(c *batch.Column, v string) {
	if len(c.Offsets) == 0 {
		c.Offsets = append(c.Offsets, 0)
	}
	c.Data = append(c.Data, v...)
	c.Offsets = append(c.Offsets, uint32(len(c.Data)))
	if c.Valid != nil {
		c.Valid = c.Valid.Append(len(c.Offsets)-2, true)
	}
}

func putBlob(c *batch.Column, v []byte) {
	c.AppendBlob(v)
	if c.Valid != nil {
		c.Valid = c.Valid.Append(len(c.Offsets)-2, true)
	}
}

// canonical gives the one representative of equal doubles: +0 for zeros, one bit pattern for NaNs.
func canonical(v float64) float64 {
	if v != v {
		return batch.CanonicalNaN
	}
	return v + 0
}
