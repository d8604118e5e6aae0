package step

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

func keyOf(r row) string { return fmt.Sprintf("%q %d", r.site, r.n) }

var byKeys = []uint32{0, 1}

func TestDedupe(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		rows := randomRows(rng, 600, 1+rng.IntN(20), 2*second, 5*second)
		within := rng.Int64N(20*second) + 1
		kept := map[string][]int64{}
		var want []string
		for _, r := range rows {
			dup := false
			for _, t := range kept[keyOf(r)] {
				alive := r.wm == NoWatermark || t+within > r.wm
				dup = dup || alive && max(t-r.ts, r.ts-t) < within
			}
			if !dup {
				kept[keyOf(r)] = append(kept[keyOf(r)], r.ts)
				want = append(want, lineOf(r))
			}
		}
		same(t, fmt.Sprint("seed ", seed), func() (Step, error) {
			return NewDedupe(&plan.Dedupe{Keys: byKeys, TimeColumn: 2, WithinMicros: within}, rowSchema, Config{})
		}, rows, want)
	}
}

func TestSample(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 4))
		rows := randomRows(rng, 600, 1+rng.IntN(20), 2*second, 5*second)
		every := rng.Int64N(20*second) + 1
		seen := map[string]bool{}
		var want []string
		late := uint64(0)
		for _, r := range rows {
			start := r.ts - r.ts%every
			if r.wm != NoWatermark && start+every <= r.wm {
				late++
				continue
			}
			if k := fmt.Sprint(keyOf(r), start); !seen[k] {
				seen[k] = true
				want = append(want, lineOf(r))
			}
		}
		mk := func() (Step, error) {
			return NewSample(&plan.Sample{Keys: byKeys, TimeColumn: 2, EveryMicros: every}, rowSchema, Config{})
		}
		same(t, fmt.Sprint("seed ", seed), mk, rows, want)
		s, err := mk()
		if err != nil {
			t.Fatal(err)
		}
		b, wms := batchOf(rows, batch.NewDict(), batch.NewDict())
		if err := s.Process(b, wms, func(*batch.Batch, []int64) error { return nil }); err != nil || s.Stats().Late != late {
			t.Fatalf("%d late rows, %v; want %d", s.Stats().Late, err, late)
		}
	}
}

// TestForgottenByTheWatermark tells that nothing is held of what cannot matter.
func TestForgottenByTheWatermark(t *testing.T) {
	s, err := NewDedupe(&plan.Dedupe{Keys: []uint32{0}, TimeColumn: 2, WithinMicros: 10 * second}, rowSchema, Config{})
	if err != nil {
		t.Fatal(err)
	}
	emit := func(*batch.Batch, []int64) error { return nil }
	d := batch.NewDict()
	for i := range 50 {
		var rows []row
		for k := range 1000 {
			rows = append(rows, row{site: fmt.Sprint("k", i*1000+k), ts: int64(i*1000+k) * second, wm: int64(i*1000+k-1) * second})
		}
		b, wms := batchOf(rows, d, batch.NewDict())
		if err := s.Process(b, wms, emit); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Keys > 12 || st.Forgotten != 0 {
		t.Fatalf("%+v; want about 11 keys", st)
	}
	if n := len(s.queue) + len(s.timers); n > 4000 {
		t.Fatalf("%d entries for 11 keys", n)
	}
	if err := s.Advance(EndOfTime, emit); err != nil || s.Stats().Keys != 0 {
		t.Fatalf("%d keys at the end of time, %v", s.Stats().Keys, err)
	}
}

func TestChanged(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 5))
		rows := randomRows(rng, 600, 1+rng.IntN(5), 2*second, 5*second)
		band, heartbeat := float64(rng.IntN(4))/2, int64(rng.IntN(3))*10*second
		cols := []*plan.ChangedColumn{{Column: 3, Deadband: band}}
		if seed%2 == 0 {
			cols = append(cols, &plan.ChangedColumn{Column: 4}, &plan.ChangedColumn{Column: 5}, &plan.ChangedColumn{Column: 6})
		}
		last := map[string]row{}
		var want []string
		for _, r := range rows {
			l, known := last[keyOf(r)]
			differs := !known || (r.v < 0) != (l.v < 0) || r.v >= 0 && math.Abs(r.v-l.v) > band
			differs = differs || seed%2 == 0 && (r.s != l.s || r.ok != l.ok)
			differs = differs || heartbeat > 0 && r.ts-l.ts >= heartbeat
			if differs {
				last[keyOf(r)] = r
				want = append(want, lineOf(r))
			}
		}
		same(t, fmt.Sprint("seed ", seed), func() (Step, error) {
			return NewChanged(&plan.Changed{Keys: byKeys, TimeColumn: 2, HasTime: true, Columns: cols, HeartbeatMicros: heartbeat}, rowSchema, Config{})
		}, rows, want)
	}
}

