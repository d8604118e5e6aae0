package columnar

import (
	"encoding/binary"
	"math/bits"
)

// packedBytes is the length of n values of width bits.
func packedBytes(n int, width uint) int { return int((uint64(n)*uint64(width) + 7) / 8) }

// appendPacked appends the low width bits of each value, least significant
// bit first, the last byte filled up with zeros.
func appendPacked(dst []byte, vals []uint64, width uint) []byte {
	if width == 0 {
		return dst
	}
	mask := ^uint64(0) >> (64 - width)
	var acc uint64
	var have uint
	for _, v := range vals {
		v &= mask
		acc |= v << have
		have += width
		if have >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			have -= 64
			acc = v >> (width - have) // 0 where have is 0 and width 64: Go shifts everything out
		}
	}
	for ; have > 0; have -= min(have, 8) {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// unpack reads len(dst) values of width bits; src holds packedBytes of them.
// Each value is or-ed into dst after a shift to the left.
func unpack(dst []uint64, src []byte, width uint) {
	if width == 0 {
		return
	}
	mask := ^uint64(0) >> (64 - width)
	bit := uint64(0)
	for i := range dst {
		at, shift := int(bit>>3), uint(bit&7)
		var v uint64
		if at+8 <= len(src) {
			v = binary.LittleEndian.Uint64(src[at:]) >> shift
			if shift+width > 64 {
				v |= uint64(src[at+8]) << (64 - shift)
			}
		} else {
			for j, c := range src[at:] {
				v |= uint64(c) << (8 * uint(j))
			}
			v >>= shift
		}
		dst[i] |= v & mask
		bit += uint64(width)
	}
}

func width(v uint64) uint { return uint(bits.Len64(v)) }

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }
