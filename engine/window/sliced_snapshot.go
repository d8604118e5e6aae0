package window

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Sections of a snapshot of slices, behind the header.
const (
	stateSection  = iota // partials as they were merged, and when each changed last
	windowSection        // windows that were emitted and may be again
)

func (f *sliced) sections() []batch.Schema {
	states := append(slices.Clone(f.shape.partial), batch.Field{Name: touchedColumn, Type: batch.Int})
	if f.retracts {
		states = append(states, batch.Field{Name: emptyColumn, Type: batch.Bool})
	}
	return []batch.Schema{append(states, batch.Field{Name: goneColumn, Type: batch.Bool}), {
		{Name: plan.WindowStart, Type: batch.Timestamp}, {Name: plan.WindowEnd, Type: batch.Timestamp},
		{Name: plan.Revision, Type: batch.Int}, {Name: epochColumn, Type: batch.Int}, {Name: goneColumn, Type: batch.Bool},
	}}
}

func (f *sliced) rowKeys() []int { return []int{f.shape.sliceColumns(), 2} }

func (f *sliced) era() int64 { return f.epoch }

func (f *sliced) begin(epoch int64) { f.epoch = epoch }

func (f *sliced) snapshot(full bool, emit func(section int, b *batch.Batch) error) error {
	schemas := f.sections()
	states, windows := batch.New(schemas[stateSection]), batch.New(schemas[windowSection])
	if f.goneStates != nil && !full {
		states, windows = f.goneStates, f.goneWindows
	}
	f.goneStates, f.goneWindows = nil, nil
	panes := f.changed
	if full {
		panes = slices.Clone(f.order.items)
	}
	slices.SortFunc(panes, func(a, b *pane) int { return a.compare(b.paneID) })
	for _, p := range panes {
		slots := p.changed
		if full {
			slots = slices.Clone(p.slots)
		}
		f.keys.order(slots, f.group)
		f.appendStates(states, p, slots)
	}
	for _, p := range f.changed {
		for _, s := range p.changed {
			f.marks[s] &^= markChanged
		}
		p.changed = nil
	}
	clear(f.changed)
	f.changed = f.changed[:0]
	if err := emit(stateSection, states); err != nil {
		return err
	}
	for _, e := range f.windows.items {
		if e.revision == 0 || !full && !e.changed {
			continue
		}
		e.changed = false
		for i, v := range []int64{e.start, e.end, e.revision, e.epoch} {
			appendInts(&windows.Cols[i], v, 1)
		}
		appendBool(&windows.Cols[4], false)
		windows.N++
	}
	return emit(windowSection, windows)
}

// sayGone notes for the next snapshot that panes and windows are forgotten.
func (f *sliced) sayGone(panes []*pane, windows []*emitted) {
	if !f.cfg.SayGone || len(panes)+len(windows) == 0 {
		return
	}
	if f.goneStates == nil {
		schemas := f.sections()
		f.goneStates, f.goneWindows = batch.New(schemas[stateSection]), batch.New(schemas[windowSection])
	}
	for _, p := range panes {
		f.appendSlices(f.goneStates, p, p.slots)
		appendGone(f.goneStates, f.shape.sliceColumns(), len(p.slots))
	}
	for _, e := range windows {
		appendInts(&f.goneWindows.Cols[0], e.start, 1)
		appendInts(&f.goneWindows.Cols[1], e.end, 1)
		appendGone(f.goneWindows, 2, 1)
	}
}

// appendSlices appends the columns that name the states of slots.
func (f *sliced) appendSlices(dst *batch.Batch, p *pane, slots []uint32) {
	nk := len(f.shape.keys)
	f.keys.appendKeys(dst.Cols, slots, f.group)
	appendInts(&dst.Cols[nk], p.start, len(slots))
	appendInts(&dst.Cols[nk+1], p.end, len(slots))
	if f.shape.firstEnd >= 0 {
		appendInts(&dst.Cols[f.shape.firstEnd], p.first, len(slots))
	}
}

