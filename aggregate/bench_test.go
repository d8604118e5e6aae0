package aggregate

import (
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// Benchmarks add batches of 4,096 sensor rows of 1,000 devices.
func benchmarkColumn(t batch.Type) (*batch.Column, []int64, []uint32) {
	r := rand.New(rand.NewPCG(1, 2))
	col, slots, times := &batch.Column{Type: t}, make([]uint32, 4096), make([]int64, 4096)
	for i := range slots {
		slots[i], times[i] = uint32(r.IntN(1000)), int64(i)
		v := 200 + r.IntN(150)
		switch t {
		case batch.Double:
			putDouble(col, float64(v)/10)
		case batch.Int:
			putInt(col, int64(v))
		case batch.String:
			putString(col, string(rune('a'+v%20)))
		}
	}
	return col, times, slots
}

func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		kind string
		typ  batch.Type
	}{{Count, batch.Double}, {Sum, batch.Double}, {Sum, batch.Int}, {Min, batch.Double}, {Max, batch.Double}, {Min, batch.Int},
		{Max, batch.String}, {First, batch.Double}, {Last, batch.Double}, {Last, batch.String}, {Moments, batch.Double}} {
		for _, nulls := range []bool{false, true} {
			name := c.kind + "/" + c.typ.String()
			if nulls {
				name += "/nulls"
			}
			b.Run(name, func(b *testing.B) {
				col, times, slots := benchmarkColumn(c.typ)
				if nulls {
					col.Valid = batch.NewBitmap(len(slots), true)
					col.Valid.Clear(17)
				}
				a, err := New(specOf(c.kind, c.typ))
				if err != nil {
					b.Fatal(err)
				}
				a.Grow(1000)
				a.Add(slots, col, times, nil)
				b.ReportAllocs()
				rows := 0
				for b.Loop() {
					a.Add(slots, col, times, nil)
					rows += len(slots)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
			})
		}
	}
}

func BenchmarkFinishStddev(b *testing.B) {
	col, times, slots := benchmarkColumn(batch.Double)
	a, err := New(specOf(Moments, batch.Double))
	if err != nil {
		b.Fatal(err)
	}
	a.Grow(1000)
	for range 10 {
		a.Add(slots, col, times, nil)
	}
	out := batch.Column{Type: batch.Double}
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := Finish("stddev_samp", 0, []Accumulator{a}, slots, &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(slots)), "ns/value")
}
