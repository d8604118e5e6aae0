package expr

import (
	"math"
	"strconv"

	"github.com/leatio/leat/engine/batch"
)

// mapping is a function of one double that cannot fail: abs, floor, ceil,
// round.
type mapping struct {
	f   func(dst, src []float64, rows []uint32)
	a   node
	out result
}

func (x *mapping) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Double, r.n)
	x.out.validFrom(r.n, a)
	x.f(x.out.col.Doubles, a.Doubles[:r.n], rows)
	return &x.out.col
}

var mappings = map[string]func(dst, src []float64, rows []uint32){
	"neg":   negDoubles,
	"abs":   absDoubles,
	"floor": floorDoubles,
	"ceil":  ceilDoubles,
	"round": roundDoubles,
}

func negDoubles(dst, src []float64, rows []uint32) {
	if rows == nil {
		for i, v := range src {
			dst[i] = canon(-v)
		}
		return
	}
	for _, i := range rows {
		dst[i] = canon(-src[i])
	}
}

func absDoubles(dst, src []float64, rows []uint32) {
	if rows == nil {
		for i, v := range src {
			dst[i] = canon(math.Abs(v))
		}
		return
	}
	for _, i := range rows {
		dst[i] = canon(math.Abs(src[i]))
	}
}

func floorDoubles(dst, src []float64, rows []uint32) {
	if rows == nil {
		for i, v := range src {
			dst[i] = canon(math.Floor(v))
		}
		return
	}
	for _, i := range rows {
		dst[i] = canon(math.Floor(src[i]))
	}
}

func ceilDoubles(dst, src []float64, rows []uint32) {
	if rows == nil {
		for i, v := range src {
			dst[i] = canon(math.Ceil(v))
		}
		return
	}
	for _, i := range rows {
		dst[i] = canon(math.Ceil(src[i]))
	}
}

func roundDoubles(dst, src []float64, rows []uint32) {
	if rows == nil {
		for i, v := range src {
			dst[i] = canon(math.RoundToEven(v))
		}
		return
	}
	for _, i := range rows {
		dst[i] = canon(math.RoundToEven(src[i]))
	}
}

// intMapping is neg or abs of an int; the smallest int has no opposite.
type intMapping struct {
	abs bool
	a   node
	out result
}

func (x *intMapping) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Int, r.n)
	x.out.validFrom(r.n, a)
	dst, src := x.out.col.Ints, a.Ints[:r.n]
	bad := false
	for _, i := range r.all(rows) {
		v := src[i]
		bad = bad || v == math.MinInt64
		if !x.abs || v < 0 {
			v = -v
		}
		dst[i] = v
	}
	if bad {
		r.failWhere(&x.out, rows, reasonIntRange, func(i int) bool { return src[i] == math.MinInt64 })
	}
	return &x.out.col
}

// partial is a function of one double that some values fail.
type partial struct {
	f   func(v float64) (float64, string)
	a   node
	out result
}

func (x *partial) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Double, r.n)
	x.out.validFrom(r.n, a)
	dst, src := x.out.col.Doubles, a.Doubles
	for _, i := range r.all(rows) {
		if x.out.col.Null(int(i)) {
			continue
		}
		v, reason := x.f(src[i])
		dst[i] = canon(v)
		if reason != "" {
			r.failRow(&x.out, int(i), reason)
		}
	}
	return &x.out.col
}

var partials = map[string]func(v float64) (float64, string){
	"sqrt": sqrtRow,
	"ln":   lnRow,
	"exp":  expRow,
}

func sqrtRow(v float64) (float64, string) {
	if v < 0 {
		return 0, reasonSqrt
	}
	return math.Sqrt(v), ""
}

func lnRow(v float64) (float64, string) {
	switch {
	case v == 0:
		return 0, reasonLnZero
	case v < 0:
		return 0, reasonLnNegative
	}
	return logarithm(v), ""
}

func expRow(v float64) (float64, string) {
	w := exponential(v)
	switch {
	case math.IsInf(w, 1) && !math.IsInf(v, 1):
		return 0, reasonOverflow
	case w == 0 && !math.IsInf(v, -1):
		return 0, reasonUnderflow
	}
	return w, ""
}

// power2 is power(x, y).
type power2 struct {
	a, b node
	out  result
}

