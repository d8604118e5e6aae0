package window

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// trial drives a Final and a model with the same random partials, watermarks and restarts.
type trial struct {
	t       *testing.T
	r       *rand.Rand
	w       *plan.Window
	cfg     FinalConfig
	zone    string
	final   *Final
	model   *model
	batches [][]fact // not merged yet
	saved   [][]part // since the last full snapshot
	stored  rowStore // with SayGone
}

// rowStore keeps the rows of snapshots by section and key, as an agent does.
type rowStore []map[string]*batch.Batch

// take applies a snapshot.
func (st *rowStore) take(f *Final, parts []part) {
	for len(*st) < len(f.SnapshotSchemas()) {
		*st = append(*st, map[string]*batch.Batch{})
	}
	for _, p := range parts {
		by := firstColumns(f.SnapshotKeys()[p.section])
		for i := range p.b.N {
			key := string(batch.AppendKey(nil, p.b.Cols, by, i))
			if p.section > 0 && p.b.Cols[len(p.b.Cols)-1].Bools[i] {
				delete((*st)[p.section], key)
				continue
			}
			one := batch.New(f.SnapshotSchemas()[p.section])
			one.AppendRows(&batch.Batch{Cols: p.b.Cols, N: p.b.N, Sel: []uint32{uint32(i)}})
			(*st)[p.section][key] = one
		}
	}
}

// parts gives the rows back, in batches.
func (st rowStore) parts(f *Final) (out []part) {
	for section, rows := range st {
		for i, key := range slices.Sorted(maps.Keys(rows)) {
			if i%7 == 0 {
				out = append(out, part{section, batch.New(f.SnapshotSchemas()[section])})
			}
			out[len(out)-1].b.AppendRows(rows[key])
		}
	}
	return out
}

func randomSpecs(r *rand.Rand) (specs []*plan.WindowSpec, zone string) {
	switch r.IntN(9) {
	case 0:
		return []*plan.WindowSpec{tumbling(10)}, ""
	case 1:
		return []*plan.WindowSpec{hopping(60, 10)}, ""
	case 2:
		return []*plan.WindowSpec{hopping(pick(r, int64(60), 35, 10), pick(r, int64(25), 5, 7, 40))}, ""
	case 3:
		return []*plan.WindowSpec{cumulative(60, pick(r, int64(10), 20, 60))}, ""
	case 4:
		return []*plan.WindowSpec{tumbling(10), hopping(60, 10), cumulative(30, 10), tumbling(30)}, ""
	case 5:
		return []*plan.WindowSpec{hopping(50, 20), tumbling(10)}, ""
	case 6:
		return []*plan.WindowSpec{hopping(3*hour, hour), cumulative(day, 6*hour)}, "Europe/Paris"
	default:
		return []*plan.WindowSpec{session(pick(r, int64(5), 12, 30))}, ""
	}
}

func newTrial(t *testing.T, seed uint64) *trial {
	r := rand.New(rand.NewPCG(seed, 23))
	keys := pick(r, []batch.Type{batch.String}, []batch.Type{batch.String}, []batch.Type{batch.Int}, nil, []batch.Type{batch.Double, batch.String})
	tr := &trial{t: t, r: r, w: testWindow(t, keys, 10, pick(r, int64(0), 0, 15, 100))}
	specs, zone := randomSpecs(r)
	setSpecs(tr.w, zone, specs...)
	tr.zone = zone
	unit, start := int64(1), int64(-100)
	if zone != "" { // around a change of the clocks
		unit, start = 20*60*1_000_000, 1_711_756_800_000_000
		tr.w.AllowedLatenessMicros *= unit
	}
	tr.cfg.LastOnly, tr.cfg.SayGone = r.IntN(4) == 0, r.IntN(3) == 0
	if r.IntN(3) == 0 {
		tr.w.EarlyMicros = unit * pick(r, int64(7), 15, 40)
	}
	tr.w.Completeness = r.IntN(4) == 0
	tr.final = tr.newFinal()
	tr.model = newModel(tr.final.shape, tr.cfg)
	many := pick(r, 1, 3, 40)
	for range 1 + r.IntN(5) { // sources
		now := start
		for range r.IntN(9) {
			var facts []fact
			for range 1 + r.IntN(25) {
				now += unit * int64(r.IntN(pick(r, 2, 4, 30)))
				f := tr.fact(now-unit*int64(r.IntN(2)*r.IntN(40)), many)
				if len(tr.final.shape.windowsOf(f.slice, nil)) > 0 { // hopping windows may have gaps between them
					facts = append(facts, f)
				}
			}
			tr.batches = append(tr.batches, facts)
		}
	}
	r.Shuffle(len(tr.batches), func(i, j int) { // nearly in order of time
		if i-j < 6 && j-i < 6 {
			tr.batches[i], tr.batches[j] = tr.batches[j], tr.batches[i]
		}
	})
	return tr
}

