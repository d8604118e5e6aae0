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
//	packing:   0 all equal to the minimum
//	           1 bits:   width, values of width bits
//	           2 planes: shift, number of planes, the low shift bits packed, then the bytes above, a plane each
//
// All arithmetic wraps around, so that any int64s come back.
const (
	packSame   = 0
	packBits   = 1
	packPlanes = 2

	maxTransform = 2
	samples      = 512 // values by which the planes are judged
)

// intPlan is one way to store a sequence.
type intPlan struct {
	transform int
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
	rest, _, _ := e.residuals(vals, p.transform)
	prev := int64(0)
	for k := range p.transform { // first value, then first difference
		dst = binary.AppendVarint(dst, vals[k]-prev)
		prev = vals[k]
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
	best := intPlan{cost: math.Inf(1)}
	for t := 0; t <= maxTransform && t < len(vals); t++ {
		rest, lo, hi := e.residuals(vals, t)
		p := intPlan{transform: t, base: lo, width: width(uint64(hi) - uint64(lo)), packing: packBits}
		lead := float64(4 + t)
		if p.width == 0 {
			p.packing, p.cost = packSame, lead
			if p.cost < best.cost {
				best = p
			}
			continue
		}
		p.cost = lead + float64(packedBytes(len(rest), p.width))
		if p.cost < best.cost {
			best = p
		}
		if len(rest) < 32 {
			continue // too few for a table
		}
		e.planPlanes(rest, p, lead, &best)
	}
	return best
}

// planPlanes tries the packing in planes: all bits in planes, which suits a
// few outliers, and the eight highest bits in a plane, which suits a bell.
func (e *encoder) planPlanes(rest []uint64, p intPlan, lead float64, best *intPlan) {
	p.packing = packPlanes
	shifts := [2]uint{0, 0}
	if p.width > 8 {
		shifts[1] = p.width - 8
	}
	step := 1 + len(rest)/samples
	n := (len(rest) + step - 1) / step
	for i, shift := range shifts {
		if i == 1 && shift == 0 {
			return
		}
		p.shift = shift
		p.cost = lead + float64(packedBytes(len(rest), shift))
		for at := shift; at < p.width && p.cost < best.cost; at += 8 {
			var h histogram
			for i := 0; i < len(rest); i += step {
				h[byte((rest[i]-uint64(p.base))>>at)]++
			}
			p.cost += h.cost(n, len(rest))
		}
		if p.cost < best.cost {
			*best = p
		}
	}
}

// ints reads len(dst) integers.
func (r *reader) ints(dst []int64) {
	n := len(dst)
	if n == 0 {
		return
	}
	head := r.byte("integers")
	t, packing := int(head&3), head>>2
	if t > maxTransform || packing > packPlanes || t >= n {
		r.fail("integers of %d in form %d", n, head)
		return
	}
	var first [maxTransform]int64
	for k := range t {
		first[k] = r.varint("first integer")
	}
	base := r.varint("minimum")
	rest := r.scratch(n - t)
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
	if r.err != nil {
		return
	}
	untransform(dst, rest, t, base, first)
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
