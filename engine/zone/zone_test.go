package zone

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the same rules on every machine that runs the tests
)

var names = []string{"UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca", "Asia/Kathmandu",
	"Pacific/Apia", "Africa/Monrovia", "America/Argentina/San_Luis", "Antarctica/Troll", "Europe/Dublin"}

var (
	from = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	to   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

func load(t testing.TB, name string) (*Zone, *time.Location, []Change) {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	offset, changes := Rules(l, from, to)
	z, err := New(offset, changes)
	if err != nil {
		t.Fatal(err)
	}
	return z, l, changes
}

// instants are random ones, and many around changes.
func instants(r *rand.Rand, changes []Change, n int) []int64 {
	var out []int64
	for range n {
		t := from.UnixMicro() + r.Int64N(to.UnixMicro()-from.UnixMicro())
		if len(changes) > 0 && r.IntN(3) > 0 {
			t = changes[r.IntN(len(changes))].At * second
			switch r.IntN(3) {
			case 0:
				t += r.Int64N(5) - 2
			case 1:
				t += r.Int64N(4*3600*second) - 2*3600*second
			}
		}
		out = append(out, t)
	}
	return out
}

func localOf(l *time.Location, utc int64) int64 {
	t := time.UnixMicro(utc).In(l)
	_, offset := t.Zone()
	return utc + int64(offset)*second
}

func TestLocalEqualsTimeLocation(t *testing.T) {
	for _, name := range names {
		z, l, changes := load(t, name)
		r := rand.New(rand.NewPCG(1, 1))
		for _, utc := range instants(r, changes, 2000) {
			if got, want := z.Local(utc), localOf(l, utc); got != want {
				t.Fatalf("%s: Local(%s) is %d, want %d", name, time.UnixMicro(utc).UTC(), got, want)
			}
		}
	}
}

// UTC is compared with all offsets that the zone has near: the second of two instants, and the offset
// before a gap.
func TestUTCIsThatOfPostgreSQL(t *testing.T) {
	for _, name := range names {
		z, l, changes := load(t, name)
		r := rand.New(rand.NewPCG(2, 2))
		for _, utc := range instants(r, changes, 2000) {
			local := localOf(l, utc) + pick(r, 0, 0, 1, -1, r.Int64N(2*3600*second))
			want := int64(math.MinInt64)
			before := int64(0)
			for _, c := range append([]Change{{At: from.Unix()}}, changes...) {
				at := max(c.At*second, from.UnixMicro())
				if at-48*3600*second > local {
					break
				}
				offset := localOf(l, at) - at
				if at+offset <= local {
					before = local - offset
				}
				if at+offset <= local && localOf(l, local-offset) == local {
					want = max(want, local-offset)
				}
			}
			if want == math.MinInt64 {
				want = before // never shown
			}
			if got := z.UTC(local); got != want {
				t.Fatalf("%s: UTC(%s) is %s, want %s", name, time.UnixMicro(local).UTC(), time.UnixMicro(got).UTC(), time.UnixMicro(want).UTC())
			}
		}
	}
}

func TestKnownTimes(t *testing.T) {
	paris, _, _ := load(t, "Europe/Paris")
	parse := func(s string) int64 {
		v, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMicro()
	}
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"gap", paris.UTC(parse("2026-03-29 02:30")), parse("2026-03-29 01:30")},
		{"overlap", paris.UTC(parse("2026-10-25 02:30")), parse("2026-10-25 01:30")},
		{"reach in the gap", paris.Reach(parse("2026-03-29 02:30")), parse("2026-03-29 01:00")},
		{"reach in the overlap", paris.Reach(parse("2026-10-25 02:30")), parse("2026-10-25 00:30")},
		{"high in the overlap", paris.High(parse("2026-10-25 01:30")), parse("2026-10-25 03:00") - 1},
		{"high behind it", paris.High(parse("2026-10-25 02:30")), parse("2026-10-25 03:30")},
		{"day of 23 hours", paris.Reach(parse("2026-03-30 00:00")) - paris.Reach(parse("2026-03-29 00:00")), 23 * 3600 * second},
		{"day of 25 hours", paris.Reach(parse("2026-10-26 00:00")) - paris.Reach(parse("2026-10-25 00:00")), 25 * 3600 * second},
		{"nil is UTC", (*Zone)(nil).Local(7) + (*Zone)(nil).UTC(7) + (*Zone)(nil).High(7) + (*Zone)(nil).Reach(7), 28},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, time.UnixMicro(c.got).UTC(), time.UnixMicro(c.want).UTC())
		}
	}
}

