package aggregate

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// The state of a ddsketch:
//
//	byte      1, the format
//	byte      bits: 0 zeros, 1 NaNs, 2 infinities, 3 minus infinities, 4 positive bins, 5 negative bins
//	uvarint   for each of the bits 0 to 3 that is set: the count
//	bins      for each of the bits 4 and 5 that is set
//
// Bins are the index of the highest as zigzag varint and the number of bins less one as uvarint, then for each, the highest first, a
// uvarint: twice the distance to the one before less one (0 for the first), plus 1 where the count is above 1,
// and then the count less 2 as another uvarint.
const (
	ddFormat = 1

	ddPositive = 1 << 4
	ddNegative = 1 << 5
	ddFlags    = 1<<6 - 1
)

func (a *ddsketch) AppendState(dst []batch.Column, slots []uint32) {
	var buf []byte
	var rare ddRare
	for _, s := range slots {
		a.pos, a.neg, rare = a.get(s, a.pos[:0], a.neg[:0])
		buf = appendSketch(buf[:0], a.pos, a.neg, &rare)
		putBlob(&dst[0], buf)
	}
}

func (r *ddRare) counts() [4]*uint64 { return [4]*uint64{&r.zero, &r.nan, &r.inf, &r.minusInf} }

func appendSketch(dst []byte, pos, neg []ddBin, r *ddRare) []byte {
	flags := byte(0)
	for i, c := range r.counts() {
		if *c > 0 {
			flags |= 1 << i
		}
	}
	if len(pos) > 0 {
		flags |= ddPositive
	}
	if len(neg) > 0 {
		flags |= ddNegative
	}
	if flags == 0 {
		return dst
	}
	dst = append(dst, ddFormat, flags)
	for _, c := range r.counts() {
		if *c > 0 {
			dst = binary.AppendUvarint(dst, *c)
		}
	}
	return appendBins(appendBins(dst, pos), neg)
}

func appendBins(dst []byte, bins []ddBin) []byte {
	if len(bins) == 0 {
		return dst
	}
	last := bins[len(bins)-1].index
	dst = binary.AppendVarint(dst, int64(last))
	dst = binary.AppendUvarint(dst, uint64(len(bins)-1))
	last++
	for i := len(bins) - 1; i >= 0; i-- {
		v := uint64(last-bins[i].index-1) << 1
		last = bins[i].index
		if c := bins[i].count; c > 1 {
			dst = binary.AppendUvarint(binary.AppendUvarint(dst, v|1), c-2)
		} else {
			dst = binary.AppendUvarint(dst, v)
		}
	}
	return dst
}

func (a *ddsketch) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	slots, rows = a.skip.of(&state[0], slots, rows)
	for i, s := range slots {
		var rare ddRare
		var ok bool
		if a.pos, a.neg, ok = decodeSketch(state[0].Blob(rowAt(rows, i)), &rare, a.pos[:0], a.neg[:0]); ok {
			a.put(s, a.pos, a.neg, &rare)
		}
	}
}

// decodeSketch appends the bins of a state in ascending order.
func decodeSketch(src []byte, rare *ddRare, pos, neg []ddBin) (p, n []ddBin, ok bool) {
	if len(src) == 0 {
		return pos, neg, true
	}
	r := stateReader{src: src}
	if r.byte() != ddFormat {
		return pos, neg, false
	}
	flags := r.byte()
	for i, c := range rare.counts() {
		if flags>>i&1 != 0 {
			*c = r.uvarint(math.MaxUint64)
		}
	}
	if flags&ddPositive != 0 {
		pos = readBins(&r, pos)
	}
	if flags&ddNegative != 0 {
		neg = readBins(&r, neg)
	}
	return pos, neg, flags&^ddFlags == 0 && !r.bad && len(r.src) == 0
}

func readBins(r *stateReader, bins []ddBin) []ddBin {
	from := len(bins)
	index := r.varint(ddLeast, ddMost) + 1
	for n := r.uvarint(ddBins-1) + 1; n > 0; n-- {
		v := r.uvarint(2 * ddBins)
		count := uint64(1)
		if v&1 != 0 {
			count = r.uvarint(math.MaxUint64-2) + 2
		}
		if index -= int64(v>>1) + 1; index < ddLeast {
			r.fail()
		}
		if r.bad {
			return bins
		}
		bins = append(bins, ddBin{int32(index), count})
	}
	slices.Reverse(bins[from:])
	return bins
}
