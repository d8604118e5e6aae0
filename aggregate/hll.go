package aggregate

import (
	"math"
	"math/bits"

	"github.com/leatio/leat/engine/batch"
)

// hyperLogLog estimates the number of different values (Flajolet, Fusy,
// Gandouet, Meunier 2007) with 4,096 registers: standard error 1.04 / 64 = 1.6 %. Commutative, associative, idempotent.
//
// A slot with few values holds a set of 25 bits of each hash instead, as HyperLogLog++ does (Heule, Nunkesser, Hall
// 2013): its size is the number of values but for chance collisions, of which 640 values have 0.006. From hllSparse
// different entries on it is turned into registers. Which form a slot has is thus a function of the set of its values.
//
// The state is one Bytes column (see hll_state.go), empty without rows.
type hyperLogLog struct {
	s      []hllSlot
	sparse arena[uint32]
	dense  arena[uint8]
	hash   []uint64
	skip   present
}

type hllSlot struct {
	at    uint32
	n     uint16 // entries of the set
	class uint8  // of the set's table; 0 = no values
	dense bool
}

const (
	hllBits      = 12
	hllRegisters = 1 << hllBits
	hllMaxRank   = 64 - hllBits + 1

	hllSparseBits = 25
	hllSparse     = 640 // most entries of a set
	hllShift      = hllSparseBits - hllBits
)

// An entry of a set is the first 25 bits of the hash << 7. Where the last 13
// of them are zero the register's rank depends on the bits behind: then the
// entry's last bit is 1, and the six before it are the rank among those 39 bits.
func hllEntry(h uint64) uint32 {
	e := uint32(h>>(64-hllSparseBits)) << 7
	if e>>7&(1<<hllShift-1) == 0 {
		rank := min(bits.LeadingZeros64(h<<hllSparseBits)+1, 64-hllSparseBits+1)
		e |= uint32(rank)<<1 | 1
	}
	return e
}

// hllRegister gives the register of an entry and its rank.
func hllRegister(e uint32) (register uint32, rank uint8) {
	register = e >> (7 + hllShift)
	if e&1 != 0 {
		return register, hllShift + uint8(e>>1&63)
	}
	return register, hllShift - uint8(bits.Len32(e>>7&(1<<hllShift-1))) + 1
}

func (a *hyperLogLog) Grow(slots int) { a.s = grow(a.s, slots, hllSlot{}) }

func (a *hyperLogLog) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	a.hash = hashes(a.hash[:0], col, rows, len(slots))
	for i, s := range slots {
		h, p := a.hash[i], &a.s[s]
		if !p.dense {
			a.insert(p, hllEntry(h))
			continue
		}
		rank := uint8(min(bits.LeadingZeros64(h<<hllBits)+1, hllMaxRank))
		if r := &a.dense.mem[int(p.at)<<minRun+int(h>>(64-hllBits))]; *r < rank {
			*r = rank
		}
	}
}

// insert takes an entry into a set; it may turn the set into registers.
func (a *hyperLogLog) insert(p *hllSlot, e uint32) {
	if p.class == 0 {
		p.class = minRun
		p.at = a.sparse.take(minRun)
	}
	table := a.sparse.run(p.at, p.class)
	mask := uint32(len(table) - 1)
	i := e >> 7 & mask
	for ; table[i] != 0; i = (i + 1) & mask {
		if table[i]>>7 == e>>7 {
			table[i] = max(table[i], e)
			return
		}
	}
	if int(p.n) == hllSparse {
		a.toDense(p)
		a.raise(p, e)
		return
	}
	table[i] = e
	p.n++
	if 4*int(p.n) > 3*len(table) {
		a.enlarge(p)
	}
}

