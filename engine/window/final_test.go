package window

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// lines advances f and gives "start end key: count revision" of each result, or "deleted".
func lines(t testing.TB, f *Final, fire, keep int64) (out []string) {
	t.Helper()
	if err := f.Advance(fire, keep, func(b *batch.Batch) error {
		for i := range b.N {
			text := showRow(b, i, 3, 4)
			if b.Deleted != nil && b.Deleted.Get(i) {
				text = "deleted"
			}
			out = append(out, showRow(b, i, 0, 3)+": "+text+" "+showRow(b, i, len(b.Cols)-1, len(b.Cols)))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func newFinalOf(t testing.TB, lateness int64, cfg FinalConfig, specs ...*plan.WindowSpec) *Final {
	t.Helper()
	w := testWindow(t, stringKey, 10, lateness)
	setSpecs(w, "", specs...)
	return newTestFinal(t, w, cfg)
}

// factAt is a row that counts for the windows that end at first or later; 0 = for all.
func factAt(f *Final, key string, ts, first int64) fact {
	sl, _ := f.shape.sliceOf(ts)
	if first == 0 {
		first = sl.end
	}
	return fact{at(key, ts), sl, first}
}

func merge(t testing.TB, f *Final, facts ...fact) {
	t.Helper()
	mergeInto(t, f, partialsOf(t, f.shape, facts))
}

// The page docs/concepts.md shows this one.
func TestSessionsTakeBackWhatTheyAbsorb(t *testing.T) {
	f := newFinalOf(t, 20, FinalConfig{}, session(10))
	merge(t, f, factAt(f, "a", 0, 0), factAt(f, "a", 2, 0), factAt(f, "a", 14, 0), factAt(f, "a", 16, 0))
	wantLines(t, lines(t, f, 30, 0), `0 12 "a": 2 1`, `14 26 "a": 2 1`)
	merge(t, f, fact{at("a", 9), span{9, 21}, 21}, fact{at("a", 11), span{9, 21}, 21})
	wantLines(t, lines(t, f, 30, 0), `0 12 "a": deleted 2`, `0 26 "a": 6 1`, `14 26 "a": deleted 2`)
	merge(t, f, factAt(f, "a", 13, 0))
	wantLines(t, lines(t, f, 30, 0), `0 26 "a": 7 2`)
	// A session is kept until a row just before its end would be late: 26 + 10 + 20.
	lines(t, f, 60, 55)
	if f.States() != 1 {
		t.Errorf("%d sessions are held at 55, want 1", f.States())
	}
	if lines(t, f, 60, 56); f.States() != 0 {
		t.Errorf("%d sessions are held at 56, want 0", f.States())
	}
}

// Rows exactly a gap apart are two sessions.
func TestSessionsThatTouchAreTwo(t *testing.T) {
	f := newFinalOf(t, 0, FinalConfig{}, session(10))
	merge(t, f, factAt(f, "a", 0, 0), factAt(f, "a", 10, 0), factAt(f, "b", 9, 0), factAt(f, "b", 0, 0))
	wantLines(t, lines(t, f, 100, 0), `0 10 "a": 1 1`, `0 19 "b": 2 1`, `10 20 "a": 1 1`)
}

func TestLatePartialsCountFromTheirFirstEndOn(t *testing.T) {
	f := newFinalOf(t, 100, FinalConfig{}, hopping(30, 10))
	merge(t, f, factAt(f, "a", 5, 0), factAt(f, "b", 5, 0))
	wantLines(t, lines(t, f, 20, 0), `-20 10 "a": 1 1`, `-20 10 "b": 1 1`, `-10 20 "a": 1 1`, `-10 20 "b": 1 1`)
	merge(t, f, factAt(f, "a", 5, 20), factAt(f, "c", 5, 30))
	wantLines(t, lines(t, f, 20, 0), `-10 20 "a": 2 2`)
	wantLines(t, lines(t, f, 30, 0), `0 30 "a": 2 1`, `0 30 "b": 1 1`, `0 30 "c": 1 1`)
	merge(t, f, factAt(f, "b", 5, 0))
	wantLines(t, lines(t, f, 30, 0), `-20 10 "b": 2 2`, `-10 20 "b": 2 3`, `0 30 "b": 2 2`)
}

func TestEarlyResultsAreRevisions(t *testing.T) {
	w := testWindow(t, stringKey, 10, 0)
	setSpecs(w, "", tumbling(60))
	w.EarlyMicros = 15
	f := newTestFinal(t, w, FinalConfig{})
	lines(t, f, 0, 0)
	merge(t, f, factAt(f, "a", 5, 0), factAt(f, "b", 5, 0))
	if at, ok := f.FireableAt(); !ok || at != 15 {
		t.Errorf("FireableAt %d %v, want 15", at, ok)
	}
	wantLines(t, lines(t, f, 14, 0))
	wantLines(t, lines(t, f, 16, 0), `0 60 "a": 1 1`, `0 60 "b": 1 1`)
	wantLines(t, lines(t, f, 40, 0))
	merge(t, f, factAt(f, "b", 50, 0))
	wantLines(t, lines(t, f, 44, 0))
	wantLines(t, lines(t, f, 45, 0), `0 60 "b": 2 2`)
	merge(t, f, factAt(f, "c", 50, 0))
	wantLines(t, lines(t, f, 60, 60), `0 60 "c": 1 3`)
}

// A window that two specifications give is emitted once.
func TestEqualWindowsAreOne(t *testing.T) {
	f := newFinalOf(t, 0, FinalConfig{}, tumbling(10), hopping(20, 10), cumulative(20, 10))
	merge(t, f, factAt(f, "a", 5, 0), factAt(f, "a", 15, 0))
	wantLines(t, lines(t, f, 30, 30), `-10 10 "a": 1 1`, `0 10 "a": 1 1`, `0 20 "a": 2 1`, `10 20 "a": 1 1`, `10 30 "a": 1 1`)
}

func TestTooLatePartialsAreHandedOut(t *testing.T) {
	for _, specs := range [][]*plan.WindowSpec{{tumbling(10)}, {hopping(20, 10)}, {session(10)}} {
		var got []string
		f := newFinalOf(t, 0, FinalConfig{OnTooLate: func(b *batch.Batch) {
			for k := range b.Len() {
				got = append(got, showRow(b, rowOf(b, k), 0, 3))
			}
		}}, specs...)
		lines(t, f, 100, 100)
		merge(t, f, factAt(f, "a", 5, 0), factAt(f, "b", 95, 0))
		if err := f.AddRows(rowsOf(f.shape, []fact{factAt(f, "c", 101, 0), factAt(f, "d", 7, 0)})); err != nil {
			t.Fatal(err)
		}
		var want []string
		late := []fact{factAt(f, "a", 5, 0), factAt(f, "b", 95, 0), factAt(f, "d", 7, 0)}
		if specs[0].Kind != plan.WindowSpec_TUMBLING { // the windows that end at 105 or 110 have b
			late = slices.Delete(late, 1, 2)
		}
		for _, l := range late {
			want = append(want, fmt.Sprintf("%s %d %d", l.key(), l.slice.start, l.slice.end))
		}
		wantLines(t, got, want...)
		if f.TooLate() != int64(len(want)) {
			t.Errorf("%d partials were too late, want %d", f.TooLate(), len(want))
		}
	}
}

func TestCompletenessIsAskedForTheWindow(t *testing.T) {
	for _, spec := range []*plan.WindowSpec{tumbling(10), hopping(20, 10), session(10)} {
		w := testWindow(t, stringKey, 10, 0)
		setSpecs(w, "", spec)
		w.Completeness = true
		f := newTestFinal(t, w, FinalConfig{Completeness: func(end int64) (int64, int64) { return end, 2 * end }})
		merge(t, f, factAt(f, "a", 5, 0), factAt(f, "a", 85, 0))
		n := 0
		if err := f.Advance(200, 0, func(b *batch.Batch) error {
			last := len(b.Cols) - 1
			for i := range b.N {
				if end := b.Cols[1].Ints[i]; b.Cols[last-2].Ints[i] != end || b.Cols[last-1].Ints[i] != 2*end {
					t.Errorf("the window that ends at %d says %s", end, showRow(b, i, last-2, last))
				}
				n++
			}
			return nil
		}); err != nil || n < 2 {
			t.Errorf("%d results, %v", n, err)
		}
	}
}

func TestSnapshotsOfOtherVersionsAreRefused(t *testing.T) {
	f := newFinalOf(t, 0, FinalConfig{}, tumbling(10))
	merge(t, f, factAt(f, "a", 5, 0))
	parts := snapshotOf(t, f, true)
	if err := newFinalOf(t, 0, FinalConfig{}, tumbling(10)).Restore(parts[1].section, parts[1].b); !errors.Is(err, ErrVersion) {
		t.Errorf("states without a header: %v", err)
	}
	parts[0].b.Cols[0].Ints[0]++
	if err := newFinalOf(t, 0, FinalConfig{}, tumbling(10)).Restore(0, parts[0].b); !errors.Is(err, ErrVersion) {
		t.Errorf("a header of another version: %v", err)
	}
}

// Merges of top_k do not commute. Still neither restarts nor late partials, which take another way to
// a result, show in it.
func TestRestartsDoNotShowWhereTheOrderOfMergesDoes(t *testing.T) {
	w := testWindow(t, stringKey, 10, 50)
	setSpecs(w, "", hopping(60, 10), cumulative(40, 10))
	specs, typ, err := aggregate.Resolve("top_k", false, batch.String, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.Accumulators = []*plan.Accumulator{{Kind: specs[0].Kind, Column: 1 + colS, Type: uint32(batch.String), Param: specs[0].Param}}
	w.Results = []*plan.Result{{Name: "top", Function: "top_k", Accumulators: []uint32{0}, Type: uint32(typ), Param: 1}}
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 5))
		f, g := newTestFinal(t, w, FinalConfig{}), newTestFinal(t, w, FinalConfig{})
		for now := int64(0); now < 400; now += 1 + r.Int64N(15) {
			var facts []fact
			for range 300 {
				fa := factAt(f, pick(r, "a", "b", "c"), now-r.Int64N(20), 0)
				fa.s = fmt.Sprint(r.IntN(2000))
				facts = append(facts, fa)
			}
			merge(t, f, facts...)
			merge(t, g, facts...)
			got, want := results(t, g, now-10, now-60), results(t, f, now-10, now-60)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: at %d a Final that restarts gave\n%v\nwant\n%v", seed, now, got, want)
			}
			if r.IntN(2) == 0 {
				parts := snapshotOf(t, g, true)
				g = newTestFinal(t, w, FinalConfig{})
				restoreTo(t, g, parts)
				g.Resume(now-10, now-60)
			}
		}
	}
}

func results(t testing.TB, f *Final, fire, keep int64) (out []string) {
	t.Helper()
	if err := f.Advance(fire, keep, func(b *batch.Batch) error {
		for i := range b.N {
			out = append(out, showRow(b, i, 0, len(b.Cols)))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// The state of a key and slice with count, sum, min and max takes at most 128 bytes, its key aside.
func TestStatesAreSmall(t *testing.T) {
	f := newTestFinal(t, climateWindow(t), FinalConfig{})
	b := batch.New(f.shape.partial)
	for i := range 300_000 {
		for k := range b.Cols {
			switch c := &b.Cols[k]; {
			case k == 0:
				appendValue(c, fmt.Sprint("device-", i))
			case k == 2:
				appendValue(c, int64(10_000_000))
			case c.Type == batch.Bytes:
				appendValue(c, []byte(nil))
			case c.Type == batch.Double:
				appendValue(c, 1.5)
			default:
				appendValue(c, int64(0))
			}
		}
		if b.N++; b.N < 10_000 {
			continue
		}
		mergeInto(t, f, b)
		b.Reset()
		if per := float64(f.SizeBytes()-f.keys.sizeBytes()-f.out.out.SizeBytes()) / float64(f.States()); per > 128 {
			t.Fatalf("%d states take %.0f bytes each", f.States(), per)
		}
	}
}
