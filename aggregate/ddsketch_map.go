package aggregate

import "math"

// The bins of a DDSketch (Masson, Rim, Lee: DDSketch: A Fast and
// Fully-Mergeable Quantile Sketch with Relative-Error Guarantees, VLDB 2019)
// with the cubically interpolated mapping of DataDog's sketches-go: a polynomial in the significand stands for the
// logarithm, so that only additions and multiplications of doubles are needed, which are the same everywhere.
const (
	ddAccuracy = 0.01

	ddA = 6.0 / 35
	ddB = -3.0 / 5
	ddC = 10.0 / 7
	// ddMultiplier is 7 / (10 ln 2 * log2(1.01 / 0.99)), computed with 60 digits.
	ddMultiplier = 0x1.17fd9c50798b8p+5

	// Bins of the smallest and the largest double that has one.
	ddLeast = -35769
	ddMost  = 35838

	ddMinBits = 1 << 52             // 2^-1022; what is smaller counts as 0
	ddMaxBits = 0x7FEF_FFFFFFFFFFFF // the largest double
)

// ddIndex is the bin of the positive double with these bits, from ddMinBits to ddMaxBits. The
// conversions keep Go from fusing multiplications with additions.
func ddIndex(b uint64) int32 {
	e := float64(int64(b>>52) - 1023)
	s := math.Float64frombits(b&(1<<52-1)|1023<<52) - 1
	l := float64(ddA * s)
	l = float64((l + ddB) * s)
	l = float64((l + ddC) * s)
	f := float64((l + e) * ddMultiplier)
	i := int32(f)
	if float64(i) > f {
		i--
	}
	return i
}

// ddValue is the value that stands for those of a bin: none of them is further from it than by ddAccuracy of its own.
func ddValue(index int32) float64 {
	// The bin's lower bound is the first double with this index.
	e := math.Floor(float64(index) / ddMultiplier)
	lo := uint64(max(1, int(e)+1023-1)) << 52
	hi := uint64(min(0x7FF, int(e)+1023+2)) << 52
	for lo < hi {
		if mid := lo + (hi-lo)/2; ddIndex(mid) < index {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return min(float64(math.Float64frombits(lo)*(1+ddAccuracy)), math.MaxFloat64)
}
