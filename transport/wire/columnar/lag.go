package columnar

import (
	"math"
	"slices"
)

// Transform 3 of integers takes from each value an earlier one:
//
//	uvarint distance d, at least 1: the value d places before; 0: that in the row before with the same key
//	integers (not of transform 3): the values that have none
//	minimum and packing of the differences, as of the other transforms
//
// The key is the batch's first string column without nulls, if it stands before this column and this one has no
// nulls either. So a reading is stored as what it moved since its device's last reading.

// maxLag is the longest distance that is looked for by itself.
const maxLag = 64

// keyed notes the rows that have the same key, of the first string column, whose strings have the numbers codes.
func (e *encoder) keyed(codes []int64, distinct int) {
	e.hasKey = true
	if distinct*8 > len(codes)*7 { // most rows are the first of their key
		return
	}
	e.before = slices.Grow(e.before[:0], len(codes))[:len(codes)]
	e.last = slices.Grow(e.last[:0], distinct)[:distinct]
	fillInt32(e.last, -1)
	for i, c := range codes {
		e.before[i], e.last[c] = e.last[c], int32(i)
	}
}

func fillInt32(s []int32, v int32) {
	for i := range s {
		s[i] = v
	}
}

// planLags tries transform 3.
func (e *encoder) planLags(vals []int64, best *intPlan) {
	if d := period(vals); d > 0 {
		e.planLag(vals, d, best)
	}
	if len(e.before) == len(vals) {
		e.planLag(vals, 0, best)
	}
}

func (e *encoder) planLag(vals []int64, d int, best *intPlan) {
	p := intPlan{transform: transformLag, lag: d, cost: 6}
	firsts := e.firstsOf(vals, d)
	p.cost += e.planPlain(firsts).cost
	if p.cost < best.cost {
		rest, lo, hi := e.lagged(vals, d)
		e.planRest(rest, lo, hi, p, best)
	}
}

// period finds a distance at which the differences of neighbours repeat, as those of times do that
// several rows share.
func period(vals []int64) int {
	n := len(vals)
	if n < 16 {
		return 0
	}
	// The steps that differ from the first one, seen from the end.
	step := vals[1] - vals[0]
	last := 0
	for i := n - 1; i > max(1, n-2*maxLag); i-- {
		if vals[i]-vals[i-1] == step {
			continue
		}
		if d := last - i; last > 0 {
			if d > maxLag || n < 3*d || d < 2 {
				return 0
			}
			for _, at := range [...]int{n - 1, n / 2, n - d, d + 1} {
				if vals[at]-vals[at-d] != vals[d]-vals[0] {
					return 0
				}
			}
			return d
		}
		last = i
	}
	return 0
}

// firstsOf gives the values from which nothing is taken.
func (e *encoder) firstsOf(vals []int64, d int) []int64 {
	if d > 0 {
		return vals[:d]
	}
	e.firsts = e.firsts[:0]
	for i, b := range e.before {
		if b < 0 {
			e.firsts = append(e.firsts, vals[i])
		}
	}
	return e.firsts
}

// lagged writes what transform 3 leaves to e.words, and gives its least and largest.
func (e *encoder) lagged(vals []int64, d int) (out []uint64, lo, hi int64) {
	out = slices.Grow(e.words[:0], len(vals))
	lo, hi = math.MaxInt64, math.MinInt64
	if d > 0 {
		for i, v := range vals[d:] {
			x := v - vals[i]
			lo, hi = min(lo, x), max(hi, x)
			out = append(out, uint64(x))
		}
	} else {
		for i, b := range e.before {
			if b >= 0 {
				x := vals[i] - vals[b]
				lo, hi = min(lo, x), max(hi, x)
				out = append(out, uint64(x))
			}
		}
	}
	e.words = out
	return out, lo, hi
}

// lagged reads integers of transform 3.
func (r *reader) lagged(dst []int64, packing byte) {
	n := len(dst)
	d := r.count("distance", n-1)
	if r.err != nil {
		return
	}
	if d > 0 {
		r.someInts(dst[:d], false)
		if rest, base := r.rest(n-d, packing); r.err == nil {
			for i, x := range rest {
				dst[d+i] = dst[i] + int64(x) + base
			}
		}
		return
	}
	if len(r.key) != n {
		r.fail("integers by key without a key")
		return
	}
	before, firsts := r.rowsBefore()
	first := make([]int64, firsts)
	r.someInts(first, false)
	if rest, base := r.rest(n-firsts, packing); r.err == nil {
		for i, b := range before {
			if b < 0 {
				dst[i], first = first[0], first[1:]
			} else {
				dst[i], rest = dst[b]+int64(rest[0])+base, rest[1:]
			}
		}
	}
}

// rowsBefore gives for each row the one before with the same key, or -1, and how many have none.
func (r *reader) rowsBefore() (before []int32, firsts int) {
	n := len(r.key)
	if len(r.before) != n {
		r.places.reset(n)
		r.before, r.last = slices.Grow(r.before[:0], n)[:n], r.last[:0]
		for i, c := range r.key {
			p, found := r.places.place(c, uint32(len(r.last)))
			if !found {
				r.last = append(r.last, -1)
			}
			r.before[i], r.last[p] = r.last[p], int32(i)
		}
		r.firsts = len(r.last)
	}
	return r.before, r.firsts
}
