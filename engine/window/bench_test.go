package window

import (
	"fmt"
	"syscall"
	"testing"
	"time"

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

// BenchmarkPartial processes rows of 100 s of event time, ten a millisecond, and drains
// every second of them, as an agent does with the default freshness, or every 10 s.
func BenchmarkPartial(b *testing.B) {
	for _, c := range []struct {
		name    string
		devices int
		drain   int // batches
		specs   []*plan.WindowSpec
	}{
		{"tumbling/devices=1000", 1000, 25, []*plan.WindowSpec{tumbling(10_000_000)}},
		{"tumbling/devices=100000", 100_000, 25, []*plan.WindowSpec{tumbling(10_000_000)}},
		{"tumbling/devices=1000/drain=1s", 1000, 3, []*plan.WindowSpec{tumbling(10_000_000)}},
		{"hopping/devices=1000", 1000, 25, []*plan.WindowSpec{hopping(60_000_000, 1_000_000)}},
		{"hopping/devices=1000/drain=1s", 1000, 3, []*plan.WindowSpec{hopping(60_000_000, 1_000_000)}},
		{"session/devices=1000", 1000, 25, []*plan.WindowSpec{session(5_000_000)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := climateWindow(b)
			setSpecs(w, "", c.specs...)
			batches := climateBatches(c.devices, 1_000_000)
			p := newTestPartial(b, w, stringKey, PartialConfig{})
			out := batch.New(p.shape.partial)
			watermarks := make([]int64, benchmarkBatch)
			rows, partials, i := 0, 0, 0
			b.ReportAllocs()
			start := cpu(b)
			for b.Loop() {
				if err := p.Process(batches[i%len(batches)], watermarks); err != nil {
					b.Fatal(err)
				}
				rows += benchmarkBatch
				if i++; i%c.drain == 0 {
					out.Reset()
					p.Drain(out)
					partials += out.N
				}
			}
			reportRows(b, rows, start)
			b.ReportMetric(float64(partials)/float64(rows), "partials/row")
		})
	}
}

// cpu is the processor time used so far: what others on the machine do shows less in it.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportRows(b *testing.B, rows int, since time.Duration) {
	used := cpu(b) - since
	b.ReportMetric(float64(used.Nanoseconds())/float64(rows), "cpu-ns/row")
	b.ReportMetric(float64(rows)/used.Seconds(), "rows/cpu-s")
}

// BenchmarkPartialProcess leaves the drains out.
func BenchmarkPartialProcess(b *testing.B) {
	const forwardedRows, twoKeys = 1, 2
	for _, c := range []struct {
		name    string
		devices int
		late    int64 // rows come up to that long after newer ones
		how     int
		specs   []*plan.WindowSpec
	}{
		{"tumbling/devices=1000", 1000, 0, 0, []*plan.WindowSpec{tumbling(10_000_000)}},
		{"tumbling/devices=100000", 100_000, 0, 0, []*plan.WindowSpec{tumbling(10_000_000)}},
		{"hopping/devices=1000", 1000, 0, 0, []*plan.WindowSpec{hopping(60_000_000, 1_000_000)}},
		{"hopping/devices=1000/disorder=5s", 1000, 5_000_000, 0, []*plan.WindowSpec{hopping(60_000_000, 1_000_000)}},
		{"hopping/devices=1000/disorder=30s", 1000, 30_000_000, 0, []*plan.WindowSpec{hopping(60_000_000, 1_000_000)}},
		{"session/devices=1000", 1000, 0, 0, []*plan.WindowSpec{session(5_000_000)}},
		{"tumbling/devices=1000/keys=2", 1000, 0, twoKeys, []*plan.WindowSpec{tumbling(10_000_000)}},
		{"forwarded/devices=100000", 100_000, 0, forwardedRows, []*plan.WindowSpec{tumbling(10_000_000)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := climateWindow(b)
			setSpecs(w, "", c.specs...)
			w.ForwardRows = c.how == forwardedRows
			if c.how == twoKeys { // the device and an integer
				w.Keys, w.KeyColumns = append(w.Keys, &plan.Column{Name: "n", Type: uint32(batch.Int)}), append(w.KeyColumns, 1+colN)
			}
			batches := climateBatches(c.devices, 200_000)
			watermarks := make([]int64, benchmarkBatch)
			for k, x := range batches {
				for i := range x.Cols[1].Ints {
					if c.late > 0 {
						x.Cols[1].Ints[i] -= int64(uint64(k*benchmarkBatch+i) * 0x9E3779B97F4A7C15 >> 20 % uint64(c.late))
					}
				}
			}
			p := newTestPartial(b, w, stringKey, PartialConfig{CanForward: true})
			rows, i := 0, 0
			out := batch.New(p.shape.rows)
			b.ReportAllocs()
			start := cpu(b)
			for b.Loop() {
				if err := p.Process(batches[i%len(batches)], watermarks); err != nil {
					b.Fatal(err)
				}
				rows += benchmarkBatch
				if i++; c.how == forwardedRows && i%25 == 0 {
					out.Reset()
					p.DrainRows(out)
				}
			}
			reportRows(b, rows, start)
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