func (tr *trial) newFinal() *Final {
	f, err := NewFinal(tr.w, testZone(tr.t, tr.zone), tr.cfg)
	if err != nil {
		tr.t.Fatal(err)
	}
	return f
}

// fact makes a row, at times one that is late for some windows of its slice.
func (tr *trial) fact(ts int64, many int) fact {
	r, s := tr.r, tr.final.shape
	ro := row{ts: ts, x: any(float64(r.IntN(900)-300) / 10), n: any(int64(r.IntN(50))), s: any(pick(r, "a", "b", "", "c"))}
	for _, k := range s.keys {
		ro.keys = append(ro.keys, randomKey(r, k.Type, many))
	}
	for _, v := range []*any{&ro.x, &ro.n, &ro.s} {
		if r.IntN(6) == 0 {
			*v = nil
		}
	}
	sl, ok := s.sliceOf(ts)
	if !ok {
		tr.t.Fatalf("no slice at %d", ts)
	}
	f := fact{row: ro, slice: sl, first: sl.end}
	if windows := s.windowsOf(sl, nil); s.firstEnd >= 0 && len(windows) > 0 && r.IntN(4) == 0 {
		if end := pick(r, windows...).end; end > windows[0].end {
			f.first = end
		}
	}
	return f
}

// lastChance is the keep watermark below which all that waits still counts in full.
func (tr *trial) lastChance() int64 {
	least := int64(math.MaxInt64)
	for _, facts := range tr.batches {
		for _, f := range facts {
			for _, w := range tr.model.shape.windowsOf(f.slice, nil) {
				if w.end >= f.first {
					least = min(least, w.end+tr.model.shape.lateness)
				}
			}
		}
	}
	return least - 1
}

func (tr *trial) merge() {
	i := tr.r.IntN(min(3, len(tr.batches)))
	facts := tr.batches[i]
	tr.batches = slices.Delete(tr.batches, i, i+1)
	if tr.r.IntN(6) == 0 && len(facts) > 3 { // the rest comes later
		n := tr.r.IntN(len(facts))
		tr.batches = append(tr.batches, facts[n:])
		facts = facts[:n]
	}
	tr.model.add(facts)
	var err error
	if s := tr.final.shape; tr.r.IntN(4) == 0 {
		err = tr.final.AddRows(rowsOf(s, facts))
	} else {
		err = tr.final.Merge(partialsOf(tr.t, s, joined(tr.r, s, facts)))
	}
	if err != nil {
		tr.t.Fatal(err)
	}
}

// joined makes one interval of some rows of a key that belong to one session.
func joined(r *rand.Rand, s *shape, facts []fact) []fact {
	if s.gap == 0 {
		return facts
	}
	facts = slices.Clone(facts)
	slices.SortFunc(facts, func(a, b fact) int { return compareInts(a.ts, b.ts) })
	at := map[string]int{} // the last interval of a key
	for i := range facts {
		f := &facts[i]
		if k, ok := at[f.key()]; ok && f.ts < facts[k].slice.end && r.IntN(4) > 0 {
			whole := span{facts[k].slice.start, f.slice.end}
			for j := range facts[:i+1] {
				if g := &facts[j]; g.key() == f.key() && g.ts >= whole.start && g.slice.start >= whole.start {
					g.slice, g.first = whole, 0
				}
			}
		}
		at[f.key()] = i
	}
	return facts
}

