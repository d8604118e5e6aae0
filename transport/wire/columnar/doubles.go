package columnar

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Doubles are stored in one of these forms, which all give back the very bits:
//
//	0 raw      eight planes, the lowest byte of each value first
//	1 decimal  places k, exceptions, integers i: the value is i / 10^k
//	2 binary   exponent k (varint), exceptions, integers i: the value is i * 2^k
//
// exceptions: uvarint count, then distance to the one before and 8 bytes for each. Where a value is an
// exception, as -0, NaN and infinities are, its integer repeats the one before.
// The decimal form follows ALP (Afroozeh, Kuffó, Boncz: "ALP: Adaptive Lossless
// floating-Point Compression", SIGMOD 2024).
const (
	doublesRaw     = 0
	doublesDecimal = 1
	doublesBinary  = 2

	maxPlaces  = 9
	maxInteger = 1 << 53
	// A form with more than one exception in maxExceptions values is not tried to the end.
	maxExceptions = 8
)

var powers = [maxPlaces + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// scaled is a sequence of doubles as integers and exceptions.
type scaled struct {
	form       byte
	k          int
	ints       []int64
	exceptions []int
	plan       intPlan
}

// appendDoubles appends vals; the decoder knows how many there are.
func (e *encoder) appendDoubles(dst []byte, vals []float64) []byte {
	if len(vals) == 0 {
		return dst
	}
	best, bestCost := scaled{form: doublesRaw}, float64(8*len(vals)+8)
	if s, ok := e.decimal(vals); ok {
		if cost := e.plan(&s); cost < bestCost {
			best, bestCost = s, cost
		}
	}
	// Sums of decimals and their rounding errors are multiples of a power of two.
	if best.form == doublesRaw || len(best.exceptions) > 0 {
		if s, ok := e.binary(vals); ok && e.plan(&s) < bestCost {
			best = s
		}
	}
	if best.form == doublesRaw {
		return e.appendRaw(append(dst, doublesRaw), vals)
	}
	dst = append(dst, best.form)
	if best.form == doublesDecimal {
		dst = append(dst, byte(best.k))
	} else {
		dst = binary.AppendVarint(dst, int64(best.k))
	}
	dst = binary.AppendUvarint(dst, uint64(len(best.exceptions)))
	last := -1
	for _, i := range best.exceptions {
		dst = binary.AppendUvarint(dst, uint64(i-last-1))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(vals[i]))
		last = i
	}
	return e.appendPlanned(dst, best.ints, best.plan)
}

// plan sets how the integers are to be stored and gives the estimated bytes of the whole.
func (e *encoder) plan(s *scaled) float64 {
	s.plan = e.planInts(s.ints)
	return 3 + float64(9.5*float64(len(s.exceptions))) + s.plan.cost
}

func (e *encoder) appendRaw(dst []byte, vals []float64) []byte {
	e.plane = slices.Grow(e.plane[:0], len(vals))[:len(vals)]
	for shift := 0; shift < 64; shift += 8 {
		for i, v := range vals {
			e.plane[i] = byte(math.Float64bits(v) >> shift)
		}
		dst = e.appendPlane(dst, e.plane)
	}
	return dst
}

// toDecimal gives i with v == i/10^k, bit for bit.
func toDecimal(v float64, k int) (i int64, ok bool) {
	x := v * powers[k]
	if !(x > -maxInteger && x < maxInteger) { // NaN fails too
		return 0, false
	}
	i = int64(math.RoundToEven(x))
	return i, math.Float64bits(float64(i)/powers[k]) == math.Float64bits(v)
}

// places samples the values for the number of decimal places that serves most of them.
func places(vals []float64) (k int, ok bool) {
	var least [maxPlaces + 1]int // values that need just so many places
	step := max(1, len(vals)/64)
	samples := 0
	for at := 0; at < len(vals); at += step {
		samples++
		for k := range least {
			if _, ok := toDecimal(vals[at], k); ok {
				least[k]++
				break
			}
		}
	}
	served, best := 0, 0
	for i, n := range least {
		// One place more costs each value 3.3 bits, an exception costs 76.
		if n > 0 && n*76 > samples*4 {
			k, best = i, n
		}
		served += n
	}
	return k, best > 0 && served*2 > samples
}

