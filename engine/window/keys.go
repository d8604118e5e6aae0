package window

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/leatio/leat/engine/batch"
)

// keyTable gives each different key a small number, its group, in order of
// first sight. It is an open-addressing table, probed linearly, over the bytes of
// batch.AppendKey in an arena, from which the columns are made again. It only grows; its owner starts a new one.
type keyTable struct {
	schema batch.Schema
	arena  []byte
	ends   []int // by group: where its bytes end in arena
	table  []keySlot
	codes  []codeCache // by key column: the code of a group's string in the Dict that it was appended to last

	compare func(t *keyTable, a, b uint32) int
	sorted  []uint32 // groups in order of compare, as far as they were ranked
	rank    []uint32 // by group
	scratch []uint32
	at      []int // scratch: by key, where its next column begins
}

type keySlot struct {
	tag   uint32 // upper half of the hash
	group uint32 // group+1; 0 = free
}

func newKeyTable(s batch.Schema, compare func(t *keyTable, a, b uint32) int) *keyTable {
	return &keyTable{schema: s, table: make([]keySlot, 64), codes: make([]codeCache, len(s)), compare: compare}
}

func (t *keyTable) len() int { return len(t.ends) }

func (t *keyTable) bytes(group uint32) []byte {
	from := 0
	if group > 0 {
		from = t.ends[group-1]
	}
	return t.arena[from:t.ends[group]]
}

// find is the group of a key, if it is known.
func (t *keyTable) find(key []byte) (group uint32, ok bool) {
	h := xxhash.Sum64(key)
	group, _ = t.probe(h, key)
	return group - 1, group != 0
}

// probe gives group+1, or 0 and the free place.
func (t *keyTable) probe(h uint64, key []byte) (group uint32, at uint64) {
	mask := uint64(len(t.table) - 1)
	for at = h & mask; ; at = (at + 1) & mask {
		s := t.table[at]
		if s.group == 0 || s.tag == uint32(h>>32) && bytes.Equal(t.bytes(s.group-1), key) {
			return s.group, at
		}
	}
}

// group is the group of the key with these bytes of batch.AppendKey.
func (t *keyTable) group(key []byte) uint32 {
	h := xxhash.Sum64(key)
	g, at := t.probe(h, key)
	if g != 0 {
		return g - 1
	}
	t.arena = append(t.arena, key...)
	t.ends = append(t.ends, len(t.arena))
	t.table[at] = keySlot{uint32(h >> 32), uint32(len(t.ends))}
	if 4*len(t.ends) > 3*len(t.table) {
		t.grow()
	}
	return uint32(len(t.ends) - 1)
}

func (t *keyTable) grow() {
	t.table = make([]keySlot, 2*len(t.table))
	mask := uint64(len(t.table) - 1)
	for g := range t.ends {
		h := xxhash.Sum64(t.bytes(uint32(g)))
		at := h & mask
		for t.table[at].group != 0 {
			at = (at + 1) & mask
		}
		t.table[at] = keySlot{uint32(h >> 32), uint32(g) + 1}
	}
}

// appendKeys appends the keys of slots to the key columns dst; groupOf gives the group by slot, nil: they are groups.
func (t *keyTable) appendKeys(dst []batch.Column, slots, groupOf []uint32) {
	if len(t.schema) == 0 {
		return
	}
	if cap(t.at) < len(slots) {
		t.at = make([]int, len(slots)+len(slots)/4)
	}
	at := t.at[:len(slots)]
	for k := range dst[:len(t.schema)] {
		c := &dst[k]
		if c.Type == batch.String {
			t.appendStrings(k, c, slots, groupOf, at)
			continue
		}
		for i, g := range slots {
			if groupOf != nil {
				g = groupOf[g]
			}
			if k == 0 {
				at[i] = 0
			}
			at[i] += appendKeyColumn(c, t.bytes(g)[at[i]:])
		}
	}
}

