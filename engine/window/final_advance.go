package window

import (
	"slices"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
)

// resultRows bounds the rows of a result batch.
const resultRows = 4096

// Advance moves the watermarks, which never go back, and emits the results of every
// window that ends at or before fire and changed since it fired last, with the
// revision counted up from 1 for each key by itself. Then it forgets the
// windows that end at least the allowed lateness before keep; these fire before, whatever fire says. Batches have up to 4,096 rows
// and come in order of window end, then the keys in SQL's order (nulls last); a batch is valid until
// emit returns.
func (f *Final) Advance(fire, keep int64, emit func(*batch.Batch) error) error {
	f.fire, f.keep = max(f.fire, fire), max(f.keep, keep)
	for len(f.pending) > 0 {
		p := f.pending[0]
		if f.firesAt(p.end) > f.fire && !f.isForgotten(p.end) {
			break
		}
		f.pending.pop()
		if err := f.firePane(p, emit); err != nil {
			return err
		}
	}
	if f.out.N > 0 {
		if err := f.flush(emit); err != nil {
			return err
		}
	}
	f.forget()
	return nil
}

func (f *Final) firePane(p *pane, emit func(*batch.Batch) error) error {
	slots := p.pending
	p.pending = nil
	f.keys.order(slots, f.group)
	for len(slots) > 0 {
		n := min(len(slots), resultRows-f.out.N)
		if err := f.appendResults(p, slots[:n]); err != nil {
			return err
		}
		slots = slots[n:]
		if f.out.N == resultRows {
			if err := f.flush(emit); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *Final) appendResults(p *pane, slots []uint32) error {
	if f.out.N == 0 {
		renewDicts(f.out)
	}
	cols, nk := f.out.Cols, len(f.shape.keys)
	appendInts(&cols[0], p.start, len(slots))
	appendInts(&cols[1], p.end, len(slots))
	f.keys.appendKeys(cols[2:], slots, f.group)
	for i, r := range f.shape.results {
		if err := aggregate.Finish(r.function, r.param, f.states.args[i], slots, &cols[2+nk+i]); err != nil {
			return err
		}
	}
	revisions := &cols[len(cols)-1]
	for _, s := range slots {
		m := &f.meta[s]
		m.revision++
		m.pending = false
		revisions.Ints = append(revisions.Ints, m.revision)
		f.touch(p, s, false)
	}
	f.out.N += len(slots)
	return nil
}

func (f *Final) flush(emit func(*batch.Batch) error) error {
	err := emit(f.out)
	f.out.Reset()
	return err
}

// forget drops the panes that the watermarks have passed for good.
func (f *Final) forget() {
	for len(f.byEnd) > 0 && f.isForgotten(f.byEnd[0].end) {
		p := f.byEnd.pop()
		p.forgotten = true
		delete(f.panes, p.span)
		if f.last == p {
			f.last = nil
		}
		f.states.clear(p.slots)
		for _, s := range p.slots {
			if g := f.group[s]; f.refs[g] == 1 {
				f.refs[g], f.live = 0, f.live-1
			} else {
				f.refs[g]--
			}
		}
		f.free = append(f.free, p.slots...)
	}
	f.changed = slices.DeleteFunc(f.changed, func(p *pane) bool { return p.forgotten })
	if f.keys.len() > 1024+2*f.live {
		f.compact()
	}
}

// compact starts new keys, with those that still have states.
func (f *Final) compact() {
	old, oldRefs := f.keys, f.refs
	f.keys, f.refs = newKeyTable(f.shape.keys, bySQL), nil
	moved := make([]uint32, old.len())
	for g := range old.len() {
		if g < len(oldRefs) && oldRefs[g] > 0 {
			moved[g] = f.keys.group(old.bytes(uint32(g)))
			f.refs = append(f.refs, oldRefs[g])
		}
	}
	for _, p := range f.byEnd {
		p.index = groupIndex{}
		for _, s := range p.slots {
			f.group[s] = moved[f.group[s]]
			p.index.put(f.group[s], s)
		}
	}
}
