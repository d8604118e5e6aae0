package window

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

const second = int64(1_000_000)

// BenchmarkFinalHopping merges a partial for each of 1,000 keys a second and fires what is due: tumbling windows of
// 10 s, and hopping ones of 60 s each second.
func BenchmarkFinalHopping(b *testing.B) {
	for name, specs := range map[string][]*plan.WindowSpec{
		"tumbling=10s":            {tumbling(10 * second)},
		"hopping=60s/1s":          {hopping(60*second, second)},
		"hopping=60s/10s":         {hopping(60*second, 10*second)},
		"cumulative=60s/1s":       {cumulative(60*second, second)},
		"tumbling=10s+60s/1s+60s": {tumbling(10 * second), hopping(60*second, second), tumbling(60 * second)},
	} {
		b.Run(name, func(b *testing.B) {
			w := climateWindow(b)
			setSpecs(w, "", specs...)
			f := newTestFinal(b, w, FinalConfig{})
			p := newTestPartial(b, w, stringKey, PartialConfig{})
			for _, x := range climateBatches(1000, 9000) {
				if err := p.Process(x, nil); err != nil {
					b.Fatal(err)
				}
			}
			d := batch.New(f.shape.partial)
			p.Drain(d)
			partials, results := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				end := d.Cols[2].Ints[0]
				if err := f.Merge(d); err != nil {
					b.Fatal(err)
				}
				if err := f.Advance(end, end, func(r *batch.Batch) error { results += r.N; return nil }); err != nil {
					b.Fatal(err)
				}
				partials += d.N
				step := end - d.Cols[1].Ints[0]
				for i := range d.N { // the next slice
					for c := 1; c < 3; c++ {
						d.Cols[c].Ints[i] += step
					}
					if f.shape.firstEnd >= 0 {
						d.Cols[3].Ints[i] += step
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(partials), "ns/partial")
			if results > 0 {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(results), "ns/result")
			}
		})
	}
}

// BenchmarkFinalMemory measures the memory of a million keys with four aggregates each.
func BenchmarkFinalMemory(b *testing.B) {
	for b.Loop() {
		w := climateWindow(b)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		f := newTestFinal(b, w, FinalConfig{})
		p := batch.New(f.shape.partial)
		for i := range 1_000_000 {
			if p.N == 10_000 {
				p.Reset()
				p.Cols[0].Dict = nil
			}
			for k := range p.Cols {
				switch c := &p.Cols[k]; {
				case k == 0:
					appendValue(c, fmt.Sprintf("device-%07d", i))
				case k == 2:
					appendValue(c, 10*second)
				case c.Type == batch.Bytes:
					c.AppendNull()
				case c.Type == batch.Double:
					appendValue(c, float64(i))
				default:
					appendValue(c, int64(0))
				}
			}
			if p.N++; p.N == 10_000 {
				if err := f.Merge(p); err != nil {
					b.Fatal(err)
				}
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if f.States() != 1_000_000 {
			b.Fatalf("%d states", f.States())
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "heap-MB")
		b.ReportMetric(float64(f.SizeBytes())/1e6, "estimated-MB")
		if err := f.Advance(10*second, 0, func(*batch.Batch) error { return nil }); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "fired-heap-MB")
		runtime.KeepAlive(f)
	}
}
