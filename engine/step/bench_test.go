package step

import (
	"fmt"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// steady gives steps and batches of 4,096 rows of 1,000 keys.
func steady(t testing.TB, csv string) map[string]Step {
	when := call(batch.Bool, ">", column(3, batch.Double), number(1e9))
	mk := func(s Step, err error) Step {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := []uint32{0}
	out := append(append(batch.Schema{}, rowSchema...), batch.Field{Name: "floor", Type: batch.Int})
	tab := sites(t, csv)
	return map[string]Step{
		"alert":   mk(NewAlert(&plan.Alert{Keys: one, TimeColumn: 2, When: when, SilentMicros: 3600 * second}, rowSchema, alertSchema(rowSchema), Config{})),
		"changed": mk(NewChanged(&plan.Changed{Keys: one, TimeColumn: 2, HasTime: true, HeartbeatMicros: 60 * second, Columns: []*plan.ChangedColumn{{Column: 3, Deadband: 0.5}}}, rowSchema, Config{})),
		"sample":  mk(NewSample(&plan.Sample{Keys: one, TimeColumn: 2, EveryMicros: 60 * second}, rowSchema, Config{})),
		"dedupe":  mk(NewDedupe(&plan.Dedupe{Keys: one, TimeColumn: 2, WithinMicros: 60 * second}, rowSchema, Config{})),
		"lookup":  mk(NewJoin(&plan.LookupJoin{Keys: one, On: []string{"id"}, Columns: []string{"floor"}}, rowSchema, out, tab, false)),
	}
}

// steadyRows makes the next batch: ten rows a millisecond.
type steadyRows struct {
	b   *batch.Batch
	wms []int64
	now int64
}

func newSteadyRows() *steadyRows {
	r := &steadyRows{now: 1_700_000_000 * second}
	var rows []row
	for i := range 4096 {
		rows = append(rows, row{site: fmt.Sprint("site-", i%1000), v: float64(i%7) / 10})
	}
	r.b, r.wms = batchOf(rows, batch.NewDict(), batch.NewDict())
	return r
}

func (r *steadyRows) next() {
	for i := range r.b.N {
		r.wms[i] = r.now
		r.now += 100
		r.b.Cols[2].Ints[i] = r.now
	}
}

func manySites() string {
	s := "id,no,name,limit,floor,live,key\n"
	for i := range 1000 {
		s += fmt.Sprintf("site-%d,0,n,1,%d,true,\n", i, i)
	}
	return s
}

// TestSteadyStateDoesNotAllocate: once keys are known, batches cost no memory.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	emit := func(*batch.Batch, []int64) error { return nil }
	for name, s := range steady(t, manySites()) {
		rows := newSteadyRows()
		step := func() {
			rows.next()
			if err := s.Process(rows.b, rows.wms, emit); err != nil {
				t.Fatal(err)
			}
			if err := s.Advance(rows.now, emit); err != nil {
				t.Fatal(err)
			}
		}
		for range 300 {
			step()
		}
		if n := testing.AllocsPerRun(50, step); n > 1 {
			t.Errorf("%s: %g allocations for a batch of 4,096 rows", name, n)
		}
	}
}

func BenchmarkSteps(b *testing.B) {
	emit := func(*batch.Batch, []int64) error { return nil }
	for name, s := range steady(b, manySites()) {
		b.Run(name, func(b *testing.B) {
			rows := newSteadyRows()
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				rows.next()
				b.StartTimer()
				if err := s.Process(rows.b, rows.wms, emit); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/row")
		})
	}
}
