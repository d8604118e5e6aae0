package simengine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// window is one window of the pipeline; times are milliseconds.
type window struct {
	kind        string // tumbling, hopping, cumulative, session
	size, every int64  // session: size is the gap
}

// world is a random pipeline and what its agents' sources give, from one seed.
type world struct {
	seed     uint64
	windows  []window
	zone     string // empty = UTC
	lateness int64
	disorder int64
	keys     []string
	where    float64
	having   int    // n >= having after the window; 0 = no such step
	chain    int64  // size of a second, tumbling window over the first; 0 = none
	early    int64  // 0 = none
	place    string // of the window; empty = the default
	groups   int    // bound on groups in a slice on an agent; 0 = the default
	streams  [][]row

	location   *time.Location  // of zone
	boundaries map[int64]int64 // found so far
}

// row is what a source gives, in order of arrival.
type row struct {
	device *string
	area   *int64
	ts     int64 // milliseconds
	temp   *float64
	on     *bool
}

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// newWorld makes the world of a seed.
func newWorld(seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 3))
	w := &world{seed: seed, keys: pick(rng, []string{"device"}, []string{"device", "area"}, []string{}, []string{"area"}), where: float64(rng.IntN(20)) / 2}
	unit, start := second, int64(1_700_000_000_000)
	if rng.IntN(4) == 0 { // days, also those of 23 and 25 hours
		unit = hour
		w.zone = pick(rng, "", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
		start = pick(rng, int64(1_711_670_400_000), 1_698_451_200_000, 1_699_056_000_000, 1_710_028_800_000) // March and autumn of 2023 and 2024
	}
	w.windows = randomWindows(rng, unit)
	if w.windows[0].kind == "session" {
		w.zone = ""
	}
	w.boundaries = map[int64]int64{}
	if w.zone != "" {
		var err error
		if w.location, err = time.LoadLocation(w.zone); err != nil {
			panic(err)
		}
	}
	w.lateness, w.disorder = pick(rng, 0, 3*unit, 60*unit), pick(rng, 0, unit/2, 5*unit)
	if rng.IntN(3) == 0 {
		w.having = 2 + rng.IntN(2)
	}
	if rng.IntN(4) == 0 && w.windows[0].kind != "session" && w.zone == "" {
		w.chain = pick(rng, 60*unit, 24*unit, w.windows[0].size)
	}
	if rng.IntN(5) == 0 {
		w.early = pick(rng, 2*unit, 15*unit)
	}
	if rng.IntN(6) == 0 {
		w.place = "cloud"
	}
	if rng.IntN(6) == 0 {
		w.groups = 1 + rng.IntN(10)
	}
	for range 1 + rng.IntN(5) {
		w.streams = append(w.streams, randomStream(rng, w, unit, start))
	}
	return w
}

func randomWindows(rng *rand.Rand, unit int64) []window {
	size := pick[int64](rng, 1, 7, 10, 24, 60) * unit
	one := func() window {
		switch rng.IntN(3) {
		case 0:
			return window{"tumbling", size, size}
		case 1:
			every := pick[int64](rng, 1, 2, 5) * unit
			return window{"hopping", every * pick[int64](rng, 2, 3, 7, 24), every}
		default:
			step := pick[int64](rng, 1, 2, 6) * unit
			return window{"cumulative", step * pick[int64](rng, 2, 4, 10), step}
		}
	}
	switch rng.IntN(8) {
	case 0, 1:
		return []window{{"session", pick[int64](rng, 1, 3, 20) * unit, 0}}
	case 2, 3:
		var several []window
		for range 2 + rng.IntN(2) {
			if w := one(); !slices.Contains(several, w) {
				several = append(several, w)
			}
		}
		return several
	default:
		return []window{one()}
	}
}

