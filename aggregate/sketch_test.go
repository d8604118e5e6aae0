package aggregate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	library "github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"github.com/leatio/leat/engine/batch"
)

// doublesOf feeds values to one slot of a new accumulator.
func doublesOf(t testing.TB, s Spec, values []float64) Accumulator {
	t.Helper()
	a, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	a.Grow(1)
	for chunk := range slices.Chunk(values, 4096) {
		a.Add(make([]uint32, len(chunk)), &batch.Column{Type: batch.Double, Doubles: chunk}, nil, nil)
	}
	return a
}

func result(t testing.TB, function string, param float64, a Accumulator, typ batch.Type) any {
	t.Helper()
	out := batch.Column{Type: typ}
	if err := Finish(function, param, []Accumulator{a}, []uint32{0}, &out); err != nil {
		t.Fatal(err)
	}
	return valueAt(&out, 0)
}

// adversarial are sets of values that are hard for quantiles.
func adversarial() map[string][]float64 {
	r := rand.New(rand.NewPCG(11, 12))
	sets := map[string][]float64{}
	fill := func(name string, n int, gen func(i int) float64) {
		for i := range n {
			sets[name] = append(sets[name], gen(i))
		}
	}
	fill("ascending", 20_000, func(i int) float64 { return float64(i) / 10 })
	fill("descending", 20_000, func(i int) float64 { return float64(20_000-i) / 10 })
	fill("clustered", 20_000, func(i int) float64 { return math.Pow(10, float64(r.IntN(5)*6-12)) * (1 + r.Float64()/1000) })
	fill("huge range", 20_000, func(int) float64 { return math.Exp(1400*r.Float64() - 700) })
	fill("ascending by 3 %", 20_000, func(i int) float64 { return math.Exp(float64(i)*0.03 - 300) })
	fill("descending by 3 %", 20_000, func(i int) float64 { return math.Exp(300 - float64(i)*0.03) })
	fill("negative", 20_000, func(int) float64 { return -math.Exp(20 * r.NormFloat64()) })
	fill("both signs", 20_000, func(int) float64 { return r.NormFloat64() })
	fill("zeros", 20_000, func(i int) float64 { return float64(i%3) * r.NormFloat64() })
	fill("ties", 20_000, func(int) float64 { return float64(r.IntN(4)) * 21.5 })
	fill("one value often", 500_000, func(int) float64 { return 7 })
	fill("special", 5000, func(int) float64 {
		return pick(r, math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 5e-324, -5e-324, math.MaxFloat64, -math.MaxFloat64, 1)
	})
	return sets
}

// Quantiles of hard data are within the stated error, through any merge tree.
func TestQuantilesAreWithinTheirError(t *testing.T) {
	spec := specOf(DDSketch, batch.Double)
	for name, values := range adversarial() {
		var vals []obs
		for _, v := range values {
			vals = append(vals, obs{v: v})
		}
		whole := doublesOf(t, spec, values)
		var parts []Accumulator
		for chunk := range slices.Chunk(values, len(values)/7) {
			parts = append(parts, doublesOf(t, spec, chunk))
		}
		for len(parts) > 1 {
			parts[0].MergeFrom([]uint32{0}, parts[1], []uint32{0})
			parts = append(parts[2:], parts[0])
		}
		slices.SortFunc(vals, func(a, b obs) int { return compareSQL(a.v, b.v) })
		for _, q := range []float64{0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1} {
			got := result(t, "quantile", q, whole, batch.Double)
			if wrong := oracleQuantile(q, vals, got); wrong != "" {
				t.Errorf("%s: quantile %v is %v, %s", name, q, got, wrong)
			}
			if merged := result(t, "quantile", q, parts[0], batch.Double); !same(merged, got) {
				t.Errorf("%s: quantile %v is %v merged and %v in one pass", name, q, merged, got)
			}
		}
		if n := whole.SizeBytes(); n > 512<<10 { // most of it is scratch
			t.Errorf("%s: one slot takes %d bytes", name, n)
		}
	}
}

