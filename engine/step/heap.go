package step

import "math"

// deadline is when something is due for a slot. It may be earlier than the
// truth: who takes it off looks, and puts it back for later if so.
type deadline struct {
	at   int64
	born uint64 // of its key
	slot uint32
}

func (a deadline) less(b deadline) bool {
	return a.at < b.at || a.at == b.at && a.born < b.born
}

// noDeadline is later than all deadlines.
const noDeadline = math.MaxInt64

// deadlines is a binary heap with the earliest on top; of equal ones that
// of the key known longest.
type deadlines []deadline

// due tells whether the earliest deadline is reached.
func (h deadlines) due(now int64) bool { return len(h) > 0 && h[0].at <= now }

func (h *deadlines) push(d deadline) {
	s := append(*h, d)
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s[i].less(s[up]) {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
	*h = s
}

func (h *deadlines) pop() deadline {
	s := *h
	top := s[0]
	n := len(s) - 1
	s[0] = s[n]
	*h = s[:n]
	h.down()
	return top
}

// delay moves the top to a later time.
func (h *deadlines) delay(at int64) {
	(*h)[0].at = at
	h.down()
}

// down moves the top to its place.
func (h *deadlines) down() {
	s := *h
	for i := 0; ; {
		least := i
		for _, k := range [2]int{2*i + 1, 2*i + 2} {
			if k < len(s) && s[k].less(s[least]) {
				least = k
			}
		}
		if least == i {
			return
		}
		s[least], s[i] = s[i], s[least]
		i = least
	}
}
