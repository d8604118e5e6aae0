package sql

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
)

const aggregatesPage = "../../docs/reference/aggregates.md"

// aggregateRows reads the table of rows of the page.
func aggregateRows(t *testing.T, text string) (batch.Schema, *batch.Batch, []int64) {
	t.Helper()
	s := batch.Schema{{Name: "device", Type: batch.String}, {Name: "temp", Type: batch.Double}, {Name: "n", Type: batch.Int}, {Name: "ok", Type: batch.Bool}}
	b := batch.New(s)
	b.Cols[0].Dict = batch.NewDict()
	var times []int64
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || !strings.Contains(cells[1], ":0") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		at, err := time.Parse(time.TimeOnly, cells[1])
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, at.UnixMicro())
		b.Cols[0].Codes = append(b.Cols[0].Codes, b.Cols[0].Dict.CodeString(cells[2]))
		if temp, err := strconv.ParseFloat(cells[3], 64); err != nil {
			b.Cols[1].AppendNull()
		} else {
			b.Cols[1].Doubles = append(b.Cols[1].Doubles, temp)
			if b.Cols[1].Valid != nil {
				b.Cols[1].Valid = b.Cols[1].Valid.Append(b.N, true)
			}
		}
		n, err := strconv.ParseInt(cells[4], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		b.Cols[2].Ints = append(b.Cols[2].Ints, n)
		b.Cols[3].Bools = append(b.Cols[3].Bools, cells[5] == "true")
		b.N++
	}
	if b.N != 5 {
		t.Fatalf("%s has %d rows", aggregatesPage, b.N)
	}
	return s, b, times
}

func TestExamplesOfAggregates(t *testing.T) {
	text, err := os.ReadFile(aggregatesPage)
	if err != nil {
		t.Fatal(err)
	}
	s, b, times := aggregateRows(t, string(text))
	seen := ""
	for _, m := range example.FindAllStringSubmatch(string(text), -1) {
		seen += m[1] + "\n"
		if got := evaluateAggregates(t, m[1], s, b, times); got != m[2] {
			t.Errorf("%s is %s, the page says %s", m[1], got, m[2])
		}
	}
	for _, f := range aggregate.Functions() {
		if !strings.Contains(seen, f+"(") {
			t.Errorf("%s has no example of %s", aggregatesPage, f)
		}
	}
}

// evaluateAggregates gives the value of an expression over aggregates of all rows, as text.
func evaluateAggregates(t *testing.T, text string, s batch.Schema, b *batch.Batch, times []int64) string {
	t.Helper()
	agg, err := BindAggregates("CAST(("+text+") AS string)", Scope{Columns: s, Aggregates: true})
	if err != nil {
		return "error: " + err.Error()
	}
	results := &batch.Batch{N: 1}
	var schema batch.Schema
	for _, c := range agg.Calls {
		argType, col := batch.Type(0), (*batch.Column)(nil)
		if c.Arg != nil {
			argType, col = batch.Type(c.Arg.Type), columnOf(t, c.Arg, s, b)
		}
		specs, typ, err := aggregate.Resolve(c.Function, c.Star, argType, c.Param)
		if err != nil {
			t.Fatal(err)
		}
		var accs []aggregate.Accumulator
		for _, spec := range specs {
			a, err := aggregate.New(spec)
			if err != nil {
				t.Fatal(err)
			}
			a.Grow(1)
			a.Add(make([]uint32, b.N), col, times, nil)
			accs = append(accs, a)
		}
		out := batch.Column{Type: typ}
		if err := aggregate.Finish(c.Function, c.Param, accs, []uint32{0}, &out); err != nil {
			t.Fatal(err)
		}
		results.Cols = append(results.Cols, out)
		schema = append(schema, batch.Field{Name: c.Function, Type: typ})
	}
	c := columnOf(t, agg.Expr, schema, results)
	if c.Null(0) {
		return "null"
	}
	return c.Str(0)
}

func columnOf(t *testing.T, e *plan.Expr, s batch.Schema, b *batch.Batch) *batch.Column {
	t.Helper()
	p, err := expr.Compile(e, s, expr.Env{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Eval(b, func(_ int, reason string) { t.Errorf("%s", reason) })
	if err != nil {
		t.Fatal(err)
	}
	return c
}
