package keys

import (
	"encoding/binary"
	"math"

	"github.com/leatio/leat/engine/batch"
)

// Index is a Table of the keys of rows. Where the key is one string column it
// remembers the slots by dictionary code.
type Index struct {
	Table
	by  []int
	str int // the key column, where there is only one and it holds strings; else -1
	key []byte

	dict   *batch.Dict
	codes  []uint32 // by code of dict: slot+1; 0 = not known yet
	codeOf []uint32 // by slot: code+1
}

// NewIndex makes an Index over the columns by of batches with the schema.
func NewIndex(s batch.Schema, by []int) *Index {
	x := &Index{by: by, str: -1}
	if len(by) == 1 && s[by[0]].Type == batch.String {
		x.str = by[0]
	}
	return x
}

// Find is the slot of the key in row i, if it has one.
func (x *Index) Find(b *batch.Batch, i int) (slot uint32, ok bool) {
	if s := x.cached(b, i); s != 0 {
		return s - 1, true
	}
	x.key = batch.AppendKey(x.key[:0], b.Cols, x.by, i)
	if slot, ok = x.Table.Find(x.key); ok {
		x.remember(b, i, slot)
	}
	return slot, ok
}

// Slot is the slot of the key in row i, given to it now if it is fresh.
func (x *Index) Slot(b *batch.Batch, i int) (slot uint32, fresh bool) {
	if s := x.cached(b, i); s != 0 {
		return s - 1, false
	}
	x.key = batch.AppendKey(x.key[:0], b.Cols, x.by, i)
	slot, fresh = x.Insert(x.key)
	x.remember(b, i, slot)
	return slot, fresh
}

// cached gives slot+1 by dictionary code, or 0.
func (x *Index) cached(b *batch.Batch, i int) uint32 {
	if x.str < 0 {
		return 0
	}
	c := &b.Cols[x.str]
	if c.Dict != x.dict || c.Null(i) || int(c.Codes[i]) >= len(x.codes) {
		return 0
	}
	return x.codes[c.Codes[i]]
}

func (x *Index) remember(b *batch.Batch, i int, slot uint32) {
	if x.str < 0 || b.Cols[x.str].Null(i) {
		return
	}
	c := &b.Cols[x.str]
	if c.Dict != x.dict {
		x.dict = c.Dict
		clear(x.codes)
		clear(x.codeOf)
	}
	x.codes = atLeast(x.codes, int(c.Codes[i])+1)
	x.codeOf = atLeast(x.codeOf, int(slot)+1)
	x.codes[c.Codes[i]] = slot + 1
	x.codeOf[slot] = c.Codes[i] + 1
}

// atLeast makes s n long; what is added is 0.
func atLeast(s []uint32, n int) []uint32 {
	if n <= len(s) {
		return s
	}
	if n > cap(s) {
		bigger := make([]uint32, len(s), max(256, 2*n))
		copy(bigger, s)
		s = bigger
	}
	return s[:n] // what lies beyond the length was never written
}

// Delete frees the slot of a key.
func (x *Index) Delete(slot uint32) {
	if int(slot) < len(x.codeOf) && x.codeOf[slot] != 0 {
		x.codes[x.codeOf[slot]-1] = 0
		x.codeOf[slot] = 0
	}
	x.Table.Delete(slot)
}

// Clear forgets all keys.
func (x *Index) Clear() {
	x.Table.Clear()
	x.dict = nil
	clear(x.codes)
	clear(x.codeOf)
}

// SizeBytes estimates the memory held.
func (x *Index) SizeBytes() int { return x.Table.SizeBytes() + 4*(cap(x.codes)+cap(x.codeOf)) }

// AppendColumns appends the values of a key, in the bytes of batch.AppendKey, to
// columns of its types. The bytes are our own: anything else is a bug.
func AppendColumns(dst []batch.Column, key []byte) {
	for i := range dst {
		c := &dst[i]
		null := key[0] == 0
		key = key[1:]
		if null {
			c.AppendNull()
			continue
		}
		n := c.Len()
		switch c.Type {
		case batch.Bool:
			c.Bools = append(c.Bools, key[0] != 0)
			key = key[1:]
		case batch.String, batch.Bytes:
			size, w := binary.Uvarint(key)
			value := key[w : w+int(size)]
			key = key[w+int(size):]
			if c.Type == batch.Bytes {
				c.AppendBlob(value)
				break
			}
			if c.Dict == nil {
				c.Dict = batch.NewDict()
			}
			c.Codes = append(c.Codes, c.Dict.Code(value))
		case batch.Double:
			c.Doubles = append(c.Doubles, math.Float64frombits(binary.BigEndian.Uint64(key)))
			key = key[8:]
		default:
			c.Ints = append(c.Ints, int64(binary.BigEndian.Uint64(key)))
			key = key[8:]
		}
		if c.Valid != nil {
			c.Valid = c.Valid.Append(n, true)
		}
	}
}
