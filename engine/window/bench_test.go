package window

import (
	"fmt"
	"testing"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// climateWindow is count, avg, min and max of x by device in 10 s windows.
func climateWindow(b testing.TB) *plan.Window {
	w := testWindow(b, stringKey, 10_000_000, 0)
	w.Accumulators, w.Results = nil, nil
	for i, kind := range []string{aggregate.Count, aggregate.Sum, aggregate.Min, aggregate.Max} {
		a := &plan.Accumulator{Kind: kind, Column: int32(1 + colX), Type: uint32(batch.Double)}
		r := &plan.Result{Name: kind, Function: kind, Accumulators: []uint32{uint32(i)}, Type: uint32(batch.Double)}
		if kind == aggregate.Count {
			a.Column, a.Type, r.Type = -1, 0, uint32(batch.Int)
		}
		w.Accumulators, w.Results = append(w.Accumulators, a), append(w.Results, r)
	}
	return w
}

const benchmarkBatch = 4096

// climateBatches are rows of the devices in turn, ten a millisecond.
func climateBatches(devices, rows int) []*batch.Batch {
	dict := batch.NewDict()
	codes := make([]uint32, devices)
	for i := range codes {
		codes[i] = dict.CodeString(fmt.Sprintf("dev-%05d", i))
	}
	var out []*batch.Batch
	for n := 0; n < rows; {
		b := batch.New(rowSchema(stringKey))
		b.Cols[0].Dict = dict
		for range benchmarkBatch {
			d := uint64(n) * 0x9E3779B97F4A7C15 >> 33 % uint64(devices)
			b.Cols[0].Codes = append(b.Cols[0].Codes, codes[d])
			b.Cols[1].Ints = append(b.Cols[1].Ints, 1_700_000_000_000_000+int64(n)*100)
			b.Cols[2].Doubles = append(b.Cols[2].Doubles, float64(200+(n*7919)%150)/10)
			b.Cols[3].Ints = append(b.Cols[3].Ints, 1)
			b.Cols[4].Codes = append(b.Cols[4].Codes, 0)
			n++
		}
		b.Cols[4].Dict = dict
		b.N = benchmarkBatch
		out = append(out, b)
	}
	return out
}

// BenchmarkPartial processes a million rows of 100 s of event time and drains
// every 10 s of them.
func BenchmarkPartial(b *testing.B) {
	for _, devices := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			w := climateWindow(b)
			batches := climateBatches(devices, 1_000_000)
			p := newTestPartial(b, w, stringKey, PartialConfig{})
			schema, err := PartialSchema(w)
			if err != nil {
				b.Fatal(err)
			}
			out := batch.New(schema)
			watermarks := make([]int64, benchmarkBatch)
			rows, partials, i := 0, 0, 0
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Process(batches[i%len(batches)], watermarks); err != nil {
					b.Fatal(err)
				}
				rows += benchmarkBatch
				if i++; i%25 == 0 { // 100,000 rows
					out.Reset()
					p.Drain(out)
					partials += out.N
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(partials)/float64(rows), "partials/row")
		})
	}
}

// BenchmarkPartialProcess leaves the drains out.
func BenchmarkPartialProcess(b *testing.B) {
	for _, devices := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			batches := climateBatches(devices, 200_000)
			p := newTestPartial(b, climateWindow(b), stringKey, PartialConfig{})
			watermarks := make([]int64, benchmarkBatch)
			for _, x := range batches {
				if err := p.Process(x, watermarks); err != nil {
					b.Fatal(err)
				}
			}
			rows, i := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Process(batches[i%len(batches)], watermarks); err != nil {
					b.Fatal(err)
				}
				rows += benchmarkBatch
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkFinal merges ten deltas of a window and fires it.
func BenchmarkFinal(b *testing.B) {
	for _, devices := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			w := climateWindow(b)
			p := newTestPartial(b, w, stringKey, PartialConfig{})
			for _, x := range climateBatches(devices, 1_000_000)[:24] {
				if err := p.Process(x, nil); err != nil {
					b.Fatal(err)
				}
			}
			schema, err := PartialSchema(w)
			if err != nil {
				b.Fatal(err)
			}
			d := batch.New(schema)
			p.Drain(d)
			f := newTestFinal(b, w, FinalConfig{})
			partials, results := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				for range 10 {
					if err := f.Merge(d); err != nil {
						b.Fatal(err)
					}
					partials += d.N
				}
				end := d.Cols[2].Ints[0]
				if err := f.Advance(end, end, func(r *batch.Batch) error { results += r.N; return nil }); err != nil {
					b.Fatal(err)
				}
				for i := range d.N { // the next window
					d.Cols[1].Ints[i] += 10_000_000
					d.Cols[2].Ints[i] += 10_000_000
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(partials), "ns/partial")
			if results == 0 {
				b.Fatal("nothing fired")
			}
		})
	}
}
