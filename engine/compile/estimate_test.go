package compile

import (
	"math"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	const file = `
name: x
source: {sim: {}, format: json, schema: {device: string, ts: timestamp_ms, temp: double}, event_time: {column: ts}}
FRESH
steps: [window: {by: [device], tumbling: 10s, emit: {n: count(*), s: sum(temp), lo: min(temp), hi: max(temp)}}]
sinks: [stdout: {}]
`
	for fresh, want := range map[string]struct{ partials, frames float64 }{
		"":                  {100, 1},      // each key once a second
		"freshness: window": {10, 0.1},     // each key once a slice
		"freshness: 20s":    {10, 0.05},    // two slices in each frame
		"freshness: 10ms":   {956.18, 100}, // ten rows at a time, of which few share a key
		"freshness: 1ms":    {1000, 1000},  // each row alone
	} {
		p, err := Compile([]byte(strings.Replace(file, "FRESH", fresh, 1)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		l := Explain(p).WithLoad(p, 1000, 100, 3).Load
		if l.Ports[0].PerSecond != want.partials || l.Ports[1].PerSecond != 0 || l.Frames != want.frames {
			t.Errorf("%q: %+v, want %+v", fresh, l, want)
		}
		// 5.2 bytes of a partial of count, sum, min and max, as measured.
		if bytes := 5.2*want.partials + frameBytes*want.frames; math.Abs(l.BytesPerSecond-bytes) > bytes/50 || math.Abs(l.FleetBytes-3*l.BytesPerSecond) > 1 {
			t.Errorf("%q: %g bytes a second, want about %g", fresh, l.BytesPerSecond, bytes)
		}
	}
}

func TestDifferent(t *testing.T) {
	for _, c := range []struct{ k, n, want float64 }{{1, 5, 1}, {1, 0.5, 0.5}, {10, 1, 1}, {2, 2, 1.5}, {100, 1e9, 100}, {1e9, 10, 10}} {
		if got := different(c.k, c.n); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%g keys, %g rows: %g, want %g", c.k, c.n, got, c.want)
		}
	}
}
