package step

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

func alertSchema(in batch.Schema) batch.Schema {
	return append(append(batch.Schema{}, in...), batch.Field{Name: "alert", Type: batch.String}, batch.Field{Name: "since", Type: batch.Timestamp})
}

// alertModel is the step as its documentation says it, row by row.
type alertModel struct {
	hold, silent int64
	clear        bool // an expression of its own: v < 1
	keys         map[string]*modelKey
	out          []string
}

type modelKey struct {
	first  int
	row    row
	newest int64
	since  int64
	raised bool
	silent bool
}

func (m *alertModel) moveTo(before, wm int64) {
	if m.silent == 0 || wm == NoWatermark {
		return
	}
	var due []*modelKey
	for _, k := range m.keys {
		if !k.silent && k.newest+m.silent <= wm {
			due = append(due, k)
		}
	}
	sort.Slice(due, func(i, j int) bool {
		if due[i].newest != due[j].newest {
			return due[i].newest < due[j].newest
		}
		return due[i].first < due[j].first
	})
	for _, k := range due {
		k.silent = true
		at := k.newest + m.silent
		site := k.row.site
		if site == "" {
			site = "-"
		}
		m.out = append(m.out, fmt.Sprintf("%s %d %d - - - - silent %d @%d", site, k.row.n, at, k.newest, max(at, before)))
	}
}

func (m *alertModel) say(r row, word string, since int64) {
	line := strings.Split(lineOf(r), " @")
	m.out = append(m.out, fmt.Sprintf("%s %s %d @%s", line[0], word, since, line[1]))
}

func (m *alertModel) row(i int, r row) {
	k := m.keys[keyOf(r)]
	if k == nil {
		k = &modelKey{first: i, row: r, newest: r.ts, since: -1}
		m.keys[keyOf(r)] = k
	}
	if r.ts < k.newest {
		return
	}
	wasSilent, silentSince := k.silent, k.newest
	k.newest, k.silent = r.ts, false
	when, cleared := r.v > 2, r.v >= 0 && !(r.v > 2)
	if m.clear {
		cleared = r.v >= 0 && r.v < 1
	}
	null := r.v < 0
	said := false
	if k.raised {
		if cleared {
			m.say(r, Cleared, k.since)
			k.raised, k.since, said = false, -1, true
		}
	} else if !null {
		switch {
		case !when:
			k.since = -1
		case k.since < 0:
			k.since = r.ts
		}
		if when && r.ts-k.since >= m.hold {
			m.say(r, Raised, k.since)
			k.raised, said = true, true
		}
	}
	if wasSilent && !said && !k.raised {
		m.say(r, Cleared, silentSince)
	}
}

func TestAlert(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		rows := randomRows(rng, 700, 1+rng.IntN(8), 2*second, 3*second)
		m := &alertModel{hold: int64(rng.IntN(4)) * 3 * second, silent: int64(rng.IntN(3)) * 12 * second, clear: rng.IntN(2) == 0, keys: map[string]*modelKey{}}
		before := int64(NoWatermark)
		for i, r := range rows {
			if r.wm > before {
				m.moveTo(before, r.wm)
				before = r.wm
			}
			m.row(i, r)
		}
		p := &plan.Alert{Keys: byKeys, TimeColumn: 2, When: call(batch.Bool, ">", column(3, batch.Double), number(2)), ForMicros: m.hold, SilentMicros: m.silent}
		if m.clear {
			p.Clear = call(batch.Bool, "<", column(3, batch.Double), number(1))
		}
		same(t, fmt.Sprint("seed ", seed), func() (Step, error) {
			return NewAlert(p, rowSchema, alertSchema(rowSchema), Config{})
		}, rows, m.out)
	}
}

