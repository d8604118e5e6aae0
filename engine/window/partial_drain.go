package window

import (
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// Merge takes a partial batch back in, as Drain made it. Nothing is late for it. On an
// error nothing was taken.
func (p *Partial) Merge(b *batch.Batch) error {
	if err := p.shape.checkPartials(b, p.shape.partial); err != nil {
		return err
	}
	nk := len(p.shape.keys)
	starts, ends := b.Cols[nk].Ints, b.Cols[nk+1].Ints
	firsts := ends
	if p.shape.firstEnd >= 0 {
		firsts = b.Cols[p.shape.firstEnd].Ints
	}
	groups := p.backKeys.of(b, firstColumns(nk), p.keys)
	slots, rows := p.slots[:0], p.rows[:0]
	for k := range b.Len() {
		r := rowOf(b, k)
		group, sl := groups[k], span{starts[r], ends[r]}
		var slot uint32
		if p.sessions != nil {
			slot, _ = p.sessionSlot(group, sl, false)
		} else {
			slot, _ = p.slotOf(p.slices.named(sl, firsts[r]), group, false)
		}
		slots, rows = append(slots, slot), append(rows, uint32(r))
	}
	p.slots, p.rows = slots, rows
	p.states.grow(p.next)
	p.states.merge(slots, b.Cols, rows)
	p.unite()
	return nil
}

// Drain appends all pending partials to dst, a batch of the partial schema, in
// order of slice end, slice start, first end, then of the keys' bytes (batch.AppendKey), and has none afterwards.
func (p *Partial) Drain(dst *batch.Batch) {
	renewDicts(dst)
	nk, order := len(p.shape.keys), p.order[:0]
	starts, ends := &dst.Cols[nk], &dst.Cols[nk+1]
	if p.sessions != nil {
		order = p.sessions.order(order, p.keys, p.groupOf)
		for _, slot := range order {
			appendInts(starts, p.sessions.time[slot].start, 1)
			appendInts(ends, p.sessions.time[slot].end, 1)
		}
	} else {
		slices.SortFunc(p.slices.list, (*slice).compare)
		for _, s := range p.slices.list {
			p.keys.order(s.slots, p.groupOf)
			order = append(order, s.slots...)
			appendInts(starts, s.start, len(s.slots))
			appendInts(ends, s.end, len(s.slots))
			if p.shape.firstEnd >= 0 {
				appendInts(&dst.Cols[p.shape.firstEnd], s.firstEnd, len(s.slots))
			}
		}
	}
	p.keys.appendKeys(dst.Cols, order, p.groupOf)
	p.states.appendTo(dst.Cols, order)
	dst.N += len(order)
	p.states.clear(order)
	p.order = order
	p.forget()
}

// DrainRows appends all forwarded rows to dst, a batch of RowsSchema, in the order in
// which they came, and has none afterwards.
func (p *Partial) DrainRows(dst *batch.Batch) {
	renewDicts(dst)
	p.forward.drain(dst)
	if p.next == 0 {
		p.forget()
	}
}

// MergeRows takes a batch back in, as DrainRows made it. Nothing is late for it. On an
// error nothing was taken.
func (p *Partial) MergeRows(b *batch.Batch) error {
	if err := p.shape.checkRows(b); err != nil {
		return err
	}
	p.forward.merge(b, p.shape)
	return nil
}

// forget empties everything but the accumulators and gives memory back that grew too large.
func (p *Partial) forget() {
	large := p.next > p.cfg.KeepKeys
	if p.sessions != nil {
		p.sessions.clear(large)
	} else {
		p.slices.clear(large)
	}
	if large {
		p.groupOf, p.slots, p.rows, p.order, p.moved = nil, nil, nil, nil, nil
		if fresh, err := newStates(p.shape); err == nil {
			p.states = fresh
		}
	}
	p.next, p.groupOf = 0, p.groupOf[:0]
	if n := p.keys.len(); n > p.cfg.KeepKeys || n >= p.cfg.MaxGroups || len(p.keys.arena) > p.cfg.KeepKeyBytes {
		p.keys = newKeyTable(p.shape.keys, byBytes)
		p.rowKeys.forget()
		p.backKeys.forget()
		p.counts.KeyResets++
		if p.sessions != nil {
			p.sessions.head = nil
		}
	}
}
