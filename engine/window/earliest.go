package window

// EarliestPending is the smallest slice end of what is pending; ok is false where nothing is.
func (p *Partial) EarliestPending() (end int64, ok bool) {
	for _, s := range p.slices {
		if !ok || s.end < end {
			end, ok = s.end, true
		}
	}
	return end, ok
}
