package window

import (
	"errors"
	"fmt"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// flushKeys processes rows over a number of keys, as often as it says, and flushes them: the partials and rows that left.
func flushKeys(t *testing.T, p *Partial, rows, keys int) (partials, forwarded int) {
	t.Helper()
	b := batch.New(rowSchema(stringKey))
	for i := range rows {
		b.AppendRows(makeBatch(stringKey, at(fmt.Sprint(i%keys), 5)))
	}
	if err := p.Process(b, nil); err != nil {
		t.Fatal(err)
	}
	out, fwd := batch.New(p.shape.partial), batch.New(p.shape.rows)
	p.Drain(out)
	p.DrainRows(fwd)
	p.Flushed(out.N)
	return out.N, fwd.N
}

func TestRowsAreForwardedWhereAggregationSavesNothing(t *testing.T) {
	p := newTestPartial(t, testWindow(t, stringKey, 10, 0), stringKey, PartialConfig{CanForward: true})
	var got []string
	step := func(keys int) {
		a, b := flushKeys(t, p, 1000, keys)
		got = append(got, fmt.Sprintf("%d+%d", a, b))
	}
	for range 2 + savingPause {
		step(1000)
	}
	step(700) // a try, which is not good enough
	for range 2 * savingPause {
		step(1000)
	}
	step(100) // a try that shows that it would save now
	step(100)
	step(700)
	step(1000)
	step(700) // better for once: counts anew
	step(1000)
	step(1000)
	step(1000)
	var want []string
	add := func(n int, s string) {
		for range n {
			want = append(want, s)
		}
	}
	add(2, "1000+0")
	add(savingPause, "0+1000")
	add(1, "700+0")
	add(2*savingPause, "0+1000")
	want = append(want, "100+0", "100+0", "700+0", "1000+0", "700+0", "1000+0", "1000+0", "0+1000")
	wantLines(t, got, want...)
	if !p.Forwards() || p.Counts().Forwarded != int64(3*savingPause+1)*1000 {
		t.Errorf("forwards %t, %d rows forwarded", p.Forwards(), p.Counts().Forwarded)
	}
}

func TestFlushesOfFewRowsAreTakenTogether(t *testing.T) {
	p := newTestPartial(t, testWindow(t, stringKey, 10, 0), stringKey, PartialConfig{CanForward: true})
	for i := range 12 {
		if n, _ := flushKeys(t, p, savingMinRows/5-1, savingMinRows/5-1); (n == 0) != (i >= 12) {
			t.Errorf("flush %d: %d partials", i, n)
		}
	}
	if !p.Forwards() {
		t.Error("12 flushes of 199 rows with keys of their own did not make it forward")
	}
}

func TestNothingIsForwardedWhereNobodyTakesIt(t *testing.T) {
	p := newTestPartial(t, testWindow(t, stringKey, 10, 0), stringKey, PartialConfig{})
	for range 5 {
		if n, _ := flushKeys(t, p, 2000, 2000); n != 2000 {
			t.Errorf("%d partials of 2000 rows", n)
		}
	}
}

func TestGroupsBeyondTheBound(t *testing.T) {
	rows := []row{at("a", 1), at("b", 1), at("c", 1), at("a", 2), at("c", 11), at("d", 2)}
	for _, c := range []struct {
		name     string
		overflow plan.Overflow
		cfg      PartialConfig
		sessions bool
		want     string // partials, rows forwarded, rows rejected
	}{
		{"forward", plan.Overflow_OVERFLOW_FORWARD, PartialConfig{CanForward: true}, false, "3 2 0"},
		{"nobody takes rows", plan.Overflow_OVERFLOW_FORWARD, PartialConfig{}, false, "5 0 0"},
		{"reject", plan.Overflow_OVERFLOW_REJECT, PartialConfig{}, false, "3 0 2"},
		{"sessions", plan.Overflow_OVERFLOW_FORWARD, PartialConfig{CanForward: true}, true, "2 3 0"},
	} {
		w := testWindow(t, stringKey, 10, 0)
		if c.sessions {
			setSpecs(w, "", session(5))
		}
		w.MaxGroups, w.Overflow = 2, c.overflow
		var rejected []string
		c.cfg.OnOverflow = func(b *batch.Batch, r int) { rejected = append(rejected, showRow(b, r, 0, 2)) }
		p := newTestPartial(t, w, stringKey, c.cfg)
		if err := p.Process(makeBatch(stringKey, rows...), nil); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(p.Rows(), p.ForwardedRows(), len(rejected)); got != c.want || int(p.Counts().Rejected) != len(rejected) {
			t.Errorf("%s: %s and %d counted, want %s", c.name, got, p.Counts().Rejected, c.want)
		}
		if c.overflow == plan.Overflow_OVERFLOW_REJECT {
			wantLines(t, rejected, `"c" 1`, `"d" 2`)
		}
	}
}

func TestForwardedRowsOfAPlanWithoutTheirPort(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	w.ForwardRows = true
	if _, err := NewPartial(w, nil, rowSchema(stringKey), PartialConfig{}); !errors.Is(err, ErrPlan) {
		t.Error(err)
	}
}

// Rows go on in the order in which they came, with all that the accumulators take.
func TestForwardedRowsAreTheRows(t *testing.T) {
	w := testWindow(t, []batch.Type{batch.String, batch.Bytes}, 10, 0)
	setSpecs(w, "", hopping(20, 10))
	w.ForwardRows = true
	keys := []batch.Type{batch.String, batch.Bytes}
	p := newTestPartial(t, w, keys, PartialConfig{CanForward: true})
	rows := []row{
		{keys: []any{"a", []byte("x")}, ts: 5, x: 1.5, n: int64(3), s: "s"},
		{keys: []any{nil, []byte(nil)}, ts: 4, x: nil, n: int64(4), s: nil},
		{keys: []any{"a", nil}, ts: 15, x: 2.5, n: nil, s: "u"},
	}
	// The second row is late for the window that ends at 10, the third for both of its own.
	if err := p.Process(makeBatch(keys, rows...), []int64{-100, 10, 30}); err != nil {
		t.Fatal(err)
	}
	p2 := newTestPartial(t, w, keys, PartialConfig{CanForward: true})
	for range 2 { // through a journal
		b := batch.New(p.shape.rows)
		p.DrainRows(b)
		if err := p2.MergeRows(b); err != nil {
			t.Fatal(err)
		}
		p, p2 = p2, p
	}
	if end, ok := p.EarliestPending(); !ok || end != 10 {
		t.Errorf("earliest %d %t", end, ok)
	}
	b := batch.New(p.shape.rows)
	p.DrainRows(b)
	var got []string
	for i := range b.N {
		got = append(got, showRow(b, i, 0, len(b.Cols)))
	}
	wantLines(t, got, `"a" "x" 5 10 1.5/3ff8000000000000 3 "s"`, `<nil> "" 4 20 <nil> 4 <nil>`)
	if _, ok := p.EarliestPending(); ok || p.ForwardedRows() != 0 {
		t.Error("something is left")
	}
}
