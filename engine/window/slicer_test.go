package window

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the same rules on every machine that runs the tests

	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

const (
	hour = int64(3600) * 1_000_000
	day  = 24 * hour
)

func testZone(t testing.TB, name string) *zone.Zone {
	t.Helper()
	if name == "" {
		return nil
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zone.New(zone.Rules(l, time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func tumbling(size int64) *plan.WindowSpec {
	return &plan.WindowSpec{Kind: plan.WindowSpec_TUMBLING, SizeMicros: size}
}

func hopping(size, every int64) *plan.WindowSpec {
	return &plan.WindowSpec{Kind: plan.WindowSpec_HOPPING, SizeMicros: size, EveryMicros: every}
}

func cumulative(size, step int64) *plan.WindowSpec {
	return &plan.WindowSpec{Kind: plan.WindowSpec_CUMULATIVE, SizeMicros: size, EveryMicros: step}
}

func session(gap int64) *plan.WindowSpec {
	return &plan.WindowSpec{Kind: plan.WindowSpec_SESSION, EveryMicros: gap}
}

// setSpecs gives a window other specs, as the compiler does.
func setSpecs(w *plan.Window, zone string, specs ...*plan.WindowSpec) {
	w.Windows, w.TimeZone, w.SliceMicros = specs, zone, 0
	for _, s := range specs {
		if s.Kind != plan.WindowSpec_SESSION {
			w.SliceMicros = gcd(w.SliceMicros, gcd(s.SizeMicros, s.EveryMicros))
		}
	}
}

func newTestSlicer(t testing.TB, zoneName string, specs ...*plan.WindowSpec) *slicer {
	t.Helper()
	w := &plan.Window{}
	setSpecs(w, zoneName, specs...)
	s, err := newSlicer(w)
	if err == nil {
		err = s.setZone(zoneName, testZone(t, zoneName))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// naiveWindows lists the windows of a spec that contain t, straight from their definition.
func naiveWindows(p *plan.WindowSpec, z *zone.Zone, t int64) []span {
	if p.SizeMicros < hour {
		z = nil
	}
	every, lengths := p.SizeMicros, []int64{p.SizeMicros}
	switch p.Kind {
	case plan.WindowSpec_HOPPING:
		every = p.EveryMicros
	case plan.WindowSpec_CUMULATIVE:
		lengths = nil
		for l := p.EveryMicros; l <= p.SizeMicros; l += p.EveryMicros {
			lengths = append(lengths, l)
		}
	}
	var out []span
	near, off := t/every*every, 2*every // off: how far the clock may be from UTC
	if z != nil {
		off += 2 * day / every * every
	}
	for at := near - p.SizeMicros/every*every - off; at <= near+off; at += every {
		for _, l := range lengths {
			if w := (span{z.Reach(at), z.Reach(at + l)}); w.start <= t && t < w.end && !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return out
}

func TestSlicesFeedTheWindowsThatContainThem(t *testing.T) {
	for _, c := range []struct {
		zone  string
		specs []*plan.WindowSpec
	}{
		{"", []*plan.WindowSpec{tumbling(10)}},
		{"", []*plan.WindowSpec{hopping(60, 10)}},
		{"", []*plan.WindowSpec{hopping(50, 20)}},
		{"", []*plan.WindowSpec{hopping(20, 50)}},
		{"", []*plan.WindowSpec{cumulative(60, 10)}},
		{"", []*plan.WindowSpec{tumbling(10), hopping(60, 10), cumulative(30, 15)}},
		{"", []*plan.WindowSpec{tumbling(10), hopping(10, 10), tumbling(10)}},
		{"Europe/Paris", []*plan.WindowSpec{tumbling(10)}},
		{"Europe/Paris", []*plan.WindowSpec{tumbling(day)}},
		{"Europe/Paris", []*plan.WindowSpec{hopping(30*day, day)}},
		{"America/New_York", []*plan.WindowSpec{hopping(3*hour, hour/2)}},
		{"America/New_York", []*plan.WindowSpec{cumulative(day, hour)}},
		{"Australia/Lord_Howe", []*plan.WindowSpec{tumbling(hour), tumbling(hour / 6), tumbling(day)}},
		{"America/St_Johns", []*plan.WindowSpec{tumbling(day), tumbling(7 * 60 * 1_000_000)}},
		{"Africa/Casablanca", []*plan.WindowSpec{hopping(2*hour, hour/4)}},
		{"Asia/Kathmandu", []*plan.WindowSpec{tumbling(hour)}},
		{"Pacific/Apia", []*plan.WindowSpec{tumbling(day), hopping(hour, hour/2)}},
	} {
		s := newTestSlicer(t, c.zone, c.specs...)
		z := testZone(t, c.zone)
		r := rand.New(rand.NewPCG(5, 5))
		years := int64(120) * 365 * day
		for range 400 {
			at := r.Int64N(years) - years/2
			if c.zone != "" && r.IntN(2) == 0 { // near a change of the clock
				a, b := at, at+200*day
				for b-a > 1 && z.Local(a)-a != z.Local(b)-b {
					if m := a + (b-a)/2; z.Local(m)-m == z.Local(a)-a {
						a = m
					} else {
						b = m
					}
				}
				at = b + r.Int64N(5*hour) - 5*hour/2
			} else if c.zone == "" {
				at = r.Int64N(1000) - 500
			}
			checkSlice(t, s, z, c.specs, at, fmt.Sprintf("%s %v at %d", c.zone, c.specs, at))
		}
	}
}

func checkSlice(t *testing.T, s *slicer, z *zone.Zone, specs []*plan.WindowSpec, at int64, what string) {
	t.Helper()
	sl, ok := s.sliceOf(at)
	if !ok || at < sl.start || at >= sl.end || !s.valid(sl) {
		t.Fatalf("%s: slice %v", what, sl)
	}
	if s.valid(span{sl.start, sl.end + 1}) || s.valid(span{sl.start - 1, sl.end}) {
		t.Fatalf("%s: slices that do not exist are valid", what)
	}
	for _, other := range []int64{sl.start, sl.end - 1} {
		if got, _ := s.sliceOf(other); got != sl {
			t.Fatalf("%s: slice %v, and %v of %d", what, sl, got, other)
		}
	}
	var want []span
	for _, p := range specs {
		for _, w := range naiveWindows(p, z, at) {
			if !slices.Contains(want, w) {
				want = append(want, w)
			}
		}
	}
	slices.SortFunc(want, span.compare)
	if got := s.windowsOf(sl, []span{{1, 2}}); !slices.Equal(got[1:], want) {
		t.Fatalf("%s, slice %v: windows %v, want %v", what, sl, got[1:], want)
	}
	for _, w := range want {
		if sl.start < w.start || sl.end > w.end {
			t.Fatalf("%s: slice %v is cut by the window %v", what, sl, w)
		}
	}
}

func TestSessionSlices(t *testing.T) {
	s := newTestSlicer(t, "", session(10))
	if sl, ok := s.sliceOf(5); !ok || sl != (span{5, 15}) {
		t.Errorf("slice of 5 is %v", sl)
	}
	for sl, want := range map[span]bool{{5, 15}: true, {5, 14}: false, {5, 100}: true, {1 << 62, 1<<62 + 10}: false, {5, 1 << 62}: false, {-1 << 63, 1<<63 - 1}: false} {
		if s.valid(sl) != want {
			t.Errorf("valid(%v) is not %t", sl, want)
		}
	}
}
