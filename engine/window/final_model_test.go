package window

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// fact is a row that counts for the windows of its slice that end at first or later; of a session first means nothing.
type fact struct {
	row
	slice span
	first int64
}

// partialsOf makes a batch of partials of facts, one for each key, slice and first end (sessions: each run of rows).
func partialsOf(t testing.TB, s *shape, facts []fact) *batch.Batch {
	t.Helper()
	st, err := newStates(s)
	if err != nil {
		t.Fatal(err)
	}
	b, nk := batch.New(s.partial), len(s.keys)
	var keys []batch.Type
	for _, k := range s.keys {
		keys = append(keys, k.Type)
	}
	ids := map[string]uint32{}
	for _, f := range facts {
		id := fmt.Sprint(f.slice, f.first, f.key())
		slot, ok := ids[id]
		if !ok {
			slot = uint32(len(ids))
			ids[id] = slot
			for i, k := range f.keys {
				appendValue(&b.Cols[i], k)
			}
			appendValue(&b.Cols[nk], f.slice.start)
			appendValue(&b.Cols[nk+1], f.slice.end)
			if s.firstEnd >= 0 {
				appendValue(&b.Cols[s.firstEnd], f.first)
			}
			st.grow(int(slot) + 1)
			b.N++
		}
		one := makeBatch(keys, f.row)
		st.add([]uint32{slot}, one, one.Cols[nk+colTime].Ints, nil)
	}
	slots := make([]uint32, b.N)
	for i := range slots {
		slots[i] = uint32(i)
	}
	st.appendTo(b.Cols, slots)
	return b
}

// rowsOf makes a batch of forwarded rows of facts.
func rowsOf(s *shape, facts []fact) *batch.Batch {
	b, nk := batch.New(s.rows), len(s.keys)
	for _, f := range facts {
		for i, k := range f.keys {
			appendValue(&b.Cols[i], k)
		}
		appendValue(&b.Cols[nk], f.ts)
		appendValue(&b.Cols[nk+1], f.first)
		for i, at := range s.arguments {
			appendValue(&b.Cols[nk+2+i], []any{f.ts, f.x, f.n, f.s}[at-nk])
		}
		b.N++
	}
	return b
}

// key names the key as results show it.
func (r row) key() string {
	var parts []string
	for _, k := range r.keys {
		if f, ok := k.(float64); ok {
			if f == 0 {
				k = 0.0
			}
			if f != f {
				k = batch.CanonicalNaN
			}
		}
		parts = append(parts, show(k))
	}
	return strings.Join(parts, " ")
}

// line is what a Final emitted or should have.
type line struct {
	span
	key      string
	values   string // "deleted" for results taken back
	revision int64
}

func linesOf(b *batch.Batch, nk int) []line {
	var out []line
	for i := range b.N {
		l := line{span: span{b.Cols[0].Ints[i], b.Cols[1].Ints[i]}, key: showRow(b, i, 2, 2+nk), revision: b.Cols[len(b.Cols)-1].Ints[i]}
		if l.values = showRow(b, i, 2+nk, len(b.Cols)-1); b.Deleted != nil && b.Deleted.Get(i) {
			l.values = "deleted"
		}
		out = append(out, l)
	}
	return out
}

// model is what a Final should do, done naively.
type model struct {
	shape      *shape
	cfg        FinalConfig
	fire, keep int64
	rows       map[string][]fact // by window and key; of sessions by key
	dirty      map[string]map[string]bool
	spans      map[string]span
	revisions  map[string]int64
	keys       map[string][]any
	sent       map[string]map[span]int64 // sessions: emitted, by key
	seen       map[string]map[span]int   // sessions: rows when it was emitted last, by key
}

func newModel(s *shape, cfg FinalConfig) *model {
	return &model{shape: s, cfg: cfg, fire: math.MinInt64, keep: math.MinInt64, rows: map[string][]fact{}, dirty: map[string]map[string]bool{},
		spans: map[string]span{}, revisions: map[string]int64{}, keys: map[string][]any{}, sent: map[string]map[span]int64{}, seen: map[string]map[span]int{}}
}

func (m *model) add(facts []fact) {
	for _, f := range facts {
		key := f.key()
		m.keys[key] = f.keys
		if m.shape.gap != 0 {
			m.rows[key] = append(m.rows[key], f)
			continue
		}
		for _, w := range m.shape.windowsOf(f.slice, nil) {
			if w.end < f.first {
				continue
			}
			id := fmt.Sprint(w)
			m.spans[id] = w
			m.rows[id+key] = append(m.rows[id+key], f)
			if m.dirty[id] == nil {
				m.dirty[id] = map[string]bool{}
			}
			m.dirty[id][key] = true
		}
	}
}

