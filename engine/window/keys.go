package window

import (
	"bytes"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/leatio/leat/engine/batch"
)

// keyTable gives each different key a small number, its group, in order of
// first sight. It is an open-addressing table, probed linearly, over the bytes of
// batch.AppendKey in an arena. It only grows; its owner starts a new one.
type keyTable struct {
	cols  []batch.Column // the keys by group, canonical
	arena []byte
	ends  []int // by group: where its bytes end in arena
	table []keySlot

	compare func(t *keyTable, a, b uint32) int
	sorted  []uint32 // groups in order of compare, as far as they were ranked
	rank    []uint32 // by group
	scratch []uint32
}

type keySlot struct {
	tag   uint32 // upper half of the hash
	group uint32 // group+1; 0 = free
}

func newKeyTable(s batch.Schema, compare func(t *keyTable, a, b uint32) int) *keyTable {
	return &keyTable{cols: batch.New(s).Cols, table: make([]keySlot, 64), compare: compare}
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

// group is the group of the key in row i of cols[by...], whose bytes are key.
func (t *keyTable) group(key []byte, cols []batch.Column, by []int, i int) uint32 {
	h := xxhash.Sum64(key)
	g, at := t.probe(h, key)
	if g != 0 {
		return g - 1
	}
	t.arena = append(t.arena, key...)
	t.ends = append(t.ends, len(t.arena))
	for k := range t.cols {
		c := &t.cols[k]
		c.AppendFrom(&cols[by[k]], i)
		if c.Type == batch.Double {
			last := &c.Doubles[len(c.Doubles)-1]
			if *last != *last {
				*last = batch.CanonicalNaN
			} else if *last == 0 {
				*last = 0 // not -0
			}
		}
	}
	t.table[at] = keySlot{uint32(h >> 32), uint32(len(t.ends))}
	if 2*len(t.ends) > len(t.table) {
		t.grow()
	}
	return uint32(len(t.ends) - 1)
}

func (t *keyTable) grow() {
	t.table = make([]keySlot, 4*len(t.table))
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

// order sorts slots, of different groups, by their keys; groupOf gives the group by slot.
func (t *keyTable) order(slots, groupOf []uint32) {
	if 8*len(slots) < t.len() {
		slices.SortFunc(slots, func(a, b uint32) int { return t.compare(t, groupOf[a], groupOf[b]) })
		return
	}
	t.rankAll()
	// Each slot to its rank, then up the ranks.
	if cap(t.scratch) < t.len() {
		t.scratch = make([]uint32, 2*t.len())
	}
	at := t.scratch[:t.len()]
	clear(at)
	for _, s := range slots {
		at[t.rank[groupOf[s]]] = s + 1
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
	merged, rest := make([]uint32, 0, t.len()), t.sorted
	for len(fresh) > 0 && len(rest) > 0 {
		if compare(fresh[0], rest[0]) < 0 {
			merged, fresh = append(merged, fresh[0]), fresh[1:]
		} else {
			merged, rest = append(merged, rest[0]), rest[1:]
		}
	}
	t.sorted = append(append(merged, fresh...), rest...)
	t.rank = make([]uint32, t.len())
	for i, g := range t.sorted {
		t.rank[g] = uint32(i)
	}
}

func (t *keyTable) sizeBytes() int {
	n := cap(t.arena) + 8*cap(t.ends) + 8*len(t.table) + 4*(cap(t.sorted)+cap(t.rank)+cap(t.scratch))
	for i := range t.cols {
		c := &t.cols[i]
		n += cap(c.Bools) + 8*cap(c.Ints) + 8*cap(c.Doubles) + 4*cap(c.Codes) + 4*cap(c.Offsets) + cap(c.Data) + 8*cap(c.Valid)
		if c.Dict != nil {
			n += c.Dict.SizeBytes()
		}
	}
	return n
}
