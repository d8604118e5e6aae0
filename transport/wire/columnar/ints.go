package columnar

import (
	"encoding/binary"
	"math"
	"slices"
)

// Integers are stored as a transform of the sequence and a packing of what
// the transform leaves, less its minimum:
//
//	head byte = transform | packing<<2
//	transform: 0 values, 1 differences, 2 differences of differences; the first 0, 1 or 2 terms precede as varints
//	           3 differences to the value a fixed distance before, or in the row before with the same key (see lag.go)
//	packing:   0 all equal to the minimum
//	           1 bits:   width, values of width bits
//	           2 planes: shift, number of planes, the low shift bits packed, then the bytes above, a plane each
//
// All arithmetic wraps around, so that any int64s come back.
const (
	packSame   = 0
	packBits   = 1
	packPlanes = 2

	maxTransform = 2 // of those that need no other column
	transformLag = 3

	// The planes are judged by some values: runs of neighbours, since a fixed step could beat in time with the values.
	samples   = 1024
	sampleRun = 64
)

// intPlan is one way to store a sequence.
type intPlan struct {
	transform int
	lag       int // transformLag: the distance; 0 = by key
	packing   int
	shift     uint
	width     uint // of the residuals
	base      int64
	cost      float64
}

// appendInts appends vals; the decoder knows how many there are.
func (e *encoder) appendInts(dst []byte, vals []int64) []byte {
	if len(vals) == 0 {
		return dst
	}
	return e.appendPlanned(dst, vals, e.planInts(vals))
}

func (e *encoder) appendPlanned(dst []byte, vals []int64, p intPlan) []byte {
	dst = append(dst, byte(p.transform|p.packing<<2))
	var rest []uint64
	if p.transform == transformLag {
		dst = binary.AppendUvarint(dst, uint64(p.lag))
		firsts := e.firstsOf(vals, p.lag)
		dst = e.appendPlanned(dst, firsts, e.planPlain(firsts))
		rest, _, _ = e.lagged(vals, p.lag)
	} else {
		rest, _, _ = e.residuals(vals, p.transform)
		prev := int64(0)
		for k := range p.transform { // first value, then first difference
			dst = binary.AppendVarint(dst, vals[k]-prev)
			prev = vals[k]
		}
	}
	dst = binary.AppendVarint(dst, p.base)
	for i, v := range rest {
		rest[i] = uint64(int64(v) - p.base)
	}
	switch p.packing {
	case packBits:
		dst = append(dst, byte(p.width))
		dst = appendPacked(dst, rest, p.width)
	case packPlanes:
		planes := (p.width - p.shift + 7) / 8
		dst = append(dst, byte(p.shift), byte(planes))
		dst = appendPacked(dst, rest, p.shift)
		e.plane = slices.Grow(e.plane[:0], len(rest))[:len(rest)]
		for k := range planes {
			shift := p.shift + 8*k
			for i, v := range rest {
				e.plane[i] = byte(v >> shift)
			}
			dst = e.appendPlane(dst, e.plane)
		}
	}
	return dst
}

// residuals writes what transform t leaves of vals to e.words, and gives its least and largest.
func (e *encoder) residuals(vals []int64, t int) (out []uint64, lo, hi int64) {
	out = slices.Grow(e.words[:0], len(vals))[:len(vals)-t]
	e.words = out
	lo, hi = math.MaxInt64, math.MinInt64
	switch t {
	case 0:
		for i, v := range vals {
			lo, hi = min(lo, v), max(hi, v)
			out[i] = uint64(v)
		}
	case 1:
		prev := vals[0]
		for i, v := range vals[1:] {
			d := v - prev
			lo, hi = min(lo, d), max(hi, d)
			out[i] = uint64(d)
			prev = v
		}
	case 2:
		prev, diff := vals[1], vals[1]-vals[0]
		for i, v := range vals[2:] {
			d := v - prev
			dd := d - diff
			lo, hi = min(lo, dd), max(hi, dd)
			out[i] = uint64(dd)
			prev, diff = v, d
		}
	}
	return out, lo, hi
}

// planInts finds the cheapest plan by estimate.
func (e *encoder) planInts(vals []int64) intPlan {
	best := e.planPlain(vals)
	if best.packing != packSame {
		e.planLags(vals, &best)
	}
	return best
}

// planPlain is planInts without transformLag.
func (e *encoder) planPlain(vals []int64) intPlan {
	best := intPlan{cost: math.Inf(1)}
	for t := 0; t <= maxTransform && t < len(vals); t++ {
		rest, lo, hi := e.residuals(vals, t)
		e.planRest(rest, lo, hi, intPlan{transform: t, cost: float64(4 + t)}, &best)
	}
	return best
}

// planRest finds the packing of what a transform left; p has the cost of what stands before.
func (e *encoder) planRest(rest []uint64, lo, hi int64, p intPlan, best *intPlan) {
	lead := p.cost
	p.base, p.width, p.packing = lo, width(uint64(hi)-uint64(lo)), packBits
	if p.width == 0 {
		p.packing = packSame
	} else {
		p.cost += float64(packedBytes(len(rest), p.width))
	}
	if p.cost < best.cost {
		*best = p
	}
	if p.width > 0 && len(rest) >= 32 { // else too few for a table
		e.planPlanes(rest, p, lead, best)
	}
}

