package columnar

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// gen makes batches of many shapes from one seed.
type gen struct{ *rand.Rand }

func newGen(seed uint64) gen { return gen{rand.New(rand.NewPCG(seed, 7))} }

func (g gen) schema() batch.Schema {
	s := make(batch.Schema, g.IntN(6))
	for i := range s {
		s[i] = batch.Field{Name: fmt.Sprintf("c%d", i), Type: batch.Bool + batch.Type(g.IntN(6))}
	}
	return s
}

// batch makes a batch of up to most rows, in part with nulls and a selection.
func (g gen) batch(s batch.Schema, most int) *batch.Batch {
	n := g.IntN(most + 1)
	if g.IntN(4) == 0 {
		n = g.IntN(4)
	}
	b := batch.New(s)
	for i := range b.Cols {
		g.column(&b.Cols[i], n)
	}
	b.N = n
	if g.IntN(3) == 0 {
		b.Sel = []uint32{}
		for r := range n {
			if g.IntN(3) > 0 {
				b.Sel = append(b.Sel, uint32(r))
			}
		}
	}
	return b
}

func (g gen) column(c *batch.Column, n int) {
	ints, doubles, text := g.intMaker(), g.doubleMaker(), g.textMaker()
	if c.Type == batch.String {
		c.Dict = batch.NewDict()
	}
	for range n {
		switch c.Type {
		case batch.Bool:
			c.Bools = append(c.Bools, g.IntN(2) == 0)
		case batch.Double:
			c.Doubles = append(c.Doubles, doubles())
		case batch.String:
			c.Codes = append(c.Codes, c.Dict.CodeString(text()))
		case batch.Bytes:
			c.AppendBlob([]byte(text()))
		default:
			c.Ints = append(c.Ints, ints())
		}
	}
	if g.IntN(3) == 0 {
		c.Valid = batch.NewBitmap(n, true)
		for r := range n {
			if g.IntN(5) == 0 {
				c.Valid.Clear(r)
			}
		}
	}
}

func (g gen) intMaker() func() int64 {
	at, step := int64(g.Uint64()), int64(g.IntN(1000))
	switch g.IntN(6) {
	case 0:
		return func() int64 { return at }
	case 1:
		return func() int64 { at += step; return at }
	case 2:
		return func() int64 { at += int64(g.NormFloat64() * 100); return at }
	case 3:
		return func() int64 { return int64(g.Uint64()) }
	case 4:
		return func() int64 {
			if g.IntN(50) == 0 {
				return int64(g.Uint64())
			}
			return int64(g.IntN(200))
		}
	default:
		extremes := []int64{math.MinInt64, math.MaxInt64, 0, -1, 1}
		return func() int64 { return extremes[g.IntN(len(extremes))] }
	}
}

func (g gen) doubleMaker() func() float64 {
	odd := []float64{math.Copysign(0, -1), 0, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64,
		-math.SmallestNonzeroFloat64, math.Float64frombits(0x7ff8dead00000001), 1 << 53, 1<<53 + 2, 0.1 + 0.2, 2.2250738585072014e-308}
	walk := float64(g.IntN(10000))
	scale := math.Pow(10, float64(g.IntN(12)))
	switch g.IntN(6) {
	case 0:
		return func() float64 { walk += float64(g.IntN(11) - 5); return walk / scale }
	case 1:
		return func() float64 { return math.Float64frombits(g.Uint64()) }
	case 2:
		return func() float64 { return odd[g.IntN(len(odd))] }
	case 3:
		return func() float64 {
			if g.IntN(20) == 0 {
				return odd[g.IntN(len(odd))]
			}
			walk += float64(g.IntN(11) - 5)
			return walk / 10
		}
	case 4:
		return func() float64 { return float64(g.IntN(2000)-1000) * 0x1p-60 }
	default:
		return g.NormFloat64
	}
}

func (g gen) textMaker() func() string {
	switch g.IntN(5) {
	case 0:
		return func() string { return fmt.Sprintf("dev-%04d", g.IntN(500)) }
	case 1:
		return func() string { return fmt.Sprintf("site/%d/temp", g.IntN(50000)) }
	case 2:
		return func() string { return []string{"", "0", "00", "7", "007"}[g.IntN(5)] }
	case 3:
		return func() string { return fmt.Sprintf("%016x", g.Uint64())[:g.IntN(16)] }
	default:
		return func() string {
			p := make([]byte, g.IntN(40))
			for i := range p {
				p[i] = byte(g.Uint64())
			}
			return string(p)
		}
	}
}

// rowsOf gives the counting rows as text in which every bit counts.
func rowsOf(b *batch.Batch) []string {
	var out []string
	sel := b.Sel
	if sel == nil {
		for r := range b.N {
			sel = append(sel, uint32(r))
		}
	}
	for _, r := range sel {
		row := ""
		for i := range b.Cols {
			row += cell(&b.Cols[i], int(r)) + "|"
		}
		out = append(out, row)
	}
	return out
}

func cell(c *batch.Column, r int) string {
	switch {
	case c.Null(r):
		return "null"
	case c.Type == batch.Bool:
		return fmt.Sprint(c.Bools[r])
	case c.Type == batch.Double:
		return fmt.Sprintf("%016x", math.Float64bits(c.Doubles[r]))
	case c.Type == batch.String:
		return fmt.Sprintf("%q", c.Str(r))
	case c.Type == batch.Bytes:
		return fmt.Sprintf("%x", c.Blob(r))
	default:
		return fmt.Sprint(c.Ints[r])
	}
}

func mustEqual(t testing.TB, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d rows came back, not %d", len(got), len(want))
	}
	for i := range want {
		if want[i] != got[i] {
			t.Fatalf("row %d came back as\n%s, not\n%s", i, got[i], want[i])
		}
	}
}

func roundTrip(t testing.TB, seed uint64, most int) {
	t.Helper()
	g := newGen(seed)
	s := g.schema()
	b := g.batch(s, most)
	before := rowsOf(b)
	p := Append([]byte("xy"), s, b)
	if string(p[:2]) != "xy" {
		t.Fatalf("seed %d: Append changed what stood in dst", seed)
	}
	mustEqual(t, before, rowsOf(b))
	dst := batch.New(s)
	var want []string
	if g.IntN(2) == 0 { // onto rows that are there
		first := g.batch(s, 20)
		dst.AppendRows(first)
		want = rowsOf(first)
	}
	rest, err := Decode(append(p[2:], "rest"...), s, dst, Limits{})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if string(rest) != "rest" {
		t.Fatalf("seed %d: rest is %q", seed, rest)
	}
	mustEqual(t, slices.Concat(want, before), rowsOf(dst))
}
