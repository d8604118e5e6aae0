package aggregate

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// ddsketch keeps counts of values by bins whose bounds rise by 2 %, so that any quantile
// is known within 1 % of the value: a DDSketch. Commutative and associative, not idempotent: what
// a slot holds is a function of the set of its values alone.
//
// NaN, infinities and zero are counted by themselves; values below 2^-1022 count as zero. Bins of each sign
// span at most ddBins indexes, which is a factor of 10^35; values nearer to zero count in the last one, and
// so are off by at most 10^-35 of the largest magnitude.
//
// The state is one Bytes column (see ddsketch_state.go), empty without rows.
type ddsketch struct {
	ints bool
	s    []ddSlot
	rare []ddRare
	free []uint32 // unused entries of rare
	a8   arena[uint8]
	a32  arena[uint32]
	a64  arena[uint64]
	buf  []ddBin // scratch
	vals []float64
	skip present
}

const ddBins = 4096

// ddSlot is the state of one slot.
type ddSlot struct {
	pos, neg ddStore
	rare     uint32 // index+1 into rare; 0 = none
}

// ddRare counts what has no bin.
type ddRare struct{ zero, nan, inf, minusInf uint64 }

func (a *ddsketch) Grow(slots int) { a.s = grow(a.s, slots, ddSlot{}) }

func (a *ddsketch) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	values := col.Doubles
	if a.ints || rows != nil {
		a.vals = a.vals[:0]
		for i := range slots {
			r := rowAt(rows, i)
			if a.ints {
				a.vals = append(a.vals, float64(col.Ints[r]))
			} else {
				a.vals = append(a.vals, values[r])
			}
		}
		values = a.vals
	}
	a.addDense(slots, values)
}

func (a *ddsketch) addDense(slots []uint32, values []float64) {
	values = values[:len(slots)]
	for i, slot := range slots {
		b := math.Float64bits(values[i])
		p := &a.s[slot].pos
		if b-ddMinBits > ddMaxBits-ddMinBits {
			if b&^(1<<63)-ddMinBits > ddMaxBits-ddMinBits {
				a.addRare(slot, values[i])
				continue
			}
			p = &a.s[slot].neg
			b &^= 1 << 63
		}
		index := ddIndex(b)
		k := uint32(index - p.lo)
		if k < 1<<(p.class&31) {
			at := int(p.at)<<minRun + int(k)
			switch p.form {
			case dd8:
				if c := &a.a8.mem[at]; *c != math.MaxUint8 {
					*c++
					continue
				}
			case dd32:
				if c := &a.a32.mem[at]; *c != math.MaxUint32 {
					*c++
					continue
				}
			}
		}
		a.add(p, index, 1)
	}
}

// addRare counts a value that has no bin.
func (a *ddsketch) addRare(slot uint32, x float64) {
	r := a.rareOf(slot)
	switch {
	case x != x:
		r.nan++
	case x > math.MaxFloat64:
		r.inf++
	case x < -math.MaxFloat64:
		r.minusInf++
	default:
		r.zero++
	}
}

func (a *ddsketch) rareOf(slot uint32) *ddRare {
	p := &a.s[slot]
	if p.rare == 0 {
		if n := len(a.free); n > 0 {
			p.rare = a.free[n-1]
			a.free = a.free[:n-1]
		} else {
			a.rare = append(a.rare, ddRare{})
			p.rare = uint32(len(a.rare))
		}
	}
	return &a.rare[p.rare-1]
}

func (r *ddRare) add(b *ddRare) {
	r.zero, r.nan = addCounts(r.zero, b.zero), addCounts(r.nan, b.nan)
	r.inf, r.minusInf = addCounts(r.inf, b.inf), addCounts(r.minusInf, b.minusInf)
}

// addCounts stops at the largest number; no rows count so far.
func addCounts(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxUint64
}

func (a *ddsketch) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	o := peer(a, from)
	var pos, neg []ddBin
	for i, s := range slots {
		b := o.s[fromSlots[i]]
		if b.rare != 0 {
			r := o.rare[b.rare-1]
			a.rareOf(s).add(&r)
		}
		pos, neg = o.bins(&b.pos, pos[:0]), o.bins(&b.neg, neg[:0])
		a.addBins(&a.s[s].pos, pos)
		a.addBins(&a.s[s].neg, neg)
	}
}

func (a *ddsketch) addBins(p *ddStore, bins []ddBin) {
	for i := len(bins) - 1; i >= 0; i-- { // the highest first: the others decide nothing about the span
		a.add(p, bins[i].index, bins[i].count)
	}
}

func (a *ddsketch) Clear(slots []uint32) {
	for _, s := range slots {
		p := &a.s[s]
		a.release(&p.pos)
		a.release(&p.neg)
		if p.rare != 0 {
			a.rare[p.rare-1] = ddRare{}
			a.free = append(a.free, p.rare)
		}
		*p = ddSlot{}
	}
}

func (a *ddsketch) SizeBytes() int {
	n := 28*cap(a.s) + 32*cap(a.rare) + 4*cap(a.free) + 8*cap(a.vals) + a.skip.sizeBytes()
	n += cap(a.a8.mem) + 4*cap(a.a32.mem) + 8*cap(a.a64.mem)
	return n + a.a8.freeBytes() + a.a32.freeBytes() + a.a64.freeBytes()
}

// appendQuantile appends the value of rank floor(q (n-1)), counted from 0, within ddAccuracy.
func (a *ddsketch) appendQuantile(out *batch.Column, slots []uint32, q float64) {
	var pos, neg []ddBin
	for _, s := range slots {
		p := &a.s[s]
		pos, neg = a.bins(&p.pos, pos[:0]), a.bins(&p.neg, neg[:0])
		var r ddRare
		if p.rare != 0 {
			r = a.rare[p.rare-1]
		}
		if v, ok := quantileOf(pos, neg, &r, q); ok {
			putDouble(out, v)
		} else {
			out.AppendNull()
		}
	}
}

// quantileOf goes through the values in SQL's order, in which NaN is the greatest.
func quantileOf(pos, neg []ddBin, r *ddRare, q float64) (v float64, ok bool) {
	n := addCounts(addCounts(r.zero, r.nan), addCounts(r.inf, r.minusInf))
	for _, b := range pos {
		n = addCounts(n, b.count)
	}
	for _, b := range neg {
		n = addCounts(n, b.count)
	}
	if n == 0 {
		return 0, false
	}
	rank := n - 1
	if q < 1 {
		rank = min(rank, uint64(float64(q*float64(n-1))))
	}
	passed := func(count uint64) bool {
		if rank < count {
			return true
		}
		rank -= count
		return false
	}
	if passed(r.minusInf) {
		return math.Inf(-1), true
	}
	for i := len(neg) - 1; i >= 0; i-- {
		if passed(neg[i].count) {
			return -ddValue(neg[i].index), true
		}
	}
	if passed(r.zero) {
		return 0, true
	}
	for _, b := range pos {
		if passed(b.count) {
			return ddValue(b.index), true
		}
	}
	if passed(r.inf) {
		return math.Inf(1), true
	}
	return batch.CanonicalNaN, true
}
