package window

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// forwarded are the rows of a batch that stay rows.
type forwarded struct {
	rows      []uint32
	firstEnds []int64 // by forwarded row
	earliest  int64   // as in rowBuffer
}

func (f *forwarded) reset() {
	f.rows, f.firstEnds, f.earliest = f.rows[:0], f.firstEnds[:0], math.MaxInt64
}

func (f *forwarded) note(r int, firstEnd, earliest int64) {
	f.rows, f.firstEnds, f.earliest = append(f.rows, uint32(r)), append(f.firstEnds, firstEnd), min(f.earliest, earliest)
}

// forwardRows is assign where all rows are forwarded.
func (p *Partial) forwardRows(b *batch.Batch, times *rowTimes) {
	plain := p.sessions == nil && b.Cols[p.time].Valid == nil
	for k := 0; k < b.Len(); k++ {
		if plain {
			k = p.forwardRun(b, times, k)
		}
		if k < b.Len() {
			p.place(b, k, times)
		}
	}
}

// forwardRun notes rows from counting row k on, up to one that is not in time for all its windows, and gives the number of that.
func (p *Partial) forwardRun(b *batch.Batch, times *rowTimes, k int) int {
	s, f := &p.slices.none, &p.away
	for ; k < b.Len(); k++ {
		if t, wm := times.at[k], times.watermark[k]; !s.takes(t, wm) {
			if s, _, _ = p.slices.find(t, wm); s == nil || s.missed > 0 {
				return k
			}
			f.earliest = min(f.earliest, s.end)
		}
		f.rows, f.firstEnds = append(f.rows, uint32(rowOf(b, k))), append(f.firstEnds, s.firstEnd)
	}
	return k
}

// forwards tells whether rows are forwarded at present.
func (p *Partial) forwards() bool { return p.always || p.saving.forwards }

// bounds tells whether rows beyond maxGroups can go another way.
func (p *Partial) bounds() bool { return p.reject || p.cfg.CanForward }

// overflow does with a row of one group too many what the plan says.
func (p *Partial) overflow(b *batch.Batch, r int, firstEnd, earliest int64) {
	if !p.reject {
		p.away.note(r, firstEnd, earliest)
		return
	}
	p.counts.Rejected++
	if p.cfg.OnOverflow != nil {
		p.cfg.OnOverflow(b, r)
	}
}

// rowBuffer keeps forwarded rows.
type rowBuffer struct {
	b        *batch.Batch
	earliest int64 // least end of a window that one of them may change
	in, out  []copier
}

func newRowBuffer(s batch.Schema) rowBuffer {
	return rowBuffer{b: batch.New(s), earliest: math.MaxInt64, in: make([]copier, len(s)), out: make([]copier, len(s))}
}

// add copies rows of a row batch: its key columns, time, first ends and arguments.
func (f *rowBuffer) add(b *batch.Batch, by []int, time int, arguments []int, away *forwarded) {
	k := 0
	take := func(column int) {
		if len(away.rows) == b.N { // all of them
			f.in[k].copyCounting(&f.b.Cols[k], b, column)
		} else {
			f.in[k].copy(&f.b.Cols[k], &b.Cols[column], away.rows)
		}
		k++
	}
	for _, c := range by {
		take(c)
	}
	take(time)
	f.b.Cols[k].Ints = append(f.b.Cols[k].Ints, away.firstEnds...)
	k++
	for _, c := range arguments {
		take(c)
	}
	f.b.N += len(away.rows)
	f.earliest = min(f.earliest, away.earliest)
}

// merge takes rows of a checked batch.
func (f *rowBuffer) merge(b *batch.Batch, s *shape) {
	times, sl := &b.Cols[len(s.keys)], span{}
	for k := range b.Len() {
		t := times.Ints[rowOf(b, k)]
		if s.gap != 0 {
			f.earliest = min(f.earliest, t+1)
			continue
		}
		if t < sl.start || t >= sl.end {
			sl, _ = s.sliceOf(t)
		}
		f.earliest = min(f.earliest, sl.end)
	}
	for k := range b.Cols {
		f.in[k].copyCounting(&f.b.Cols[k], b, k)
	}
	f.b.N += b.Len()
}

func (f *rowBuffer) drain(dst *batch.Batch) {
	for k := range f.b.Cols {
		f.out[k].copyCounting(&dst.Cols[k], f.b, k)
	}
	dst.N += f.b.N
	large := f.b.N > 1<<20
	f.b.Reset()
	renewDicts(f.b)
	f.earliest = math.MaxInt64
	if large {
		for k := range f.b.Cols {
			f.b.Cols[k] = batch.Column{Type: f.b.Cols[k].Type, Dict: f.b.Cols[k].Dict}
		}
	}
}

func (f *rowBuffer) sizeBytes() int {
	n := f.b.SizeBytes()
	for k := range f.b.Cols {
		n += 4 * (cap(f.in[k].codes.code) + cap(f.out[k].codes.code))
		if d := f.b.Cols[k].Dict; d != nil {
			n += d.SizeBytes()
		}
	}
	return n
}
