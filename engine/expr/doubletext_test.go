package expr

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// PostgreSQL 15 wrote these.
func TestDoubleText(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		text string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {0.1, "0.1"}, {1e-4, "0.0001"}, {1e-5, "1e-05"}, {123456789012345, "123456789012345"}, {1e15, "1e+15"}, {-2.5, "-2.5"},
		{1e23, "9.999999999999999e+22"}, {-1e23, "-9.999999999999999e+22"}, {9e15, "9e+15"}, {3.876304254224498e+16, "3.8763042542244976e+16"}, {7.66279631452242e+16, "7.662796314522419e+16"},
		{math.MaxFloat64, "1.7976931348623157e+308"}, {5e-324, "5e-324"}, {math.Inf(-1), "-Infinity"}, {math.NaN(), "NaN"},
	} {
		if got := string(appendDouble(nil, tt.v)); got != tt.text {
			t.Errorf("%g is written %s, want %s", tt.v, got, tt.text)
		}
	}
}

func TestDoubleTextReadsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		v := math.Float64frombits(r.Uint64())
		if r.IntN(2) == 0 {
			v = math.Ldexp(float64(r.Int64N(1<<53)), r.IntN(80))
		}
		text := string(appendDouble([]byte("-x"), v))[2:]
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != v && v == v {
			t.Fatalf("%g is written %s", v, text)
		}
	}
}
