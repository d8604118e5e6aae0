package window

// paneHeap is a binary heap of panes with the one that ends first on top.
type paneHeap []*pane

func (h *paneHeap) push(p *pane) {
	s := append(*h, p)
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].compare(s[i].span) <= 0 {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
	*h = s
}

func (h *paneHeap) pop() *pane {
	s := *h
	top, n := s[0], len(s)-1
	s[0] = s[n]
	s[n] = nil
	s = s[:n]
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < n && s[down].compare(s[least].span) < 0 {
				least = down
			}
		}
		if least == i {
			break
		}
		s[least], s[i] = s[i], s[least]
		i = least
	}
	*h = s
	return top
}
