package expr

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"
)

// The bits of 30,000 results; every machine must have the same.
func TestElementaryBits(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	h := fnv.New64a()
	for range 10_000 {
		x, y := 1400*(r.Float64()-0.5), 100*r.Float64()
		for _, v := range []float64{exponential(x), logarithm(y), power(y, float64(x/10))} {
			if err := binary.Write(h, binary.LittleEndian, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, want := h.Sum64(), uint64(0xda7337c18d84aed6); got != want {
		t.Errorf("%#x, want %#x", got, want)
	}
}

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
	// The error of math's functions counts here, too. Against 60 digits ours are below
	// 0.52 units. Whole powers of small numbers are exact, so that the error is ours alone.
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