func (a *hyperLogLog) enlarge(p *hllSlot) {
	at := a.sparse.take(p.class + 1)
	old, table := a.sparse.run(p.at, p.class), a.sparse.run(at, p.class+1)
	mask := uint32(len(table) - 1)
	for _, e := range old {
		if e != 0 {
			i := e >> 7 & mask
			for table[i] != 0 {
				i = (i + 1) & mask
			}
			table[i] = e
		}
	}
	a.sparse.give(p.at, p.class)
	p.at, p.class = at, p.class+1
}

// toDense turns a set into registers.
func (a *hyperLogLog) toDense(p *hllSlot) {
	was := *p
	*p = hllSlot{at: a.dense.take(hllBits), class: hllBits, dense: true}
	if was.class != 0 {
		for _, e := range a.sparse.run(was.at, was.class) {
			if e != 0 {
				a.raise(p, e)
			}
		}
		a.sparse.give(was.at, was.class)
	}
}

// raise takes an entry into registers.
func (a *hyperLogLog) raise(p *hllSlot, e uint32) {
	register, rank := hllRegister(e)
	r := &a.dense.mem[int(p.at)<<minRun+int(register)]
	*r = max(*r, rank)
}

// take takes an entry in, in whatever form the slot is.
func (a *hyperLogLog) take(p *hllSlot, e uint32) {
	if p.dense {
		a.raise(p, e)
	} else {
		a.insert(p, e)
	}
}

func (a *hyperLogLog) takeDense(p *hllSlot, registers []uint8) {
	if !p.dense {
		a.toDense(p)
	}
	mine := a.dense.run(p.at, hllBits)
	for i, r := range registers {
		mine[i] = max(mine[i], r)
	}
}

func (a *hyperLogLog) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	o := peer(a, from)
	for i, s := range slots {
		p, b := &a.s[s], o.s[fromSlots[i]]
		switch {
		case b.dense:
			if !p.dense {
				a.toDense(p)
			}
			a.takeDense(p, o.dense.run(b.at, hllBits))
		case b.class != 0:
			for _, e := range o.sparse.run(b.at, b.class) {
				if e != 0 {
					a.take(p, e)
				}
			}
		}
	}
}

func (a *hyperLogLog) Clear(slots []uint32) {
	for _, s := range slots {
		switch p := &a.s[s]; {
		case p.dense:
			a.dense.give(p.at, p.class)
		case p.class != 0:
			a.sparse.give(p.at, p.class)
		}
		a.s[s] = hllSlot{}
	}
}

func (a *hyperLogLog) SizeBytes() int {
	n := 8*cap(a.s) + 8*cap(a.hash) + a.skip.sizeBytes() + 4*cap(a.sparse.mem) + cap(a.dense.mem)
	return n + a.sparse.freeBytes() + a.dense.freeBytes()
}

func (a *hyperLogLog) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		if p := &a.s[s]; p.dense {
			putInt(out, hllEstimate(a.dense.run(p.at, hllBits)))
		} else {
			putInt(out, int64(p.n))
		}
	}
}

// hllEstimate is the improved estimator of Ertl (New cardinality estimation
// algorithms for HyperLogLog sketches, 2017, algorithm 6), which needs no tables.
func hllEstimate(registers []uint8) int64 {
	var count [64]float64
	for _, r := range registers {
		count[r]++
	}
	const m = hllRegisters
	z := float64(m * hllTau(1-float64(count[hllMaxRank]/m)))
	for k := hllMaxRank - 1; k >= 1; k-- {
		z = float64(0.5 * (z + count[k]))
	}
	z += float64(m * hllSigma(count[0]/m))
	const alpha = 0.5 / math.Ln2 * m * m
	if e := math.Round(alpha / z); e < math.MaxInt64 {
		return int64(e)
	}
	return math.MaxInt64 // of registers that no values have
}

func hllSigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x = float64(x * x)
		before := z
		z += float64(x * y)
		y += y
		if z == before {
			return z
		}
	}
}

func hllTau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y = float64(0.5 * y)
		d := 1 - x
		z -= float64(float64(d*d) * y)
		if z == before {
			return z / 3
		}
	}
}
