package aggregate

import (
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/leatio/leat/engine/batch"
)

// Hashes stand in states and never change. They have a fixed seed: whoever may send any values can
// choose them so that an estimate is wrong, which is so with any seed that all agents share.
const hashSeed = 0x6C65_6174_2D61_6767

// hashWord hashes the 64 bits of a bool, int, timestamp or double: the finaliser of SplitMix64
// (Steele, Lea, Flood 2014), which maps different words to different hashes.
func hashWord(v uint64) uint64 {
	v += hashSeed
	v = (v ^ v>>30) * 0xBF58476D1CE4E5B9
	v = (v ^ v>>27) * 0x94D049BB133111EB
	return v ^ v>>31
}

func hashDouble(v float64) uint64 { return hashWord(math.Float64bits(canonical(v))) }

func hashInt(v int64) uint64 { return hashWord(uint64(v)) }

func hashBool(v uint8) uint64 { return hashWord(uint64(v)) }

// hashString hashes the bytes of a string or of bytes: XXH64, finalised.
func hashString(v string) uint64 { return hashWord(xxhash.Sum64String(v)) }

// hashes appends the hashes of the values in the rows (nil: the first n) of a column.
func hashes(dst []uint64, col *batch.Column, rows []uint32, n int) []uint64 {
	switch col.Type {
	case batch.Bool:
		for i := range n {
			v := uint8(0)
			if col.Bools[rowAt(rows, i)] {
				v = 1
			}
			dst = append(dst, hashBool(v))
		}
	case batch.Double:
		for i := range n {
			dst = append(dst, hashDouble(col.Doubles[rowAt(rows, i)]))
		}
	case batch.String:
		values := col.Dict.Values()
		for i := range n {
			dst = append(dst, hashString(values[col.Codes[rowAt(rows, i)]]))
		}
	case batch.Bytes:
		for i := range n {
			dst = append(dst, hashWord(xxhash.Sum64(col.Blob(rowAt(rows, i)))))
		}
	default:
		for i := range n {
			dst = append(dst, hashInt(col.Ints[rowAt(rows, i)]))
		}
	}
	return dst
}