// appendStrings is appendKeys for the key column k of strings. Each string is looked up in
// the column's Dict once, as long as that stays the same.
func (t *keyTable) appendStrings(k int, c *batch.Column, slots, groupOf []uint32, at []int) {
	if c.Dict == nil {
		c.Dict = batch.NewDict()
	}
	cache, last := &t.codes[k], k == len(t.schema)-1
	if cache.dict != c.Dict {
		cache.renew(c.Dict)
	}
	cache.widen(t.len())
	for i, g := range slots {
		if groupOf != nil {
			g = groupOf[g]
		}
		code := cache.code[g]
		if code == 0 || !last {
			if k == 0 {
				at[i] = 0
			}
			key := t.bytes(g)[at[i]:]
			if key[0] == 0 {
				c.AppendNull()
				at[i]++
				continue
			}
			value, n := keyBytes(key)
			at[i] += n
			if code == 0 {
				code = c.Dict.Code(value) + 1
				cache.code[g] = code
			}
		}
		c.Codes = append(c.Codes, code-1)
		if c.Valid != nil {
			c.Valid = c.Valid.Append(len(c.Codes)-1, true)
		}
	}
}

// appendKeyColumn appends the column that key, bytes of batch.AppendKey, begins with, and gives its length there.
func appendKeyColumn(c *batch.Column, key []byte) int {
	if key[0] == 0 {
		c.AppendNull()
		return 1
	}
	n := c.Len()
	size := 9
	switch c.Type {
	case batch.Bool:
		c.Bools = append(c.Bools, key[1] == 1)
		size = 2
	case batch.Double:
		c.Doubles = append(c.Doubles, math.Float64frombits(binary.BigEndian.Uint64(key[1:])))
	case batch.String:
		if c.Dict == nil {
			c.Dict = batch.NewDict()
		}
		var value []byte
		value, size = keyBytes(key)
		c.Codes = append(c.Codes, c.Dict.Code(value))
	case batch.Bytes:
		var value []byte
		value, size = keyBytes(key)
		c.AppendBlob(value)
	default:
		c.Ints = append(c.Ints, int64(binary.BigEndian.Uint64(key[1:])))
	}
	if c.Valid != nil {
		c.Valid = c.Valid.Append(n, true)
	}
	return size
}

// keyBytes is the string or the bytes that key, of which it takes n, begins with.
func keyBytes(key []byte) (value []byte, n int) {
	length, n := binary.Uvarint(key[1:])
	n++
	return key[n : n+int(length)], n + int(length)
}

// order sorts slots, of different groups, by their keys; groupOf gives the group by slot, nil: they are groups.
func (t *keyTable) order(slots, groupOf []uint32) {
	if 8*len(slots) < t.len() {
		slices.SortFunc(slots, func(a, b uint32) int {
			if groupOf != nil {
				a, b = groupOf[a], groupOf[b]
			}
			return t.compare(t, a, b)
		})
		return
	}
	t.rankAll()
	// Each slot to its rank, then up the ranks.
	if cap(t.scratch) < t.len() {
		t.scratch = make([]uint32, t.len()+t.len()/4)
	}
	at := t.scratch[:t.len()]
	clear(at)
	for _, s := range slots {
		g := s
		if groupOf != nil {
			g = groupOf[s]
		}
		at[t.rank[g]] = s + 1
	}
	slots = slots[:0]
	for _, s := range at {
		if s != 0 {
			slots = append(slots, s-1)
		}
	}
}

// rankAll sorts the groups that came since the last call and merges them with the others.
func (t *keyTable) rankAll() {
	old := len(t.sorted)
	if old == t.len() {
		return
	}
	fresh := make([]uint32, 0, t.len()-old)
	for g := old; g < t.len(); g++ {
		fresh = append(fresh, uint32(g))
	}
	compare := func(a, b uint32) int { return t.compare(t, a, b) }
	slices.SortFunc(fresh, compare)
	if old == 0 {
		t.sorted = fresh
	} else {
		merged, rest := make([]uint32, 0, t.len()), t.sorted
		for len(fresh) > 0 && len(rest) > 0 {
			if compare(fresh[0], rest[0]) < 0 {
				merged, fresh = append(merged, fresh[0]), fresh[1:]
			} else {
				merged, rest = append(merged, rest[0]), rest[1:]
			}
		}
		t.sorted = append(append(merged, fresh...), rest...)
	}
	t.rank = make([]uint32, t.len())
	for i, g := range t.sorted {
		t.rank[g] = uint32(i)
	}
}

func (t *keyTable) sizeBytes() int {
	n := cap(t.arena) + 8*cap(t.ends) + 8*len(t.table) + 4*(cap(t.sorted)+cap(t.rank)+cap(t.scratch)) + 8*cap(t.at)
	for i := range t.codes {
		n += 4 * cap(t.codes[i].code)
	}
	return n
}