func (f *sliced) appendStates(dst *batch.Batch, p *pane, slots []uint32) {
	f.appendSlices(dst, p, slots)
	f.states.appendTo(dst.Cols, slots)
	at := len(f.shape.partial)
	for _, s := range slots {
		appendInts(&dst.Cols[at], f.touched[s], 1)
		if f.retracts {
			appendBool(&dst.Cols[at+1], f.marks[s]&markGone != 0)
		}
		appendBool(&dst.Cols[len(dst.Cols)-1], false)
	}
	dst.N += len(slots)
}

func (f *sliced) restore(section int, b *batch.Batch) error {
	if section == windowSection {
		return f.restoreWindows(b)
	}
	if err := f.shape.checkPartials(b, f.sections()[stateSection]); err != nil {
		return err
	}
	if err := f.room(f.fresh(b, false)); err != nil {
		return err
	}
	at := len(f.shape.partial)
	slots, rows := make([]uint32, 0, b.Len()), make([]uint32, 0, b.Len())
	seen := make(map[uint32]bool, b.Len())
	for k := range b.Len() {
		r := rowOf(b, k)
		if isGone(b, r) {
			continue
		}
		touched, err := numberAt(&b.Cols[at], r, 0)
		if err != nil {
			return err
		}
		slot := f.state(f.paneOf(f.shape.paneOfPartial(b, r)), f.groupOf(b, r))
		if seen[slot] {
			return fmt.Errorf("%w: row %d has the slice and key of a row before it", ErrBatch, r)
		}
		seen[slot] = true
		f.touched[slot] = touched
		if f.marks[slot] = 0; f.retracts && !b.Cols[at+1].Null(r) && b.Cols[at+1].Bools[r] {
			f.marks[slot] = markGone
		}
		slots, rows = append(slots, slot), append(rows, uint32(r))
	}
	f.states.clear(slots)
	f.states.merge(slots, b.Cols, rows)
	return nil
}

func (f *sliced) restoreWindows(b *batch.Batch) error {
	for k := range b.Len() {
		r := rowOf(b, k)
		if isGone(b, r) {
			continue
		}
		var v [4]int64
		for i := range v {
			least := int64(0)
			if i < 2 {
				least = -maxTime
			}
			var err error
			if v[i], err = numberAt(&b.Cols[i], r, least); err != nil {
				return err
			}
		}
		w := span{v[0], v[1]}
		if w.start >= w.end || v[2] == 0 || f.gridOf(w) < 0 {
			return fmt.Errorf("%w: row %d: [%d, %d) with revision %d is none of the windows", ErrBatch, r, w.start, w.end, v[2])
		}
		e, ok := f.windows.get(w)
		if !ok {
			e = &emitted{span: w}
			f.windows.insert(e)
		}
		e.revision, e.epoch = v[2], v[3]
	}
	return nil
}

// resume finds out again which windows have changed since they were emitted.
func (f *sliced) resume(fire, keep int64) {
	f.fire, f.keep = max(f.fire, fire), max(f.keep, keep)
	f.forget()
	touched := map[*pane]int64{}
	for _, p := range f.order.items {
		for _, s := range p.slots {
			touched[p] = max(touched[p], f.touched[s])
		}
	}
	for w := f.walkAfter(f.forgotten()); w.ok; w.next() {
		e, ok := f.windows.get(w.span)
		if !ok {
			if w.span.end > f.fired() {
				continue
			}
			e = &emitted{span: w.span}
			f.windows.insert(e)
		}
		f.walked = f.panesOf(w.span, f.walked)
		for _, p := range f.walked {
			if e.revision == 0 || touched[p] <= e.epoch {
				continue
			}
			for _, s := range p.slots {
				if f.touched[s] > e.epoch {
					e.mark(f.group[s])
				}
			}
		}
		if w.span.end <= f.fired() && !e.due && (e.revision == 0 || len(e.dirty) > 0) {
			e.due = true
			f.due = append(f.due, e)
		}
	}
}
