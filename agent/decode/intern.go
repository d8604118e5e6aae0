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
// load and one comparison of two words, where the Dict hashes, follows a
// pointer and compares bytes. It is kept sparse, so that a string mostly stands
// in its first slot, and nothing is lost when it drops one.
type stringCache struct {
	slots []cacheSlot // a power of two long
	shift uint        // 64 - log2(len(slots))
}

// cacheSlot holds a string as two words, filled up with zeros.
type cacheSlot struct {
	head, tail uint64
	length     uint32
	code1      uint32 // code+1; 0 = free
}

func (s *stringCache) reset() { s.resize(minCacheSlots, 64-6) }

func (s *stringCache) resize(slots int, shift uint) {
	*s = stringCache{slots: make([]cacheSlot, slots), shift: shift}
}

// intern gives the code of a string in the column's Dict.
func (c *column) intern(text []byte) uint32 {
	n := len(text)
	var head, tail uint64
	switch {
	case n > maxCacheBytes:
		return c.dict.Code(text)
	case n > 8:
		head, tail = load(text, 0), load(text, n-8)>>(8*(16-n))
	case n == 8:
		head = load(text, 0)
	case n >= 4: // the words overlap and agree where they do
		head = uint64(binary.LittleEndian.Uint32(text)) | uint64(binary.LittleEndian.Uint32(text[n-4:]))<<(8*(n-4))
	case n > 0:
		head = uint64(text[0]) | uint64(text[n/2])<<(8*(n/2)) | uint64(text[n-1])<<(8*(n-1))
	}
	return c.internWords(text, head, tail)
}

// internWords is intern for a string of up to 16 bytes, which are head and tail.
func (c *column) internWords(text []byte, head, tail uint64) uint32 {
	h := (head ^ tail*0x9E3779B97F4A7C15) * 0xD6E8FEB86659FD93
	at := h >> (c.cache.shift & 63)
	if s := &c.cache.slots[at]; s.head == head && s.tail == tail && s.length == uint32(len(text)) && s.code1 != 0 {
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
		if s.head == head && s.tail == tail && s.length == uint32(n) {
			return s.code1 - 1
		}
	}
	code := c.dict.Code(text)
	if l := len(c.cache.slots); l < maxCacheSlots && c.dict.Len() > l/16 {
		c.cache.resize(4*l, c.cache.shift-2)
		return code
	}
	c.cache.slots[free&mask] = cacheSlot{head, tail, uint32(n), code + 1}
	return code
}
