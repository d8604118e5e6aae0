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
)

// edge is one source: its rows in order, and the Partial that takes them.
type edge struct {
	rows      []row
	watermark int64 // made by the rows given so far
	partial   *Partial
	dicts     []*batch.Dict
}

// frame is what an edge sends: a delta and the watermark of the rows up to it.
type frame struct {
	delta     *batch.Batch
	watermark int64
}

type world struct {
	t        *testing.T
	r        *rand.Rand
	keys     []batch.Type
	size     int64
	lateness int64
	disorder int64
	edges    []*edge
	accepted map[string][]row // by window and key
	late     int64
}

func newWorld(t *testing.T, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 11))
	w := &world{t: t, r: r, size: pick(r, int64(10), 7, 1000), lateness: pick(r, int64(0), 5, 2000), disorder: pick(r, int64(0), 10, 50), accepted: map[string][]row{}}
	w.keys = pick(r, []batch.Type{batch.String}, []batch.Type{batch.String}, []batch.Type{batch.Int}, []batch.Type{batch.Double}, nil,
		[]batch.Type{batch.String, batch.Bool}, []batch.Type{batch.Bytes, batch.Timestamp}, []batch.Type{batch.Double, batch.String, batch.Int})
	many := pick(r, 2, 20, 600)
	for range 1 + r.IntN(3) {
		e := &edge{watermark: math.MinInt64}
		now := int64(r.IntN(100)) - 200 // times before 1970 too
		for range r.IntN(700) {
			now += int64(r.IntN(int(w.size)/3 + 2))
			ro := row{ts: now - int64(r.IntN(3)*r.IntN(40)), x: any(float64(r.IntN(900)-300) / 10), n: any(int64(r.IntN(50))), s: any(pick(r, "a", "b", "", "c"))}
			if r.IntN(200) == 0 {
				ro.ts -= 100_000 // very late, mostly
			}
			for _, k := range w.keys {
				ro.keys = append(ro.keys, randomKey(r, k, many))
			}
			for _, v := range []*any{&ro.x, &ro.n, &ro.s} {
				if r.IntN(6) == 0 {
					*v = nil
				}
			}
			e.rows = append(e.rows, ro)
		}
		w.edges = append(w.edges, e)
		e.partial = w.newPartial()
	}
	return w
}

