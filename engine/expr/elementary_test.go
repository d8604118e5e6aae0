package expr

import (
	"math"
	"testing"
)

func TestElementaryAccuracy(t *testing.T) {
	worst := map[string]float64{}
	check := func(name string, got, want float64, args ...float64) {
		t.Helper()
		if got == want {
			return
		}
		ulp := math.Nextafter(math.Abs(want), math.Inf(1)) - math.Abs(want)
		err := math.Abs(got-want) / ulp
		worst[name] = max(worst[name], err)
		if err > 2.01 {
			t.Fatalf("%s(%v) = %v, math has %v (%v ulp)", name, args, got, want, err)
		}
	}
	x := 1e-300
	for range 20000 {
		check("ln", logarithm(x), math.Log(x), x)
		x *= 1.07
	}
	for i := range 20000 {
		v := -700 + float64(i)*0.0701
		if v < 709 {
			check("exp", exponential(v), math.Exp(v), v)
		}
	}
	// Whole powers of small numbers are exact, so that the error is ours alone.
	for b := 2.0; b < 20; b++ {
		want := 1.0
		for e := 0.0; want*b < 1<<53; e++ {
			if got := power(b, e); got != want {
				t.Errorf("power(%v, %v) = %v, want %v", b, e, got, want)
			}
			want *= b
		}
	}
	t.Log(worst)
}
