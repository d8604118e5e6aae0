package window

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// assign gives the slot of each row that counts here, and these
// rows; nil = all rows of b. The rows that go other ways are noted in away and lates.
func (p *Partial) assign(b *batch.Batch, watermarks []int64) (slots, rows []uint32) {
	p.away.reset()
	n := b.Len()
	if cap(p.slots) < n {
		p.slots = make([]uint32, n)
	}
	slots = p.slots[:n]
	if p.whole(b, watermarks, slots) {
		return slots, b.Sel
	}
	times := p.clock.of(b, p.time, watermarks)
	if p.forwards() {
		p.forwardRows(b, times)
		return nil, nil
	}
	p.groups = p.rowKeys.of(b, p.by, p.keys)
	fast := b.Cols[p.time].Valid == nil
	// Runs of rows that go straight into slices or sessions; between them rows that need a closer look.
	done, listed := 0, false
	for k := 0; k < n; k++ {
		if fast {
			end := k + p.run(p.groups[k:], times.at[k:n], times.watermark[k:n], slots[done:])
			if listed {
				for ; k < end; k++ {
					p.rows = append(p.rows, uint32(rowOf(b, k)))
					done++
				}
			} else {
				done, k = done+end-k, end
			}
			if k == n {
				break
			}
		}
		if !listed {
			listed, p.rows = true, p.rows[:0]
			for i := range k {
				p.rows = append(p.rows, uint32(rowOf(b, i)))
			}
		}
		r := rowOf(b, k)
		if slot, ok := p.place(b, k, times); ok {
			slots[done] = slot
			p.rows = append(p.rows, uint32(r))
			done++
		}
	}
	if !listed {
		return slots, b.Sel
	}
	if p.rows == nil { // nil would mean all
		p.rows = []uint32{}
	}
	return slots[:done], p.rows
}

// whole fills slots for a batch by one string whose rows all fall in one slice and are
// late for none of its windows: nearly every batch of a live source. Where it gives false, nothing has happened.
func (p *Partial) whole(b *batch.Batch, watermarks []int64, slots []uint32) bool {
	if p.sessions != nil || p.forwards() || len(p.by) != 1 || len(slots) == 0 {
		return false
	}
	key, times := &b.Cols[p.by[0]], &b.Cols[p.time]
	if key.Type != batch.String || key.Valid != nil || key.Dict == nil || times.Valid != nil {
		return false
	}
	first, last := rowOf(b, 0), rowOf(b, len(slots)-1)
	before, after := int64(math.MinInt64), int64(math.MinInt64)
	if watermarks != nil {
		before, after = watermarks[first], watermarks[last] // they never fall
	}
	s, _, _ := p.slices.find(times.Ints[first], before)
	if s == nil || s.missed > 0 || after >= s.to || !within(times.Ints, b.Sel, len(slots), s.span) {
		return false
	}
	known := p.rowKeys.codesOf(key)
	dense := s.index.dense
	for k := range slots {
		r := k
		if b.Sel != nil {
			r = int(b.Sel[k])
		}
		code := key.Codes[r]
		group := known[code]
		if group == 0 {
			group = p.rowKeys.slow(b, p.by, r, p.keys) + 1
			known[code] = group
		}
		if int(group) <= len(dense) {
			if slot := dense[group-1]; slot != 0 {
				slots[k] = slot - 1
				continue
			}
		}
		slot, ok := p.slotOf(s, group-1, true)
		if !ok {
			return false // the slots so far are found again
		}
		slots[k], dense = slot, s.index.dense
	}
	return true
}

// within tells whether the times of the rows that count are in a span.
func within(times []int64, sel []uint32, n int, sl span) bool {
	most, start := uint64(0), sl.start
	if sel == nil {
		for _, t := range times[:n] {
			most = max(most, uint64(t-start))
		}
	} else {
		for _, r := range sel {
			most = max(most, uint64(times[r]-start))
		}
	}
	return most < uint64(sl.end-start)
}

// run fills slots for rows of these groups and times, up to a row that it leaves to place, and gives their number.
func (p *Partial) run(groups []uint32, times, watermarks []int64, slots []uint32) int {
	if p.sessions != nil {
		return p.runSessions(groups, times, watermarks, slots)
	}
	return p.runSlices(groups, times, watermarks, slots)
}

// place gives the slot of counting row k; ok is false where it goes another way, which it notes.
func (p *Partial) place(b *batch.Batch, k int, times *rowTimes) (slot uint32, ok bool) {
	r := rowOf(b, k)
	if b.Cols[p.time].Null(r) {
		if invariants {
			panic("BUG: a row without event time reached a window")
		}
		p.counts.Invalid++
		return 0, false
	}
	if p.sessions != nil {
		return p.placeInSession(b, k, times.at[k], times.watermark[k])
	}
	return p.placeInSlice(b, k, times.at[k], times.watermark[k])
}

