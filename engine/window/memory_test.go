package window

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// manyKeys are batches of the tests' row schema with keys of 10 bytes, each once, in one slice. They share a Dict
// for as long as a decoder would keep it.
func manyKeys(from, to int, dict *batch.Dict) *batch.Batch {
	b := batch.New(rowSchema(stringKey))
	b.Cols[0].Dict, b.Cols[4].Dict = dict, dict
	for i := from; i < to; i++ {
		b.Cols[0].Codes = append(b.Cols[0].Codes, dict.CodeString(fmt.Sprintf("dev-%06d", i)))
		b.Cols[1].Ints = append(b.Cols[1].Ints, 1_700_000_000_000_000)
		b.Cols[2].Doubles = append(b.Cols[2].Doubles, float64(i%150)/10)
		b.Cols[3].Ints = append(b.Cols[3].Ints, 1)
		b.Cols[4].Codes = append(b.Cols[4].Codes, 0)
		b.N++
	}
	return b
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// halves is what the two halves of a climate window hold, in bytes.
type halves struct{ partial, estimate, drained, final, finalEstimate int }

// memory gives what the halves hold for keys that have a row in each of some slices, and what a Partial holds after it was drained.
func memory(t testing.TB, keys, slices int) (h halves) {
	w := climateWindow(t)
	dict := batch.NewDict()
	before := heap()
	p := newTestPartial(t, w, stringKey, PartialConfig{MaxGroups: 2 * keys * slices, KeepKeys: 2 * keys * slices, KeepKeyBytes: 1 << 30})
	for s := range slices {
		for from := 0; from < keys; from += benchmarkBatch {
			b := manyKeys(from, min(keys, from+benchmarkBatch), dict)
			for i := range b.Cols[1].Ints {
				b.Cols[1].Ints[i] += int64(s) * 10_000_000
			}
			if err := p.Process(b, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.KeepAlive(dict)
	h.partial, h.estimate = heap()-before-dict.SizeBytes(), p.SizeBytes()
	out := batch.New(p.shape.partial)
	p.Drain(out)
	h.drained = p.SizeBytes()
	runtime.KeepAlive(p)
	before = heap()
	f := newTestFinal(t, w, FinalConfig{})
	part := *out
	part.Sel = make([]uint32, 0, benchmarkBatch)
	for from := 0; from < out.N; from += benchmarkBatch {
		part.Sel = part.Sel[:0]
		for i := from; i < min(out.N, from+benchmarkBatch); i++ {
			part.Sel = append(part.Sel, uint32(i))
		}
		if err := f.Merge(&part); err != nil {
			t.Fatal(err)
		}
	}
	h.final, h.finalEstimate = heap()-before, f.SizeBytes()
	runtime.KeepAlive(out)
	runtime.KeepAlive(f)
	return h
}

// BenchmarkMemory reports the bytes that a million keys take, with four aggregates in one slice.
func BenchmarkMemory(b *testing.B) {
	const keys = 1_000_000
	for b.Loop() {
		h := memory(b, keys, 1)
		b.ReportMetric(float64(h.partial)/keys, "partial-B/key")
		b.ReportMetric(float64(h.drained)/keys, "drained-B/key")
		b.ReportMetric(float64(h.final)/keys, "final-B/key")
	}
}

// A key, with its bytes and its look-up, and a state with four aggregates stay within what the documentation says.
func TestMemoryByKeyAndState(t *testing.T) {
	const keys, slices = 20_000, 10
	one := memory(t, keys, 1)
	all := memory(t, keys, slices)
	for _, c := range []struct {
		what       string
		got, limit int
	}{
		{"Partial, a key with one state", one.partial / keys, 200},
		{"Partial that was drained, a key", one.drained / keys, 200},
		{"Final, a key with one state", one.final / keys, 200},
		{"Partial, a state", (all.partial - one.partial) / (keys * (slices - 1)), 128},
		{"Final, a state", (all.final - one.final) / (keys * (slices - 1)), 128},
	} {
		if c.got <= 0 || c.got > c.limit {
			t.Errorf("%s takes %d bytes, want at most %d", c.what, c.got, c.limit)
		}
		t.Logf("%s takes %d bytes", c.what, c.got)
	}
	for what, pair := range map[string][2]int{"Partial": {all.estimate, all.partial}, "Final": {all.finalEstimate, all.final}} {
		if estimate, real := pair[0], pair[1]; estimate < real*8/10 || estimate > real*13/10 {
			t.Errorf("%s: SizeBytes says %d, it holds %d", what, estimate, real)
		}
	}
}
