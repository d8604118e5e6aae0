package aggregate

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// benchmarkColumn is a batch of 4,096 sensor rows of many devices.
func benchmarkColumn(t batch.Type, keys int) (*batch.Column, []int64, []uint32) {
	r := rand.New(rand.NewPCG(1, 2))
	col, slots, times := &batch.Column{Type: t}, make([]uint32, 4096), make([]int64, 4096)
	for i := range slots {
		slots[i], times[i] = uint32(r.IntN(keys)), int64(i)
		v := 200 + r.IntN(150)
		switch t {
		case batch.Double:
			putDouble(col, float64(v)/10)
		case batch.Int:
			putInt(col, int64(v))
		case batch.String:
			putString(col, string(rune('a'+v%20)))
		case batch.Bool:
			putBool(col, v%2 == 0)
		}
	}
	return col, times, slots
}

// BenchmarkAdd gives the cost of a row and the memory of a slot by the number of keys.
func BenchmarkAdd(b *testing.B) {
	for _, c := range []Spec{
		{Kind: Count}, {Kind: Sum, In: batch.Double}, {Kind: Sum, In: batch.Int}, {Kind: Min, In: batch.Double},
		{Kind: Max, In: batch.Double}, {Kind: Min, In: batch.Int}, {Kind: Min, In: batch.Bool}, {Kind: Max, In: batch.String},
		{Kind: First, In: batch.Double}, {Kind: Last, In: batch.Double}, {Kind: Last, In: batch.String},
		{Kind: Moments, In: batch.Double}, {Kind: DDSketch, In: batch.Double, Param: ddAccuracy},
		{Kind: HyperLogLog, In: batch.Double, Param: hllBits}, {Kind: HyperLogLog, In: batch.String, Param: hllBits},
		{Kind: SpaceSaving, In: batch.String, Param: 100}, {Kind: SpaceSaving, In: batch.Double, Param: 100}, {Kind: Increase, In: batch.Int},
	} {
		for _, keys := range []int{1, 1000, 100_000} {
			b.Run(fmt.Sprintf("%s/keys=%d", c, keys), func(b *testing.B) { benchmarkAdd(b, c, keys) })
		}
	}
}

func benchmarkAdd(b *testing.B, s Spec, keys int) {
	type input struct {
		col   *batch.Column
		times []int64
		slots []uint32
	}
	var in []input
	for range max(1, keys/4096*4) { // four rows a key, so that the slots do not stay in the cache
		col, times, slots := benchmarkColumn(s.In, keys)
		if len(in) > 0 {
			shift := uint32(len(in)) * 7919
			for i := range slots {
				slots[i] = (slots[i] + shift) % uint32(keys)
			}
		}
		in = append(in, input{col, times, slots})
	}
	a, err := New(s)
	if err != nil {
		b.Fatal(err)
	}
	a.Grow(keys)
	all := make([]uint32, keys)
	for i := range all {
		all[i] = uint32(i)
	}
	for _, x := range in {
		a.Add(x.slots, x.col, x.times, nil)
	}
	a.Clear(all)
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		x := &in[rows/4096%len(in)]
		if s.Kind == Increase && rows%(len(in)*4096*64) == 0 {
			a.Clear(all) // else it holds more than any slice
		}
		for i := range x.times {
			x.times[i] += 4096
		}
		a.Add(x.slots, x.col, x.times, nil)
		rows += len(x.slots)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
	b.ReportMetric(float64(a.SizeBytes())/float64(keys), "B/slot")
}

// BenchmarkSlotBytes gives the memory of a slot of the aggregates that most windows have.
func BenchmarkSlotBytes(b *testing.B) {
	const keys = 100_000
	for b.Loop() {
		total := 0
		for _, kind := range []string{Count, Sum, Min, Max} {
			a, err := New(specOf(kind, batch.Double))
			if err != nil {
				b.Fatal(err)
			}
			a.Grow(keys)
			total += a.SizeBytes()
		}
		b.ReportMetric(float64(total)/keys, "B/slot")
	}
}

// BenchmarkMergeFrom merges 1,000 slots of 20 rows.
func BenchmarkMergeFrom(b *testing.B) {
	for _, kind := range []string{Count, Sum, Min, Moments, DDSketch, HyperLogLog, SpaceSaving, Increase} {
		b.Run(kind, func(b *testing.B) {
			from, err := New(specOf(kind, batch.Double))
			if err != nil {
				b.Fatal(err)
			}
			into, err := New(specOf(kind, batch.Double))
			if err != nil {
				b.Fatal(err)
			}
			from.Grow(1000)
			into.Grow(1000)
			col, times, slots := benchmarkColumn(batch.Double, 1000)
			for range 5 {
				from.Add(slots, col, times, nil)
			}
			all := make([]uint32, 1000)
			for i := range all {
				all[i] = uint32(i)
			}
			into.MergeFrom(all, from, all)
			b.ReportAllocs()
			for b.Loop() {
				into.MergeFrom(all, from, all)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/slot")
		})
	}
}

func BenchmarkFinishQuantile(b *testing.B) {
	a, err := New(specOf(DDSketch, batch.Double))
	if err != nil {
		b.Fatal(err)
	}
	a.Grow(1000)
	col, times, slots := benchmarkColumn(batch.Double, 1000)
	for range 10 {
		a.Add(slots, col, times, nil)
	}
	out := batch.Column{Type: batch.Double}
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := Finish("quantile", 0.99, []Accumulator{a}, slots, &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(slots)), "ns/value")
}

func BenchmarkFinishStddev(b *testing.B) {
	col, times, slots := benchmarkColumn(batch.Double, 1000)
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
