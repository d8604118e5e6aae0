package window

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// assign gives the slot of each row that counts here, and these
// rows; nil = all rows of b. The rows that go other ways are noted in away and lates.
func (p *Partial) assign(b *batch.Batch, watermarks []int64) (slots, rows []uint32) {
	p.away.rows, p.away.firstEnds = p.away.rows[:0], p.away.firstEnds[:0]
	n := b.Len()
	if cap(p.slots) < n {
		p.slots = make([]uint32, n)
	}
	slots = p.slots[:n]
	fast := p.hasRuns(b)
	// Runs of rows that go straight into slices or sessions; between them rows that need a closer look.
	done, listed := 0, false
	for k := 0; k < n; k++ {
		if fast {
			end := p.run(b, watermarks, k, slots[done:])
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
		if slot, ok := p.place(b, r, watermarks); ok {
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

// hasRuns tells whether run works for b.
func (p *Partial) hasRuns(b *batch.Batch) bool {
	if p.str < 0 || p.forwards() {
		return false
	}
	if d := b.Cols[p.str].Dict; p.codes.dict != d {
		p.codes.renew(d)
	}
	return b.Cols[p.time].Valid == nil && b.Cols[p.str].Valid == nil
}

// run fills slots from counting row k on, up to a row that it leaves to place, and gives the number of that.
func (p *Partial) run(b *batch.Batch, watermarks []int64, k int, slots []uint32) int {
	if p.sessions != nil {
		return p.runSessions(b, watermarks, k, slots)
	}
	return p.runStrings(b, watermarks, k, slots)
}

// place gives the slot of row r; ok is false where it goes another way, which it notes.
func (p *Partial) place(b *batch.Batch, r int, watermarks []int64) (slot uint32, ok bool) {
	if p.sessions != nil {
		return p.placeInSession(b, r, watermarks)
	}
	return p.placeInSlice(b, r, watermarks)
}

// runStrings is run for rows by one string key, without nulls.
func (p *Partial) runStrings(b *batch.Batch, watermarks []int64, from int, slots []uint32) int {
	sel := b.Sel
	times, codes := b.Cols[p.time].Ints[:b.N], b.Cols[p.str].Codes[:b.N]
	slots, groups := slots[:b.Len()-from], p.codes.code
	s := &p.slices.none
	start, size, lateFrom, dense := int64(0), uint64(0), int64(math.MinInt64), []uint32(nil)
	for k := range slots {
		i := from + k
		if sel != nil {
			i = int(sel[i])
		}
		if uint64(times[i]-start) >= size || watermarks != nil && watermarks[i] >= lateFrom {
			wm := int64(math.MinInt64)
			if watermarks != nil {
				wm = watermarks[i]
			}
			if s, _, _ = p.slices.find(times[i], wm); s == nil || s.missed > 0 {
				return from + k
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
			return from + k
		}
		slots[k] = slot
		dense = s.index.dense
	}
	return b.Len()
}

// runSessions is run for rows by one string key, without nulls, that go on with the latest session of their key.
func (p *Partial) runSessions(b *batch.Batch, watermarks []int64, from int, slots []uint32) int {
	sel, gap, lateness := b.Sel, p.shape.gap, p.shape.lateness
	times, codes := b.Cols[p.time].Ints[:b.N], b.Cols[p.str].Codes[:b.N]
	groups, head, pending := p.codes.code, p.sessions.head, p.sessions.time
	for k := range slots[:b.Len()-from] {
		i := from + k
		if sel != nil {
			i = int(sel[i])
		}
		code, t := codes[i], times[i]
		if int(code) >= len(groups) || groups[code] == 0 || int(groups[code]) > len(head) || t > maxTime {
			return from + k
		}
		at := head[groups[code]-1]
		if at == 0 {
			return from + k
		}
		last := &pending[at-1]
		if t < last.start || t >= last.end || watermarks != nil && t+gap+lateness <= watermarks[i] {
			return from + k
		}
		if t+gap > last.end {
			last.end = t + gap
			p.newest = max(p.newest, t+gap)
		}
		slots[k] = at - 1
	}
	return b.Len()
}

// placeInSlice is place for slices.
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

// placeInSession is place for sessions.
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
	if slot, ok = p.sessionSlot(p.rowGroup(b, r), sl, true); !ok {
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
