package window

import "math"

// noEnd is above all ends.
const noEnd = math.MaxInt64

// endHeap gives slots back by the end that was put with them, lowest first. A slot stands in it with the
// lowest end that was put since it was taken last.
type endHeap struct {
	heap []endEntry
	of   []int64 // by slot: its end in the heap; noEnd = it is not there
}

type endEntry struct {
	end  int64
	slot uint32
}

func (a endEntry) before(b endEntry) bool {
	return a.end < b.end || a.end == b.end && a.slot < b.slot
}

// put makes sure that the slot is given back at end or before.
func (h *endHeap) put(end int64, slot uint32) {
	for int(slot) >= len(h.of) {
		h.of = append(h.of, noEnd)
	}
	if h.of[slot] <= end {
		return
	}
	h.of[slot] = end
	s := append(h.heap, endEntry{end, slot})
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].before(s[i]) {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
	h.heap = s
}

// take gives a slot whose end is not above end.
func (h *endHeap) take(end int64) (slot uint32, at int64, ok bool) {
	for len(h.heap) > 0 && h.heap[0].end <= end {
		e := h.pop()
		if h.of[e.slot] == e.end {
			h.of[e.slot] = noEnd
			return e.slot, e.end, true
		}
	}
	return 0, 0, false
}

func (h *endHeap) pop() endEntry {
	s := h.heap
	top, n := s[0], len(s)-1
	s[0] = s[n]
	s = s[:n]
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < n && s[down].before(s[least]) {
				least = down
			}
		}
		if least == i {
			break
		}
		s[least], s[i] = s[i], s[least]
		i = least
	}
	h.heap = s
	return top
}

func (h *endHeap) sizeBytes() int { return 16*cap(h.heap) + 8*cap(h.of) }
