package aggregate

import (
	"math"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// sumDouble adds doubles up without rounding: in double-double arithmetic (see dd) and, where that is too narrow for a
// slot, in a wide integer. So it is commutative and associative whatever the values are. Infinities and NaNs
// give what IEEE 754 says in any order: NaN when there is a NaN or infinities
// of both signs. Not idempotent.
//
// The state is hi (null = no rows), the sum rounded, lo, and rest: empty where hi + lo is the sum, else the whole
// sum as a wide (then lo is 0).
type sumDouble struct {
	s    []dd
	wide map[uint32]*wide // of the slots whose hi is wideSum
	skip present
}

// wideSum marks a slot whose sum is in the map: a NaN of other bits than the canonical one.
var wideSum = dd{hi: math.Float64frombits(0x7FF8_0000_0000_1EA8)}

func (a dd) isWide() bool { return math.Float64bits(a.hi) == 0x7FF8_0000_0000_1EA8 }

func (a *sumDouble) Grow(slots int) { a.s = grow(a.s, slots, noRows) }

func (a *sumDouble) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	if rows == nil {
		a.addDense(slots, col.Doubles)
		return
	}
	values := col.Doubles
	rows = rows[:len(slots)]
	for i, s := range slots {
		a.plus(s, values[rows[i]])
	}
}

// addDense is plus written into the loop, since it is too long for Go to inline.
func (a *sumDouble) addDense(slots []uint32, values []float64) {
	sums := a.s
	values = values[:len(slots)]
	for i, slot := range slots {
		p, x := &sums[slot], values[i]
		h, lo := p.hi, p.lo
		s := h + x
		t := s - h
		e := (h - (s - t)) + (x - t)
		l := lo + e
		hi := s + l
		if inexact(l-lo-e, l-e-lo, hi-hi) {
			a.widen(slot, x)
			continue
		}
		p.hi, p.lo = hi, l-(hi-s)
	}
}

// plus adds x to a slot.
func (a *sumDouble) plus(slot uint32, x float64) {
	if sum, ok := a.s[slot].plus(x); ok {
		a.s[slot] = sum
		return
	}
	a.widen(slot, x)
}

// widen adds x to a slot where two doubles do not do.
func (a *sumDouble) widen(slot uint32, x float64) {
	p := &a.s[slot]
	switch {
	case x-x != 0: // not finite: it decides alone, or with another such
		if p.isWide() {
			delete(a.wide, slot)
			*p = dd{}
		}
		if p.hi-p.hi == 0 {
			*p = dd{}
		}
		*p = dd{hi: canonical(p.hi + x)}
	case p.isWide():
		a.wide[slot].add(x, unitOfSums)
	case p.hi-p.hi != 0:
		*p = dd{hi: canonical(p.hi)}
	default:
		a.makeWide(slot).add(x, unitOfSums)
	}
}

// makeWide is the wide sum of a slot whose sum is finite.
func (a *sumDouble) makeWide(slot uint32) *wide {
	p := &a.s[slot]
	if p.isWide() {
		return a.wide[slot]
	}
	if a.wide == nil {
		a.wide = map[uint32]*wide{}
	}
	w := &wide{}
	w.add(p.hi, unitOfSums)
	w.add(p.lo, unitOfSums)
	a.wide[slot], *p = w, wideSum
	return w
}

func (a *sumDouble) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	hi, lo, rest := &state[0], &state[1], &state[2]
	slots, rows = a.skip.of(hi, slots, rows)
	for i, s := range slots {
		r := rowAt(rows, i)
		if !rest.Null(r) && len(rest.Blob(r)) > 0 {
			a.mergeWide(s, rest.Blob(r))
			continue
		}
		a.plus(s, hi.Doubles[r]+0)
		if !lo.Null(r) {
			a.plus(s, lo.Doubles[r]+0)
		}
	}
}

