package decode

import (
	"errors"
	"math"
	"strconv"

	"github.com/leatio/leat/engine/plan"
)

// unitShift is the number of decimal places from a unit to microseconds.
func unitShift(u plan.TimeUnit) (int, bool) {
	switch u {
	case plan.TimeUnit_TIME_UNIT_RFC3339, plan.TimeUnit_TIME_UNIT_MICROS:
		return 0, true
	case plan.TimeUnit_TIME_UNIT_SECONDS:
		return 6, true
	case plan.TimeUnit_TIME_UNIT_MILLIS:
		return 3, true
	case plan.TimeUnit_TIME_UNIT_NANOS:
		return -3, true
	}
	return 0, false
}

// pow10 holds the powers of ten that a double represents exactly.
var pow10 = [23]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

var (
	errRange    = errors.New("number out of range")
	errFraction = errors.New("expected a whole number, found a fraction")
	errNumber   = errors.New("not a number")
)

// parseDouble is strconv.ParseFloat without its words.
func parseDouble(text []byte) (float64, error) {
	v, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, strconv.ErrRange):
		return 0, errRange
	}
	return 0, errNumber
}

// parseDecimal gives the value of a decimal number times 10^shift, rounded
// towards minus infinity, and whether that is exact. It computes on the
// digits and works for any length and exponent.
func parseDecimal(text []byte, shift int) (v int64, exact bool, err error) {
	i, neg := 0, false
	if i < len(text) && (text[i] == '-' || text[i] == '+') {
		neg = text[i] == '-'
		i++
	}
	start, end, point := i, len(text), -1
	exponent := 0
scan:
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c == '.' && point < 0:
			point = i
		case c == 'e' || c == 'E':
			end = i
			if exponent, err = strconv.Atoi(string(text[i+1:])); err != nil && !errors.Is(err, strconv.ErrRange) {
				return 0, false, errNumber
			}
			exponent = min(max(exponent, -1<<30), 1<<30) // Atoi gives the nearest int when out of range
			break scan
		case c < '0' || c > '9':
			return 0, false, errNumber
		}
	}
	whole := end - start // digits before the decimal point of the result
	if point >= 0 {
		whole = point - start
	}
	whole += exponent + shift
	magnitude, exact, err := digitsBelow(text[start:end], whole)
	switch {
	case err != nil:
		return 0, false, err
	case !neg && magnitude <= math.MaxInt64:
		return int64(magnitude), exact, nil
	case neg && !exact && magnitude < 1<<63:
		return -int64(magnitude) - 1, false, nil
	case neg && exact && magnitude <= 1<<63:
		return -int64(magnitude), true, nil // -(-2^63) wraps to itself
	}
	return 0, false, errRange
}

// digitsBelow reads the first whole digits of a string of digits and one
// optional point as an integer, filled up with zeros, and tells whether the rest is zero.
func digitsBelow(digits []byte, whole int) (v uint64, exact bool, err error) {
	exact = true
	n, count := 0, 0
	for _, c := range digits {
		if c == '.' {
			continue
		}
		count++
		d := uint64(c - '0')
		if n >= whole {
			exact = exact && d == 0
			continue
		}
		n++
		if v > (math.MaxUint64-d)/10 {
			return 0, false, errRange
		}
		v = 10*v + d
	}
	if count == 0 {
		return 0, false, errNumber
	}
	for ; n < whole && v != 0; n++ {
		if v > math.MaxUint64/10 {
			return 0, false, errRange
		}
		v *= 10
	}
	return v, exact, nil
}
