package expr

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// between is low <= x AND x <= high of a column and constants. As a filter it
// looks at each value once.
type between[T number] struct {
	a         node
	low, high T
	out       result
}

func (x *between[T]) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Bool, r.n)
	x.out.validFrom(r.n, a)
	dst, v := x.out.col.Bools, values[T](a, r.n)
	if rows == nil {
		v = v[:len(dst)]
		for i := range dst {
			dst[i] = v[i] >= x.low && v[i] <= x.high
		}
		return &x.out.col
	}
	for _, i := range rows {
		dst[i] = v[i] >= x.low && v[i] <= x.high
	}
	return &x.out.col
}

func (x *between[T]) filter(r *run, rows, dst []uint32) []uint32 {
	a := x.a.eval(r, rows)
	v := values[T](a, r.n)
	low, high, k := x.low, x.high, 0
	if rows == nil {
		dst = resize(dst, r.n)
		v = v[:len(dst)]
		for i, c := range v {
			dst[k] = uint32(i)
			k += b2i(c >= low) & b2i(c <= high)
		}
		return present(a, dst[:k])
	}
	dst = resize(dst, len(rows))
	for _, i := range rows {
		dst[k] = i
		k += b2i(v[i] >= low) & b2i(v[i] <= high)
	}
	return present(a, dst[:k])
}

// joinRanges makes one test of two neighbouring conditions of an AND that
// bound one column from both sides.
func joinRanges(args []node) []node {
	out := args[:1:1]
	for _, b := range args[1:] {
		last := len(out) - 1
		if n := joined[float64](out[last], b, nextDouble); n != nil {
			out[last] = n
		} else if n := joined[int64](out[last], b, nextInt); n != nil {
			out[last] = n
		} else {
			out = append(out, b)
		}
	}
	return out
}

func joined[T number](a, b node, next func(v T, up bool) (T, bool)) node {
	x, ok1 := a.(*compareConstant[T])
	y, ok2 := b.(*compareConstant[T])
	if !ok1 || !ok2 {
		return nil
	}
	col, ok1 := x.a.(*column)
	other, ok2 := y.a.(*column)
	if !ok1 || !ok2 || col.index != other.index {
		return nil
	}
	if y.isLow() {
		x, y = y, x
	}
	low, ok1 := x.bound(true, next)
	high, ok2 := y.bound(false, next)
	if !ok1 || !ok2 {
		return nil
	}
	return &between[T]{a: col, low: low, high: high}
}

// isLow tells whether the comparison is > or >=.
func (c comparison) isLow() bool { return c.neg && c.rel != equal }

// bound is the least (low) or greatest value that the comparison lets through;
// not ok where it is no bound of that side. A bound from above keeps NaN out, as <= of Go's does.
func (x *compareConstant[T]) bound(low bool, next func(v T, up bool) (T, bool)) (T, bool) {
	if x.rel == equal || x.isLow() != low {
		return 0, false
	}
	if low == (x.rel == lessEqual) { // > or <
		return next(x.c, low)
	}
	return x.c, true
}

// nextDouble is the neighbour of v; infinities have none.
func nextDouble(v float64, up bool) (float64, bool) {
	return math.Nextafter(v, math.Inf(2*b2i(up)-1)), !math.IsInf(v, 0)
}

func nextInt(v int64, up bool) (int64, bool) {
	if up {
		return v + 1, v != math.MaxInt64
	}
	return v - 1, v != math.MinInt64
}
