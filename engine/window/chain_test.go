package window

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// result is a row of an inner window: its end is the row's ts.
type innerRow struct {
	row
	device  int64
	deleted bool
}

// chainSchema is rowSchema, then the inner window's start and a key of it.
func chainSchema(keys []batch.Type) batch.Schema {
	return append(rowSchema(keys), batch.Field{Name: "window_start", Type: batch.Timestamp}, batch.Field{Name: "device", Type: batch.Int})
}

const innerSize = 10

func chainBatch(keys []batch.Type, rows []innerRow) *batch.Batch {
	var plain []row
	for _, r := range rows {
		plain = append(plain, r.row)
	}
	b := makeBatch(keys, plain...)
	b.Cols = append(b.Cols, batch.Column{Type: batch.Timestamp}, batch.Column{Type: batch.Int})
	for i, r := range rows {
		appendValue(&b.Cols[len(b.Cols)-2], r.ts-innerSize)
		appendValue(&b.Cols[len(b.Cols)-1], r.device)
		if r.deleted {
			if b.Deleted == nil {
				b.Deleted = batch.NewBitmap(len(rows), false)
			}
			b.Deleted.Set(i)
		}
	}
	return b
}

func chainWindow(t testing.TB, keys []batch.Type, lateness int64, specs ...*plan.WindowSpec) *plan.Window {
	w := testWindow(t, keys, 10, lateness)
	setSpecs(w, "", specs...)
	n := uint32(len(rowSchema(keys)))
	w.Identity = []uint32{n, uint32(len(keys)) + colTime, n + 1}
	return w
}