func (tr *trial) advance(fire, keep int64) {
	want := tr.model.advance(fire, keep)
	at, fireable := tr.final.FireableAt()
	var got []line
	if err := tr.final.Advance(fire, keep, func(b *batch.Batch) error {
		if b.N == 0 || b.N > resultRows {
			tr.t.Errorf("a batch of %d rows", b.N)
		}
		got = append(got, linesOf(tr.withoutAgents(b), len(tr.w.Keys))...)
		return nil
	}); err != nil {
		tr.t.Fatal(err)
	}
	if fireable && at <= max(tr.model.fire, tr.model.keep) != (len(want) > 0) && keep <= tr.model.fire {
		tr.t.Errorf("FireableAt %d, but %d results at %d", at, len(want), fire)
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			tr.t.Fatalf("%v %v %v advance to %d, %d: result %d of %d is\n%v\nwant, of %d,\n%v", tr.w.Windows, tr.cfg.LastOnly, tr.w.AllowedLatenessMicros, fire, keep, i, len(got), at1(got, i), len(want), at1(want, i))
		}
	}
}

// withoutAgents checks the columns of completeness and takes them away.
func (tr *trial) withoutAgents(b *batch.Batch) *batch.Batch {
	if !tr.w.Completeness {
		return b
	}
	n := len(b.Cols)
	for i := range b.N {
		if b.Cols[n-3].Ints[i] != 1 || b.Cols[n-2].Ints[i] != 1 {
			tr.t.Fatal("the columns of completeness are not 1, 1")
		}
	}
	out := *b
	out.Cols = append(slices.Clone(b.Cols[:n-3]), b.Cols[n-1])
	return &out
}

func at1(lines []line, i int) string {
	if i < len(lines) {
		return fmt.Sprintf("%+v", lines[i])
	}
	return "nothing"
}

// restart goes on with a new Final from the snapshots.
func (tr *trial) restart() {
	full := len(tr.saved) == 0 || tr.r.IntN(5) == 0
	if full {
		tr.saved = nil
	}
	if tr.cfg.SayGone {
		tr.stored.take(tr.final, snapshotOf(tr.t, tr.final, false))
		tr.saved = [][]part{tr.stored.parts(tr.final)}
	} else {
		tr.saved = append(tr.saved, snapshotOf(tr.t, tr.final, full))
	}
	if tr.r.IntN(3) > 0 {
		return
	}
	f := tr.newFinal()
	for _, parts := range tr.saved {
		restoreTo(tr.t, f, parts)
	}
	f.Resume(tr.model.fire, tr.model.keep)
	if got, want := showParts(snapshotOf(tr.t, f, true)), showParts(snapshotOf(tr.t, tr.final, true)); got != want {
		tr.t.Fatalf("a restored Final gives the snapshot\n%s\nwant\n%s", got, want)
	}
	tr.final, tr.saved = f, nil
}

func showParts(parts []part) (out string) {
	for _, p := range parts {
		for i := range p.b.N {
			out += fmt.Sprintln(p.section, showRow(p.b, i, 0, len(p.b.Cols)))
		}
	}
	return out
}

func TestFinalsDoWhatTheModelDoes(t *testing.T) {
	for seed := range uint64(240) {
		tr := newTrial(t, seed)
		for len(tr.batches) > 0 {
			tr.merge()
			switch tr.r.IntN(5) {
			case 0, 1:
				keep := min(tr.lastChance(), tr.model.newest())
				fire := max(keep, less(tr.model.newest(), int64(tr.r.IntN(100))))
				if tr.cfg.LastOnly {
					fire = keep
				}
				tr.advance(fire, less(keep, int64(tr.r.IntN(30))))
			case 2:
				tr.restart()
			}
		}
		tr.advance(1<<60, 1<<60)
		if tr.final.TooLate() != 0 || tr.final.States() != 0 {
			t.Errorf("%d partials were too late, %d states are left", tr.final.TooLate(), tr.final.States())
		}
		if tr.cfg.SayGone {
			if tr.stored.take(tr.final, snapshotOf(t, tr.final, false)); len(tr.stored.parts(tr.final)) != 1 {
				t.Errorf("the store holds more than a header: %s", showParts(tr.stored.parts(tr.final)))
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// newest is the greatest time so far.
func (m *model) newest() int64 {
	t := int64(math.MinInt64)
	for _, facts := range m.rows {
		for _, f := range facts {
			t = max(t, f.ts)
		}
	}
	return t
}