// planPlanes tries the packing in planes: all bits in planes, which suits a
// few outliers, and the highest bits in a plane, which suits a bell; the fewer these are, the
// shorter the table of their codes.
func (e *encoder) planPlanes(rest []uint64, p intPlan, lead float64, best *intPlan) {
	p.packing = packPlanes
	sample := e.sampleOf(rest)
	if p.width > 8 { // all bits
		p.shift, p.cost = 0, lead
		for at := uint(0); at < p.width && p.cost < best.cost; at += 8 {
			h := histogramOf(sample, uint64(p.base), at)
			p.cost += h.cost(len(sample), len(rest))
		}
		if p.cost < best.cost {
			*best = p
		}
	}
	top := min(p.width, 8)
	h := histogramOf(sample, uint64(p.base), p.width-top)
	for {
		p.shift = p.width - top
		p.cost = lead + float64(packedBytes(len(rest), p.shift))
		if p.cost += h.cost(len(sample), len(rest)); p.cost < best.cost {
			*best = p
		}
		if top < 6 {
			return
		}
		h.halve()
		h.halve()
		top -= 2
	}
}

func histogramOf(sample []uint64, base uint64, shift uint) (h histogram) {
	for _, v := range sample {
		h[byte((v-base)>>(shift&63))]++
	}
	return h
}

// halve makes it the histogram of one bit less.
func (h *histogram) halve() {
	for i := range len(h) / 2 {
		h[i] = h[2*i] + h[2*i+1]
	}
	clear(h[len(h)/2:])
}

func (e *encoder) sampleOf(rest []uint64) []uint64 {
	if len(rest) <= samples {
		return rest
	}
	e.sample = e.sample[:0]
	step := len(rest) / (samples / sampleRun)
	for at := 0; at+sampleRun <= len(rest); at += step {
		e.sample = append(e.sample, rest[at:at+sampleRun]...)
	}
	return e.sample
}

// ints reads len(dst) integers.
func (r *reader) ints(dst []int64) {
	if len(dst) > 0 {
		r.someInts(dst, true)
	}
}

// someInts reads one integer or more; lag tells whether transformLag is allowed.
func (r *reader) someInts(dst []int64, lag bool) {
	n := len(dst)
	head := r.byte("integers")
	t, packing := int(head&3), head>>2
	switch {
	case packing > packPlanes || t <= maxTransform && t >= n:
		r.fail("integers of %d in form %d", n, head)
		return
	case t == transformLag:
		if !lag {
			r.fail("integers in form %d inside others", head)
			return
		}
		r.lagged(dst, packing)
		return
	}
	var first [maxTransform]int64
	for k := range t {
		first[k] = r.varint("first integer")
	}
	if rest, base := r.rest(n-t, packing); r.err == nil {
		untransform(dst, rest, t, base, first)
	}
}

// rest reads n values as they were packed, and their minimum.
func (r *reader) rest(n int, packing byte) (rest []uint64, base int64) {
	base = r.varint("minimum")
	rest = r.scratch(n)
	switch packing {
	case packBits:
		w := uint(r.byte("width"))
		if w == 0 || w > 64 {
			r.fail("integers of %d bits", w)
			return
		}
		unpackChecked(r, rest, w)
	case packPlanes:
		r.planes(rest)
	}
	return rest, base
}

func unpackChecked(r *reader, dst []uint64, w uint) {
	if src := r.bytes("packed integers", packedBytes(len(dst), w)); r.err == nil {
		unpack(dst, src, w)
	}
}

func (r *reader) planes(rest []uint64) {
	shift, planes := uint(r.byte("shift")), uint(r.byte("planes"))
	if planes == 0 || planes > 8 || shift > 63 || shift+8*(planes-1) > 63 {
		r.fail("integers in %d planes above %d bits", planes, shift)
		return
	}
	unpackChecked(r, rest, shift)
	buf := r.planeScratch(len(rest))
	for k := range planes {
		if r.plane(buf); r.err != nil {
			return
		}
		at := shift + 8*k
		for i, c := range buf {
			rest[i] |= uint64(c) << at
		}
	}
}

// untransform is the inverse of residuals.
func untransform(dst []int64, rest []uint64, t int, base int64, first [maxTransform]int64) {
	switch t {
	case 0:
		for i, v := range rest {
			dst[i] = int64(v) + base
		}
	case 1:
		v := first[0]
		dst[0] = v
		for i, d := range rest {
			v += int64(d) + base
			dst[i+1] = v
		}
	case 2:
		v, d := first[0]+first[1], first[1]
		dst[0], dst[1] = first[0], v
		for i, dd := range rest {
			d += int64(dd) + base
			v += d
			dst[i+2] = v
		}
	}
}