// High is the running maximum and Reach the first instant with at least that maximum.
func TestReachIsTheInverseOfHigh(t *testing.T) {
	for _, name := range names {
		z, l, changes := load(t, name)
		r := rand.New(rand.NewPCG(3, 3))
		for _, utc := range instants(r, changes, 2000) {
			high := z.High(utc)
			want := localOf(l, utc)
			for _, c := range changes { // the clock before each change is where a maximum can stand
				if at := c.At * second; at <= utc {
					want = max(want, localOf(l, at-1))
				}
			}
			if high != want {
				t.Fatalf("%s: High(%s) is %s, want %s", name, time.UnixMicro(utc).UTC(), time.UnixMicro(high).UTC(), time.UnixMicro(want).UTC())
			}
			if got := z.Reach(high); got > utc || z.High(got) < high {
				t.Fatalf("%s: Reach(High(%d)) is %d", name, utc, got)
			}
			local := want + pick(r, 0, 1, -1, r.Int64N(3*3600*second))
			got := z.Reach(local)
			if z.High(got) < local || z.High(got-1) >= local {
				t.Fatalf("%s: Reach(%s) is %s, where the clock reached %s, and %s just before", name, time.UnixMicro(local).UTC(), time.UnixMicro(got).UTC(), time.UnixMicro(z.High(got)).UTC(), time.UnixMicro(z.High(got-1)).UTC())
			}
		}
	}
}

func TestBadRulesAreRefused(t *testing.T) {
	for _, changes := range [][]Change{{{At: 5, Offset: 90000}}, {{At: 5}, {At: 5}}, {{At: 5}, {At: 4}}, {{At: math.MaxInt64}}, {{At: math.MinInt64}}} {
		if _, err := New(0, changes); err == nil {
			t.Errorf("%v was taken", changes)
		}
	}
	if _, err := New(-90000, nil); err == nil {
		t.Error("an offset of 25 hours was taken")
	}
}

// Clocks that go back twice within a short time are odd, but legal.
func TestChangesInQuickSuccession(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 300 {
		at, changes := int64(0), []Change{}
		for range 1 + r.IntN(6) {
			at += 1 + r.Int64N(5000)
			changes = append(changes, Change{at, r.Int64N(7200) - 3600})
		}
		z, err := New(r.Int64N(7200)-3600, changes)
		if err != nil {
			t.Fatal(err)
		}
		high := int64(math.MinInt64)
		for s := int64(-9000); s < at+9000; s += 10 {
			utc := s * second
			i := slices.IndexFunc(z.periods, func(p period) bool { return utc < p.end })
			for _, p := range z.periods[:i] {
				high = max(high, p.end+p.offset-1)
			}
			high = max(high, utc+z.periods[i].offset)
			if got := z.High(utc); got != high {
				t.Fatalf("High(%d) is %d, want %d", utc, got, high)
			}
			if got := z.Reach(high); z.High(got) < high || z.High(got-1) >= high {
				t.Fatalf("Reach(%d) is %d", high, got)
			}
		}
	}
}

func pick[T any](r *rand.Rand, vs ...T) T { return vs[r.IntN(len(vs))] }

func BenchmarkLocal(b *testing.B) {
	z, _, _ := load(b, "Europe/Paris")
	t, sum := to.UnixMicro()-80*365*24*3600*second, int64(0)
	for i := range b.N {
		sum += z.Local(t + int64(i)*1000)
	}
	if sum == 0 {
		b.Fatal("no time")
	}
}