func randomStream(rng *rand.Rand, w *world, unit, start int64) []row {
	devices := pick(rng, 1, 4, 40)
	now := start + rng.Int64N(10*unit)
	step := pick(rng, unit/50, unit/5, unit)
	cancels := rng.IntN(4) == 0 // sums whose terms cancel
	var rows []row
	for range rng.IntN(400) {
		now += rng.Int64N(2*step + 1)
		if rng.IntN(80) == 0 {
			now += rng.Int64N(30 * unit) // a pause
		}
		r := row{ts: now}
		switch rng.IntN(16) {
		case 0:
			r.ts -= rng.Int64N(2 * (w.disorder + 1))
		case 1:
			r.ts -= rng.Int64N(w.windows[0].size + w.lateness + 10*unit)
		}
		if rng.IntN(20) > 0 {
			d := fmt.Sprintf("dev-%d", rng.IntN(devices))
			r.device = &d
		}
		if rng.IntN(20) > 0 {
			a := int64(rng.IntN(3))
			r.area = &a
		}
		if rng.IntN(12) > 0 {
			v := float64(rng.IntN(450))/10 - 5
			if cancels && rng.IntN(3) == 0 {
				v = pick(rng, 1e15, -1e15, 1e15+0.5, 3e9, 0.1)
			}
			r.temp = &v
		}
		if rng.IntN(5) > 0 {
			on := rng.IntN(2) == 0
			r.on = &on
		}
		rows = append(rows, r)
	}
	return rows
}

// spec writes a window as the pipeline file does.
func (s window) spec() string {
	switch s.kind {
	case "hopping":
		return fmt.Sprintf("hopping: {size: %dms, every: %dms}", s.size, s.every)
	case "cumulative":
		return fmt.Sprintf("cumulative: {size: %dms, step: %dms}", s.size, s.every)
	case "session":
		return fmt.Sprintf("session: {gap: %dms}", s.size)
	}
	return fmt.Sprintf("tumbling: %dms", s.size)
}

// pipeline is the world's pipeline file.
func (w *world) pipeline() string {
	var b strings.Builder
	fmt.Fprintf(&b, `name: w
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, area: int, ts: timestamp_ms, temp: double, on: bool}
  event_time: {column: ts, max_disorder: %dms, max_future: 0s}
away: {wait: 30s, keep: 3650d}
steps:
  - where: temp >= %g OR on
  - window:
      by: [%s]
      allowed_lateness: %dms
`, w.disorder, w.where, strings.Join(w.keys, ", "), w.lateness)
	if len(w.windows) == 1 {
		fmt.Fprintf(&b, "      %s\n", w.windows[0].spec())
	} else {
		b.WriteString("      windows:\n")
		for _, s := range w.windows {
			fmt.Fprintf(&b, "        - %s\n", s.spec())
		}
	}
	for key, value := range map[string]string{"time_zone": w.zone, "early": millis(w.early)} {
		if value != "" {
			fmt.Fprintf(&b, "      %s: %s\n", key, value)
		}
	}
	if w.groups > 0 {
		fmt.Fprintf(&b, "      groups: {max: %d, overflow: forward}\n", w.groups)
	}
	b.WriteString(`      emit: {n: count(*), some: count(temp), total: sum(temp), mean: avg(temp), low: min(temp), high: max(temp), oldest: first(temp), newest: last(temp), sd: stddev_pop(temp), any_on: bool_or("on")}
`)
	if w.place != "" {
		fmt.Fprintf(&b, "    place: %s\n", w.place)
	}
	if w.having > 0 {
		fmt.Fprintf(&b, "  - where: n >= %d\n", w.having)
	}
	if w.chain > 0 {
		fmt.Fprintf(&b, `  - window:
      by: [%s]
      tumbling: %dms
      emit: {n: count(*), rows: sum(n), total: sum(total), high: max(high)}
`, strings.Join(w.keys, ", "), w.chain)
	}
	b.WriteString("sinks:\n  - table: {name: results}\n")
	return b.String()
}

func millis(ms int64) string {
	if ms == 0 {
		return ""
	}
	return fmt.Sprintf("%dms", ms)
}
