package decode

import "encoding/binary"

// Bounds of a stringCache.
const (
	minCacheSlots = 64
	maxCacheSlots = 8192
	maxCacheBytes = 16 // longest string
	cacheProbes   = 4  // slots that a string may stand in
)

// stringCache finds the codes of short strings that were seen lately with one
// load and one comparison of a word or two, where the Dict hashes, follows a
// pointer and compares bytes. It is kept sparse, so that a string mostly stands
// in its first slot, and nothing is lost when it drops one.
type stringCache struct {
	slots []cacheSlot // a power of two long
	tails []uint64    // by slot: the last eight bytes of strings of more than eight
	shift uint        // 64 - log2(len(slots))
}

// cacheSlot holds the first eight bytes of a string, or all of a shorter one.
type cacheSlot struct {
	head   uint64
	length uint32
	code1  uint32 // code+1; 0 = free
}

func (s *stringCache) reset() { s.resize(minCacheSlots, 64-6) }

func (s *stringCache) resize(slots int, shift uint) {
	*s = stringCache{slots: make([]cacheSlot, slots), tails: make([]uint64, slots), shift: shift}
}

// intern gives the code of a string in the column's Dict.
func (c *column) intern(text []byte) uint32 {
	n := len(text)
	if n > maxCacheBytes {
		return c.dict.Code(text)
	}
	var head, tail uint64
	switch {
	case n > 8:
		head, tail = binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
	case n == 8:
		head = binary.LittleEndian.Uint64(text)
	case n >= 4:
		head = uint64(binary.LittleEndian.Uint32(text)) | uint64(binary.LittleEndian.Uint32(text[n-4:]))<<32
	case n > 0:
		head = uint64(text[0]) | uint64(text[n/2])<<8 | uint64(text[n-1])<<16
	}
	h := (head ^ tail*0x9E3779B97F4A7C15 ^ uint64(n)) * 0xD6E8FEB86659FD93
	at := h >> (c.cache.shift & 63)
	if s := &c.cache.slots[at]; s.head == head && s.length == uint32(n) && s.code1 != 0 && (n <= 8 || c.cache.tails[at] == tail) {
		return s.code1 - 1
	}
	return c.internElsewhere(text, head, tail, at)
}

// internElsewhere is intern for a string that is not in its first slot.
func (c *column) internElsewhere(text []byte, head, tail, first uint64) uint32 {
	n, mask, free := len(text), uint64(len(c.cache.slots)-1), first
	for at := first; at < first+cacheProbes; at++ {
		s := &c.cache.slots[at&mask]
		if s.code1 == 0 {
			free = at
			break
		}
		if s.head == head && s.length == uint32(n) && (n <= 8 || c.cache.tails[at&mask] == tail) {
			return s.code1 - 1
		}
	}
	code := c.dict.Code(text)
	if l := len(c.cache.slots); l < maxCacheSlots && c.dict.Len() > l/16 {
		c.cache.resize(4*l, c.cache.shift-2)
		return code
	}
	c.cache.slots[free&mask] = cacheSlot{head, uint32(n), code + 1}
	c.cache.tails[free&mask] = tail
	return code
}
