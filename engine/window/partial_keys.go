package window

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// rowKeys finds the groups of a batch's rows. A single string is looked up by its code; other keys of up to three columns
// in a direct-mapped cache of raw values, before their bytes in the key table.
type rowKeys struct {
	codes codeCache // group by code, of a single string

	raw   [maxCached][]uint64 // by key column: what tells values apart, by counting row
	nulls []uint8             // by counting row: a bit by key column
	dicts [maxCached]*batch.Dict
	table []cachedKey // a power of two long

	groups []uint32 // by counting row
	key    []byte
}

// maxCached is the number of key columns up to which rowKeys has a cache.
const maxCached = 3

type cachedKey struct {
	raw   [maxCached]uint64
	group uint32 // group+1; 0 = free
	nulls uint8
}

// Bounds of the cache's entries.
const (
	minCache = 1 << 10
	maxCache = 1 << 16
)

// of gives the group by counting row of b.
func (x *rowKeys) of(b *batch.Batch, by []int, keys *keyTable) []uint32 {
	n := b.Len()
	if cap(x.groups) < n {
		x.groups = make([]uint32, n)
	}
	groups := x.groups[:n]
	switch {
	case len(by) == 1 && b.Cols[by[0]].Type == batch.String:
		x.ofString(b, by, keys, groups)
	case len(by) == 0 && n > 0:
		group := keys.group(nil)
		for k := range groups {
			groups[k] = group
		}
	case !x.gather(b, by, n):
		for k := range groups {
			groups[k] = x.slow(b, by, rowOf(b, k), keys)
		}
	default:
		x.ofCached(b, by, keys, groups)
	}
	return groups
}

// slow looks the bytes of a key up.
func (x *rowKeys) slow(b *batch.Batch, by []int, r int, keys *keyTable) uint32 {
	x.key = batch.AppendKey(x.key[:0], b.Cols, by, r)
	return keys.group(x.key)
}

// codesOf gives the groups of a string column's codes, as far as they are known: group+1 by code.
func (x *rowKeys) codesOf(c *batch.Column) []uint32 {
	if x.codes.dict != c.Dict {
		x.codes.renew(c.Dict)
	}
	if c.Dict != nil {
		x.codes.widen(c.Dict.Len())
	}
	return x.codes.code
}

func (x *rowKeys) ofString(b *batch.Batch, by []int, keys *keyTable, groups []uint32) {
	c := &b.Cols[by[0]]
	known := x.codesOf(c)
	if b.Sel == nil && c.Valid == nil {
		for k, code := range c.Codes[:len(groups)] {
			group := known[code]
			if group == 0 {
				group = x.slow(b, by, k, keys) + 1
				known[code] = group
			}
			groups[k] = group - 1
		}
		return
	}
	for k := range groups {
		r := k
		if b.Sel != nil {
			r = int(b.Sel[k])
		}
		if c.Valid != nil && !c.Valid.Get(r) {
			groups[k] = x.slow(b, by, r, keys)
			continue
		}
		code := c.Codes[r]
		group := known[code]
		if group == 0 {
			group = x.slow(b, by, r, keys) + 1
			known[code] = group
		}
		groups[k] = group - 1
	}
}

// gather fills raw and nulls; false where the cache does not serve the key's types.
func (x *rowKeys) gather(b *batch.Batch, by []int, n int) bool {
	if len(by) > maxCached {
		return false
	}
	for _, c := range by {
		if b.Cols[c].Type == batch.Bytes {
			return false
		}
	}
	if cap(x.nulls) < n {
		x.nulls = make([]uint8, n)
		for i := range by {
			x.raw[i] = make([]uint64, n)
		}
	}
	x.nulls = x.nulls[:n]
	clear(x.nulls)
	for i, at := range by {
		c, raw := &b.Cols[at], x.raw[i][:n]
		if c.Type == batch.String && x.dicts[i] != c.Dict {
			x.dicts[i] = c.Dict
			clear(x.table)
		}
		gatherColumn(raw, c, b)
		if c.Valid != nil {
			for k := range raw {
				if !c.Valid.Get(rowOf(b, k)) {
					raw[k], x.nulls[k] = 0, x.nulls[k]|1<<i
				}
			}
		}
	}
	return true
}

func gatherColumn(raw []uint64, c *batch.Column, b *batch.Batch) {
	switch c.Type {
	case batch.Bool:
		gatherValues(raw, c.Bools, b.Sel, func(v bool) uint64 {
			if v {
				return 1
			}
			return 0
		})
	case batch.Double: // the bits of one key may differ: they have entries of their own
		gatherValues(raw, c.Doubles, b.Sel, math.Float64bits)
	case batch.String:
		gatherValues(raw, c.Codes, b.Sel, func(v uint32) uint64 { return uint64(v) })
	default:
		gatherValues(raw, c.Ints, b.Sel, func(v int64) uint64 { return uint64(v) })
	}
}

func gatherValues[T any](raw []uint64, values []T, sel []uint32, bits func(T) uint64) {
	if sel == nil {
		for k, v := range values[:len(raw)] {
			raw[k] = bits(v)
		}
		return
	}
	for k, r := range sel {
		raw[k] = bits(values[r])
	}
}

func (x *rowKeys) ofCached(b *batch.Batch, by []int, keys *keyTable, groups []uint32) {
	if want := min(max(minCache, 4*keys.len()), maxCache); len(x.table) < want {
		size := minCache
		for size < want {
			size *= 2
		}
		x.table = make([]cachedKey, min(size, maxCache))
	}
	mask := uint64(len(x.table) - 1)
	for k := range groups {
		var raw [maxCached]uint64
		h := uint64(x.nulls[k])
		for i := range by {
			raw[i] = x.raw[i][k]
			h = (h ^ raw[i]) * 0x9E3779B97F4A7C15
			h ^= h >> 32
		}
		e := &x.table[h&mask]
		if e.group == 0 || e.raw != raw || e.nulls != x.nulls[k] {
			*e = cachedKey{raw, x.slow(b, by, rowOf(b, k), keys) + 1, x.nulls[k]}
		}
		groups[k] = e.group - 1
	}
}

// forget is for new key tables.
func (x *rowKeys) forget() {
	clear(x.table)
	x.codes.renew(nil)
}

func (x *rowKeys) sizeBytes() int {
	return 4*(cap(x.codes.code)+cap(x.groups)) + 32*cap(x.table) + 8*maxCached*cap(x.nulls) + cap(x.nulls)
}
