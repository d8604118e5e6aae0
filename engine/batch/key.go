package batch

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// KeyGroups is the number of key groups. Partitions are ranges of them, so it
// never changes.
const KeyGroups = 4096

// AppendKey appends the canonical bytes of row i of the key columns: equal
// keys and only equal keys have equal bytes, on every machine. A null differs from every
// value; -0 equals 0; every NaN equals every other.
//
//	per column: 0 = null | 1, then
//	  bool: 1 byte | int, timestamp, double: 8 bytes big-endian | string, bytes: uvarint length, bytes
func AppendKey(dst []byte, cols []Column, by []int, i int) []byte {
	for _, k := range by {
		c := &cols[k]
		if c.Null(i) {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, 1)
		switch c.Type {
		case Bool:
			if c.Bools[i] {
				dst = append(dst, 1)
			} else {
				dst = append(dst, 0)
			}
		case Double:
			v := c.Doubles[i]
			if v == 0 {
				v = 0 // -0 is 0
			}
			if v != v {
				v = CanonicalNaN
			}
			dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
		case String:
			s := c.Str(i)
			dst = binary.AppendUvarint(dst, uint64(len(s)))
			dst = append(dst, s...)
		case Bytes:
			p := c.Blob(i)
			dst = binary.AppendUvarint(dst, uint64(len(p)))
			dst = append(dst, p...)
		default:
			dst = binary.BigEndian.AppendUint64(dst, uint64(c.Ints[i]))
		}
	}
	return dst
}

// KeyGroup is the key group of a key in the bytes of AppendKey: XXH64 (seed 0)
// modulo KeyGroups. It stands in stored records and never changes.
func KeyGroup(key []byte) uint16 { return uint16(xxhash.Sum64(key) % KeyGroups) }

// Partition is the partition, of spread, that owns a key group: ranges of
// equal size.
func Partition(group uint16, spread int) int { return int(group) * spread / KeyGroups }
