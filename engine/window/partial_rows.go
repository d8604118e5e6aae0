package window

import "github.com/leatio/leat/engine/batch"

// assign gives the slot of each row that counts and is not late, and these
// rows; nil = all rows of b.
func (p *Partial) assign(b *batch.Batch, watermarks []int64) (slots, rows []uint32) {
	p.slots = p.slots[:0]
	done, next := 0, 0 // counting rows that have a slot; those looked at
	if p.str >= 0 {
		p.useDict(b.Cols[p.str].Dict)
		if b.Cols[p.time].Valid == nil && b.Cols[p.str].Valid == nil {
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
	for k := next; k < b.Len(); k++ {
		r := rowOf(b, k)
		s := p.rowSlice(b, r, watermarks)
		if s == nil {
			continue
		}
		slots, rows = append(slots, p.slotOf(s, p.rowGroup(b, r))), append(rows, uint32(r))
	}
	if rows == nil { // nil would mean all
		rows = []uint32{}
	}
	p.slots, p.rows = slots, rows
	return slots, rows
}

// assignStrings is assign for rows by one string key, without nulls. It stops after the first row that is dropped; done rows have a
// slot and next is the row to go on with, counted as b.Len does.
func (p *Partial) assignStrings(b *batch.Batch, watermarks []int64) (done, next int) {
	n, sel := b.Len(), b.Sel
	if cap(p.slots) < n {
		p.slots = make([]uint32, n)
	}
	slots := p.slots[:n]
	times, codes := b.Cols[p.time].Ints[:b.N], b.Cols[p.str].Codes[:b.N]
	groups := p.codes.group
	s := p.cur
	if s == nil {
		s = &p.none
	}
	start, size, lateFrom, dense := s.start, uint64(s.end-s.start), s.lateFrom, s.index.dense
	for k := range slots {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if uint64(times[i]-start) >= size || watermarks != nil && watermarks[i] >= lateFrom {
			if s = p.rowSlice(b, i, watermarks); s == nil {
				p.slots = slots[:k]
				return k, k + 1
			}
			start, size, lateFrom, dense = s.start, uint64(s.end-s.start), s.lateFrom, s.index.dense
		}
		code := codes[i]
		if int(code) >= len(groups) || groups[code] == 0 {
			p.stringGroup(b, i)
			groups = p.codes.group
		}
		group := groups[code] - 1
		if int(group) < len(dense) && dense[group] != 0 {
			slots[k] = dense[group] - 1
			continue
		}
		slots[k] = p.slotOf(s, group)
		dense = s.index.dense
	}
	p.slots = slots
	return n, n
}

// rowSlice is the slice of row r, or nil when the row is late or has no usable
// time, which it counts.
func (p *Partial) rowSlice(b *batch.Batch, r int, watermarks []int64) *slice {
	times := &b.Cols[p.time]
	if times.Null(r) {
		if invariants {
			panic("BUG: a row without event time reached a window")
		}
		p.invalid++
		return nil
	}
	t, s := times.Ints[r], p.cur
	var sl span
	if s != nil && uint64(t-s.start) < uint64(s.end-s.start) {
		sl = s.span
	} else {
		var ok bool
		if sl, ok = p.shape.sliceOf(t); !ok {
			p.invalid++
			return nil
		}
		s = nil
	}
	if watermarks != nil && watermarks[r] >= p.shape.lastWatermark(sl.end) {
		p.late++
		return nil
	}
	if s == nil {
		s = p.sliceAt(sl)
	}
	return s
}

func (p *Partial) rowGroup(b *batch.Batch, r int) uint32 {
	if p.str >= 0 && !b.Cols[p.str].Null(r) {
		if code := b.Cols[p.str].Codes[r]; int(code) < len(p.codes.group) && p.codes.group[code] != 0 {
			return p.codes.group[code] - 1
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
	code := int(b.Cols[p.str].Codes[r])
	if n := code + 1; n > len(p.codes.group) {
		if n > cap(p.codes.group) {
			bigger := make([]uint32, len(p.codes.group), max(256, 2*n))
			copy(bigger, p.codes.group)
			p.codes.group = bigger
		}
		p.codes.group = p.codes.group[:n]
	}
	p.codes.group[code] = group + 1
	return group
}

// useDict forgets the groups by code when another Dict comes.
func (p *Partial) useDict(d *batch.Dict) {
	if p.codes.dict != d {
		clear(p.codes.group[:cap(p.codes.group)])
		p.codes.dict, p.codes.group = d, p.codes.group[:0]
	}
}