func (w *world) newPartial() *Partial {
	cfg := PartialConfig{MaxGroups: pick(w.r, 0, 10), KeepKeys: pick(w.r, 0, 5)}
	p, err := NewPartial(testWindow(w.t, w.keys, w.size, w.lateness), nil, rowSchema(w.keys), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// next makes a batch of the next n rows, some of them not selected garbage, and
// tells the oracle of the rows that are not late.
func (w *world) next(e *edge, n int) (*batch.Batch, []int64) {
	b := batch.New(rowSchema(w.keys))
	for i := range b.Cols { // the decoder keeps its Dicts, mostly
		if i < len(e.dicts) && w.r.IntN(10) > 0 {
			b.Cols[i].Dict = e.dicts[i]
		}
	}
	var watermarks []int64
	var sel []uint32
	garbage := w.r.IntN(2) == 0
	for _, ro := range e.rows[:n] {
		for garbage && w.r.IntN(4) == 0 {
			w.append(b, row{keys: ro.keys, ts: w.r.Int64(), x: ro.x, n: ro.n, s: ro.s})
			watermarks = append(watermarks, w.r.Int64())
		}
		sel = append(sel, uint32(b.N))
		w.append(b, ro)
		watermarks = append(watermarks, e.watermark)
		end := int64(math.Floor(float64(ro.ts)/float64(w.size)))*w.size + w.size
		if e.watermark != math.MinInt64 && end+w.lateness <= e.watermark {
			w.late++
		} else {
			id := ro.id(w.size)
			w.accepted[id] = append(w.accepted[id], ro)
		}
		e.watermark = max(e.watermark, ro.ts-w.disorder)
	}
	e.rows, e.dicts = e.rows[n:], nil
	for i := range b.Cols {
		e.dicts = append(e.dicts, b.Cols[i].Dict)
	}
	if garbage {
		b.Sel = sel
	}
	return b, watermarks
}

func (w *world) append(b *batch.Batch, ro row) {
	for i, k := range ro.keys {
		appendValue(&b.Cols[i], k)
	}
	for i, v := range []any{ro.ts, ro.x, ro.n, ro.s} {
		appendValue(&b.Cols[len(ro.keys)+i], v)
	}
	b.N++
}

// frames runs all edges to their end: random batches, drains, and restarts from a drained batch.
func (w *world) frames() [][]frame {
	schema, err := PartialSchema(testWindow(w.t, w.keys, w.size, w.lateness))
	if err != nil {
		w.t.Fatal(err)
	}
	var out [][]frame
	late := int64(0)
	for _, e := range w.edges {
		var sent []frame
		for len(e.rows) > 0 {
			b, watermarks := w.next(e, 1+w.r.IntN(min(len(e.rows), pick(w.r, 5, 100, 1000))))
			if err := e.partial.Process(b, watermarks); err != nil {
				w.t.Fatal(err)
			}
			if !e.partial.Full() && w.r.IntN(3) > 0 && len(e.rows) > 0 {
				continue
			}
			rows := e.partial.Rows()
			delta := batch.New(schema)
			e.partial.Drain(delta)
			if delta.N != rows || e.partial.Rows() != 0 {
				w.t.Fatalf("Drain of %d gave %d rows and left %d", rows, delta.N, e.partial.Rows())
			}
			w.checkDrained(delta)
			if w.r.IntN(4) == 0 && len(e.rows) > 0 { // restart: the checkpoint is taken back
				late += e.partial.Counts().Late
				e.partial = w.newPartial()
				if err := e.partial.Merge(delta); err != nil {
					w.t.Fatal(err)
				}
				continue
			}
			sent = append(sent, frame{delta, e.watermark})
		}
		late += e.partial.Counts().Late
		out = append(out, sent)
	}
	if late != w.late {
		w.t.Errorf("%d rows counted as late, want %d", late, w.late)
	}
	return out
}

// checkDrained checks that a delta holds each window and key once, in order.
func (w *world) checkDrained(b *batch.Batch) {
	nk := len(w.keys)
	before := ""
	for i := range b.N {
		key := batch.AppendKey(nil, b.Cols, firstColumns(nk), i)
		at := fmt.Sprintf("%020d ", uint64(b.Cols[nk+1].Ints[i])+1<<63) + string(key)
		if i > 0 && at <= before {
			w.t.Fatalf("partials %d and %d are not in order", i-1, i)
		}
		before = at
	}
}

// cloud drives a Final and knows what it must emit.
type cloud struct {
	w          *world
	final      *Final
	fire, keep int64
	touched    map[string]bool // merged since its last firing
	table      map[string]string
	revisions  map[string]int64
	snapshots  [][]part
	fireAtSnap int64
	keepAtSnap int64
	since      []func(f *Final) string // what was done since the last snapshot, and what came out
	did        []string
}

func (c *cloud) do(op func(f *Final) string) string {
	out := op(c.final)
	c.since, c.did = append(c.since, op), append(c.did, out)
	return out
}

func (c *cloud) merge(b *batch.Batch) {
	nk := len(c.w.keys)
	for i := range b.N {
		c.touched[strings.TrimSpace(showRow(b, i, nk, nk+2)+" "+showRow(b, i, 0, nk))] = true
	}
	c.do(func(f *Final) string {
		if err := f.Merge(b); err != nil {
			c.w.t.Fatal(err)
		}
		return ""
	})
}

// advance checks that exactly the touched states of due windows are emitted, in order, one revision up.
func (c *cloud) advance(fire, keep int64) {
	at, ok := c.final.FireableAt()
	c.fire, c.keep = max(c.fire, fire), max(c.keep, keep)
	nk := len(c.w.keys)
	out := c.do(func(f *Final) string {
		var lines []string
		if err := f.Advance(fire, keep, func(b *batch.Batch) error {
			if b.N == 0 || b.N > resultRows {
				c.w.t.Errorf("a batch of %d rows", b.N)
			}
			for i := range b.N {
				last := len(b.Cols) - 1
				lines = append(lines, showRow(b, i, 0, 2+nk)+"\t"+showRow(b, i, 2+nk, last)+"\t"+showRow(b, i, last, last+1))
			}
			return nil
		}); err != nil {
			c.w.t.Fatal(err)
		}
		return strings.Join(lines, "\n")
	})
	if (out != "") != (ok && at <= c.fire) {
		c.w.t.Errorf("FireableAt %d %v but Advance(%d) emitted %q", at, ok, c.fire, out)
	}
	fired := map[string]bool{}
	for _, line := range strings.Split(out, "\n") {
		if line == "" {
			continue
		}
		parts := strings.Split(line, "\t")
		id := parts[0]
		if !c.touched[id] {
			c.w.t.Errorf("%s fired though nothing changed", id)
		}
		delete(c.touched, id)
		var start, end int64
		if _, err := fmt.Sscan(id, &start, &end); err != nil {
			c.w.t.Fatal(err)
		}
		window := fmt.Sprint(start, end)
		if !fired[window] {
			fired[window] = true
			c.revisions[window]++
		}
		if want := fmt.Sprint(c.revisions[window]); parts[2] != want {
			c.w.t.Errorf("%s has revision %s, want %s", id, parts[2], want)
		}
		c.table[id] = parts[1]
	}
	for id := range c.touched {
		var start, end int64
		if _, err := fmt.Sscan(id, &start, &end); err != nil {
			c.w.t.Fatal(err)
		}
		if end <= c.fire {
			c.w.t.Errorf("%s is due at %d and did not fire", id, c.fire)
		}
	}
}

func (c *cloud) newFinal() *Final {
	f, err := NewFinal(testWindow(c.w.t, c.w.keys, c.w.size, c.w.lateness), nil, FinalConfig{})
	if err != nil {
		c.w.t.Fatal(err)
	}
	return f
}

func (c *cloud) snapshot() {
	full := len(c.snapshots) == 0 || c.w.r.IntN(5) == 0
	if full {
		c.snapshots = nil
	}
	c.snapshots = append(c.snapshots, snapshotOf(c.w.t, c.final, full))
	c.fireAtSnap, c.keepAtSnap, c.since, c.did = c.fire, c.keep, nil, nil
}

// crash restores the snapshots on a new Final and does again what was done since.
func (c *cloud) crash() {
	states := c.final.States()
	c.final = c.newFinal()
	if c.snapshots != nil {
		for _, parts := range c.snapshots {
			restoreTo(c.w.t, c.final, parts)
		}
		c.final.Resume(c.fireAtSnap, c.keepAtSnap)
	}
	for i, op := range c.since {
		if got := op(c.final); got != c.did[i] {
			c.w.t.Fatalf("replay gave\n%s\nwant\n%s", got, c.did[i])
		}
	}
	if got := c.final.States(); got != states {
		c.w.t.Fatalf("%d states after a crash, %d before", got, states)
	}
}

// Rows of several sources, in random batches with random drains and restarts,
// merged in any order between snapshots and crashes, give the oracle's results.
func TestWindowsEqualRowAtATimeOracle(t *testing.T) {
	for seed := range uint64(120) {
		w := newWorld(t, seed)
		pending := w.frames()
		c := &cloud{w: w, fire: math.MinInt64, keep: math.MinInt64, touched: map[string]bool{}, table: map[string]string{}, revisions: map[string]int64{}}
		c.final = c.newFinal()
		delivered := make([]int64, len(pending))
		for i := range delivered {
			delivered[i] = math.MinInt64
		}
		for {
			open := []int{}
			for i := range pending {
				if len(pending[i]) > 0 {
					open = append(open, i)
				} else {
					delivered[i] = math.MaxInt64
				}
			}
			if len(open) == 0 {
				break
			}
			i := pick(w.r, open...)
			c.merge(pending[i][0].delta)
			delivered[i] = pending[i][0].watermark
			pending[i] = pending[i][1:]
			switch w.r.IntN(6) {
			case 0, 1:
				keep := slices.Min(delivered)
				fire := max(keep, keep+int64(w.r.IntN(100))) // some fire early and again
				if keep == math.MinInt64 {
					fire = pick(w.r, keep, 0)
				}
				c.advance(fire, keep)
			case 2:
				c.snapshot()
			case 3:
				c.crash()
			}
		}
		c.advance(1<<60, 1<<60)
		if n := c.final.TooLate(); n != 0 {
			t.Errorf("%d partials were too late", n)
		}
		if n := c.final.States(); n != 0 {
			t.Errorf("%d states are left", n)
		}
		w.compare(c.table)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func (w *world) compare(got map[string]string) {
	if len(got) != len(w.accepted) {
		w.t.Errorf("%d results, want %d", len(got), len(w.accepted))
	}
	ids := []string{}
	for id := range w.accepted {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		if want := oracle(w.accepted[id]); got[id] != want {
			w.t.Errorf("%s: %s, want %s", id, got[id], want)
		}
	}
}
