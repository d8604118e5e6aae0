package decode

import "encoding/binary"

// Bounds of a stringCache.
const (
	minCacheSlots = 64
	maxCacheSlots = 4096
	maxCacheBytes = 16 // longest string
)

// stringCache finds the codes of short strings that were seen lately with one
// load and one comparison of two words, where the Dict hashes and compares bytes. Each string has
// one slot that it can stand in, and the newest wins.
type stringCache struct {
	slots []cacheSlot // a power of two long
	shift uint        // 64 - log2(len(slots))
}

// cacheSlot holds a string as its first and last eight bytes, which overlap
// below 16, or for a shorter one all of it; with its length that is the whole string.
type cacheSlot struct {
	a, b   uint64
	length uint32
	code1  uint32 // code+1; 0 = free
}

func (s *stringCache) reset() {
	s.slots = make([]cacheSlot, minCacheSlots)
	s.shift = 64 - 6
}

// intern gives the code of a string in the column's Dict.
func (c *column) intern(text []byte) uint32 {
	n := len(text)
	if n > maxCacheBytes {
		return c.dict.Code(text)
	}
	var a, b uint64
	switch {
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
	case n >= 4:
		a = uint64(binary.LittleEndian.Uint32(text)) | uint64(binary.LittleEndian.Uint32(text[n-4:]))<<32
	case n > 0:
		a = uint64(text[0]) | uint64(text[n/2])<<8 | uint64(text[n-1])<<16
	}
	h := (a ^ b*0x9E3779B97F4A7C15 ^ uint64(n)) * 0xD6E8FEB86659FD93
	slot := &c.cache.slots[h>>(c.cache.shift&63)]
	if slot.a == a && slot.b == b && slot.length == uint32(n) && slot.code1 != 0 {
		return slot.code1 - 1
	}
	code := c.dict.Code(text)
	*slot = cacheSlot{a, b, uint32(n), code + 1}
	if l := len(c.cache.slots); l < maxCacheSlots && c.dict.Len() > l/4 {
		c.cache.slots = make([]cacheSlot, 4*l)
		c.cache.shift -= 2
	}
	return code
}
