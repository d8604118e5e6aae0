package window

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// sessions are the session windows of a Final. A partial is an interval from its first row to its last row +
// gap; those of a key that intersect are one session.
type sessions struct {
	*store
	cfg        FinalConfig
	fire, keep int64 // the largest seen

	meta    []sessionMeta // by slot
	head    []uint32      // by group: slot+1 of the session that starts first; 0 = none
	ends    endHeap       // of sessions that are to be emitted
	expiry  endHeap       // of all sessions
	removed []removal     // to be emitted
	changed []uint32      // slots, some of no session, of what changed since the last snapshot

	goneSessions, goneRemovals *batch.Batch // for the next snapshot

	slots, rows, found []uint32 // scratch
	ready              []ready  // scratch
	groups             []uint32 // scratch
}

// sessionMeta is what a session has beside its accumulators.
type sessionMeta struct {
	span
	next     uint32 // slot+1 of the key's next session; 0 = none
	alive    bool
	pending  bool  // changed since it was emitted
	changed  bool  // since the last snapshot
	revision int64 // of the last emission with this start and end; 0 = none
}

// removal is a result that is to be taken back.
type removal struct {
	span
	group    uint32
	revision int64
}

func newSessions(st *store, cfg FinalConfig) *sessions {
	return &sessions{store: st, cfg: cfg, fire: math.MinInt64, keep: math.MinInt64}
}

// late is the watermark from which on nothing comes any more for sessions that end before.
func (f *sessions) late() int64 {
	if f.cfg.LastOnly {
		return less(max(f.fire, f.keep), f.shape.lateness)
	}
	return less(f.keep, f.shape.lateness)
}

// forgotten is the end up to which sessions are forgotten. A session can be joined by a row before its end,
// which is not late until its own time + gap + lateness.
func (f *sessions) forgotten() int64 { return less(f.late(), f.shape.gap) }

// fired is the end up to which sessions are emitted.
func (f *sessions) fired() int64 {
	if f.cfg.LastOnly {
		return f.forgotten()
	}
	return max(f.fire, f.forgotten())
}

// tooLate tells whether no source can have a row for an interval that ends at end any more.
func (f *sessions) tooLate(end int64) bool { return end <= f.late() }

// join gives the slot for an interval of a group: a new session, or the one that it and those that it
// intersects become. flush is called before states move.
func (f *sessions) join(group uint32, in span, flush func()) uint32 {
	for int(group) >= len(f.head) {
		f.head = append(f.head, 0)
	}
	link, found := &f.head[group], f.found[:0]
	for *link != 0 && f.meta[*link-1].end <= in.start {
		link = &f.meta[*link-1].next
	}
	for at := *link; at != 0 && f.meta[at-1].start < in.end; at = f.meta[at-1].next {
		found = append(found, at-1)
	}
	f.found = found
	if len(found) == 0 {
		after := *link
		slot := f.hold(group)
		f.grow(slot) // link may point into the old meta
		f.meta[slot] = sessionMeta{span: in, next: after, alive: true, changed: f.meta[slot].changed}
		f.relink(group, slot)
		return slot
	}
	slot := found[0]
	m := &f.meta[slot]
	whole := span{min(in.start, m.start), max(in.end, f.meta[found[len(found)-1]].end)}
	whole.end = max(whole.end, m.end)
	if whole == m.span {
		return slot
	}
	flush()
	if in.start < m.start {
		f.sayGone(slot)
	}
	for _, s := range found {
		f.takeBack(s)
	}
	for _, s := range found[1:] {
		f.mergeSlots([]uint32{slot}, []uint32{s})
		m.next = f.meta[s].next
		f.sayGone(s)
		f.remove(s)
	}
	m.span = whole
	return slot
}

// grow makes meta long enough for a slot.
func (f *sessions) grow(slot uint32) {
	for int(slot) >= len(f.meta) {
		f.meta = append(f.meta, sessionMeta{})
	}
}

// relink puts a new session of a group in its place in the list, before the one that its next names.
func (f *sessions) relink(group, slot uint32) {
	link := &f.head[group]
	for *link != f.meta[slot].next {
		link = &f.meta[*link-1].next
	}
	*link = slot + 1
}

// takeBack notes that the result of a session as it was is to be taken back.
func (f *sessions) takeBack(slot uint32) {
	if m := &f.meta[slot]; m.revision > 0 {
		f.removed = append(f.removed, removal{m.span, f.group[slot], m.revision + 1})
		m.revision = 0
	}
}

// remove drops a session that is in no list any more.
func (f *sessions) remove(slot uint32) {
	f.meta[slot] = sessionMeta{changed: f.meta[slot].changed} // it stays in the list
	f.drop([]uint32{slot})
}

// touch notes that a session has changed.
func (f *sessions) touch(slot uint32) {
	m := &f.meta[slot]
	m.pending = true
	f.ends.put(m.end, slot)
	f.expiry.put(m.end, slot)
	if !m.changed {
		m.changed = true
		f.changed = append(f.changed, slot)
	}
}

// add takes row r of a batch in as an interval and notes its slot.
func (f *sessions) add(b *batch.Batch, r int, in span, flush func()) {
	slot := f.join(f.groupOf(b, r), in, flush)
	f.touch(slot)
	f.slots, f.rows = append(f.slots, slot), append(f.rows, uint32(r))
}

// has tells whether an interval needs no new state.
func (f *sessions) has(in span, b *batch.Batch, r int) bool {
	group, ok := f.find(b, r)
	if !ok || int(group) >= len(f.head) {
		return false
	}
	for at := f.head[group]; at != 0; at = f.meta[at-1].next {
		if m := &f.meta[at-1]; m.start < in.end && in.start < m.end {
			return true
		}
	}
	return false
}

// forget drops the sessions that cannot change any more.
func (f *sessions) forget() {
	end := f.forgotten()
	for {
		slot, at, ok := f.expiry.take(end)
		if !ok {
			break
		}
		m := &f.meta[slot]
		if !m.alive {
			continue
		}
		if m.end != at {
			f.expiry.put(m.end, slot)
			continue
		}
		link := &f.head[f.group[slot]]
		for *link != slot+1 {
			link = &f.meta[*link-1].next
		}
		*link = m.next
		f.sayGone(slot)
		f.remove(slot)
	}
	if f.crowded() {
		f.regroup()
	}
}

// regroup forgets the keys that nothing needs.
func (f *sessions) regroup() {
	needed := map[uint32]bool{}
	for _, r := range f.removed {
		needed[r.group] = true
	}
	head := f.head
	moved := f.compact(func(g uint32) bool { return needed[g] })
	f.head = make([]uint32, f.keys.len())
	for g, first := range head {
		if first == 0 {
			continue
		}
		f.head[moved[g]] = first
		for at := first; at != 0; at = f.meta[at-1].next {
			f.group[at-1] = moved[g]
		}
	}
	for i := range f.removed {
		f.removed[i].group = moved[f.removed[i].group]
	}
}

func (f *sessions) sizeBytes() int {
	return f.store.sizeBytes() + 48*cap(f.meta) + 32*cap(f.removed) + 24*cap(f.ready) + f.ends.sizeBytes() + f.expiry.sizeBytes() +
		4*(cap(f.head)+cap(f.changed)+cap(f.slots)+cap(f.rows)+cap(f.groups))
}
