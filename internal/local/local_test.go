package local_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/agent/source/file"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/internal/local"
)

// world is a random pipeline and its input.
type world struct {
	size, lateness, disorder int64 // milliseconds
	keys                     []string
	where                    float64
	lines                    []string
}

func newWorld(rng *rand.Rand) *world {
	w := &world{
		size: []int64{1000, 10_000, 60_000, 7000}[rng.IntN(4)], lateness: []int64{0, 3000, 60_000}[rng.IntN(3)],
		disorder: []int64{0, 500, 5000}[rng.IntN(3)], where: float64(rng.IntN(20)) / 2,
		keys: [][]string{{"device"}, {"device", "zone"}, {}, {"zone"}}[rng.IntN(4)],
	}
	devices := []int{1, 5, 3000}[rng.IntN(3)]
	now := int64(1_700_000_000_000)
	for range rng.IntN(3000) {
		now += rng.Int64N(200)
		ts := now
		switch rng.IntN(20) {
		case 0:
			ts -= rng.Int64N(2 * (w.disorder + 1))
		case 1:
			ts -= rng.Int64N(w.size + w.lateness + 10_000)
		}
		fields := []string{fmt.Sprintf(`"device":"dev-%d"`, rng.IntN(devices)), fmt.Sprintf(`"ts":%d`, ts), fmt.Sprintf(`"zone":%d`, rng.IntN(3))}
		switch rng.IntN(10) {
		case 0:
			fields = append(fields, `"temp":null`)
		case 1:
		case 2:
			fields = append(fields, fmt.Sprintf(`"temp":%d`, rng.IntN(50)))
		default:
			fields = append(fields, fmt.Sprintf(`"temp":%.1f`, 40*rng.Float64()-5))
		}
		if rng.IntN(15) == 0 {
			fields[0] = `"device":null`
		}
		rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		line := "{" + strings.Join(fields, ",") + "}"
		switch rng.IntN(60) {
		case 0:
			line = line[:len(line)/2]
		case 1:
			line = `{"device":"x","temp":1}` // no event time
		case 2:
			line = strings.Replace(line, `"zone":`, `"zone":"`, 1)
		}
		w.lines = append(w.lines, line)
	}
	return w
}

func (w *world) pipeline() string {
	return fmt.Sprintf(`
name: w
source:
  file: {path: "-"}
  format: json
  schema: {device: string, ts: timestamp_ms, zone: int, temp: double}
  event_time: {column: ts, max_disorder: %dms}
steps:
  - where: temp >= %g
  - window:
      by: [%s]
      tumbling: %dms
      allowed_lateness: %dms
      emit: {n: count(*), total: sum(temp), mean: avg(temp), low: min(temp), high: max(temp * 2), newest: last(temp), sd: stddev_pop(temp)}
sinks:
  - stdout: {}
`, w.disorder, w.where, strings.Join(w.keys, ", "), w.size, w.lateness)
}

// group is one window and key of the oracle; it keeps every row.
type group struct {
	end   int64
	key   []any
	times []int64
	temps []float64
}