// The bins are those of the library that the mapping comes from, and so are the quantiles of positive values.
func TestSketchAgreesWithTheLibrary(t *testing.T) {
	m, err := mapping.NewCubicallyInterpolatedMapping(ddAccuracy)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		x := math.Exp(1400*r.Float64() - 700)
		if got, want := int(ddIndex(math.Float64bits(x))), m.Index(x); got != want {
			t.Fatalf("bin of %v is %d, the library says %d", x, got, want)
		}
	}
	for i := ddLeast + 1; i < ddMost; i += 7 {
		v, want := ddValue(int32(i)), m.Value(i)
		if want < 0x1p-1021 || want > 1e308 {
			continue
		}
		if math.Abs(v-want) > 1e-9*want {
			t.Fatalf("value of bin %d is %v, the library says %v", i, v, want)
		}
	}
	lib := library.NewDDSketch(m, store.NewDenseStore(), store.NewDenseStore())
	var values []float64
	for range 10_000 {
		values = append(values, math.Exp(3*r.NormFloat64()))
		if err := lib.Add(values[len(values)-1]); err != nil {
			t.Fatal(err)
		}
	}
	a := doublesOf(t, specOf(DDSketch, batch.Double), values)
	for q := 0.0; q <= 1; q += 0.01 {
		want, err := lib.GetValueAtQuantile(q)
		if err != nil {
			t.Fatal(err)
		}
		if got := result(t, "quantile", q, a, batch.Double).(float64); math.Abs(got-want) > 1e-9*want {
			t.Errorf("quantile %v is %v, the library says %v", q, got, want)
		}
	}
}

// The bounds of the bins cover all doubles, each within the accuracy.
func TestBinsCoverAllDoubles(t *testing.T) {
	if got := ddIndex(ddMinBits); got != ddLeast {
		t.Errorf("the smallest double has bin %d", got)
	}
	if got := ddIndex(ddMaxBits); got != ddMost {
		t.Errorf("the largest double has bin %d", got)
	}
	for i := int32(ddLeast); i <= ddMost; i += 3 {
		v := ddValue(i)
		if k := ddIndex(math.Float64bits(v)); k != i && k != i+1 {
			t.Fatalf("the value of bin %d lies in bin %d", i, k)
		}
	}
}

// Estimates stay within five standard errors over all sizes and kinds of data, and are exact for few values.
func TestDistinctCountsAreWithinTheirError(t *testing.T) {
	spec := specOf(HyperLogLog, batch.Double)
	for name, gen := range map[string]func(i int) float64{
		"whole numbers": func(i int) float64 { return float64(i) },
		"tenths":        func(i int) float64 { return float64(i) / 10 },
		"powers":        func(i int) float64 { return math.Ldexp(1+float64(i/2000)/1024, i%2000-1000) },
		"negative":      func(i int) float64 { return -float64(i) * 1e9 },
		"bits":          func(i int) float64 { return math.Float64frombits(uint64(i) << 32) },
	} {
		a, err := New(spec)
		if err != nil {
			t.Fatal(err)
		}
		a.Grow(1)
		n := 0
		for _, upTo := range []int{1, 10, 100, 640, 641, 1000, 3000, 10_000, 30_000, 100_000, 1_000_000} {
			var values []float64
			for ; n < upTo; n++ {
				values = append(values, gen(n), gen(n/2))
			}
			for chunk := range slices.Chunk(values, 4096) {
				a.Add(make([]uint32, len(chunk)), &batch.Column{Type: batch.Double, Doubles: chunk}, nil, nil)
			}
			got := result(t, "approx_count_distinct", 0, a, batch.Int).(int64)
			if off := math.Abs(float64(got)-float64(n)) / float64(n); n <= 640 && off != 0 || off > 5*1.04/64 {
				t.Errorf("%s: %d different values counted as %d", name, n, got)
			}
		}
	}
}

// The standard error over many sets is what is stated.
func TestDistinctCountsHaveTheStatedError(t *testing.T) {
	for _, n := range []int{1000, 5000, 20_000, 200_000} {
		sum, sets := 0.0, 40
		for set := range sets {
			values := make([]float64, n)
			for i := range values {
				values[i] = float64(set)*1e7 + float64(i)
			}
			a := doublesOf(t, specOf(HyperLogLog, batch.Double), values)
			off := float64(result(t, "approx_count_distinct", 0, a, batch.Int).(int64))/float64(n) - 1
			sum += off * off
		}
		if rms := math.Sqrt(sum / float64(sets)); rms > 1.4*1.04/64 {
			t.Errorf("%d values: root mean square error %.4f, stated 0.0163", n, rms)
		}
	}
}

// An entry of a set gives the register that the hash itself gives.
func TestEntriesAndHashesGiveTheSameRegisters(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	for range 1_000_000 {
		h := r.Uint64() >> r.IntN(64) << r.IntN(64)
		register, rank := hllRegister(hllEntry(h))
		wantRank := uint8(1)
		for b := 64 - hllBits - 1; b >= 0 && h>>b&1 == 0; b-- {
			wantRank++
		}
		if register != uint32(h>>(64-hllBits)) || rank != wantRank {
			t.Fatalf("hash %x: register %d rank %d, want %d", h, register, rank, wantRank)
		}
	}
}

