package window

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
)

// checkColumns tells whether b has the columns of schema.
func checkColumns(b *batch.Batch, schema batch.Schema) error {
	if len(b.Cols) != len(schema) {
		return fmt.Errorf("%w: %d columns, want %d", ErrBatch, len(b.Cols), len(schema))
	}
	for i := range b.Cols {
		c := &b.Cols[i]
		if c.Type != schema[i].Type || c.Len() != b.N {
			return fmt.Errorf("%w: column %d (%s) is %s with %d rows, want %s with %d", ErrBatch, i, schema[i].Name, c.Type, c.Len(), schema[i].Type, b.N)
		}
		if err := checkColumn(c, b); err != nil {
			return fmt.Errorf("%w: column %d (%s): %w", ErrBatch, i, schema[i].Name, err)
		}
	}
	return nil
}

// checkPartials tells whether b has the columns of schema, which begins as that of partials does,
// and slices, first ends of this window and states in every row that counts.
func (s *shape) checkPartials(b *batch.Batch, schema batch.Schema) error {
	if err := checkColumns(b, schema); err != nil {
		return err
	}
	start, end := &b.Cols[len(s.keys)], &b.Cols[len(s.keys)+1]
	first := end
	if s.firstEnd >= 0 {
		first = &b.Cols[s.firstEnd]
	}
	var known endsOf
	for k := range b.Len() {
		r := rowOf(b, k)
		if start.Null(r) || end.Null(r) || first.Null(r) {
			return fmt.Errorf("%w: row %d has no slice", ErrBatch, r)
		}
		sl := span{start.Ints[r], end.Ints[r]}
		if (k == 0 || sl != known.span) && !s.valid(sl) { // known begins with a span that is no slice
			return fmt.Errorf("%w: row %d: [%d, %d) is not a slice of the window", ErrBatch, r, sl.start, sl.end)
		}
		if !known.valid(s, sl, first.Ints[r]) {
			return fmt.Errorf("%w: row %d: no window of the slice [%d, %d) ends at %d, its first_end", ErrBatch, r, sl.start, sl.end, first.Ints[r])
		}
	}
	for i := range s.accs {
		a := &s.accs[i]
		if err := aggregate.CheckState(a.spec, b.Cols[a.at:a.at+len(a.states)], b.Sel); err != nil {
			return fmt.Errorf("%w: %w", ErrBatch, err)
		}
	}
	return nil
}

// checkRows tells whether b has the columns of forwarded rows, and a time and a
// first end of this window in every row that counts.
func (s *shape) checkRows(b *batch.Batch) error {
	if err := checkColumns(b, s.rows); err != nil {
		return err
	}
	times, first := &b.Cols[len(s.keys)], &b.Cols[len(s.keys)+1]
	var known endsOf
	for k := range b.Len() {
		r := rowOf(b, k)
		if times.Null(r) || first.Null(r) {
			return fmt.Errorf("%w: row %d has no time", ErrBatch, r)
		}
		sl, ok := known.span, true
		if t := times.Ints[r]; t < sl.start || t >= sl.end || s.gap != 0 {
			sl, ok = s.sliceOf(t)
		}
		if !ok || !known.valid(s, sl, first.Ints[r]) {
			return fmt.Errorf("%w: row %d: no window of the time %d ends at %d, its first_end", ErrBatch, r, times.Ints[r], first.Ints[r])
		}
	}
	return nil
}

// endsOf remembers the windows of the slice that was asked for last.
type endsOf struct {
	span
	windows []span
	asked   bool
}

// valid tells whether first may be the first_end of rows of sl: the slice's end, where all its
// windows count, or the end of a window that is not among the first to end.
func (e *endsOf) valid(s *shape, sl span, first int64) bool {
	if !e.asked || e.span != sl {
		e.span, e.asked, e.windows = sl, false, e.windows[:0]
	}
	if first == sl.end {
		return true
	}
	if s.firstEnd < 0 {
		return false
	}
	if !e.asked {
		e.windows, e.asked = s.windowsOf(sl, e.windows), true
	}
	return len(e.windows) > 0 && first > e.windows[0].end && slices.ContainsFunc(e.windows, func(w span) bool { return w.end == first })
}

// checkColumn tells whether the rows of b that count can be read from c.
func checkColumn(c *batch.Column, b *batch.Batch) error {
	if c.Valid != nil && 64*len(c.Valid) < b.N {
		return fmt.Errorf("%d rows with %d words of null bits", b.N, len(c.Valid))
	}
	if c.Type == batch.Bytes {
		for i := range c.Len() {
			if c.Offsets[i] > c.Offsets[i+1] || int(c.Offsets[i+1]) > len(c.Data) {
				return fmt.Errorf("row %d has bytes [%d, %d) of %d", i, c.Offsets[i], c.Offsets[i+1], len(c.Data))
			}
		}
	}
	if c.Type == batch.String {
		known := uint32(0)
		if c.Dict != nil {
			known = uint32(c.Dict.Len())
		}
		for k := range b.Len() {
			if r := rowOf(b, k); !c.Null(r) && c.Codes[r] >= known {
				return fmt.Errorf("row %d has string %d of %d", r, c.Codes[r], known)
			}
		}
	}
	return nil
}

// rowOf is the k-th row of b that counts.
func rowOf(b *batch.Batch, k int) int {
	if b.Sel != nil {
		return int(b.Sel[k])
	}
	return k
}
