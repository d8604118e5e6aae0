package window

import "github.com/leatio/leat/engine/batch"

// lateRows are the rows of a batch that are late for some of their windows.
type lateRows struct {
	rows   []uint32
	missed []int64 // by late row
	batch  batch.Batch
	column []int64 // _late_for by row of the batch
}

func (l *lateRows) note(r int, missed int64) {
	l.rows, l.missed = append(l.rows, uint32(r)), append(l.missed, missed)
}

// emit gives the late rows of b to f, as a selection of its first columns and _late_for.
func (l *lateRows) emit(b *batch.Batch, columns int, f func(*batch.Batch)) {
	if f != nil {
		if cap(l.column) < b.N {
			l.column = make([]int64, b.N)
		}
		l.column = l.column[:b.N]
		for i, r := range l.rows {
			l.column[r] = l.missed[i]
		}
		cols := append(l.batch.Cols[:0], b.Cols[:columns]...)
		cols = append(cols, batch.Column{Type: batch.Int, Ints: l.column})
		l.batch = batch.Batch{Cols: cols, N: b.N, Sel: l.rows, Origin: b.Origin}
		f(&l.batch)
		clear(l.batch.Cols)
	}
	l.rows, l.missed = l.rows[:0], l.missed[:0]
}