// The bounds that top_k states hold after any merge tree, on skewed, flat and adversarial data.
func TestTopKBoundsHold(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		z := rand.NewZipf(r, 1.05+r.Float64(), 1+r.Float64()*20, 5000)
		gen := []func(i int) int64{
			func(int) int64 { return int64(z.Uint64()) },
			func(i int) int64 { return int64(i) }, // all different
			func(i int) int64 { return int64(i % 150) },
			func(i int) int64 { return int64(i*i%211) * int64(r.IntN(2)) },
		}[seed%4]
		spec := Spec{Kind: SpaceSaving, In: batch.Int, Param: float64(pick(r, 1, 5, 100))}
		truth, rows := map[int64]int{}, 200+r.IntN(8000)
		var nodes []*node
		for i := 0; i < rows; {
			n := newNode(t, []Spec{spec}, batch.Int, 1)
			var part []obs
			for range 1 + r.IntN(2000) {
				v := gen(i)
				truth[v]++
				i++
				part = append(part, obs{v: v})
			}
			n.add(r, part, make([]uint32, len(part)))
			nodes = append(nodes, n)
			rows = max(rows, i)
		}
		for len(nodes) > 1 {
			r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
			nodes[0].mergeInto(t, r, nodes[1])
			nodes = nodes[1:]
		}
		checkTop(t, fmt.Sprintf("seed %d, %s", seed, spec), nodes[0].accs[0].(*topK[int64]), truth)
	}
}

func checkTop(t *testing.T, name string, a *topK[int64], truth map[int64]int) {
	t.Helper()
	rows, held := 0, map[int64]bool{}
	for _, n := range truth {
		rows += n
	}
	p := &a.s[0]
	if p.floor > uint64(rows/(a.capacity+1)) {
		t.Errorf("%s: floor %d of %d rows", name, p.floor, rows)
	}
	for _, e := range p.entries {
		n := uint64(truth[e.v])
		held[e.v] = true
		if n > e.count || n < e.count-e.error || e.error > p.floor {
			t.Errorf("%s: %d occurs %d times, held as %d with error %d, floor %d", name, e.v, n, e.count, e.error, p.floor)
		}
	}
	for v, n := range truth {
		if !held[v] && uint64(n) > p.floor {
			t.Errorf("%s: %d occurs %d times and is not held; floor %d", name, v, n, p.floor)
		}
	}
	var list []struct {
		Value int64
		Count uint64
		Error *uint64
	}
	text := result(t, "top_k", 3, a, batch.String).(string)
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) == 0 || list[0].Error == nil {
		t.Errorf("%s: %s: %v", name, text, err)
	}
	for i := 1; i < len(list); i++ {
		if list[i-1].Count < list[i].Count || list[i-1].Count == list[i].Count && list[i-1].Value >= list[i].Value {
			t.Errorf("%s: %s is not in order", name, text)
		}
	}
}

// Counters that overflow or move in the middle of a batch lose nothing, whatever slots the rows of the batch are of.
func TestSketchesOfManySlotsInOneBatch(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 31))
		keys := 1 + r.IntN(20)
		spread := pick(r, 0.01, 1, 30.0)
		n := newNode(t, []Spec{specOf(DDSketch, batch.Double)}, batch.Double, keys)
		truth := make([][]obs, keys)
		for range 20 {
			var rows []obs
			var groups []uint32
			for range r.IntN(1500) {
				g := r.IntN(keys)
				o := obs{v: math.Exp(spread*r.NormFloat64()) * pick(r, 1.0, 1, 1, -1, 0)}
				rows, groups, truth[g] = append(rows, o), append(groups, uint32(g)), append(truth[g], o)
			}
			n.add(r, rows, groups)
		}
		for g, vals := range truth {
			if len(vals) == 0 {
				continue
			}
			for _, q := range []float64{0, 0.3, 0.5, 0.99, 1} {
				out := batch.Column{Type: batch.Double}
				if err := Finish("quantile", q, n.accs, []uint32{uint32(g)}, &out); err != nil {
					t.Fatal(err)
				}
				if wrong := oracleQuantile(q, vals, valueAt(&out, 0)); wrong != "" {
					t.Errorf("seed %d, slot %d: quantile %v is %v, %s", seed, g, q, out.Doubles[0], wrong)
				}
			}
		}
	}
}
