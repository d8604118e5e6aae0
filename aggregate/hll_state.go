package aggregate

import (
	"encoding/binary"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// The state of a hyperLogLog begins with the format, 1, and the form:
//
//	1 set        uvarint number of entries less one, then these in ascending order: uvarint twice the distance of
//	             the 25 bits to those of the one before less one (0 for the first), plus 1 where the byte of a rank follows
//	2 registers  byte the least rank, 2,048 bytes of two registers each, the even one in the low half: rank less the least,
//	             or 15 where that is more than 14; then for each of these a byte of it
const (
	hllFormat      = 1
	hllFormSparse  = 1
	hllFormDense   = 2
	hllLargeNibble = 15
)

func (a *hyperLogLog) AppendState(dst []batch.Column, slots []uint32) {
	var buf []byte
	var entries []uint32
	for _, s := range slots {
		p := &a.s[s]
		buf = buf[:0]
		switch {
		case p.dense:
			buf = appendRegisters(buf, a.dense.run(p.at, hllBits))
		case p.class != 0:
			entries = entries[:0]
			for _, e := range a.sparse.run(p.at, p.class) {
				if e != 0 {
					entries = append(entries, e)
				}
			}
			slices.Sort(entries)
			buf = appendEntries(buf, entries)
		}
		putBlob(&dst[0], buf)
	}
}

func appendEntries(dst []byte, entries []uint32) []byte {
	dst = binary.AppendUvarint(append(dst, hllFormat, hllFormSparse), uint64(len(entries)-1))
	next := uint32(0)
	for _, e := range entries {
		dst = binary.AppendUvarint(dst, uint64(e>>7-next)<<1|uint64(e&1))
		if e&1 != 0 {
			dst = append(dst, byte(e>>1&63))
		}
		next = e>>7 + 1
	}
	return dst
}

func appendRegisters(dst []byte, registers []uint8) []byte {
	least := slices.Min(registers)
	dst = append(dst, hllFormat, hllFormDense, least)
	nibble := func(r uint8) uint8 { return min(r-least, hllLargeNibble) }
	for i := 0; i < hllRegisters; i += 2 {
		dst = append(dst, nibble(registers[i])|nibble(registers[i+1])<<4)
	}
	for _, r := range registers {
		if nibble(r) == hllLargeNibble {
			dst = append(dst, r-least)
		}
	}
	return dst
}

func (a *hyperLogLog) Merge(slots []uint32, state []batch.Column, rows []uint32) {
	slots, rows = a.skip.of(&state[0], slots, rows)
	for i, s := range slots {
		entries, registers, ok := hllDecode(state[0].Blob(rowAt(rows, i)))
		if !ok {
			continue
		}
		for _, e := range entries {
			a.take(&a.s[s], e)
		}
		if registers != nil {
			a.takeDense(&a.s[s], registers[:])
		}
	}
}

// hllDecode gives the entries or the registers of a state.
func hllDecode(src []byte) (entries []uint32, registers *[hllRegisters]uint8, ok bool) {
	if len(src) == 0 {
		return nil, nil, true
	}
	r := stateReader{src: src}
	if r.byte() != hllFormat {
		return nil, nil, false
	}
	switch r.byte() {
	case hllFormSparse:
		entries = hllEntries(&r)
	case hllFormDense:
		registers = hllNibbles(&r)
	default:
		return nil, nil, false
	}
	return entries, registers, !r.bad && len(r.src) == 0
}

func hllEntries(r *stateReader) (entries []uint32) {
	next := uint64(0)
	for n := r.uvarint(hllSparse-1) + 1; n > 0 && !r.bad; n-- {
		v := r.uvarint(1 << (hllSparseBits + 1))
		index := next + v>>1
		e := uint32(index) << 7
		if v&1 != 0 {
			rank := r.byte()
			if rank < 1 || rank > 64-hllSparseBits+1 {
				r.fail()
			}
			e |= uint32(rank)<<1 | 1
		}
		if index >= 1<<hllSparseBits || (v&1 != 0) != (index&(1<<hllShift-1) == 0) {
			r.fail()
		}
		entries = append(entries, e)
		next = index + 1
	}
	return entries
}

func hllNibbles(r *stateReader) *[hllRegisters]uint8 {
	least := r.byte()
	nibbles := r.bytes(hllRegisters / 2)
	if r.bad {
		return nil
	}
	var registers [hllRegisters]uint8
	for i := range registers {
		above := nibbles[i/2] >> (i % 2 * 4) & 15
		if above == hllLargeNibble {
			if above = r.byte(); above < hllLargeNibble {
				r.fail()
			}
		}
		if int(least)+int(above) > hllMaxRank {
			r.fail()
		}
		registers[i] = least + above
	}
	return &registers
}
