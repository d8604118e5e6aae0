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
	ints          bool
	s             []ddSlot
	more          []ddMore
	free          []uint32 // unused entries of more
	a8            arena[uint8]
	a32           arena[uint32]
	a64           arena[uint64]
	buf, pos, neg []ddBin // scratch
	vals          []float64
	// known holds values of bins.
	known [64]struct {
		v     float64
		index int32
	}
	skip present
}

const ddBins = 4096

// ddSlot is the state of one slot: 16 bytes, so that a row misses the cache twice at most.
type ddSlot struct {
	pos  ddStore
	more uint32 // index+1 into more; 0 = none
}

// ddMore is what most slots do not have.
type ddMore struct {
	neg  ddStore
	rare ddRare
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

// ddChunk rows go through addDense at once.
const ddChunk = 256

// ddPending are rows whose counters are known but not yet raised.
type ddPending struct {
	n   int
	at  [ddChunk]int // in a8
	row [ddChunk]uint16
}

// addDense goes over each chunk three times, so that rows of many slots do not wait for one
// another's cache misses: once for the bins, once for the slots and once for the counters.
func (a *ddsketch) addDense(slots []uint32, values []float64) {
	var indexes [ddChunk]int32
	var pending ddPending
	for len(slots) > 0 {
		n := min(len(slots), ddChunk)
		for i, v := range values[:n] {
			b := math.Float64bits(v)
			indexes[i] = math.MinInt32 // no positive number
			if b-ddMinBits <= ddMaxBits-ddMinBits {
				indexes[i] = ddIndex(b)
			}
		}
		for i, slot := range slots[:n] {
			index := indexes[i]
			if index == math.MinInt32 {
				a.addOther(slot, values[i])
				continue
			}
			p := &a.s[slot].pos
			k := uint32(index - p.lo)
			if p.form == dd8 && k < 1<<(p.class&31) {
				pending.at[pending.n], pending.row[pending.n] = int(p.at)<<minRun+int(k), uint16(i)
				pending.n++
				continue
			}
			if p.form == dd32 && k < 1<<(p.class&31) {
				if c := &a.a32.mem[int(p.at)<<minRun+int(k)]; *c != math.MaxUint32 {
					*c++
					continue
				}
			}
			a.raise(&pending, slots, &indexes) // before counters move
			a.add(p, index, 1)
		}
		a.raise(&pending, slots, &indexes)
		slots, values = slots[n:], values[n:]
	}
}

// raise raises the counters of pending rows.
func (a *ddsketch) raise(pending *ddPending, slots []uint32, indexes *[ddChunk]int32) {
	mem := a.a8.mem
	for i, at := range pending.at[:pending.n] {
		if c := &mem[at]; *c != math.MaxUint8 {
			*c++
			continue
		}
		for _, row := range pending.row[i:pending.n] { // from here on counters move
			a.add(&a.s[slots[row]].pos, indexes[row], 1)
		}
		break
	}
	pending.n = 0
}

// addOther counts a value that is not a positive number.
func (a *ddsketch) addOther(slot uint32, x float64) {
	if b := math.Float64bits(x) &^ (1 << 63); b-ddMinBits <= ddMaxBits-ddMinBits {
		a.add(&a.moreOf(slot).neg, ddIndex(b), 1)
		return
	}
	a.addRare(slot, x)
}

// addRare counts a value that has no bin.
func (a *ddsketch) addRare(slot uint32, x float64) {
	r := &a.moreOf(slot).rare
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

func (a *ddsketch) moreOf(slot uint32) *ddMore {
	p := &a.s[slot]
	if p.more == 0 {
		if n := len(a.free); n > 0 {
			p.more = a.free[n-1]
			a.free = a.free[:n-1]
		} else {
			a.more = append(a.more, ddMore{})
			p.more = uint32(len(a.more))
		}
	}
	return &a.more[p.more-1]
}

// get gives the bins of a slot and its other counts.
func (a *ddsketch) get(slot uint32, pos, neg []ddBin) ([]ddBin, []ddBin, ddRare) {
	p := &a.s[slot]
	pos = a.bins(&p.pos, pos)
	if p.more == 0 {
		return pos, neg, ddRare{}
	}
	m := &a.more[p.more-1]
	return pos, a.bins(&m.neg, neg), m.rare
}

// put takes in what get gave.
func (a *ddsketch) put(slot uint32, pos, neg []ddBin, rare *ddRare) {
	a.addBins(&a.s[slot].pos, pos)
	if len(neg) > 0 {
		a.addBins(&a.moreOf(slot).neg, neg)
	}
	if *rare != (ddRare{}) {
		a.moreOf(slot).rare.add(rare)
	}
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
	var rare ddRare
	for i, s := range slots {
		a.pos, a.neg, rare = o.get(fromSlots[i], a.pos[:0], a.neg[:0])
		a.put(s, a.pos, a.neg, &rare)
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
		if p.more != 0 {
			m := &a.more[p.more-1]
			a.release(&m.neg)
			*m = ddMore{}
			a.free = append(a.free, p.more)
		}
		*p = ddSlot{}
	}
}

func (a *ddsketch) SizeBytes() int {
	n := 16*cap(a.s) + 48*cap(a.more) + 4*cap(a.free) + 8*cap(a.vals) + a.skip.sizeBytes()
	n += 16 * (cap(a.buf) + cap(a.pos) + cap(a.neg))
	n += cap(a.a8.mem) + 4*cap(a.a32.mem) + 8*cap(a.a64.mem)
	return n + a.a8.freeBytes() + a.a32.freeBytes() + a.a64.freeBytes()
}

// appendQuantile appends the value of rank floor(q (n-1)), counted from 0, within ddAccuracy.
func (a *ddsketch) appendQuantile(out *batch.Column, slots []uint32, q float64) {
	var rare ddRare
	for _, s := range slots {
		a.pos, a.neg, rare = a.get(s, a.pos[:0], a.neg[:0])
		if v, ok := a.quantileOf(&rare, q); ok {
			putDouble(out, v)
		} else {
			out.AppendNull()
		}
	}
}

// valueOf is ddValue, remembered.
func (a *ddsketch) valueOf(index int32) float64 {
	c := &a.known[uint32(index)%uint32(len(a.known))]
	if c.index != index || c.v == 0 {
		c.index, c.v = index, ddValue(index)
	}
	return c.v
}

// quantileOf goes through the values that get gave in SQL's order, in which NaN is the greatest.
func (a *ddsketch) quantileOf(r *ddRare, q float64) (v float64, ok bool) {
	pos, neg := a.pos, a.neg
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
			return -a.valueOf(neg[i].index), true
		}
	}
	if passed(r.zero) {
		return 0, true
	}
	for _, b := range pos {
		if passed(b.count) {
			return a.valueOf(b.index), true
		}
	}
	if passed(r.inf) {
		return math.Inf(1), true
	}
	return batch.CanonicalNaN, true
}
