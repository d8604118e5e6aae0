package aggregate

import "github.com/leatio/leat/engine/batch"

// sumDouble adds doubles up in double-double arithmetic (see dd): exact, and so
// commutative and associative, while 106 bits span the values and their sum. Infinities and NaNs
// give what IEEE 754 says in any order: NaN when there is a NaN or infinities
// of both signs. A running sum beyond the range of doubles becomes infinite and stays so. Not idempotent.
// The state is hi (null = no rows) and lo.
type sumDouble struct {
	s    []dd
	skip present
}

func (a *sumDouble) Grow(slots int) { a.s = grow(a.s, slots, noRows) }

func (a *sumDouble) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	if rows == nil {
		sumDoubles(a.s, slots, col.Doubles)
		return
	}
	values := col.Doubles
	rows = rows[:len(slots)]
	for i, s := range slots {
		p := &a.s[s]
		*p = p.plus(values[rows[i]])
	}
}

// sumDoubles is dd.plus written into the loop, since it is too long for Go to inline.
func sumDoubles(sums []dd, slots []uint32, values []float64) {
	values = values[:len(slots)]
	for i, slot := range slots {
		p, x := &sums[slot], values[i]
		h := p.hi
		s := h + x
		t := s - h
		lo := p.lo + ((h - (s - t)) + (x - t))
		hi := s + lo
		if hi-hi != 0 {
			*p = p.special(x)
			continue
		}
		p.hi, p.lo = hi, lo-(hi-s)
	}
}

func (a *sumDouble) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	hi, lo := &state[0], &state[1]
	slots, rows = a.skip.of(hi, slots, rows)
	for i, s := range slots {
		r := rowAt(rows, i)
		b := dd{hi: hi.Doubles[r]}
		if !lo.Null(r) {
			b.lo = lo.Doubles[r]
		}
		a.s[s] = a.s[s].plusDD(b)
	}
}

func (a *sumDouble) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	sums, other := a.s, peer(a, from).s
	for i, s := range slots {
		switch b := other[fromSlots[i]]; {
		case b.empty():
		case sums[s].empty():
			sums[s] = b
		default:
			sums[s] = sums[s].plusDD(b)
		}
	}
}

func (a *sumDouble) AppendState(dst []batch.Column, slots []uint32) {
	a.appendResult(&dst[0], slots)
	for _, s := range slots {
		putDouble(&dst[1], a.s[s].lo)
	}
}

func (a *sumDouble) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		if a.s[s].empty() {
			out.AppendNull()
		} else {
			putDouble(out, a.s[s].hi)
		}
	}
}

// reported is the sum as sum(x) gives it.
func (a *sumDouble) reported(slot uint32) (sum float64, ok bool) {
	return a.s[slot].hi, !a.s[slot].empty()
}

func (a *sumDouble) Clear(slots []uint32) {
	for _, s := range slots {
		a.s[s] = noRows
	}
}

func (a *sumDouble) SizeBytes() int { return 16*cap(a.s) + a.skip.sizeBytes() }