func (x *power2) eval(r *run, rows []uint32) *batch.Column {
	a, b := x.a.eval(r, rows), x.b.eval(r, rows)
	x.out.reset(batch.Double, r.n)
	x.out.validFrom(r.n, a, b)
	dst := x.out.col.Doubles
	for _, i := range r.all(rows) {
		if x.out.col.Null(int(i)) {
			continue
		}
		v, reason := powerRow(a.Doubles[i], b.Doubles[i])
		dst[i] = canon(v)
		if reason != "" {
			r.failRow(&x.out, int(i), reason)
		}
	}
	return &x.out.col
}

func powerRow(x, y float64) (float64, string) {
	finite := !math.IsInf(x, 0) && !math.IsInf(y, 0)
	switch {
	case x == 0 && y < 0:
		return 0, reasonZeroPower
	case x < 0 && y != math.Trunc(y) && y == y:
		return 0, reasonComplexPower
	}
	v := power(x, y)
	switch {
	case finite && math.IsInf(v, 0):
		return 0, reasonOverflow
	case finite && v == 0 && x != 0:
		return 0, reasonUnderflow
	}
	return v, ""
}

// roundTo is round(x, places), half away from zero.
type roundTo struct {
	a, places node
	out       result
	buf       []byte
	digits    []byte
}

func (x *roundTo) eval(r *run, rows []uint32) *batch.Column {
	a, b := x.a.eval(r, rows), x.places.eval(r, rows)
	x.out.reset(batch.Double, r.n)
	x.out.validFrom(r.n, a, b)
	dst := x.out.col.Doubles
	for _, i := range r.all(rows) {
		if x.out.col.Null(int(i)) {
			continue
		}
		v := x.round(a.Doubles[i], b.Ints[i])
		if math.IsInf(v, 0) && !math.IsInf(a.Doubles[i], 0) {
			r.failRow(&x.out, int(i), reasonOverflow)
		}
		dst[i] = canon(v + 0) // no -0, as numeric has none
	}
	return &x.out.col
}

// powersOfTen are the exact ones.
var powersOfTen = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// round rounds the shortest decimal that reads back as v, so that 1.005 to 2
// places is 1.01 as it is for PostgreSQL's numeric. Far from a tie, the scaled
// value decides: it is then the same digit, and the quotient of two exact
// doubles is the nearest double to it.
func (x *roundTo) round(v float64, places int64) float64 {
	if v == 0 || v != v || math.IsInf(v, 0) || places > 340 {
		return v
	}
	if places < -330 {
		return math.Copysign(0, v)
	}
	if places >= 0 && places < int64(len(powersOfTen)) {
		p := powersOfTen[places]
		scaled := math.Abs(float64(v * p))
		whole := math.Floor(scaled)
		frac := float64(scaled - whole)
		if scaled < 1<<40 && math.Abs(float64(frac-0.5)) > 0x1p-10 {
			if frac > 0.5 {
				whole++
			}
			return math.Copysign(float64(whole/p), v)
		}
	}
	return x.roundDigits(v, int(places))
}

// roundDigits rounds in decimal: the digits of "d.ddde±xx" are cut after the
// places and incremented where the first digit cut is 5 or more.
func (x *roundTo) roundDigits(v float64, places int) float64 {
	buf := strconv.AppendFloat(x.buf[:0], math.Abs(v), 'e', -1, 64)
	x.buf = buf
	at := len(buf) - 1
	for buf[at] != 'e' {
		at--
	}
	exp, _ := strconv.Atoi(string(buf[at+1:]))
	digits := append(x.digits[:0], '0', buf[0]) // room for a carry
	if at > 1 {
		digits = append(digits, buf[2:at]...)
	}
	keep := 1 + exp + 1 + places // digits kept, the first zero among them
	switch {
	case keep < 1:
		return 0
	case keep >= len(digits):
		return v
	}
	up := digits[keep] >= '5'
	digits = digits[:keep]
	for i := keep - 1; up; i-- {
		if up = digits[i] == '9'; up {
			digits[i] = '0'
		} else {
			digits[i]++
		}
	}
	text := strconv.AppendInt(append(digits, 'e'), int64(-places), 10)
	x.digits = text
	w, _ := strconv.ParseFloat(string(text), 64) // Inf where it overflows
	return math.Copysign(w, v)
}