func (a *sumDouble) mergeWide(slot uint32, encoded []byte) {
	if p := &a.s[slot]; p.isWide() || p.finite() {
		a.makeWide(slot).addEncoded(encoded)
	}
}

func (a *sumDouble) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	o := peer(a, from)
	for i, s := range slots {
		switch b := o.s[fromSlots[i]]; {
		case b.empty():
		case b.isWide():
			if p := &a.s[s]; p.isWide() || p.finite() {
				w, v := a.makeWide(s), o.wide[fromSlots[i]]
				w.n.Add(&w.n, &v.n)
			}
		case a.s[s].empty():
			a.s[s] = b
		default:
			// plus of both, written into the loop as in addDense.
			for _, x := range [2]float64{b.hi, b.lo} {
				p := &a.s[s]
				h, lo := p.hi, p.lo
				sum := h + x
				t := sum - h
				e := (h - (sum - t)) + (x - t)
				l := lo + e
				hi := sum + l
				if inexact(l-lo-e, l-e-lo, hi-hi) {
					a.widen(s, x)
					continue
				}
				p.hi, p.lo = hi, l-(hi-sum)
			}
		}
	}
}

// allPlain tells whether the slots have sums of two doubles.
func (a *sumDouble) allPlain(slots []uint32) bool {
	for _, s := range slots {
		if p := a.s[s]; p.empty() || p.isWide() {
			return false
		}
	}
	return true
}

// appendPlain is AppendState for slots that have sums of two doubles, to columns without nulls.
func (a *sumDouble) appendPlain(dst []batch.Column, slots []uint32) {
	hi, lo := slices.Grow(dst[0].Doubles, len(slots)), slices.Grow(dst[1].Doubles, len(slots))
	if len(dst[2].Offsets) == 0 {
		dst[2].Offsets = append(dst[2].Offsets, 0)
	}
	offsets, end := slices.Grow(dst[2].Offsets, len(slots)), uint32(len(dst[2].Data))
	for _, s := range slots {
		p := a.s[s]
		hi, lo, offsets = append(hi, canonical(p.hi)), append(lo, canonical(p.lo)), append(offsets, end)
	}
	dst[0].Doubles, dst[1].Doubles, dst[2].Offsets = hi, lo, offsets
}

func (a *sumDouble) AppendState(dst []batch.Column, slots []uint32) {
	if dst[0].Valid == nil && dst[1].Valid == nil && dst[2].Valid == nil && a.allPlain(slots) {
		a.appendPlain(dst, slots)
		return
	}
	var buf []byte
	for _, s := range slots {
		p := &a.s[s]
		if p.isWide() {
			w := a.wide[s]
			if sum, ok := w.settled(); ok {
				delete(a.wide, s)
				*p = sum
			} else {
				putDouble(&dst[0], sum.hi)
				putDouble(&dst[1], 0)
				buf = w.append(buf[:0])
				putBlob(&dst[2], buf)
				continue
			}
		}
		if p.empty() {
			dst[0].AppendNull()
		} else {
			putDouble(&dst[0], p.hi)
		}
		putDouble(&dst[1], p.lo)
		putBlob(&dst[2], nil)
	}
}

func (a *sumDouble) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		if v, ok := a.reported(s); ok {
			putDouble(out, v)
		} else {
			out.AppendNull()
		}
	}
}

// reported is the sum as sum(x) gives it.
func (a *sumDouble) reported(slot uint32) (sum float64, ok bool) {
	p := a.s[slot]
	if p.isWide() {
		return a.wide[slot].rounded(unitOfSums), true
	}
	return p.hi, !p.empty()
}

func (a *sumDouble) Clear(slots []uint32) {
	for _, s := range slots {
		if a.s[s].isWide() {
			delete(a.wide, s)
		}
		a.s[s] = noRows
	}
}

func (a *sumDouble) SizeBytes() int {
	return 16*cap(a.s) + wideBytes*len(a.wide) + a.skip.sizeBytes()
}
