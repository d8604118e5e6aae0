package aggregate

import (
	"encoding/binary"
	"math"

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
	var pos, neg []ddBin
	for _, s := range slots {
		p := &a.s[s]
		var r ddRare
		if p.rare != 0 {
			r = a.rare[p.rare-1]
		}
		pos, neg = a.bins(&p.pos, pos[:0]), a.bins(&p.neg, neg[:0])
		buf = appendSketch(buf[:0], pos, neg, &r)
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
		src := state[0].Blob(rowAt(rows, i))
		if len(src) == 0 || !checkSketch(src) {
			continue
		}
		p := &a.s[s]
		walkSketch(src, func(r *ddRare) {
			if *r != (ddRare{}) {
				a.rareOf(s).add(r)
			}
		}, func(negative bool, index int32, count uint64) {
			store := &p.pos
			if negative {
				store = &p.neg
			}
			a.add(store, index, count)
		})
	}
}

// checkSketch tells whether a state is one that AppendState can have written.
func checkSketch(src []byte) bool {
	return len(src) == 0 || walkSketch(src, func(*ddRare) {}, func(bool, int32, uint64) {})
}

// walkSketch calls back for what a state holds, as far as it is sound.
func walkSketch(src []byte, rare func(*ddRare), bin func(negative bool, index int32, count uint64)) bool {
	r := stateReader{src: src}
	if r.byte() != ddFormat {
		return false
	}
	flags := r.byte()
	if flags&^ddFlags != 0 {
		return false
	}
	var counts ddRare
	for i, c := range counts.counts() {
		if flags>>i&1 != 0 {
			*c = r.uvarint(math.MaxUint64)
		}
	}
	rare(&counts)
	for _, flag := range []byte{ddPositive, ddNegative} {
		if flags&flag == 0 {
			continue
		}
		index := r.varint(ddLeast, ddMost) + 1
		for n := r.uvarint(ddBins-1) + 1; n > 0 && !r.bad; n-- {
			v := r.uvarint(2 * ddBins)
			count := uint64(1)
			if v&1 != 0 {
				count = r.uvarint(math.MaxUint64-2) + 2
			}
			if index -= int64(v>>1) + 1; index < ddLeast {
				r.bad = true
			}
			if !r.bad {
				bin(flag == ddNegative, int32(index), count)
			}
		}
	}
	return !r.bad && len(r.src) == 0
}
