package expr_test

import (
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/sql"
	"github.com/leatio/leat/engine/zone"
)

var benchSchema = batch.Schema{
	{Name: "device", Type: batch.String}, {Name: "ts", Type: batch.Timestamp}, {Name: "temp", Type: batch.Double}, {Name: "humidity", Type: batch.Double}, {Name: "i", Type: batch.Int},
}

func benchBatch(n int) *batch.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	b := batch.New(benchSchema)
	b.N = n
	b.Cols[0].Dict = batch.NewDict()
	for i := range n {
		b.Cols[0].Codes = append(b.Cols[0].Codes, b.Cols[0].Dict.CodeString("device-"+string(rune('a'+i%26))))
		b.Cols[1].Ints = append(b.Cols[1].Ints, int64(i)*1_000_000)
		b.Cols[2].Doubles = append(b.Cols[2].Doubles, 20+10*r.NormFloat64())
		b.Cols[3].Doubles = append(b.Cols[3].Doubles, 50+20*r.NormFloat64())
		b.Cols[4].Ints = append(b.Cols[4].Ints, r.Int64N(1000))
	}
	return b
}

// paris knows every zone.
type paris struct{}

func (paris) Zone(string) error      { return nil }
func (paris) ZoneParam(string) error { return nil }

func mustCompile(t testing.TB, text string, in batch.Schema) *expr.Program {
	t.Helper()
	e, err := sql.Bind(text, sql.Scope{Columns: in, Zones: paris{}})
	if err != nil {
		t.Fatal(err)
	}
	// An hour is added in 1970-01-01T05:00Z and taken back at 15:00Z.
	z, err := zone.New(3600, []zone.Change{{At: 5 * 3600, Offset: 7200}, {At: 15 * 3600, Offset: 3600}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := expr.Compile(e, in, expr.Env{Zones: map[string]*zone.Zone{"Europe/Paris": z}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What a pipeline evaluates again and again allocates nothing.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	for _, text := range []string{
		"temp > 35", "temp BETWEEN -40 AND 85 AND humidity >= 0", "temp * 1.8 + 32", "i / 7 % 3 - i * 2", "round(temp, 1)", "ln(abs(temp) + 1)",
		"CASE WHEN temp > 20 THEN temp ELSE humidity END", "coalesce(temp, 0) > 3 OR i IN (1, 2, 3)", "temp::int", "sqrt(abs(temp)) < power(humidity, 2)",
		"date_trunc('hour', ts)", "extract(hour FROM ts)", "device = 'device-c'", "lower(device)", "device LIKE '%-c' OR device LIKE '%-d'", "upper(substr(device, 1, 3)) || '!'", "temp > 0 AND temp < 60 AND humidity >= 20", "i IN (1, 2) AND i BETWEEN 0 AND 5", "extract(hour FROM ts AT TIME ZONE 'Europe/Paris')", "date_trunc('day', ts, 'Europe/Paris')", "sqrt(abs(temp)) + sqrt(abs(temp))", "NOT (i IS NULL)",
	} {
		b := benchBatch(4096)
		p := mustCompile(t, text, benchSchema)
		var dst []uint32
		selections := [][]uint32{nil, {1, 5, 700}}
		run := func() {
			for _, sel := range selections {
				b.Sel = sel
				if _, err := p.Eval(b, nil); err != nil {
					t.Fatal(err)
				}
				if p.Type() == batch.Bool {
					var err error
					if dst, err = p.Filter(b, dst, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		run()
		if n := testing.AllocsPerRun(20, run); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func BenchmarkWhere(b *testing.B) {
	for _, tt := range []struct{ name, text string }{
		{"comparison", "temp > 20"},
		{"three-comparisons", "temp > 0 AND temp < 60 AND humidity >= 20"},
		{"or", "temp > 25 OR humidity > 60"},
		{"device", "device = 'device-c'"},
		{"like", "device LIKE '%-c'"},
		{"in", "i IN (1, 2, 3)"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			in := benchBatch(4096)
			p := mustCompile(b, tt.text, benchSchema)
			var dst []uint32
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				var err error
				if dst, err = p.Filter(in, dst, nil); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b)
		})
	}
}

func perRow(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/row")
}

func BenchmarkEval(b *testing.B) {
	for _, tt := range []struct{ name, text string }{
		{"fahrenheit", "temp * 1.8 + 32"},
		{"int-arithmetic", "i * 3 + i"},
		{"int-division", "i / 7"},
		{"case", "CASE WHEN temp > 20 THEN temp ELSE humidity END"},
		{"round1", "round(temp, 1)"},
		{"ln", "ln(abs(temp) + 1)"},
		{"exp", "exp(temp / 100)"},
		{"power", "power(humidity, 1.5)"},
		{"date_trunc-hour", "date_trunc('hour', ts)"},
		{"date_trunc-month", "date_trunc('month', ts)"},
		{"hour-in-zone", "extract(hour FROM ts AT TIME ZONE 'Europe/Paris')"},
		{"lower", "lower(device)"},
	} {
		for _, sel := range []string{"dense", "half"} {
			b.Run(tt.name+"/"+sel, func(b *testing.B) {
				in := benchBatch(4096)
				if sel == "half" {
					in.Sel = nil
					for i := range in.N / 2 {
						in.Sel = append(in.Sel, uint32(2*i))
					}
				}
				p := mustCompile(b, tt.text, benchSchema)
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					if _, err := p.Eval(in, nil); err != nil {
						b.Fatal(err)
					}
				}
				perRow(b)
			})
		}
	}
}
