package engine_test

import (
	"fmt"
	"testing"

	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
)

// The reference workload: ten rows a millisecond of 1,000 devices.
const climateFile = `name: climate
source:
  file: {path: "-"}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double, humidity: double}
  event_time: {column: ts, max_disorder: 5s}
steps:
  - where: temp > 0
%s
  - window:
      by: [device]
      tumbling: 10s
      emit: {n: count(*), temp_avg: avg(temp), temp_min: min(temp), temp_max: max(temp)}
sinks: [table: {name: climate}]
`

// climateRows gives batch after batch.
type climateRows struct {
	b   *batch.Batch
	now int64
}

func newClimateRows(p *plan.Plan, devices int) *climateRows {
	r := &climateRows{b: batch.New(p.Source.Schema()), now: 1_700_000_000_000_000}
	d := batch.NewDict()
	const n = 4096
	for i, f := range p.Source.Columns {
		c := &r.b.Cols[i]
		for k := range n {
			switch f.Name {
			case "device":
				c.Dict = d
				c.Codes = append(c.Codes, d.CodeString(fmt.Sprintf("dev-%06d", k*7919%devices)))
			case "ts":
				c.Ints = append(c.Ints, 0)
			default:
				c.Doubles = append(c.Doubles, float64(k%400)/10)
			}
		}
	}
	r.b.N = n
	return r
}

func (r *climateRows) next() *batch.Batch {
	for i := range r.b.Cols {
		for k := range r.b.Cols[i].Ints {
			r.b.Cols[i].Ints[k] = r.now
			r.now += 100
		}
	}
	return r.b
}

func climate(t testing.TB, steps string) (*plan.Plan, *engine.Edge) {
	t.Helper()
	p, err := compile.Compile(fmt.Appendf(nil, climateFile, steps), compile.Options{Lookups: tables{}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.NewEdge(p, engine.EdgeConfig{Lookups: content(sites)})
	if err != nil {
		t.Fatal(err)
	}
	return p, e
}

// climateSteps stand between where and window.
var climateSteps = map[string]string{
	"plain":   "",
	"add":     "  - add: {f: temp * 1.8 + 32, hot: \"temp > 30 AND humidity < 50\"}\n  - where: f > 33",
	"steps":   "  - dedupe: {by: [device], within: 1ms}\n    place: edge\n  - changed: {by: [device], columns: [temp], deadband: 0.1}\n  - sample: {by: [device], every: 100ms}",
	"looking": "  - lookup: {file: sites.csv, on: {device: id}, add: [site], schema: {id: string, site: string, limit_c: double}}\n  - where: site IS NULL OR site <> 'x'",
}

// TestTheEdgeDoesNotAllocatePerRow holds for the whole tree in steady state,
// flushes included.
func TestTheEdgeDoesNotAllocatePerRow(t *testing.T) {
	for name, steps := range climateSteps {
		p, e := climate(t, steps)
		rows := newClimateRows(p, 1000)
		n := 0
		process := func() {
			if err := e.Process(rows.next(), 0); err != nil {
				t.Fatal(err)
			}
			if n++; n%8 == 0 {
				if err := e.Flush(nil, func(uint32, *batch.Batch) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 160 {
			process()
		}
		if got := testing.AllocsPerRun(64, process); got > 8 {
			t.Errorf("%s: %g allocations for a batch of 4,096 rows", name, got)
		}
	}
}

func BenchmarkEdgeClimate(b *testing.B) {
	for name, steps := range climateSteps {
		for _, devices := range []int{1000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", name, devices), func(b *testing.B) {
				p, e := climate(b, steps)
				rows := newClimateRows(p, devices)
				n := 0
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					next := rows.next()
					b.StartTimer()
					if err := e.Process(next, 0); err != nil {
						b.Fatal(err)
					}
					if n++; n%24 == 0 {
						if err := e.Flush(nil, func(uint32, *batch.Batch) error { return nil }); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/row")
			})
		}
	}
}
