package keys

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// Table gives each different key a slot. The zero value is empty.
type Table struct {
	arena   []byte
	garbage int   // bytes of the arena that belong to no key
	keys    []key // by slot
	free    []uint32
	table   []entry // a power of two long; at most half full
	live    int
}

// key is where the bytes of a slot's key stand.
type key struct {
	at   int
	size int32 // -1 = the slot is free
	tag  uint32
}

// entry is a place of the table.
type entry struct {
	tag  uint32 // lower half of the hash: it tells the place where probing begins, whatever the length
	slot uint32 // slot+1; 0 = free
}

const (
	firstEntries = 64
	minGarbage   = 4096 // bytes below which the arena is left alone
)

// Len is the number of keys.
func (t *Table) Len() int { return t.live }

// Slots is one more than the largest slot given out so far.
func (t *Table) Slots() int { return len(t.keys) }

// Live tells whether a slot has a key.
func (t *Table) Live(slot uint32) bool { return t.keys[slot].size >= 0 }

// Key is the bytes of a slot's key, valid until the next Insert.
func (t *Table) Key(slot uint32) []byte {
	k := t.keys[slot]
	return t.arena[k.at : k.at+int(k.size) : k.at+int(k.size)]
}

// Find is the slot of a key, if it has one.
func (t *Table) Find(k []byte) (slot uint32, ok bool) {
	if t.live == 0 {
		return 0, false
	}
	slot, _ = t.probe(uint32(xxhash.Sum64(k)), k)
	return slot - 1, slot != 0
}

// Insert is the slot of a key, given to it now if it is fresh.
func (t *Table) Insert(k []byte) (slot uint32, fresh bool) {
	if 2*(t.live+1) > len(t.table) {
		t.grow()
	}
	tag := uint32(xxhash.Sum64(k))
	slot, at := t.probe(tag, k)
	if slot != 0 {
		return slot - 1, false
	}
	if t.garbage > minGarbage && 2*t.garbage > len(t.arena) {
		t.compact()
	}
	if n := len(t.free); n > 0 {
		slot, t.free = t.free[n-1], t.free[:n-1]
	} else {
		slot = uint32(len(t.keys))
		t.keys = append(t.keys, key{})
	}
	t.keys[slot] = key{len(t.arena), int32(len(k)), tag}
	t.arena = append(t.arena, k...)
	t.table[at] = entry{tag, slot + 1}
	t.live++
	return slot, true
}

// probe gives slot+1 of a key, or 0 and the free place for it.
func (t *Table) probe(tag uint32, k []byte) (slot, at uint32) {
	mask := uint32(len(t.table) - 1)
	for at = tag & mask; ; at = (at + 1) & mask {
		e := t.table[at]
		if e.slot == 0 || e.tag == tag && bytes.Equal(t.Key(e.slot-1), k) {
			return e.slot, at
		}
	}
}

// Delete frees the slot of a key.
func (t *Table) Delete(slot uint32) {
	mask := uint32(len(t.table) - 1)
	at := t.keys[slot].tag & mask
	for t.table[at].slot != slot+1 {
		at = (at + 1) & mask
	}
	// Move back what could not stand here because of this entry.
	for next := (at + 1) & mask; t.table[next].slot != 0; next = (next + 1) & mask {
		home := t.table[next].tag & mask
		if (next-home)&mask >= (next-at)&mask {
			t.table[at] = t.table[next]
			at = next
		}
	}
	t.table[at] = entry{}
	t.garbage += int(t.keys[slot].size)
	t.keys[slot] = key{size: -1}
	t.free = append(t.free, slot)
	t.live--
	if t.live == 0 {
		t.arena, t.garbage = t.arena[:0], 0
	}
}

// Clear forgets all keys and frees most of the memory.
func (t *Table) Clear() { *t = Table{} }

func (t *Table) grow() {
	t.table = make([]entry, max(firstEntries, 2*len(t.table)))
	mask := uint32(len(t.table) - 1)
	for s, k := range t.keys {
		if k.size < 0 {
			continue
		}
		at := k.tag & mask
		for t.table[at].slot != 0 {
			at = (at + 1) & mask
		}
		t.table[at] = entry{k.tag, uint32(s) + 1}
	}
}

// compact moves the keys to a new arena without gaps.
func (t *Table) compact() {
	arena := make([]byte, 0, 2*(len(t.arena)-t.garbage))
	for s := range t.keys {
		if k := &t.keys[s]; k.size >= 0 {
			arena = append(arena, t.arena[k.at:k.at+int(k.size)]...)
			k.at = len(arena) - int(k.size)
		}
	}
	t.arena, t.garbage = arena, 0
}

// SizeBytes estimates the memory held.
func (t *Table) SizeBytes() int {
	return cap(t.arena) + 16*cap(t.keys) + 4*cap(t.free) + 8*len(t.table)
}
