package aggregate

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// rises computes with the rises of a counter of ints or doubles.
type rises interface {
	none() rise
	// step adds what one reading after another adds.
	step(r rise, before, v int64) rise
	add(r, b rise) rise
	less(a, b rise) bool
	put(out *batch.Column, r rise)
	appendRise(dst []byte, r rise) []byte
	readRise(r *stateReader) rise
}

// intRises is exact; a rise beyond 64 bits is null.
type intRises struct{}

func (intRises) none() rise { return rise{} }

func (intRises) step(r rise, before, v int64) rise {
	if v >= before {
		r.ints = r.ints.plus(v).plus(^before).plus(1)
	} else {
		r.ints = r.ints.plus(max(v, 0))
	}
	return r
}

func (intRises) add(r, b rise) rise {
	r.ints = r.ints.plusBoth(b.ints)
	return r
}

func (intRises) less(a, b rise) bool {
	return a.ints.high < b.ints.high || a.ints.high == b.ints.high && a.ints.low < b.ints.low
}

func (intRises) put(out *batch.Column, r rise) {
	if r.ints.high != 0 {
		out.AppendNull()
	} else {
		putInt(out, r.ints.low)
	}
}

// doubleRises adds in double-double arithmetic, always in order of time.
type doubleRises struct{}

func (doubleRises) none() rise { return rise{} }

func (doubleRises) step(r rise, before, v int64) rise {
	x := fromOrderKey(v)
	if v >= before {
		s, e := twoSum(x, -fromOrderKey(before))
		return r.plus(s).plus(e)
	}
	return r.plus(max(x, 0))
}

func (doubleRises) add(r, b rise) rise { return r.plus(b.doubles.hi).plus(b.doubles.lo) }

func (r rise) plus(x float64) rise {
	sum, _ := r.doubles.plus(x)
	if sum.hi-sum.hi != 0 || r.doubles.hi-r.doubles.hi != 0 || x-x != 0 {
		sum = dd{hi: math.Inf(1)} // beyond the range of doubles, and so for good
	}
	return rise{doubles: sum}
}

func (doubleRises) less(a, b rise) bool {
	return a.doubles.hi < b.doubles.hi || a.doubles.hi == b.doubles.hi && a.doubles.lo < b.doubles.lo
}

func (doubleRises) put(out *batch.Column, r rise) { putDouble(out, r.doubles.hi) }