func newTestChain(t testing.TB, w *plan.Window, keys []batch.Type, cfg FinalConfig) *Chain {
	t.Helper()
	c, err := NewChain(w, nil, chainSchema(keys), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func process(t testing.TB, c *Chain, keys []batch.Type, rows ...innerRow) {
	t.Helper()
	if err := c.Process(chainBatch(keys, rows)); err != nil {
		t.Fatal(err)
	}
}

func chainLines(t testing.TB, c *Chain, nk int, fire, keep int64) (out []line) {
	t.Helper()
	if err := c.Advance(fire, keep, func(b *batch.Batch) error {
		out = append(out, linesOf(b, nk)...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// chainModel does naively what a Chain does.
type chainModel struct {
	*model
	latest map[string]innerRow
	dirty  map[span]map[string]bool
	count  map[span]int64
}

func (m *chainModel) take(r innerRow) {
	id := fmt.Sprint(r.ts, r.device)
	mark := func(r innerRow) {
		sl, _ := m.shape.sliceOf(r.ts - 1)
		for _, w := range m.shape.windowsOf(sl, nil) {
			if m.dirty[w] == nil {
				m.dirty[w] = map[string]bool{}
			}
			m.dirty[w][r.key()] = true
		}
	}
	if old, ok := m.latest[id]; ok {
		mark(old)
		delete(m.latest, id)
	}
	if !r.deleted {
		m.keys[r.key()] = r.keys
		m.latest[id] = r
		mark(r)
	}
}

func (m *chainModel) advance(fire, keep int64) (out []line) {
	before := m.fire
	m.fire, m.keep = max(m.fire, fire), max(m.keep, keep)
	fired := max(m.fire, less(m.keep, m.shape.lateness))
	if m.cfg.LastOnly {
		fired = less(max(m.fire, m.keep), m.shape.lateness)
	}
	early := m.shape.early > 0 && !m.cfg.LastOnly && before != math.MinInt64 && floor(m.fire, m.shape.early) > floor(before, m.shape.early)
	for w, dirty := range m.dirty {
		if w.end > fired && !early {
			continue
		}
		in := map[string][]row{}
		for _, r := range m.latest {
			if r.ts-1 >= w.start && r.ts-1 < w.end {
				counted := r.row
				counted.ts--
				in[r.key()] = append(in[r.key()], counted)
			}
		}
		if m.count[w] == 0 && len(in) == 0 {
			delete(m.dirty, w)
			continue
		}
		m.count[w]++
		for key := range dirty {
			switch {
			case len(in[key]) > 0:
				out = append(out, line{w, key, oracle(in[key]), m.count[w]})
			case m.count[w] > 1:
				out = append(out, line{w, key, "deleted", m.count[w]})
			}
		}
		delete(m.dirty, w)
	}
	slices.SortFunc(out, m.compare)
	return out
}

func TestChainsDoWhatTheModelDoes(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 31))
		keys := pick(r, []batch.Type{batch.String}, []batch.Type{batch.Int}, nil)
		specs := pick(r, []*plan.WindowSpec{tumbling(40)}, []*plan.WindowSpec{hopping(60, 10)}, []*plan.WindowSpec{hopping(60, 20), tumbling(30)}, []*plan.WindowSpec{cumulative(60, 20)})
		w := chainWindow(t, keys, pick(r, int64(0), 20), specs...)
		w.InnerLatenessMicros = pick(r, int64(0), 30)
		if r.IntN(3) == 0 {
			w.EarlyMicros = pick(r, int64(7), 25)
		}
		cfg := FinalConfig{LastOnly: r.IntN(4) == 0}
		c := newTestChain(t, w, keys, cfg)
		m := &chainModel{newModel(c.s.shape, cfg), map[string]innerRow{}, map[span]map[string]bool{}, map[span]int64{}}
		var saved [][]part
		now, lateness := int64(0), c.s.shape.lateness
		for range 60 {
			now += int64(r.IntN(12))
			var rows []innerRow
			for range 1 + r.IntN(8) {
				// Inner results whose windows nobody has forgotten, with the lateness that is theirs.
				end := floor(now-r.Int64N(lateness+30), innerSize) + innerSize
				if end+lateness <= m.keep {
					continue
				}
				ro := innerRow{device: int64(r.IntN(4)), deleted: r.IntN(4) == 0,
					row: row{ts: end, x: any(float64(r.IntN(90)) / 10), n: any(int64(r.IntN(50))), s: any(pick(r, "a", "b", "c"))}}
				for _, k := range keys {
					if ro.keys = append(ro.keys, randomKey(r, k, 3)); ro.deleted {
						ro.keys[len(ro.keys)-1] = nil
					}
				}
				if ro.deleted {
					ro.x, ro.n, ro.s = nil, nil, nil
				}
				rows = append(rows, ro)
			}
			process(t, c, keys, rows...)
			for _, ro := range rows {
				m.take(ro)
			}
			switch r.IntN(4) {
			case 0, 1:
				fire := now - r.Int64N(20)
				keep := less(fire, r.Int64N(40))
				want := m.advance(fire, keep)
				if got := chainLines(t, c, len(keys), fire, keep); !slices.Equal(got, want) {
					t.Fatalf("seed %d: advance to %d, %d gave\n%v\nwant\n%v", seed, fire, keep, got, want)
				}
				if cfg.LastOnly {
					m.keep = max(m.keep, m.fire)
				}
			case 2:
				full := len(saved) == 0 || r.IntN(5) == 0
				if full {
					saved = nil
				}
				saved = append(saved, snapshotOf(t, c, full))
				if r.IntN(2) == 0 {
					break
				}
				d := newTestChain(t, w, keys, cfg)
				for _, parts := range saved {
					restoreTo(t, d, parts)
				}
				d.Resume(m.fire, m.keep)
				if got, want := showParts(snapshotOf(t, d, true)), showParts(snapshotOf(t, c, true)); got != want {
					t.Fatalf("seed %d: a restored Chain gives the snapshot\n%s\nwant\n%s", seed, got, want)
				}
				c, saved = d, nil
			}
		}
		want := m.advance(1<<60, 1<<60)
		if got := chainLines(t, c, len(keys), 1<<60, 1<<60); !slices.Equal(got, want) {
			t.Fatalf("seed %d: the end gave\n%v\nwant\n%v", seed, got, want)
		}
		if c.States() != 0 || c.TooLate() != 0 {
			t.Fatalf("seed %d: %d states are left, %d results were too late", seed, c.States(), c.TooLate())
		}
	}
}

func TestChainsOverSessionsAreRefused(t *testing.T) {
	w := chainWindow(t, stringKey, 0, session(10))
	if _, err := NewChain(w, nil, chainSchema(stringKey), FinalConfig{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v, want ErrUnsupported", err)
	}
}

func TestInconsistentChainsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(w *plan.Window){
		"time":        func(w *plan.Window) { w.TimeColumn = 2 },
		"keys":        func(w *plan.Window) { w.KeyColumns = nil },
		"key":         func(w *plan.Window) { w.KeyColumns[0] = 99 },
		"argument":    func(w *plan.Window) { w.Accumulators[1].Column = 99 },
		"no identity": func(w *plan.Window) { w.Identity = nil },
		"identity":    func(w *plan.Window) { w.Identity[0] = 99 },
	} {
		w := chainWindow(t, stringKey, 0, tumbling(40))
		spoil(w)
		if _, err := NewChain(w, nil, chainSchema(stringKey), FinalConfig{}); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Inner results come and go; what is kept of them follows those that count.
func TestChainsForgetInnerResults(t *testing.T) {
	c := newTestChain(t, chainWindow(t, stringKey, 0, tumbling(40)), stringKey, FinalConfig{})
	for round := range int64(100) {
		for revision := range 5 {
			var rows []innerRow
			for device := range int64(50) {
				rows = append(rows, innerRow{device: device, row: row{keys: []any{fmt.Sprint(device)}, ts: 40*round + 10, x: float64(revision), n: int64(1), s: "s"}})
			}
			process(t, c, stringKey, rows...)
		}
		if got := chainLines(t, c, 1, 40*round+40, 40*round+40); len(got) != 50 {
			t.Fatalf("round %d: %d results", round, len(got))
		}
	}
	if c.States() != 0 || c.rows.N > 1500 || c.known.len() > 1500 || len(c.inner) > 1500 {
		t.Errorf("%d states, %d rows, %d identities are left", c.States(), c.rows.N, c.known.len())
	}
}