// TestAlertTells goes through one story by hand.
func TestAlertTells(t *testing.T) {
	p := &plan.Alert{Keys: []uint32{0}, TimeColumn: 2, When: call(batch.Bool, ">", column(3, batch.Double), number(35)), ForMicros: 60 * second,
		Clear: call(batch.Bool, "<", column(3, batch.Double), number(33)), SilentMicros: 300 * second}
	out := batch.Schema{rowSchema[0], rowSchema[2], rowSchema[3], {Name: "alert", Type: batch.String}, {Name: "since", Type: batch.Timestamp}}
	s, err := NewAlert(p, rowSchema, out, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	emit := func(b *batch.Batch, _ []int64) error { got = append(got, textOf(b)...); return nil }
	d := batch.NewDict()
	say := func(at int64, v float64) {
		t.Helper()
		b, wms := batchOf([]row{{site: "dev-1", ts: at * second, v: v, wm: (at - 1) * second}}, d, batch.NewDict())
		if err := s.Process(b, wms, emit); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []struct {
		at int64
		v  float64
	}{{1, 36}, {30, 34}, {40, 36}, {70, -1}, {99, 37}, {100, 37}, {110, 38}, {120, 34}, {130, 32}, {140, 31}, {500, 30}, {510, 30}, {900, 40}, {960, 40}, {2000, 40}, {2001, 30}} {
		say(r.at, r.v)
	}
	if err := s.Advance(2400*second, emit); err != nil {
		t.Fatal(err)
	}
	if err := s.Advance(EndOfTime, emit); err != nil {
		t.Fatal(err)
	}
	diff(t, "story", got, []string{
		"dev-1 100000000 37 raised 40000000",
		"dev-1 130000000 32 cleared 40000000",
		"dev-1 440000000 - silent 140000000",
		"dev-1 500000000 30 cleared 140000000",
		"dev-1 810000000 - silent 510000000",
		"dev-1 900000000 40 cleared 510000000",
		"dev-1 960000000 40 raised 900000000",
		"dev-1 1260000000 - silent 960000000",
		"dev-1 2001000000 30 cleared 900000000",
		"dev-1 2301000000 - silent 2001000000",
	})
}

// TestTheEndOfASourceIsNoSilence holds for bounded sources.
func TestTheEndOfASourceIsNoSilence(t *testing.T) {
	p := &plan.Alert{TimeColumn: 2, When: call(batch.Bool, ">", column(3, batch.Double), number(35)), SilentMicros: second}
	s, err := NewAlert(p, rowSchema, alertSchema(rowSchema), Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	emit := func(b *batch.Batch, _ []int64) error { got = append(got, textOf(b)...); return nil }
	b, wms := batchOf([]row{{ts: second, wm: NoWatermark}, {ts: second, wm: NoWatermark}}, batch.NewDict(), batch.NewDict())
	if err := s.Process(b, wms, emit); err != nil {
		t.Fatal(err)
	}
	if err := s.Advance(EndOfTime, emit); err != nil || len(got) > 0 {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestAlertRefusesKeysBeyondTheBound(t *testing.T) {
	var reasons []string
	p := &plan.Alert{Keys: []uint32{0}, TimeColumn: 2, When: call(batch.Bool, ">", column(3, batch.Double), number(1))}
	s, err := NewAlert(p, rowSchema, alertSchema(rowSchema), Config{MaxKeys: 2, Reject: func(_ *batch.Batch, row int, reason string) {
		reasons = append(reasons, fmt.Sprint(row, " ", reason))
	}})
	if err != nil {
		t.Fatal(err)
	}
	rows := []row{{site: "a", v: 2}, {site: "b", v: 2}, {site: "c", v: 2}, {site: "a", v: 0}}
	b, wms := batchOf(rows, batch.NewDict(), batch.NewDict())
	var got []string
	if err := s.Process(b, wms, func(b *batch.Batch, _ []int64) error { got = textOf(b); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || len(reasons) != 1 || !strings.HasPrefix(reasons[0], "2 alert: more than 2 keys") || s.Stats().Refused != 1 {
		t.Fatalf("%q, rejected %q, %+v", got, reasons, s.Stats())
	}
}

// TestAlertRejectsRowsThatFail fails rows once, though two expressions fail on them.
func TestAlertRejectsRowsThatFail(t *testing.T) {
	div := call(batch.Bool, ">", call(batch.Double, "/", number(1), column(3, batch.Double)), number(0.4))
	rejected := 0
	s, err := NewAlert(&plan.Alert{TimeColumn: 2, When: div, Clear: div}, rowSchema, alertSchema(rowSchema), Config{Reject: func(*batch.Batch, int, string) { rejected++ }})
	if err != nil {
		t.Fatal(err)
	}
	b, wms := batchOf([]row{{v: 0}, {v: 2}}, batch.NewDict(), batch.NewDict())
	n := 0
	if err := s.Process(b, wms, func(b *batch.Batch, _ []int64) error { n = b.Len(); return nil }); err != nil || n != 1 || rejected != 1 {
		t.Fatalf("%d rows, %d rejected, %v", n, rejected, err)
	}
}
