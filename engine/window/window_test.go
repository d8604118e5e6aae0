package window

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

var stringKey = []batch.Type{batch.String}

func makeBatch(keys []batch.Type, rows ...row) *batch.Batch {
	b := batch.New(rowSchema(keys))
	for _, ro := range rows {
		for i, k := range ro.keys {
			appendValue(&b.Cols[i], k)
		}
		for i, v := range []any{ro.ts, ro.x, ro.n, ro.s} {
			appendValue(&b.Cols[len(ro.keys)+i], v)
		}
		b.N++
	}
	return b
}

func at(key any, ts int64) row { return row{keys: []any{key}, ts: ts, x: 1.5, n: int64(1), s: "s"} }

func newTestPartial(t testing.TB, w *plan.Window, keys []batch.Type, cfg PartialConfig) *Partial {
	t.Helper()
	p, err := NewPartial(w, nil, rowSchema(keys), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newTestFinal(t testing.TB, w *plan.Window, cfg FinalConfig) *Final {
	t.Helper()
	f, err := NewFinal(w, nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// delta makes the partial batch of rows.
func delta(t testing.TB, w *plan.Window, keys []batch.Type, rows ...row) *batch.Batch {
	t.Helper()
	p := newTestPartial(t, w, keys, PartialConfig{})
	if err := p.Process(makeBatch(keys, rows...), nil); err != nil {
		t.Fatal(err)
	}
	s, err := PartialSchema(w)
	if err != nil {
		t.Fatal(err)
	}
	b := batch.New(s)
	p.Drain(b)
	return b
}

// collect advances f and gives "start end key: count revision" of each result.
func collect(t testing.TB, f *Final, fire, keep int64) []string {
	t.Helper()
	var out []string
	if err := f.Advance(fire, keep, func(b *batch.Batch) error {
		for i := range b.N {
			out = append(out, showRow(b, i, 0, 3)+": "+showRow(b, i, 3, 4)+" "+showRow(b, i, len(b.Cols)-1, len(b.Cols)))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func mergeInto(t testing.TB, f *Final, b *batch.Batch) {
	t.Helper()
	if err := f.Merge(b); err != nil {
		t.Fatal(err)
	}
}

// part is a section of a snapshot.
type part struct {
	section int
	b       *batch.Batch
}

// snapshots is what has snapshots.
type snapshots interface {
	Snapshot(full bool, emit func(section int, b *batch.Batch) error) error
	Restore(section int, b *batch.Batch) error
	SnapshotSchemas() []batch.Schema
	Resume(fire, keep int64)
}

func snapshotOf(t testing.TB, f snapshots, full bool) (parts []part) {
	t.Helper()
	if err := f.Snapshot(full, func(section int, b *batch.Batch) error {
		out := batch.New(f.SnapshotSchemas()[section])
		out.AppendRows(b)
		parts = append(parts, part{section, out})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return parts
}

func restoreTo(t testing.TB, f snapshots, parts []part) {
	t.Helper()
	for _, p := range parts {
		if err := f.Restore(p.section, p.b); err != nil {
			t.Fatal(err)
		}
	}
}

func wantLines(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestInconsistentPlansAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(w *plan.Window){
		"slice":               func(w *plan.Window) { w.SliceMicros = 5 },
		"size":                func(w *plan.Window) { w.SliceMicros, w.Windows[0].SizeMicros = 0, 0 },
		"lateness":            func(w *plan.Window) { w.AllowedLatenessMicros = -1 },
		"key type":            func(w *plan.Window) { w.Keys[0].Type = 99 },
		"key column":          func(w *plan.Window) { w.KeyColumns[0] = 77 },
		"no key":              func(w *plan.Window) { w.KeyColumns = nil },
		"time":                func(w *plan.Window) { w.TimeColumn = 2 },
		"accumulator":         func(w *plan.Window) { w.Accumulators[2].Kind = "median" },
		"argument":            func(w *plan.Window) { w.Accumulators[2].Column = 4 },
		"no argument":         func(w *plan.Window) { w.Accumulators[2].Column = -1 },
		"result":              func(w *plan.Window) { w.Results[2].Accumulators[0] = 40 },
		"function":            func(w *plan.Window) { w.Results[2].Function = "median" },
		"result type":         func(w *plan.Window) { w.Results[2].Type = uint32(batch.Bool) },
		"result kinds":        func(w *plan.Window) { w.Results[3].Accumulators = w.Results[3].Accumulators[:1] },
		"no window":           func(w *plan.Window) { w.Windows = nil },
		"hop":                 func(w *plan.Window) { w.Windows[0].Kind = plan.WindowSpec_HOPPING },
		"many windows":        func(w *plan.Window) { w.SliceMicros = 1; spoilSpec(w, plan.WindowSpec_HOPPING, 1_000_000, 1) },
		"step":                func(w *plan.Window) { w.SliceMicros = 1; spoilSpec(w, plan.WindowSpec_CUMULATIVE, 10, 3) },
		"session with slices": func(w *plan.Window) { spoilSpec(w, plan.WindowSpec_SESSION, 0, 10) },
		"gap":                 func(w *plan.Window) { w.SliceMicros = 0; spoilSpec(w, plan.WindowSpec_SESSION, 0, 0) },
		"session with others": func(w *plan.Window) {
			w.Windows = append(w.Windows, &plan.WindowSpec{Kind: plan.WindowSpec_SESSION, EveryMicros: 10})
		},
		"rules": func(w *plan.Window) { w.TimeZone = "Europe/Paris" },
	} {
		w := testWindow(t, stringKey, 10, 0)
		spoil(w)
		if _, err := NewPartial(w, nil, rowSchema(stringKey), PartialConfig{}); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func spoilSpec(w *plan.Window, kind plan.WindowSpec_Kind, size, every int64) {
	w.Windows[0] = &plan.WindowSpec{Kind: kind, SizeMicros: size, EveryMicros: every}
}

func TestSchemas(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	names := func(s batch.Schema, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range s {
			out = append(out, f.Name)
		}
		return strings.Join(out, " ")
	}
	if got := names(ResultSchema(w)); got != "window_start window_end k0 r0 r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 _revision" {
		t.Error(got)
	}
	partial := names(PartialSchema(w))
	if !strings.HasPrefix(partial, "k0 slice_start slice_end _0_count _1_count_value _2_sum_0 _2_sum_1 ") {
		t.Error(partial)
	}
	sections := newTestFinal(t, w, FinalConfig{}).SnapshotSchemas()
	for i, want := range []string{"_version _epoch", partial + " _touched _gone", "window_start window_end _revision _epoch _gone"} {
		if got := names(sections[i], nil); got != want {
			t.Error(got)
		}
	}
}

// Slices are half-open and floored before 1970 too.
func TestSlicesAreFloored(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	b := delta(t, w, stringKey, at("a", -1), at("a", -10), at("a", -11), at("a", 0), at("a", 9), at("a", 10))
	var got []string
	for i := range b.N {
		got = append(got, showRow(b, i, 1, 4))
	}
	wantLines(t, got, "-20 -10 1", "-10 0 2", "0 10 2", "10 20 1")
}

func TestLatenessIsDecidedByRow(t *testing.T) {
	w := testWindow(t, stringKey, 10, 5)
	p := newTestPartial(t, w, stringKey, PartialConfig{})
	b := makeBatch(stringKey, at("a", 3), at("a", 3), at("a", 12), at("a", 3), at("b", 3), at("a", 12))
	if err := p.Process(b, []int64{math.MinInt64, 14, 15, 15, 100, 24}); err != nil {
		t.Fatal(err)
	}
	if p.Counts().Late != 2 || p.Rows() != 2 || p.NewestSliceEnd() != 20 {
		t.Errorf("late %d, partials %d, end %d; want 2, 2, 20", p.Counts().Late, p.Rows(), p.NewestSliceEnd())
	}
	// Watermarks rise between rows of one slice.
	if err := p.Process(makeBatch(stringKey, at("a", 12), at("a", 12), at("a", 12)), []int64{24, 25, 26}); err != nil {
		t.Fatal(err)
	}
	if p.Counts().Late != 4 {
		t.Errorf("late %d, want 4", p.Counts().Late)
	}
	// A late row leaves no trace of its slice.
	if err := p.Process(makeBatch(stringKey, at("c", 1000)), []int64{2000}); err != nil {
		t.Fatal(err)
	}
	if p.Counts().Late != 5 || p.NewestSliceEnd() != 20 {
		t.Errorf("late %d, end %d; want 5, 20", p.Counts().Late, p.NewestSliceEnd())
	}
}

func TestRowsWithoutUsableTimeAreCounted(t *testing.T) {
	if invariants {
		t.Skip("panics in this build")
	}
	w := testWindow(t, stringKey, 10, 5)
	for _, keys := range []any{"a", nil} {
		p := newTestPartial(t, w, stringKey, PartialConfig{})
		b := makeBatch(stringKey, at(keys, 1), at("a", math.MaxInt64), at(keys, math.MinInt64), at(keys, 2))
		b.Cols[1].AppendNull()
		appendValue(&b.Cols[0], "a")
		appendValue(&b.Cols[2], 1.0)
		appendValue(&b.Cols[3], int64(1))
		appendValue(&b.Cols[4], "s")
		b.N++
		if err := p.Process(b, nil); err != nil {
			t.Fatal(err)
		}
		if p.Counts().Invalid != 3 || p.Rows() != 1 {
			t.Errorf("invalid %d, partials %d; want 3, 1", p.Counts().Invalid, p.Rows())
		}
	}
}

func TestRevisionsCountFirings(t *testing.T) {
	w := testWindow(t, stringKey, 10, 10)
	f := newTestFinal(t, w, FinalConfig{})
	if _, ok := f.FireableAt(); ok {
		t.Error("an empty Final is fireable")
	}
	mergeInto(t, f, delta(t, w, stringKey, at("b", 1), at("a", 2), at(nil, 3), at("a", 11)))
	if end, ok := f.FireableAt(); !ok || end != 10 {
		t.Errorf("FireableAt %d %v, want 10", end, ok)
	}
	wantLines(t, collect(t, f, 9, 0))
	wantLines(t, collect(t, f, 10, 0), `0 10 "a": 1 1`, `0 10 "b": 1 1`, `0 10 <nil>: 1 1`)
	wantLines(t, collect(t, f, 10, 0))
	mergeInto(t, f, delta(t, w, stringKey, at("a", 3), at("new", 4)))
	wantLines(t, collect(t, f, 10, 19), `0 10 "a": 2 2`, `0 10 "new": 1 2`)
	mergeInto(t, f, delta(t, w, stringKey, at("b", 3)))
	// keep passes the window: it fires once more, then it is forgotten.
	wantLines(t, collect(t, f, 10, 20), `0 10 "b": 2 3`)
	if f.TooLate() != 0 || f.States() != 1 {
		t.Errorf("too late %d, states %d; want 0, 1", f.TooLate(), f.States())
	}
	mergeInto(t, f, delta(t, w, stringKey, at("b", 3), at("c", 3), at("a", 12)))
	if f.TooLate() != 2 {
		t.Errorf("too late %d, want 2", f.TooLate())
	}
	wantLines(t, collect(t, f, 20, 20), `10 20 "a": 2 1`)
}

func TestLastOnlyFiresOnce(t *testing.T) {
	w := testWindow(t, stringKey, 10, 10)
	f := newTestFinal(t, w, FinalConfig{LastOnly: true})
	mergeInto(t, f, delta(t, w, stringKey, at("a", 1)))
	wantLines(t, collect(t, f, 19, 0))
	mergeInto(t, f, delta(t, w, stringKey, at("a", 1)))
	if end, ok := f.FireableAt(); !ok || end != 20 {
		t.Errorf("FireableAt %d %v, want 20", end, ok)
	}
	wantLines(t, collect(t, f, 20, 0), `0 10 "a": 2 1`)
	mergeInto(t, f, delta(t, w, stringKey, at("a", 1)))
	if f.TooLate() != 1 || f.States() != 0 {
		t.Errorf("too late %d, states %d; want 1, 0", f.TooLate(), f.States())
	}
}

// A snapshot from before a window fired and was forgotten does not fire it again.
func TestResumeForgetsWhatWasForgotten(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	f := newTestFinal(t, w, FinalConfig{})
	mergeInto(t, f, delta(t, w, stringKey, at("a", 1), at("a", 11)))
	one := snapshotOf(t, f, true)
	wantLines(t, collect(t, f, 10, 10), `0 10 "a": 1 1`)
	two := snapshotOf(t, f, false)
	if len(one) != 2 || one[1].b.N != 2 || len(two) != 1 {
		t.Fatalf("snapshots of %d and %d sections, want 2 and 1", len(one), len(two))
	}
	g := newTestFinal(t, w, FinalConfig{})
	restoreTo(t, g, one)
	restoreTo(t, g, two)
	if end, ok := g.FireableAt(); !ok || end != 10 {
		t.Errorf("FireableAt %d %v before Resume, want 10", end, ok)
	}
	g.Resume(10, 10)
	wantLines(t, collect(t, g, 10, 10))
	wantLines(t, collect(t, g, 20, 10), `10 20 "a": 1 1`)
}

func TestResultsAreInOrder(t *testing.T) {
	keys := []batch.Type{batch.Double, batch.String}
	w := testWindow(t, keys, 10, 0)
	f := newTestFinal(t, w, FinalConfig{})
	r := rand.New(rand.NewPCG(1, 1))
	var rows []row
	for i := range 12_000 {
		rows = append(rows, row{keys: []any{pick[any](r, math.NaN(), 1.0, -2.0, math.Inf(1), nil, 0.0), pick[any](r, fmt.Sprint(i), nil)}, ts: r.Int64N(30)})
	}
	mergeInto(t, f, delta(t, w, keys, rows...))
	rank := func(v any) string { // of the keys above
		if v == nil {
			return "9"
		}
		if x, ok := v.(float64); ok {
			return map[string]string{"-2": "1", "0": "2", "1": "3", "+Inf": "4", "NaN": "5"}[fmt.Sprint(x)]
		}
		return "1" + v.(string)
	}
	before, sizes := "", []int{}
	if err := f.Advance(30, 0, func(b *batch.Batch) error {
		sizes = append(sizes, b.N)
		for i := range b.N {
			now := fmt.Sprintf("%02d ", b.Cols[1].Ints[i]) + rank(valueAt(&b.Cols[2], i)) + " " + rank(valueAt(&b.Cols[3], i))
			if now <= before {
				t.Fatalf("%q after %q", now, before)
			}
			before = now
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(sizes) != 2 || sizes[0] != resultRows {
		t.Errorf("batches of %v rows", sizes)
	}
}

func TestFullAsksForDrain(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	p := newTestPartial(t, w, stringKey, PartialConfig{MaxGroups: 3, KeepKeys: 2})
	for i, key := range []string{"a", "b", "c"} {
		if p.Full() {
			t.Fatalf("full with %d", i)
		}
		if err := p.Process(makeBatch(stringKey, at(key, 1)), nil); err != nil {
			t.Fatal(err)
		}
	}
	if !p.Full() || p.Rows() != 3 {
		t.Errorf("not full with %d", p.Rows())
	}
	schema, err := PartialSchema(w)
	if err != nil {
		t.Fatal(err)
	}
	p.Drain(batch.New(schema))
	if p.Full() || p.Counts().KeyResets != 1 {
		t.Errorf("full %v, %d resets after Drain; want false, 1", p.Full(), p.Counts().KeyResets)
	}
}

// A batch that is used again and again does not collect strings for ever.
func TestFullDictsOfOutputsAreReplaced(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	full := batch.NewDict()
	for i := 0; !full.Full(); i++ {
		full.CodeString(fmt.Sprint(i) + strings.Repeat("x", 1<<20))
	}
	p := newTestPartial(t, w, stringKey, PartialConfig{})
	if err := p.Process(makeBatch(stringKey, at("a", 1)), nil); err != nil {
		t.Fatal(err)
	}
	schema, err := PartialSchema(w)
	if err != nil {
		t.Fatal(err)
	}
	b := batch.New(schema)
	b.Cols[0].Dict = full
	p.Drain(b)
	if d := b.Cols[0].Dict; d == full || d.Len() != 1 {
		t.Errorf("the key went into a Dict of %d strings", d.Len())
	}
}

func TestMaxStatesRefusesAtomically(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	f := newTestFinal(t, w, FinalConfig{MaxStates: 3})
	mergeInto(t, f, delta(t, w, stringKey, at("a", 1), at("b", 1)))
	if err := f.Merge(delta(t, w, stringKey, at("a", 1), at("c", 1), at("d", 1))); !errors.Is(err, ErrFull) {
		t.Fatalf("Merge: %v, want ErrFull", err)
	}
	mergeInto(t, f, delta(t, w, stringKey, at("a", 1), at("b", 1), at("c", 1)))
	wantLines(t, collect(t, f, 10, 0), `0 10 "a": 2 1`, `0 10 "b": 2 1`, `0 10 "c": 1 1`)
}

// Keys come and go; the table of keys follows those that have states.
func TestKeysOfForgottenWindowsAreDropped(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	f := newTestFinal(t, w, FinalConfig{})
	for round := range int64(20) {
		rows := []row{at("always", 10*round), at("always", 10*round+10), at("always", 10*round+20)}
		for i := range 500 {
			rows = append(rows, at(fmt.Sprintf("key-%d-%d", round, i), 10*round))
		}
		mergeInto(t, f, delta(t, w, stringKey, rows...))
		got := collect(t, f, 10*round+10, 10*round+10)
		want := fmt.Sprintf(`%d %d "always": %d 1`, 10*round, 10*round+10, min(3, round+1))
		if len(got) != 501 || got[0] != want {
			t.Fatalf("round %d: %d results, first %q, want %q", round, len(got), got[0], want)
		}
	}
	// The last state of a key keeps it, though others of it go.
	var rows []row
	for i := range 3000 {
		rows = append(rows, at(fmt.Sprintf("key-%d", i), 200))
	}
	mergeInto(t, f, delta(t, w, stringKey, rows...))
	collect(t, f, 210, 210)
	wantLines(t, collect(t, f, 220, 220), `210 220 "always": 1 1`)
	if n := f.keys.len(); n > 2100 {
		t.Errorf("%d keys are known with %d states", n, f.States())
	}
}

func TestEndedCountsPartialsOfPastSlices(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	setSpecs(w, "", hopping(60, 10))
	p := newTestPartial(t, w, stringKey, PartialConfig{})
	if err := p.Process(makeBatch(stringKey, at("a", 1), at("b", 2), at("a", 3), at("a", 11), at("a", 25)), nil); err != nil {
		t.Fatal(err)
	}
	for watermark, want := range map[int64]int{9: 0, 10: 2, 19: 2, 20: 3, 30: 4} {
		if got := p.Ended(watermark); got != want {
			t.Errorf("%d partials are over at %d, want %d", got, watermark, want)
		}
	}
}
