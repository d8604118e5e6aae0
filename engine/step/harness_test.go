package step

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// The rows of the tests: a key of two columns, the event time, some values.
var rowSchema = batch.Schema{
	{Name: "site", Type: batch.String}, {Name: "n", Type: batch.Int}, {Name: "ts", Type: batch.Timestamp},
	{Name: "v", Type: batch.Double}, {Name: "s", Type: batch.String}, {Name: "ok", Type: batch.Bool},
	{Name: "p", Type: batch.Bytes},
}

type row struct {
	site string // "" = null
	n    int64
	ts   int64
	v    float64 // -1 = null
	s    string  // "" = null
	ok   int     // 0 false, 1 true, 2 null
	wm   int64   // before it
}

const second = 1_000_000

// randomRows gives rows of few keys, out of order by up to disorder and sometimes more.
func randomRows(rng *rand.Rand, n, keys int, step, disorder int64) []row {
	rows := make([]row, n)
	wm, now := int64(NoWatermark), int64(1_700_000_000*second)
	for i := range rows {
		now += rng.Int64N(step)
		if rng.IntN(40) == 0 {
			now += 20 * step
		}
		ts := now - rng.Int64N(disorder+1)
		if rng.IntN(30) == 0 {
			ts -= 3 * disorder
		}
		rows[i] = row{site: fmt.Sprint("site-", rng.IntN(keys)), n: int64(rng.IntN(2)), ts: ts, v: float64(rng.IntN(8)) / 2, s: []string{"", "a", "b"}[rng.IntN(3)], ok: rng.IntN(3), wm: wm}
		if rng.IntN(20) == 0 {
			rows[i].site = ""
		}
		if rng.IntN(10) == 0 {
			rows[i].v = -1
		}
		wm = max(wm, ts-disorder)
	}
	return rows
}

// batchOf makes a batch with junk between the rows that count.
func batchOf(rows []row, d0, d4 *batch.Dict) (b *batch.Batch, wms []int64) {
	b = batch.New(rowSchema)
	b.Cols[0].Dict, b.Cols[4].Dict = d0, d4
	junk := len(rows)%2 == 1
	b.Sel = nil
	add := func(r row) {
		c := b.Cols
		str := func(k int, s string) {
			if s == "" {
				c[k].AppendNull()
				return
			}
			n := c[k].Len()
			c[k].Codes = append(c[k].Codes, c[k].Dict.CodeString(s))
			if c[k].Valid != nil {
				c[k].Valid = c[k].Valid.Append(n, true)
			}
		}
		str(0, r.site)
		str(4, r.s)
		c[1].Ints, c[2].Ints = append(c[1].Ints, r.n), append(c[2].Ints, r.ts)
		if r.v < 0 {
			c[3].AppendNull()
		} else {
			c[3].AppendFrom(&batch.Column{Type: batch.Double, Doubles: []float64{r.v}}, 0)
		}
		if r.ok == 2 {
			c[5].AppendNull()
		} else {
			c[5].AppendFrom(&batch.Column{Type: batch.Bool, Bools: []bool{r.ok == 1}}, 0)
		}
		c[6].AppendBlob([]byte(r.s))
		wms = append(wms, r.wm)
		b.N++
	}
	for _, r := range rows {
		if junk {
			add(row{site: "junk", ts: math.MaxInt64 / 4, v: 99, wm: r.wm})
			b.Sel = append(b.Sel, uint32(b.N))
		}
		add(r)
	}
	return b, wms
}

// textOf shows the counting rows of a batch.
func textOf(b *batch.Batch) (out []string) {
	for n := range b.Len() {
		i := rowOf(b, n)
		var s strings.Builder
		for k := range b.Cols {
			c := &b.Cols[k]
			switch {
			case c.Null(i):
				s.WriteString("- ")
			case c.Type == batch.String:
				s.WriteString(c.Str(i) + " ")
			case c.Type == batch.Double:
				fmt.Fprint(&s, c.Doubles[i], " ")
			case c.Type == batch.Bool:
				fmt.Fprint(&s, c.Bools[i], " ")
			case c.Type == batch.Bytes:
				fmt.Fprintf(&s, "x%x ", c.Blob(i))
			default:
				fmt.Fprint(&s, c.Ints[i], " ")
			}
		}
		out = append(out, strings.TrimSpace(s.String()))
	}
	return out
}

// how says how rows are cut into batches and where the step is restarted.
type how struct {
	sizes    func() int
	restarts float64 // chance after a batch
	rng      *rand.Rand
}