func (e *encoder) decimal(vals []float64) (scaled, bool) {
	k, ok := places(vals)
	if !ok {
		return scaled{}, false
	}
	s := scaled{form: doublesDecimal, k: k, ints: e.decimals[:0], exceptions: e.exceptions[0][:0]}
	prev := int64(0)
	for at, v := range vals {
		i, ok := toDecimal(v, k)
		if !ok {
			if s.exceptions = append(s.exceptions, at); len(s.exceptions)*maxExceptions > len(vals) {
				return scaled{}, false
			}
			i = prev
		}
		s.ints = append(s.ints, i)
		prev = i
	}
	e.decimals, e.exceptions[0] = s.ints, s.exceptions
	return s, true
}

// parts splits a double into an odd integer (or 0) and a power of two. ok is
// false for -0, NaN and infinities.
func parts(v float64) (m int64, exp int, ok bool) {
	b := math.Float64bits(v)
	e := int(b >> 52 & 0x7ff)
	f := b & (1<<52 - 1)
	switch {
	case b == 0:
		return 0, 0, true
	case b == 1<<63 || e == 0x7ff:
		return 0, 0, false
	case e == 0:
		e = 1
	default:
		f |= 1 << 52
	}
	z := bits.TrailingZeros64(f)
	m = int64(f >> z)
	if b>>63 != 0 {
		m = -m
	}
	return m, e - 1075 + z, true
}

func (e *encoder) binary(vals []float64) (scaled, bool) {
	lowest, highest := math.MaxInt, math.MinInt
	for _, v := range vals {
		if m, exp, ok := parts(v); ok && m != 0 {
			lowest = min(lowest, exp)
			highest = max(highest, exp+int(width(uint64(max(m, -m)))))
		}
	}
	if lowest > highest || highest-lowest > 60 {
		return scaled{}, false
	}
	s := scaled{form: doublesBinary, k: lowest, ints: e.binaries[:0], exceptions: e.exceptions[1][:0]}
	prev := int64(0)
	for at, v := range vals {
		m, exp, ok := parts(v)
		switch {
		case !ok:
			if s.exceptions = append(s.exceptions, at); len(s.exceptions)*maxExceptions > len(vals) {
				return scaled{}, false
			}
			m = prev
		case m != 0:
			m <<= exp - lowest
		}
		s.ints = append(s.ints, m)
		prev = m
	}
	e.binaries, e.exceptions[1] = s.ints, s.exceptions
	return s, true
}

// doubles reads len(dst) doubles.
func (r *reader) doubles(dst []float64) {
	if len(dst) == 0 {
		return
	}
	switch form := r.byte("doubles"); form {
	case doublesRaw:
		r.rawDoubles(dst)
	case doublesDecimal:
		k := int(r.byte("places"))
		if k > maxPlaces {
			r.fail("doubles of %d decimal places", k)
			return
		}
		r.scaled(dst, func(ints []int64) {
			for i, v := range ints {
				dst[i] = float64(v) / powers[k]
			}
		})
	case doublesBinary:
		k := r.varint("exponent")
		if k < -1074 || k > 1023 {
			r.fail("doubles of exponent %d", k)
			return
		}
		scale := math.Ldexp(1, int(k))
		r.scaled(dst, func(ints []int64) {
			for i, v := range ints {
				dst[i] = float64(v) * scale
			}
		})
	default:
		r.fail("doubles in form %d", form)
	}
}

func (r *reader) rawDoubles(dst []float64) {
	words, buf := r.scratch(len(dst)), r.planeScratch(len(dst))
	for shift := 0; shift < 64; shift += 8 {
		if r.plane(buf); r.err != nil {
			return
		}
		for i, c := range buf {
			words[i] |= uint64(c) << shift
		}
	}
	for i, w := range words {
		dst[i] = math.Float64frombits(w)
	}
}

func (r *reader) scaled(dst []float64, convert func([]int64)) {
	count := r.count("exceptions", len(dst))
	if !r.charge(count, 16) {
		return
	}
	at := make([]int, 0, count)
	raw := make([]uint64, 0, count)
	last := -1
	for range count {
		last += 1 + r.count("exception", len(dst)-last-2)
		p := r.bytes("exception", 8)
		if r.err != nil {
			return
		}
		at, raw = append(at, last), append(raw, binary.LittleEndian.Uint64(p))
	}
	ints := r.intScratch(len(dst))
	if r.ints(ints); r.err != nil {
		return
	}
	convert(ints)
	for i, k := range at {
		dst[k] = math.Float64frombits(raw[i])
	}
}
