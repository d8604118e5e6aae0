package columnar

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

var climateSchema = batch.Schema{
	{Name: "device", Type: batch.String}, {Name: "ts", Type: batch.Timestamp},
	{Name: "temp", Type: batch.Double}, {Name: "humidity", Type: batch.Double},
}

// climate makes the rows of the benchmark of that name: devices, random walks
// in steps of 0.1, ten rows a millisecond.
type climate struct {
	rng       *rand.Rand
	temp, hum []int
	order     string // in-turn, random
	n         int
}

func newClimate(devices int, order string) *climate {
	c := &climate{rng: rand.New(rand.NewPCG(1, 2)), temp: make([]int, devices), hum: make([]int, devices), order: order}
	for i := range devices {
		c.temp[i] = 220 + int(c.rng.NormFloat64()*20)
		c.hum[i] = 500 + int(c.rng.NormFloat64()*40)
	}
	return c
}

func (c *climate) batch(rows int, dict *batch.Dict) *batch.Batch {
	b := batch.New(climateSchema)
	b.Cols[0].Dict = dict
	for range rows {
		d := c.n % len(c.temp)
		if c.order == "random" {
			d = c.rng.IntN(len(c.temp))
		}
		c.temp[d] += c.rng.IntN(3) - 1
		c.hum[d] += c.rng.IntN(3) - 1
		b.Cols[0].Codes = append(b.Cols[0].Codes, dict.CodeString(fmt.Sprintf("dev-%04d", d)))
		b.Cols[1].Ints = append(b.Cols[1].Ints, 1_700_000_000_000_000+int64(c.n/10)*1000)
		b.Cols[2].Doubles = append(b.Cols[2].Doubles, float64(c.temp[d])/10)
		b.Cols[3].Doubles = append(b.Cols[3].Doubles, float64(c.hum[d])/10)
		c.n++
	}
	b.N = rows
	return b
}

var partialSchema = batch.Schema{
	{Name: "device", Type: batch.String}, {Name: "slice_start", Type: batch.Timestamp}, {Name: "slice_end", Type: batch.Timestamp},
	{Name: "count", Type: batch.Int}, {Name: "sum_hi", Type: batch.Double}, {Name: "sum_lo", Type: batch.Double},
	{Name: "min", Type: batch.Double}, {Name: "max", Type: batch.Double},
}

// partials aggregates rows of the climate into one partial a device.
func (c *climate) partials(rowsEach int) *batch.Batch {
	b := batch.New(partialSchema)
	dict := batch.NewDict()
	b.Cols[0].Dict = dict
	for d := range c.temp {
		n := rowsEach/2 + c.rng.IntN(rowsEach)
		var hi, lo, least, most float64
		for i := range n {
			c.temp[d] += c.rng.IntN(3) - 1
			v := float64(c.temp[d]) / 10
			s := hi + v // TwoSum
			t := s - hi
			lo += (hi - (s - t)) + (v - t)
			hi = s
			if i == 0 {
				least, most = v, v
			}
			least, most = min(least, v), max(most, v)
		}
		s := hi + lo
		hi, lo = s, lo-(s-hi)
		b.Cols[0].Codes = append(b.Cols[0].Codes, dict.CodeString(fmt.Sprintf("dev-%04d", d)))
		b.Cols[1].Ints = append(b.Cols[1].Ints, 1_700_000_000_000_000)
		b.Cols[2].Ints = append(b.Cols[2].Ints, 1_700_000_010_000_000)
		b.Cols[3].Ints = append(b.Cols[3].Ints, int64(n))
		for i, v := range []float64{hi, lo, least, most} {
			b.Cols[4+i].Doubles = append(b.Cols[4+i].Doubles, v)
		}
		b.N++
	}
	return b
}

func payloadSize(s batch.Schema, b *batch.Batch) int {
	return len(AppendPayload(nil, []Section{{0, b}}, func(uint32) batch.Schema { return s }))
}

// The targets of bytes per row that the project promises.
func TestBytesPerRow(t *testing.T) {
	for _, tc := range []struct {
		order string
		rows  int
		most  float64
	}{{"in-turn", 100, 7}, {"in-turn", 1000, 2.2}, {"in-turn", 10000, 0.7}, {"random", 100, 7}, {"random", 1000, 2.8}, {"random", 10000, 2.2}} {
		c := newClimate(1000, tc.order)
		dict := batch.NewDict()
		c.batch(20000, dict) // walks under way
		total := 0
		for range 10 {
			total += payloadSize(climateSchema, c.batch(tc.rows, dict))
		}
		per := float64(total) / float64(10*tc.rows)
		t.Logf("climate %-8s %6d rows: %.2f B/row", tc.order, tc.rows, per)
		if per > tc.most {
			t.Errorf("climate %s, %d rows: %.2f B/row, at most %.1f are promised", tc.order, tc.rows, per, tc.most)
		}
	}
	b := newClimate(1000, "in-turn").partials(100)
	per := float64(payloadSize(partialSchema, b)) / 1000
	t.Logf("partials: %.2f B", per)
	if per > 14 {
		t.Errorf("%.2f B per partial, at most 14 are promised", per)
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, order := range []string{"in-turn", "random"} {
		b.Run(order, func(b *testing.B) {
			c := newClimate(1000, order)
			rows := c.batch(1000, batch.NewDict())
			schemas := func(uint32) batch.Schema { return climateSchema }
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendPayload(dst[:0], []Section{{0, rows}}, schemas)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
			b.ReportMetric(float64(len(dst))/1000, "B/row")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	c := newClimate(1000, "in-turn")
	rows := c.batch(1000, batch.NewDict())
	schemas := func(uint32) batch.Schema { return climateSchema }
	src := AppendPayload(nil, []Section{{0, rows}}, schemas)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodePayload(src, schemas, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
}
