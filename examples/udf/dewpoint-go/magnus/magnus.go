// Package magnus computes the dew point by the Magnus formula.
//
// The constants over water are those of D. Sonntag, "Important new values of
// the physical constants of 1986, vapour pressure formulations based on the
// ITS-90, and psychrometer formulae", Zeitschrift für Meteorologie 70 (1990),
// pages 340-344, for -45 to 60 degrees Celsius.
package magnus

import "math"

const (
	b = 17.62
	c = 243.12 // degrees Celsius
)

// DewPoint is the dew point in degrees Celsius of air at temp degrees Celsius and humidity
// percent of relative humidity. A humidity that is not above 0 has none.
//
// The operations and their order are those of examples/udf/dewpoint-c, and every product is
// rounded by a conversion, so that no machine fuses it with a sum: all give the same bits.
func DewPoint(temp, humidity float64) (dew float64, ok bool) {
	if !(humidity > 0) || humidity > math.MaxFloat64 {
		return 0, false
	}
	gamma := (ln(humidity) - 4.605170185988091) + float64(b*temp)/(c+temp) // ln(humidity/100)
	return float64(c*gamma) / (b - gamma), true
}

// ln is the natural logarithm of a positive, finite x by the method of FreeBSD's
// e_log.c (Sun Microsystems, 1993): x = 2^k * (1+f) with 1+f between sqrt(2)/2
// and sqrt(2), s = f/(2+f), log(1+f) = f - f*f/2 + s*(f*f/2 + R(s*s)).
func ln(x float64) float64 {
	bits, k := math.Float64bits(x), int64(0)
	if bits < 0x0010000000000000 { // subnormal: times 2^54
		bits, k = math.Float64bits(x*18014398509481984), -54
	}
	k += int64(bits>>52) - 1022
	v := math.Float64frombits(bits&0x000fffffffffffff | 0x3fe0000000000000) // 1/2 <= v < 1
	if v < 0.70710678118654752440 {
		v *= 2
		k--
	}
	f := v - 1
	s := f / (2 + f)
	s2 := float64(s * s)
	s4 := float64(s2 * s2)
	n := float64(k)
	t1 := float64(s2 * (6.666666666666735130e-01 + float64(s4*(2.857142874366239149e-01+float64(s4*(1.818357216161805012e-01+float64(s4*1.479819860511658591e-01)))))))
	t2 := float64(s4 * (3.999999999940941908e-01 + float64(s4*(2.222219843214978396e-01+float64(s4*1.531383769920937332e-01)))))
	half := float64(float64(0.5*f) * f)
	return float64(n*6.93147180369123816490e-01) - ((half - (float64(s*(half+(t1+t2))) + float64(n*1.90821492927058770002e-10))) - f)
}
