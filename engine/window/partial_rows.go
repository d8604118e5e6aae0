package window

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// assign gives the slot of each row that counts here, and these
// rows; nil = all rows of b. The rows that go other ways are noted in away and lates.
func (p *Partial) assign(b *batch.Batch, watermarks []int64) (slots, rows []uint32) {
	p.away.rows, p.away.firstEnds = p.away.rows[:0], p.away.firstEnds[:0]
	p.slots = p.slots[:0]
	done, next := 0, 0 // counting rows that have a slot; those looked at
	if p.str >= 0 {
		p.useDict(b.Cols[p.str].Dict)
		if b.Cols[p.time].Valid == nil && b.Cols[p.str].Valid == nil && p.sessions == nil && !p.forwards() {
			if done, next = p.assignStrings(b, watermarks); done == b.Len() {
				return p.slots, b.Sel
			}
		}
	}
	// From here on row by row, with a list of those that stay.
	slots, rows = p.slots, p.rows[:0]
	for k := range done {
		rows = append(rows, uint32(rowOf(b, k)))
	}
	place := p.placeInSlice
	if p.sessions != nil {
		place = p.placeInSession
	}
	for k := next; k < b.Len(); k++ {
		r := rowOf(b, k)
		if slot, ok := place(b, r, watermarks); ok {
			slots, rows = append(slots, slot), append(rows, uint32(r))
		}
	}
	if rows == nil { // nil would mean all
		rows = []uint32{}
	}
	p.slots, p.rows = slots, rows
	return slots, rows
}

// assignStrings is assign for rows by one string key, without nulls. It stops before the first row that
// does not go straight into a slice; done rows have a slot and next is the row to go on with, counted as b.Len does.
func (p *Partial) assignStrings(b *batch.Batch, watermarks []int64) (done, next int) {
	n, sel := b.Len(), b.Sel
	if cap(p.slots) < n {
		p.slots = make([]uint32, n)
	}
	slots := p.slots[:n]
	times, codes := b.Cols[p.time].Ints[:b.N], b.Cols[p.str].Codes[:b.N]
	groups := p.codes.code
	s := &p.slices.none
	start, size, lateFrom, dense := int64(0), uint64(0), int64(math.MinInt64), []uint32(nil)
	for k := range slots {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if uint64(times[i]-start) >= size || watermarks != nil && watermarks[i] >= lateFrom {
			wm := int64(math.MinInt64)
			if watermarks != nil {
				wm = watermarks[i]
			}
			if s, _, _ = p.slices.find(times[i], wm); s == nil || s.missed > 0 {
				p.slots = slots[:k]
				return k, k
			}
			start, size, lateFrom, dense = s.start, uint64(s.end-s.start), s.to, s.index.dense
		}
		code := codes[i]
		if int(code) >= len(groups) || groups[code] == 0 {
			p.stringGroup(b, i)
			groups = p.codes.code
		}
		group := groups[code] - 1
		if int(group) < len(dense) && dense[group] != 0 {
			slots[k] = dense[group] - 1
			continue
		}
		slot, ok := p.slotOf(s, group, true)
		if !ok {
			p.slots = slots[:k]
			return k, k
		}
		slots[k] = slot
		dense = s.index.dense
	}
	p.slots = slots
	return n, n
}

// placeInSlice gives the slot of row r; ok is false where it goes another way, which it notes.
func (p *Partial) placeInSlice(b *batch.Batch, r int, watermarks []int64) (slot uint32, ok bool) {
	t, wm, ok := p.timeOf(b, r, watermarks)
	if !ok {
		return 0, false
	}
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
	if slot, ok = p.slotOf(s, p.rowGroup(b, r), true); !ok {
		p.overflow(b, r, s.firstEnd, s.end)
	}
	return slot, ok
}

// placeInSession is placeInSlice for sessions.
func (p *Partial) placeInSession(b *batch.Batch, r int, watermarks []int64) (slot uint32, ok bool) {
	t, wm, ok := p.timeOf(b, r, watermarks)
	if !ok {
		return 0, false
	}
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
	group := p.rowGroup(b, r)
	if int(group) < len(p.sessions.head) { // most rows go on with the latest session
		if at := p.sessions.head[group]; at != 0 {
			if last := &p.sessions.time[at-1]; t >= last.start && t < last.end {
				last.end = max(last.end, sl.end)
				return at - 1, true
			}
		}
	}
	if slot, ok = p.sessionSlot(group, sl, true); !ok {
		p.overflow(b, r, sl.end, t+1)
	}
	return slot, ok
}

// timeOf is the event time of row r and the watermark that it came at.
func (p *Partial) timeOf(b *batch.Batch, r int, watermarks []int64) (t, wm int64, ok bool) {
	times := &b.Cols[p.time]
	if times.Null(r) {
		if invariants {
			panic("BUG: a row without event time reached a window")
		}
		p.counts.Invalid++
		return 0, 0, false
	}
	wm = math.MinInt64
	if watermarks != nil {
		wm = watermarks[r]
	}
	return times.Ints[r], wm, true
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

func (p *Partial) rowGroup(b *batch.Batch, r int) uint32 {
	if p.str >= 0 && !b.Cols[p.str].Null(r) {
		if code := b.Cols[p.str].Codes[r]; int(code) < len(p.codes.code) && p.codes.code[code] != 0 {
			return p.codes.code[code] - 1
		}
		return p.stringGroup(b, r)
	}
	p.key = batch.AppendKey(p.key[:0], b.Cols, p.by, r)
	return p.keys.group(p.key)
}

// stringGroup looks the group of a string key up and remembers it by the code.
func (p *Partial) stringGroup(b *batch.Batch, r int) uint32 {
	p.key = batch.AppendKey(p.key[:0], b.Cols, p.by, r)
	group := p.keys.group(p.key)
	p.codes.set(b.Cols[p.str].Codes[r], group)
	return group
}

// useDict forgets the groups by code when another Dict comes.
func (p *Partial) useDict(d *batch.Dict) {
	if p.codes.dict != d {
		p.codes.renew(d)
	}
}