func rowsIn(facts []fact) []row {
	var out []row
	for _, f := range facts {
		out = append(out, f.row)
	}
	return out
}

// advance gives the lines that a Final should emit.
func (m *model) advance(fire, keep int64) []line {
	before := m.fire
	m.fire, m.keep = max(m.fire, fire), max(m.keep, keep)
	fired := max(m.fire, less(m.keep, m.shape.lateness))
	if m.cfg.LastOnly {
		fired = less(max(m.fire, m.keep), m.shape.lateness)
	}
	early := m.shape.early > 0 && !m.cfg.LastOnly && before != math.MinInt64 && floor(m.fire, m.shape.early) > floor(before, m.shape.early)
	var out []line
	if m.shape.gap != 0 {
		out = m.sessions(early)
	}
	for id, w := range m.spans {
		if len(m.dirty[id]) == 0 || w.end > fired && !early {
			continue
		}
		m.revisions[id]++
		for key := range m.dirty[id] {
			out = append(out, line{w, key, oracle(rowsIn(m.rows[id+key])), m.revisions[id]})
		}
		delete(m.dirty, id)
	}
	slices.SortFunc(out, m.compare)
	return out
}

func (m *model) compare(a, b line) int {
	if m.shape.gap == 0 {
		if c := a.span.compare(b.span); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(a.end, b.end), compareKeys(m.keys[a.key], m.keys[b.key]), cmp.Compare(a.start, b.start), cmp.Compare(a.revision, b.revision))
}

// compareKeys is SQL's order: NaN after all numbers, nulls last.
func compareKeys(a, b []any) int {
	for i := range a {
		if c := compareValues(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func compareValues(a, b any) int {
	if a == nil || b == nil {
		return compareFlags(a == nil, b == nil)
	}
	switch x := a.(type) {
	case bool:
		return compareFlags(x, b.(bool))
	case int64:
		return cmp.Compare(x, b.(int64))
	case float64:
		if y := b.(float64); x != x || y != y {
			return compareFlags(x != x, y != y)
		}
		return cmp.Compare(x+0, b.(float64)+0)
	case string:
		return cmp.Compare(x, b.(string))
	}
	return slices.Compare(a.([]byte), b.([]byte))
}

func compareFlags(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// sessions does what advance does for sessions.
func (m *model) sessions(early bool) []line {
	late := less(m.keep, m.shape.lateness)
	if m.cfg.LastOnly {
		late = less(max(m.fire, m.keep), m.shape.lateness)
	}
	forgotten := less(late, m.shape.gap)
	fired := max(m.fire, forgotten)
	if m.cfg.LastOnly {
		fired = forgotten
	}
	var out []line
	for _, key := range slices.Collect(maps.Keys(m.rows)) {
		facts := m.rows[key]
		slices.SortStableFunc(facts, func(a, b fact) int { return cmp.Compare(a.ts, b.ts) })
		now := map[span][]fact{}
		var left []fact
		for len(facts) > 0 {
			n, w := 1, span{facts[0].ts, facts[0].ts + m.shape.gap}
			for n < len(facts) && facts[n].ts < w.end {
				w.end = facts[n].ts + m.shape.gap
				n++
			}
			now[w] = facts[:n]
			if facts = facts[n:]; w.end > forgotten {
				left = append(left, now[w]...)
			}
		}
		if m.sent[key] == nil {
			m.sent[key], m.seen[key] = map[span]int64{}, map[span]int{}
		}
		for w, revision := range m.sent[key] {
			if now[w] == nil {
				out = append(out, line{w, key, "deleted", revision + 1})
				delete(m.sent[key], w)
				delete(m.seen[key], w)
			}
		}
		for w, facts := range now {
			if (w.end <= fired || early) && len(facts) != m.seen[key][w] {
				m.sent[key][w]++
				m.seen[key][w] = len(facts)
				out = append(out, line{w, key, oracle(rowsIn(facts)), m.sent[key][w]})
			}
			if w.end <= forgotten {
				delete(m.sent[key], w)
				delete(m.seen[key], w)
			}
		}
		m.rows[key] = slices.Clone(left)
	}
	return out
}
