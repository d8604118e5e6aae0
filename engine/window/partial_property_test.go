package window

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// gateway is one source of random rows with a Partial, as an agent drives it: fresh takes rows, held what was
// journalled. What leaves it is gathered by window and key and compared with
// an oracle that judges each row by itself.
type gateway struct {
	t     *testing.T
	r     *rand.Rand
	w     *plan.Window
	z     *zone.Zone
	shape *shape
	keys  []batch.Type
	rows  []row
	step  int64 // about the time between rows

	fresh, held *Partial
	lates       []string // what OnLate gave
	rejected    int64
	watermark   int64
	disorder    int64
	pending     []row // accepted, and not flushed

	accepted  map[string][]row // oracle: by window and key
	sessions  map[string][]row // oracle: by key
	wantLates []string
	want      PartialCounts

	got     *states
	slots   map[string]uint32 // by window and key
	pieces  map[string][]piece
	keyRank int
}

// piece is a delta of a session.
type piece struct {
	span
	slot uint32
}

func randomWindow(r *rand.Rand) (specs []*plan.WindowSpec, zone string, step int64) {
	minute := hour / 60
	switch r.IntN(10) {
	case 0:
		return []*plan.WindowSpec{tumbling(10)}, "", 4
	case 1, 2:
		return []*plan.WindowSpec{hopping(60, 10)}, "", 4
	case 3:
		return []*plan.WindowSpec{pick(r, hopping(50, 20), hopping(20, 50), hopping(10, 10))}, "", 7
	case 4:
		return []*plan.WindowSpec{cumulative(60, 10)}, "", 5
	case 5:
		return []*plan.WindowSpec{tumbling(10), hopping(60, 20), cumulative(30, 15), tumbling(60)}, "", 5
	case 6:
		return []*plan.WindowSpec{pick(r, hopping(30*day, day), tumbling(day), cumulative(day, hour))}, "Europe/Paris", 3 * hour
	case 7:
		return []*plan.WindowSpec{tumbling(hour), tumbling(5 * minute)}, "Australia/Lord_Howe", 4 * minute
	default:
		return []*plan.WindowSpec{session(pick(r, int64(10), 30, 100))}, "", 6
	}
}