func TestChangedCompares(t *testing.T) {
	schema := batch.Schema{{Name: "d", Type: batch.Double}, {Name: "i", Type: batch.Int}}
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		a, b   float64
		i, j   int64
		passes bool
	}{
		{1, 1, 1, 1, false}, {0, math.Copysign(0, -1), 0, 0, false}, {nan, nan, 0, 0, false}, {nan, 1, 0, 0, true},
		{1, nan, 0, 0, true}, {inf, inf, 0, 0, false}, {inf, -inf, 0, 0, true}, {1, 1.5, 0, 0, false}, {1, 1.6, 0, 0, true},
		{0, 0, 5, 8, false}, {0, 0, 8, 5, false}, {0, 0, 5, 9, true}, {0, 0, math.MinInt64, math.MaxInt64, true},
	} {
		s, err := NewChanged(&plan.Changed{Columns: []*plan.ChangedColumn{{Column: 0, Deadband: 0.5}, {Column: 1, Deadband: 3}}}, schema, Config{})
		if err != nil {
			t.Fatal(err)
		}
		b := &batch.Batch{N: 2, Cols: []batch.Column{{Type: batch.Double, Doubles: []float64{c.a, c.b}}, {Type: batch.Int, Ints: []int64{c.i, c.j}}}}
		n := 0
		if err := s.Process(b, nil, func(b *batch.Batch, _ []int64) error { n = b.Len(); return nil }); err != nil {
			t.Fatal(err)
		}
		if (n == 2) != c.passes {
			t.Errorf("%g, %d then %g, %d: %d rows let through", c.a, c.i, c.b, c.j, n)
		}
	}
}

// TestOldestKeyGoes holds the bound on keys of those who forget, also across restarts.
func TestOldestKeyGoes(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 6))
		rows := randomRows(rng, 500, 12, second, 0)
		var order []string
		last := map[string]float64{}
		var want []string
		for _, r := range rows {
			k := keyOf(r)
			v, known := last[k]
			if known && v == r.v {
				continue
			}
			if !known {
				order = append(order, k)
				if len(order) > 7 {
					delete(last, order[0])
					order = order[1:]
				}
			}
			last[k] = r.v
			want = append(want, lineOf(r))
		}
		var forgotten uint64
		same(t, fmt.Sprint("seed ", seed), func() (Step, error) {
			return NewChanged(&plan.Changed{Keys: byKeys, Columns: []*plan.ChangedColumn{{Column: 3}}}, rowSchema, Config{MaxKeys: 7})
		}, rows, want)
		same(t, fmt.Sprint("dedupe, seed ", seed), func() (Step, error) {
			return NewDedupe(&plan.Dedupe{Keys: byKeys, TimeColumn: 2, WithinMicros: 5 * second}, rowSchema, Config{MaxKeys: 4})
		}, rows, nil)
		s, err := NewDedupe(&plan.Dedupe{Keys: byKeys, TimeColumn: 2, WithinMicros: 500 * second}, rowSchema, Config{MaxKeys: 4})
		if err != nil {
			t.Fatal(err)
		}
		b, wms := batchOf(rows, batch.NewDict(), batch.NewDict())
		if err := s.Process(b, wms, func(*batch.Batch, []int64) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if forgotten = s.Stats().Forgotten; s.Stats().Keys != 4 || forgotten == 0 {
			t.Fatalf("%+v, want 4 keys and some forgotten", s.Stats())
		}
	}
}