func byOne() how { return how{sizes: func() int { return 1 }} }

func random(seed uint64, restarts float64) how {
	rng := rand.New(rand.NewPCG(seed, 77))
	return how{sizes: func() int { return 1 + rng.IntN(1+rng.IntN(200)) }, restarts: restarts, rng: rng}
}

// run gives what a step emits for rows, with the watermark of each.
func run(t testing.TB, mk func() (Step, error), rows []row, h how) []string {
	t.Helper()
	s, err := mk()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	emit := func(b *batch.Batch, wms []int64) error {
		lines := textOf(b)
		for n, l := range lines {
			out = append(out, fmt.Sprintf("%s @%d", l, wms[rowOf(b, n)]))
		}
		return nil
	}
	d0, d4 := batch.NewDict(), batch.NewDict()
	var stored []*batch.Batch
	wm := int64(NoWatermark)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for at := 0; at < len(rows); {
		n := min(h.sizes(), len(rows)-at)
		if h.rng != nil && h.rng.IntN(10) == 0 {
			d0, d4 = batch.NewDict(), batch.NewDict()
		}
		b, wms := batchOf(rows[at:at+n], d0, d4)
		check(s.Process(b, wms, emit))
		at += n
		if at < len(rows) {
			wm = rows[at].wm
			check(s.Advance(wm, emit))
		}
		if h.rng == nil || h.rng.Float64() >= h.restarts {
			continue
		}
		// A full state or what changed since, then perhaps a restart.
		full := len(stored) == 0 || h.rng.IntN(4) == 0
		if full {
			stored = stored[:0]
		}
		c := batch.New(s.StateSchema())
		s.Changes(full, c)
		stored = append(stored, c)
		if h.rng.IntN(2) == 0 {
			s, err = mk()
			check(err)
			if h.rng.IntN(2) == 0 {
				check(s.Restore(merged(s, stored, h.rng)))
			} else {
				for _, c := range stored {
					check(s.Restore(c))
				}
			}
			s.Resume(wm)
		}
	}
	return out
}

// merged is the last row of each key, in any order, as a store by key gives them.
func merged(s Step, stored []*batch.Batch, rng *rand.Rand) *batch.Batch {
	type place struct {
		b *batch.Batch
		r int
	}
	rows := map[string]place{}
	var by []int
	for i := range s.StateKeys() {
		by = append(by, i)
	}
	for _, b := range stored {
		for r := range b.N {
			k := string(batch.AppendKey(nil, b.Cols, by, r))
			if b.Cols[len(b.Cols)-1].Bools[r] {
				delete(rows, k)
			} else {
				rows[k] = place{b, r}
			}
		}
	}
	var list []string
	for k := range rows {
		list = append(list, k)
	}
	slices.Sort(list)
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	out := batch.New(s.StateSchema())
	for _, k := range list {
		one := *rows[k].b
		one.Sel = []uint32{uint32(rows[k].r)}
		out.AppendRows(&one)
	}
	return out
}

// same runs a step in several ways and compares.
func same(t *testing.T, name string, mk func() (Step, error), rows []row, want []string) {
	t.Helper()
	one := run(t, mk, rows, byOne())
	if want != nil {
		diff(t, name+", row by row, against the model", one, want)
	}
	for seed := range uint64(3) {
		diff(t, fmt.Sprint(name, ", batches of seed ", seed), run(t, mk, rows, random(seed, 0)), one)
		diff(t, fmt.Sprint(name, ", restarts of seed ", seed), run(t, mk, rows, random(seed, 0.5)), one)
	}
}

func diff(t *testing.T, name string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s: output %d of %d (want %d) is\n%s\nwant\n%s", name, i, len(got), len(want), g, w)
		}
	}
}

func column(i int, t batch.Type) *plan.Expr {
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Column{Column: uint32(i)}}
}

func number(v float64) *plan.Expr {
	return &plan.Expr{Type: uint32(batch.Double), Kind: &plan.Expr_Literal{Literal: &plan.Value{Kind: &plan.Value_Double{Double: v}}}}
}

func call(t batch.Type, op string, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Call{Call: &plan.Call{Op: op, Args: args}}}
}

// lineOf is how a row let through is shown.
func lineOf(r row) string {
	b, wms := batchOf([]row{r, r}, batch.NewDict(), batch.NewDict())
	return fmt.Sprintf("%s @%d", textOf(b)[0], wms[0])
}
