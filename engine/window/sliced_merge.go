package window

import "github.com/leatio/leat/engine/batch"

// merge takes a batch of partials in.
func (f *sliced) merge(b *batch.Batch) (late []uint32) {
	late = f.assign(b, f.shape.paneOfPartial)
	f.states.merge(f.slots, b.Cols, f.rows)
	return late
}

// addRows takes a batch of forwarded rows in.
func (f *sliced) addRows(b *batch.Batch) (late []uint32) {
	late = f.assign(b, f.shape.paneOfRow)
	f.store.addRows(f.slots, b, b.Cols[len(f.shape.keys)].Ints, f.rows)
	return late
}

// assign leaves the slots of the rows that are not too late in f.slots and f.rows.
func (f *sliced) assign(b *batch.Batch, paneOf func(*batch.Batch, int) paneID) (late []uint32) {
	slots, rows := f.slots[:0], f.rows[:0]
	if rows == nil { // nil would mean all
		rows = make([]uint32, 0, b.Len())
	}
	var p *pane // of the row before
	for k := range b.Len() {
		r := rowOf(b, k)
		if id := paneOf(b, r); p == nil || p.paneID != id {
			if f.tooLate(id) {
				late = append(late, uint32(r))
				continue
			}
			p = f.paneOf(id)
		}
		slot := f.state(p, f.groupOf(b, r))
		f.touch(p, slot)
		slots, rows = append(slots, slot), append(rows, uint32(r))
	}
	f.slots, f.rows = slots, rows
	return late
}

// fresh counts the rows of a batch that need a new state, a key's as often as it comes.
func (f *sliced) fresh(b *batch.Batch, rows bool) int {
	n, paneOf := 0, f.shape.paneOfPartial
	if rows {
		paneOf = f.shape.paneOfRow
	}
	for k := range b.Len() {
		r := rowOf(b, k)
		if id := paneOf(b, r); !f.tooLate(id) && !f.has(id, b, r) {
			n++
		}
	}
	return n
}