func newGateway(t *testing.T, seed uint64) *gateway {
	r := rand.New(rand.NewPCG(seed, 7))
	specs, name, step := randomWindow(r)
	g := &gateway{t: t, r: r, z: testZone(t, name), step: step, watermark: math.MinInt64, disorder: pick(r, 0, 3*step, 10*step),
		accepted: map[string][]row{}, sessions: map[string][]row{}, slots: map[string]uint32{}, pieces: map[string][]piece{}}
	g.keys = pick(r, []batch.Type{batch.String}, []batch.Type{batch.String}, []batch.Type{batch.Int}, nil,
		[]batch.Type{batch.String, batch.Double}, []batch.Type{batch.Bytes, batch.String, batch.Bool})
	g.w = testWindow(t, g.keys, 10, pick(r, 0, 2*step, 30*step))
	setSpecs(g.w, name, specs...)
	if r.IntN(4) == 0 {
		g.w.MaxGroups = uint64(1 + r.IntN(5))
		g.w.Overflow = pick(r, plan.Overflow_OVERFLOW_FORWARD, plan.Overflow_OVERFLOW_FORWARD, plan.Overflow_OVERFLOW_REJECT)
	}
	g.w.ForwardRows = r.IntN(6) == 0
	var err error
	if g.shape, err = newShape(g.w, g.z); err == nil {
		g.got, err = newStates(g.shape)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.fresh, g.held = g.newPartial(), g.newPartial()
	many := pick(r, 2, 20, 200)
	now := int64(1_774_000_000_000_000) + r.Int64N(400*day) // 2026 and on: clocks change in between
	if step < 1000 {
		now = r.Int64N(100) - 300
	}
	for range r.IntN(600) {
		now += r.Int64N(2 * step)
		ro := row{ts: now - r.Int64N(3)*r.Int64N(6*step), x: any(float64(r.IntN(900)-300) / 10), n: any(int64(r.IntN(50))), s: any(pick(r, "a", "b", "", "c"))}
		if r.IntN(100) == 0 {
			ro.ts -= 1000 * step // very late, mostly
		}
		for _, k := range g.keys {
			ro.keys = append(ro.keys, randomKey(r, k, many))
		}
		for _, v := range []*any{&ro.x, &ro.n, &ro.s} {
			if r.IntN(6) == 0 {
				*v = nil
			}
		}
		g.rows = append(g.rows, ro)
	}
	return g
}

func (g *gateway) newPartial() *Partial {
	cfg := PartialConfig{MaxGroups: pick(g.r, 0, 0, 10), KeepKeys: pick(g.r, 0, 5), CanForward: true,
		OnLate: func(b *batch.Batch) {
			for _, r := range b.Sel {
				g.lates = append(g.lates, showRow(b, int(r), 0, len(b.Cols)))
			}
		},
		OnOverflow: func(b *batch.Batch, r int) {
			g.rejected++
			g.take(showRow(b, r, 0, len(b.Cols)))
		}}
	p, err := NewPartial(g.w, g.z, rowSchema(g.keys), cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	return p
}

// take makes the oracle forget a row that was rejected.
func (g *gateway) take(shown string) {
	for _, lists := range []map[string][]row{g.accepted, g.sessions} {
		for id, rows := range lists {
			if i := slices.IndexFunc(rows, func(ro row) bool { return g.show(ro) == shown }); i >= 0 {
				if lists[id] = slices.Delete(rows, i, i+1); len(lists[id]) == 0 {
					delete(lists, id)
				}
			}
		}
	}
	if i := slices.IndexFunc(g.pending, func(ro row) bool { return g.show(ro) == shown }); i >= 0 {
		g.pending = slices.Delete(g.pending, i, i+1)
	}
}

func (g *gateway) show(ro row) string { return showRow(makeBatch(g.keys, ro), 0, 0, len(g.keys)+4) }

func keyID(b *batch.Batch, r, nk int) string {
	return string(batch.AppendKey(nil, b.Cols, firstColumns(nk), r))
}

func windowID(w span, key string) string { return fmt.Sprintf("%d %d %q", w.start, w.end, key) }

// judge does with a row what the Partial must do with it.
func (g *gateway) judge(ro row) {
	wm := g.watermark
	g.watermark = max(wm, ro.ts-g.disorder)
	key := keyID(makeBatch(g.keys, ro), 0, len(g.keys))
	late := func(end int64) bool { return wm != math.MinInt64 && end+g.w.AllowedLatenessMicros <= wm }
	if gap := g.shape.gap; gap != 0 {
		if late(ro.ts + gap) {
			g.want.Late++
			g.wantLates = append(g.wantLates, g.show(ro)+" 1")
			return
		}
		g.sessions[key], g.pending = append(g.sessions[key], ro), append(g.pending, ro)
		return
	}
	var all []span
	for _, p := range g.w.Windows {
		for _, w := range naiveWindows(p, g.z, ro.ts) {
			if !slices.Contains(all, w) {
				all = append(all, w)
			}
		}
	}
	missed := 0
	for _, w := range all {
		if late(w.end) {
			missed++
			continue
		}
		id := windowID(w, key)
		g.accepted[id] = append(g.accepted[id], ro)
	}
	switch {
	case len(all) == 0:
		g.want.Between++
		return
	case missed == len(all):
		g.want.Late++
	case missed > 0:
		g.want.LateSome++
	}
	if missed > 0 {
		g.wantLates = append(g.wantLates, g.show(ro)+" "+fmt.Sprint(missed))
	}
	if missed < len(all) {
		g.pending = append(g.pending, ro)
	}
}

// process gives the next rows, in a batch with rows that do not count.
func (g *gateway) process() {
	n := 1 + g.r.IntN(min(len(g.rows), pick(g.r, 3, 50, 600)))
	b := batch.New(rowSchema(g.keys))
	var sel []uint32
	var watermarks []int64
	garbage := g.r.IntN(2) == 0
	add := func(ro row) {
		one := makeBatch(g.keys, ro)
		b.AppendRows(one)
		watermarks = append(watermarks, g.watermark)
	}
	for _, ro := range g.rows[:n] {
		if garbage && g.r.IntN(4) == 0 {
			add(row{keys: ro.keys, ts: g.r.Int64()})
		}
		sel = append(sel, uint32(b.N))
		add(ro)
		g.judge(ro)
	}
	if garbage {
		b.Sel = sel
	}
	g.rows = g.rows[n:]
	if err := g.fresh.Process(b, watermarks); err != nil {
		g.t.Fatal(err)
	}
	g.checkEarliest()
}

// checkEarliest compares EarliestPending with the rows that are pending.
func (g *gateway) checkEarliest() {
	want, wantOK := int64(math.MaxInt64), len(g.pending) > 0
	for _, ro := range g.pending {
		if g.shape.gap != 0 {
			want = min(want, ro.ts+1)
			continue
		}
		sl, _ := g.shape.sliceOf(ro.ts)
		want = min(want, sl.end)
	}
	got, ok := g.fresh.EarliestPending()
	if end, held := g.held.EarliestPending(); held && (!ok || end < got) {
		got, ok = end, true
	}
	if ok != wantOK || ok && got != want {
		g.t.Fatalf("EarliestPending is %d %t, want %d %t", got, ok, want, wantOK)
	}
}

// journal moves what is fresh to held, as an agent does when it makes a record of it.
func (g *gateway) journal() {
	partials, rows := batch.New(g.shape.partial), batch.New(g.shape.rows)
	n, m := g.fresh.Rows(), g.fresh.ForwardedRows()
	g.fresh.Drain(partials)
	if g.r.IntN(5) == 0 { // the rows wait for the next time
		if k := g.fresh.ForwardedRows(); k != m {
			g.t.Fatalf("Drain left %d of %d rows", k, m)
		}
	} else {
		g.fresh.DrainRows(rows)
		if rows.N != m || g.fresh.ForwardedRows() != 0 {
			g.t.Fatalf("DrainRows of %d gave %d and left %d", m, rows.N, g.fresh.ForwardedRows())
		}
	}
	if partials.N != n || g.fresh.Rows() != 0 {
		g.t.Fatalf("Drain of %d gave %d and left %d", n, partials.N, g.fresh.Rows())
	}
	g.checkOrder(partials)
	if g.r.IntN(2) == 0 && partials.N > 1 { // a journal may come back in pieces
		half := *partials
		half.Sel = []uint32{}
		for i := 0; i < partials.N; i += 2 {
			half.Sel = append(half.Sel, uint32(i))
		}
		g.mergeHeld(&half, g.held.Merge)
		half.Sel = half.Sel[:0]
		for i := 1; i < partials.N; i += 2 {
			half.Sel = append(half.Sel, uint32(i))
		}
		partials = &half
	}
	g.mergeHeld(partials, g.held.Merge)
	g.mergeHeld(rows, g.held.MergeRows)
	g.checkEarliest()
}

func (g *gateway) mergeHeld(b *batch.Batch, merge func(*batch.Batch) error) {
	if err := merge(b); err != nil {
		g.t.Fatal(err)
	}
}

// flush sends what is held.
func (g *gateway) flush() {
	g.journal()
	if g.fresh.ForwardedRows() > 0 {
		g.journal()
		if g.fresh.ForwardedRows() > 0 {
			return
		}
	}
	partials, rows := batch.New(g.shape.partial), batch.New(g.shape.rows)
	g.held.Drain(partials)
	g.held.DrainRows(rows)
	g.checkOrder(partials)
	g.takePartials(partials)
	g.takeRows(rows)
	g.fresh.Flushed(partials.N)
	g.pending = g.pending[:0]
	g.checkEarliest()
	if g.r.IntN(3) == 0 { // as if it had found that it saves nothing
		g.fresh.saving.forwards = g.r.IntN(2) == 0
	}
}

// checkOrder checks that a delta is in order and says each thing once.
func (g *gateway) checkOrder(b *batch.Batch) {
	nk := len(g.keys)
	before, ends := "", map[string]int64{}
	for i := range b.N {
		if key := keyID(b, i, nk); g.shape.gap != 0 {
			if start, end := b.Cols[nk].Ints[i], b.Cols[nk+1].Ints[i]; ends[key] != 0 && start < ends[key] {
				g.t.Fatalf("partial %d is a session that intersects one before it", i)
			} else {
				ends[key] = end
			}
		}
		id := ""
		for _, c := range []int{nk + 1, nk, g.shape.firstEnd} {
			if c >= 0 {
				id += fmt.Sprintf("%020d ", uint64(b.Cols[c].Ints[i])+1<<63)
			}
		}
		if id += keyID(b, i, nk); i > 0 && id <= before {
			g.t.Fatalf("partials %d and %d are not in order", i-1, i)
		}
		before = id
	}
}

// slotOf gives the slot of a window and key.
func (g *gateway) slotOf(w span, key string) uint32 {
	id := windowID(w, key)
	if _, ok := g.slots[id]; !ok {
		g.slots[id] = uint32(len(g.slots))
		g.got.grow(len(g.slots))
	}
	return g.slots[id]
}

// targets are the slots for a delta of a key.
func (g *gateway) targets(sl span, firstEnd int64, key string) (slots []uint32) {
	if g.shape.gap != 0 {
		g.keyRank++
		slot := g.slotOf(span{int64(g.keyRank), 0}, "piece")
		g.pieces[key] = append(g.pieces[key], piece{sl, slot})
		return []uint32{slot}
	}
	for _, w := range g.shape.windowsOf(sl, nil) {
		if w.end >= firstEnd {
			slots = append(slots, g.slotOf(w, key))
		}
	}
	return slots
}

func (g *gateway) takePartials(b *batch.Batch) {
	nk := len(g.keys)
	for r := range b.N {
		sl := span{b.Cols[nk].Ints[r], b.Cols[nk+1].Ints[r]}
		first := sl.end
		if g.shape.firstEnd >= 0 {
			first = b.Cols[g.shape.firstEnd].Ints[r]
		}
		for _, slot := range g.targets(sl, first, keyID(b, r, nk)) {
			g.got.merge([]uint32{slot}, b.Cols, []uint32{uint32(r)})
		}
	}
}

func (g *gateway) takeRows(b *batch.Batch) {
	nk := len(g.keys)
	asInput := &batch.Batch{N: b.N, Cols: slices.Delete(slices.Clone(b.Cols), nk+1, nk+2)} // keys, time, x, n, s
	for r := range b.N {
		sl, _ := g.shape.sliceOf(b.Cols[nk].Ints[r])
		for _, slot := range g.targets(sl, b.Cols[nk+1].Ints[r], keyID(b, r, nk)) {
			g.got.add([]uint32{slot}, asInput, b.Cols[nk].Ints, []uint32{uint32(r)})
		}
	}
}

// unite gives the sessions of the deltas, as a Final would.
func (g *gateway) unite() {
	for key, ps := range g.pieces {
		slices.SortFunc(ps, func(a, b piece) int { return compareInts(a.start, b.start) })
		for len(ps) > 0 {
			n, w := 1, ps[0].span
			for ; n < len(ps) && ps[n].start < w.end; n++ {
				w.end = max(w.end, ps[n].end)
			}
			into := g.slotOf(w, key)
			for _, p := range ps[:n] {
				g.got.mergeSlots([]uint32{into}, []uint32{p.slot})
			}
			ps = ps[n:]
		}
	}
	for key, rows := range g.sessions {
		sort.SliceStable(rows, func(i, j int) bool { return rows[i].ts < rows[j].ts })
		for from, i := 0, 1; i <= len(rows); i++ {
			if i == len(rows) || rows[i].ts-rows[i-1].ts >= g.shape.gap {
				g.accepted[windowID(span{rows[from].ts, rows[i-1].ts + g.shape.gap}, key)] = rows[from:i]
				from = i
			}
		}
	}
}

func (g *gateway) compare() {
	g.unite()
	for id, rows := range g.accepted {
		slot, ok := g.slots[id]
		if !ok {
			g.t.Errorf("%s: nothing, want %s", id, oracle(rows))
			continue
		}
		b := batch.New(g.shape.resultCols)
		for i, res := range g.shape.results {
			if err := finish(g.got, i, res, slot, &b.Cols[2+len(g.keys)+i]); err != nil {
				g.t.Fatal(err)
			}
		}
		if got, want := showRow(b, 0, 2+len(g.keys), len(b.Cols)-1), oracle(rows); got != want {
			g.t.Errorf("%s: %s, want %s", id, got, want)
		}
		delete(g.slots, id)
	}
	for id := range g.slots {
		if !strings.HasSuffix(id, `"piece"`) {
			g.t.Errorf("%s: a result without rows", id)
		}
	}
	if !slices.Equal(g.lates, g.wantLates) {
		g.t.Errorf("late rows:\n%s\nwant\n%s", strings.Join(g.lates, "\n"), strings.Join(g.wantLates, "\n"))
	}
	got := g.fresh.Counts()
	got.KeyResets, got.Forwarded = 0, 0
	g.want.Rejected = g.rejected
	if got != g.want {
		g.t.Errorf("counts %+v, want %+v", got, g.want)
	}
}

// Whatever the batches, drains, journals and decisions to forward, the deltas add up to what
// the rows are one at a time.
func TestPartialsEqualRowAtATimeOracle(t *testing.T) {
	for seed := range uint64(150) {
		g := newGateway(t, seed)
		for len(g.rows) > 0 {
			g.process()
			switch g.r.IntN(6) {
			case 0:
				g.journal()
			case 1:
				g.flush()
			}
			if g.fresh.Full() || g.held.Full() {
				g.flush()
			}
		}
		for g.flush(); len(g.pending) > 0; {
			g.flush()
		}
		g.compare()
		if t.Failed() {
			t.Fatalf("seed %d: %v, keys %v", seed, g.w.Windows, g.keys)
		}
	}
}