// oracle is the naive way: a row at a time, maps and encoding/json, big numbers.
func (w *world) oracle(t *testing.T) (lines []string, rejects, late int64) {
	groups := map[string]*group{}
	watermark := int64(-1 << 62)
	for _, line := range w.lines {
		var row struct {
			Device *string  `json:"device"`
			TS     *int64   `json:"ts"`
			Zone   *int64   `json:"zone"`
			Temp   *float64 `json:"temp"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.TS == nil {
			rejects++
			continue
		}
		before := watermark
		watermark = max(watermark, *row.TS-w.disorder)
		if row.Temp == nil || *row.Temp < w.where {
			continue
		}
		end := *row.TS - *row.TS%w.size + w.size
		if end+w.lateness <= before {
			late++
			continue
		}
		var key []any
		for _, k := range w.keys {
			if k == "device" {
				key = append(key, orNil(row.Device))
			} else {
				key = append(key, orNil(row.Zone))
			}
		}
		name := fmt.Sprintf("%d %v", end, key)
		g := groups[name]
		if g == nil {
			g = &group{end: end, key: key}
			groups[name] = g
		}
		g.times, g.temps = append(g.times, *row.TS), append(g.temps, *row.Temp)
	}
	all := make([]*group, 0, len(groups))
	for _, g := range groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *group) int {
		c := cmp.Compare(a.end, b.end)
		for i := range a.key {
			c = cmp.Or(c, compareKeys(a.key[i], b.key[i]))
		}
		return c
	})
	for _, g := range all {
		lines = append(lines, w.line(t, g))
	}
	return lines, rejects, late
}

func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// compareKeys is SQL's order: nulls last.
func compareKeys(a, b any) int {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y)
		}
		return -1
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
		return -1
	default:
		if b == nil {
			return 0
		}
		return 1
	}
}

// line is a group's result as `leat run` prints it.
func (w *world) line(t *testing.T, g *group) string {
	when := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
	out := fmt.Sprintf(`{"window_start":"%s","window_end":"%s"`, when(g.end-w.size), when(g.end))
	for i, k := range w.keys {
		b, err := json.Marshal(g.key[i])
		if err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf(`,"%s":%s`, k, b)
	}
	sum, squares := new(big.Rat), new(big.Rat)
	newest, at := 0.0, int64(-1<<62)
	for i, v := range g.temps {
		r := new(big.Rat).SetFloat64(v)
		sum.Add(sum, r)
		squares.Add(squares, r.Mul(r, r))
		if g.times[i] > at || g.times[i] == at && v < newest {
			newest, at = v, g.times[i]
		}
	}
	total, _ := sum.Float64()
	n := new(big.Rat).SetInt64(int64(len(g.temps)))
	mean := new(big.Rat).Quo(sum, n)
	variance := new(big.Rat).Sub(new(big.Rat).Quo(squares, n), mean.Mul(mean, mean))
	v := new(big.Float).SetPrec(200).SetRat(variance)
	sd, _ := v.Sqrt(v).Float64()
	num := func(v float64) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return out + fmt.Sprintf(`,"n":%d,"total":%s,"mean":%s,"low":%s,"high":%s,"newest":%s,"sd":%s}`, len(g.temps), num(total),
		num(total/float64(len(g.temps))), num(positive(slices.Min(g.temps))), num(positive(2*slices.Max(g.temps))), num(positive(newest)), num(sd))
}

// positive makes -0 the 0 that min, max, first and last give.
func positive(v float64) float64 {
	if v == 0 {
		return 0
	}
	return v
}

func (w *world) run(t *testing.T) (string, local.Stats) {
	t.Helper()
	p, err := compile.Compile([]byte(w.pipeline()), compile.Options{File: "w.yaml", PipelineID: "w", Version: 1})
	if err != nil {
		t.Fatalf("%v\n%s", err, w.pipeline())
	}
	in := strings.NewReader(strings.Join(w.lines, "\n"))
	src, err := file.New(file.Config{Paths: []string{file.Stdin}, Stdin: in, BlockBytes: 4096}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	st, err := local.Run(t.Context(), local.Config{Plan: p, Source: src, Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), st
}

// Random pipelines over random input give what a naive row-at-a-time program gives, to the last bit.
func TestRunEqualsNaiveOracle(t *testing.T) {
	seeds := 300
	if s := os.Getenv("LEAT_SEEDS"); s != "" {
		var err error
		if seeds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	var sawLate, sawRejects, results int64
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		w := newWorld(rng)
		got, st := w.run(t)
		want, rejects, late := w.oracle(t)
		if lines := strings.TrimSuffix(got, "\n"); lines != strings.Join(want, "\n") {
			t.Fatalf("seed %d: results differ: %s\n%s", seed, firstDifference(strings.Split(lines, "\n"), want), w.pipeline())
		}
		if st.Rejects != rejects || st.Late != late {
			t.Fatalf("seed %d: %d rejects and %d late rows, want %d and %d", seed, st.Rejects, st.Late, rejects, late)
		}
		sawLate, sawRejects, results = sawLate+late, sawRejects+rejects, results+int64(len(want))
	}
	if sawLate == 0 || sawRejects == 0 || results == 0 {
		t.Errorf("the worlds met %d late rows, %d rejects, %d results: too tame", sawLate, sawRejects, results)
	}
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, g, w)
		}
	}
	return ""
}
