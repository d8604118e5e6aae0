package engine

import "github.com/leatio/leat/engine/batch"

// limits bound the event times of the rows that a fragment works on.
type limits struct {
	from, until int64
	sel         []uint32
	out         batch.Batch
}

// Limit makes the fragment pass over rows before from and rows from until on,
// once they have moved the watermark: they belong to other versions of the
// pipeline. Without an event time it does nothing.
func (e *Edge) Limit(from, until int64) {
	e.limits = &limits{from: from, until: until, sel: make([]uint32, 0, 1)}
}

// within gives the rows of b inside the limits.
func (l *limits) within(b *batch.Batch, column int) *batch.Batch {
	if l == nil {
		return b
	}
	times := b.Cols[column].Ints
	first := 0
	for ; first < b.Len(); first++ {
		if t := times[rowAt(b, first)]; t < l.from || t >= l.until {
			break
		}
	}
	if first == b.Len() {
		return b
	}
	l.sel = l.sel[:0]
	for k := range b.Len() {
		r := rowAt(b, k)
		if t := times[r]; t >= l.from && t < l.until {
			l.sel = append(l.sel, uint32(r))
		}
	}
	l.out = *b
	l.out.Sel = l.sel
	return &l.out
}

// rowAt is the k-th row of b that counts.
func rowAt(b *batch.Batch, k int) int {
	if b.Sel != nil {
		return int(b.Sel[k])
	}
	return k
}