func TestRowsWithoutATimeAreRejected(t *testing.T) {
	rejected := 0
	cfg := Config{Reject: func(_ *batch.Batch, _ int, reason string) {
		if reason == noTime {
			rejected++
		}
	}}
	truth := call(batch.Bool, ">", column(3, batch.Double), number(1))
	for _, mk := range []func() (Step, error){
		func() (Step, error) { return NewDedupe(&plan.Dedupe{TimeColumn: 2, WithinMicros: 1}, rowSchema, cfg) },
		func() (Step, error) { return NewSample(&plan.Sample{TimeColumn: 2, EveryMicros: 1}, rowSchema, cfg) },
		func() (Step, error) {
			return NewAlert(&plan.Alert{TimeColumn: 2, When: truth}, rowSchema, alertSchema(rowSchema), cfg)
		},
	} {
		s, err := mk()
		if err != nil {
			t.Fatal(err)
		}
		b, wms := batchOf([]row{{v: 2}, {v: 2}}, batch.NewDict(), batch.NewDict())
		b.Cols[2].Valid = batch.NewBitmap(2, false)
		rejected = 0
		if err := s.Process(b, wms, func(*batch.Batch, []int64) error { return errors.New("emitted") }); err != nil || rejected != 2 {
			t.Errorf("%T: %d rejected, %v", s, rejected, err)
		}
	}
}

func TestRestoreRefusesWhatIsNoState(t *testing.T) {
	mk := func() Step {
		s, err := NewDedupe(&plan.Dedupe{Keys: byKeys, TimeColumn: 2, WithinMicros: 1}, rowSchema, Config{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	good := func() *batch.Batch {
		s := mk()
		b, wms := batchOf([]row{{site: "a", ts: 5}, {site: "b", ts: 6}}, batch.NewDict(), batch.NewDict())
		if err := s.Process(b, wms, func(*batch.Batch, []int64) error { return nil }); err != nil {
			t.Fatal(err)
		}
		c := batch.New(s.StateSchema())
		s.Changes(true, c)
		return c
	}
	if c := good(); c.N != 2 || mk().Restore(c) != nil {
		t.Fatalf("a good state of %d rows was refused", c.N)
	}
	for name, spoil := range map[string]func(b *batch.Batch){
		"a column less":  func(b *batch.Batch) { b.Cols = b.Cols[1:] },
		"another type":   func(b *batch.Batch) { b.Cols[3].Type = batch.Int },
		"too few values": func(b *batch.Batch) { b.Cols[3].Ints = b.Cols[3].Ints[:1] },
		"no _gone":       func(b *batch.Batch) { b.Cols[5].Valid = batch.NewBitmap(2, false) },
		"no order":       func(b *batch.Batch) { b.Cols[2].Ints[1] = 0 },
		"no time":        func(b *batch.Batch) { b.Cols[3].Valid = batch.NewBitmap(2, false) },
		"a broken list":  func(b *batch.Batch) { b.Cols[4].Data = []byte{1, 2, 3}; b.Cols[4].Offsets = []uint32{0, 0, 3} },
	} {
		c, s := good(), mk()
		spoil(c)
		if err := s.Restore(c); !errors.Is(err, ErrState) || s.Stats().Keys != 0 {
			t.Errorf("%s: %v, %d keys", name, err, s.Stats().Keys)
		}
	}
}