// runSlices is run for slices.
func (p *Partial) runSlices(groups []uint32, times, watermarks []int64, slots []uint32) int {
	n := len(groups)
	times, watermarks, slots = times[:n], watermarks[:n], slots[:n]
	s := &p.slices.none
	start, size, lateFrom, dense := int64(0), uint64(0), int64(math.MinInt64), []uint32(nil)
	for k, group := range groups {
		if t := times[k]; uint64(t-start) >= size || watermarks[k] >= lateFrom {
			if s, _, _ = p.slices.find(t, watermarks[k]); s == nil || s.missed > 0 {
				return k
			}
			start, size, lateFrom, dense = s.start, uint64(s.end-s.start), s.to, s.index.dense
		}
		if int(group) < len(dense) {
			if slot := dense[group]; slot != 0 {
				slots[k] = slot - 1
				continue
			}
		}
		slot, ok := p.slotOf(s, group, true)
		if !ok {
			return k
		}
		slots[k] = slot
		dense = s.index.dense
	}
	return n
}

// runSessions is run for rows that go on with the latest session of their key.
func (p *Partial) runSessions(groups []uint32, times, watermarks []int64, slots []uint32) int {
	n := len(groups)
	times, watermarks, slots = times[:n], watermarks[:n], slots[:n]
	head, pending, gap, lateness := p.sessions.head, p.sessions.time, p.shape.gap, p.shape.lateness
	for k, group := range groups {
		t := times[k]
		if int(group) >= len(head) || head[group] == 0 || t > maxTime {
			return k
		}
		last := &pending[head[group]-1]
		if t < last.start || t >= last.end || t+gap+lateness <= watermarks[k] {
			return k
		}
		if t+gap > last.end {
			last.end = t + gap
			p.newest = max(p.newest, t+gap)
		}
		slots[k] = head[group] - 1
	}
	return n
}

// placeInSlice is place for slices.
func (p *Partial) placeInSlice(b *batch.Batch, k int, t, wm int64) (slot uint32, ok bool) {
	r := rowOf(b, k)
	s, v, missed := p.slices.find(t, wm)
	switch {
	case v == absurd:
		p.counts.Invalid++
		return 0, false
	case v == between:
		p.counts.Between++
		return 0, false
	case v == tooLate:
		p.counts.Late++
		p.lates.note(r, missed)
		return 0, false
	case missed > 0:
		p.counts.LateSome++
		p.lates.note(r, missed)
	}
	if p.forwards() {
		p.away.note(r, s.firstEnd, s.end)
		return 0, false
	}
	if slot, ok = p.slotOf(s, p.groups[k], true); !ok {
		p.overflow(b, r, s.firstEnd, s.end)
	}
	return slot, ok
}

// placeInSession is place for sessions.
func (p *Partial) placeInSession(b *batch.Batch, k int, t, wm int64) (slot uint32, ok bool) {
	r := rowOf(b, k)
	sl, ok := p.shape.sliceOf(t)
	switch {
	case !ok:
		p.counts.Invalid++
		return 0, false
	case p.shape.lastWatermark(sl.end) <= wm:
		p.counts.Late++
		p.lates.note(r, 1)
		return 0, false
	}
	p.newest = max(p.newest, sl.end)
	if p.forwards() {
		p.away.note(r, sl.end, t+1)
		return 0, false
	}
	if slot, ok = p.sessionSlot(p.groups[k], sl, true); !ok {
		p.overflow(b, r, sl.end, t+1)
	}
	return slot, ok
}

// rowTimes are the event times of a batch's counting rows and the watermarks that they came at.
type rowTimes struct {
	at, watermark         []int64
	selected, read, never []int64 // scratch
}

func (x *rowTimes) of(b *batch.Batch, column int, watermarks []int64) *rowTimes {
	n := b.Len()
	x.at, x.watermark = b.Cols[column].Ints, watermarks
	if b.Sel != nil {
		x.selected = x.selected[:0]
		for _, r := range b.Sel {
			x.selected = append(x.selected, x.at[r])
		}
		x.at = x.selected
	}
	switch {
	case watermarks == nil:
		for len(x.never) < n {
			x.never = append(x.never, math.MinInt64)
		}
		x.watermark = x.never[:n]
	case b.Sel != nil:
		x.read = x.read[:0]
		for _, r := range b.Sel {
			x.read = append(x.read, watermarks[r])
		}
		x.watermark = x.read
	}
	return x
}

// slotOf gives the slot of a group in a slice, made if need be; ok is false where it would be one group too many.
func (p *Partial) slotOf(s *slice, group uint32, bounded bool) (slot uint32, ok bool) {
	if slot, ok := s.index.get(group); ok {
		return slot, true
	}
	if bounded && len(s.slots) >= p.maxGroups && p.bounds() {
		return 0, false
	}
	slot = uint32(p.next)
	p.next++
	p.groupOf = append(p.groupOf, group)
	s.index.put(group, slot)
	s.slots = append(s.slots, slot)
	return slot, true
}

// sessionSlot gives the slot of the session of a group that contains sl, made if need be.
func (p *Partial) sessionSlot(group uint32, sl span, bounded bool) (slot uint32, ok bool) {
	x := p.sessions
	slot, ok, after := x.place(group, sl)
	if ok {
		return slot, true
	}
	if bounded && p.Rows() >= p.maxGroups && p.bounds() {
		return 0, false
	}
	if n := len(x.free); n > 0 {
		slot, x.free = x.free[n-1], x.free[:n-1]
		p.groupOf[slot] = group
	} else {
		slot = uint32(p.next)
		p.next++
		p.groupOf = append(p.groupOf, group)
	}
	x.insert(group, slot, sl, after)
	return slot, true
}
