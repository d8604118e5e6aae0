package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
)

const second = int64(1_000_000)

// row is what the source of the tests gives.
type row struct {
	device string
	ts     int64
	temp   float64 // -1 = null
	state  string
}

const head = `name: test
source:
  file: {path: "-"}
  format: json
  schema: {device: string, ts: timestamp, temp: double, state: string}
  event_time: {column: ts, max_disorder: 4s}
`

// sites is the reference table of the tests.
const sites = "id,site,limit_c\nd0,north,2\nd1,south,5\nd2,,3\n"

type tables struct{}

func (tables) Reference(ref compile.LookupRef) (*compile.LookupInfo, error) {
	t, err := lookup.Parse("sites.csv", []byte(sites), columnsOf(ref.Schema))
	if err != nil {
		return nil, err
	}
	return &compile.LookupInfo{Size: uint64(len(t.Append(nil)))}, nil
}

func columnsOf(s []plan.SourceColumn) (out []lookup.Column) {
	for i := range s {
		out = append(out, lookup.Column{Name: s[i].Name, Type: batch.Type(s[i].Type), Unit: s[i].Unit})
	}
	return out
}

// content gives the table to fragments.
type content string

func (c content) Lookup(*plan.Lookup) (*lookup.Table, error) {
	return lookup.Parse("sites.csv", []byte(c), []lookup.Column{{Name: "id", Type: batch.String}, {Name: "site", Type: batch.String}, {Name: "limit_c", Type: batch.Double}})
}

func compiled(t testing.TB, body string) *plan.Plan {
	t.Helper()
	p, err := compile.Compile([]byte(head+body), compile.Options{Lookups: tables{}})
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return p
}

// batchOf makes a batch of the plan's source columns.
func batchOf(p *plan.Plan, rows []row, dicts map[string]*batch.Dict) *batch.Batch {
	b := batch.New(p.Source.Schema())
	for k, f := range p.Source.Columns {
		c := &b.Cols[k]
		if batch.Type(f.Type) == batch.String {
			if dicts[f.Name] == nil {
				dicts[f.Name] = batch.NewDict()
			}
			c.Dict = dicts[f.Name]
		}
		for _, r := range rows {
			one := batch.Column{Type: batch.Type(f.Type), Dict: c.Dict}
			switch f.Name {
			case "device":
				one.Codes = []uint32{c.Dict.CodeString(r.device)}
			case "state":
				one.Codes = []uint32{c.Dict.CodeString(r.state)}
			case "ts":
				one.Ints = []int64{r.ts}
			case "temp":
				if one.Doubles = []float64{r.temp}; r.temp < 0 {
					c.AppendNull()
					continue
				}
			default:
				panic("no column " + f.Name)
			}
			c.AppendFrom(&one, 0)
		}
	}
	b.N = len(rows)
	return b
}

// rowsOf makes rows of some devices whose times are out of order, and a few that are late.
func rowsOf(seed uint64, n int) []row {
	rng := rand.New(rand.NewPCG(seed, 11))
	now := 1_700_000_000 * second
	rows := make([]row, n)
	for i := range rows {
		now += rng.Int64N(second)
		if rng.IntN(60) == 0 {
			now += rng.Int64N(60 * second)
		}
		rows[i] = row{fmt.Sprint("d", rng.IntN(4)), now - rng.Int64N(4*second), float64(rng.IntN(9)), []string{"on", "off", "x"}[rng.IntN(3)]}
		switch rng.IntN(25) {
		case 0:
			rows[i].ts -= 8 * second
		case 1:
			rows[i].ts -= 40 * second
		case 2:
			rows[i].temp = -1
		}
	}
	return rows
}

// schedule says how rows become batches, batches frames, and when either tier starts anew.
type schedule struct {
	rng      *rand.Rand
	batch    int     // largest
	flush    float64 // chance after a batch that a frame leaves
	some     bool    // frames leave ports out
	restarts bool
	lastOnly bool
}

// world runs a plan over rows.
type world struct {
	t     testing.TB
	plan  *plan.Plan
	how   schedule
	edge  *engine.Edge
	cloud *engine.Cloud

	out     map[string][]string // by sink: what it was given, in order
	sent    int64
	journal map[uint32][]*batch.Batch
	states  map[uint32][]*batch.Batch
	cstates []piece
	lookups content
	rejects []string
}

type piece struct {
	section uint32
	b       *batch.Batch
}

func newWorld(t testing.TB, p *plan.Plan, how schedule) *world {
	w := &world{t: t, plan: p, how: how, out: map[string][]string{}, sent: engine.NoWatermark, lookups: sites}
	w.journal, w.states = map[uint32][]*batch.Batch{}, map[uint32][]*batch.Batch{}
	w.edge, w.cloud = w.newEdge(), w.newCloud()
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sink(n *plan.Node, s batch.Schema, b *batch.Batch) error {
	name := n.GetSink().GetTable().GetName()
	if f := n.GetSink().GetFile(); f != nil {
		name = f.Path
	}
	w.out[name] = append(w.out[name], linesOf(s, b)...)
	return nil
}

func (w *world) reject(_ string, _ []byte, reason string) { w.rejects = append(w.rejects, reason) }

func (w *world) newEdge() *engine.Edge {
	e, err := engine.NewEdge(w.plan, engine.EdgeConfig{Sink: w.sink, Lookups: w.lookups, Reject: w.reject, LastOnly: w.how.lastOnly})
	w.check(err)
	return e
}

func (w *world) newCloud() *engine.Cloud {
	c, err := engine.NewCloud(w.plan, engine.CloudConfig{Sink: w.sink, Lookups: w.lookups, Reject: w.reject, LastOnly: w.how.lastOnly})
	w.check(err)
	return c
}

// linesOf shows rows as name=value; a deleted one begins with "-".
func linesOf(s batch.Schema, b *batch.Batch) (out []string) {
	for k := range b.Len() {
		r := k
		if b.Sel != nil {
			r = int(b.Sel[k])
		}
		var l []string
		if b.Deleted != nil && b.Deleted.Get(r) {
			l = append(l, "-")
		}
		for i, f := range s {
			c := &b.Cols[i]
			v := "null"
			switch {
			case c.Null(r):
			case f.Type == batch.String:
				v = c.Str(r)
			case f.Type == batch.Double:
				v = fmt.Sprint(c.Doubles[r])
			case f.Type == batch.Bool:
				v = fmt.Sprint(c.Bools[r])
			default:
				v = fmt.Sprint(c.Ints[r])
			}
			l = append(l, f.Name+"="+v)
		}
		out = append(out, strings.Join(l, " "))
	}
	return out
}

func clone(s batch.Schema, b *batch.Batch) *batch.Batch {
	c := batch.New(s)
	c.AppendRows(b)
	return c
}

// run gives what the sinks were given.
func (w *world) run(rows []row) map[string][]string {
	w.t.Helper()
	dicts := map[string]*batch.Dict{}
	for at := 0; at < len(rows); {
		n := 1
		if w.how.batch > 1 {
			n = min(1+w.how.rng.IntN(w.how.batch), len(rows)-at)
		}
		w.check(w.edge.Process(batchOf(w.plan, rows[at:at+n], dicts), 0))
		at += n
		frame := w.how.flush >= 1 || w.how.rng.Float64() < w.how.flush
		w.commit(frame)
		if w.how.restarts && w.how.rng.IntN(4) == 0 {
			w.restartEdge()
		}
	}
	w.check(w.edge.AdvanceTo(engine.EndOfTime))
	w.how.some = false
	w.commit(true)
	return w.out
}

// commit is what an agent makes durable; with frame, something leaves for the cloud.
func (w *world) commit(frame bool) {
	w.t.Helper()
	if frame {
		var due func(uint32) bool
		if w.how.some {
			due = func(port uint32) bool { return w.how.rng.IntN(2) == 0 }
		}
		w.check(w.edge.Flush(due, func(port uint32, b *batch.Batch) error {
			delete(w.journal, port)
			return w.cloud.Apply(port, clone(w.edge.PortSchema(port), b))
		}))
		w.sent = max(w.sent, w.edge.FlushWatermark())
		if w.sent != engine.NoWatermark {
			w.check(w.cloud.Advance(w.sent, w.sent))
		}
		if w.how.restarts {
			w.checkpoint()
		}
	}
	if !w.how.restarts {
		return
	}
	w.check(w.edge.Journal(func(port uint32, b *batch.Batch) error {
		w.journal[port] = append(w.journal[port], clone(w.edge.PortSchema(port), b))
		return nil
	}))
	w.check(w.edge.Changes(false, func(section uint32, b *batch.Batch) error {
		w.states[section] = append(w.states[section], clone(w.edge.StateSection(section).Schema, b))
		return nil
	}))
}

// restartEdge makes a new edge of what was committed; states as a store by key keeps them.
func (w *world) restartEdge() {
	w.t.Helper()
	wm := w.edge.Watermark()
	w.edge = w.newEdge()
	for port, list := range w.journal {
		for _, b := range list {
			w.check(w.edge.Restore(port, b))
		}
	}
	for section := uint32(0); w.edge.StateSection(section).Schema != nil; section++ {
		if b := merged(w.edge.StateSection(section), w.states[section]); b.N > 0 {
			w.check(w.edge.RestoreState(section, b))
		}
	}
	w.edge.Resume(wm)
}

// merged is the last row of each key, by key.
func merged(s engine.Section, stored []*batch.Batch) *batch.Batch {
	type place struct {
		b *batch.Batch
		r int
	}
	rows := map[string]place{}
	by := make([]int, s.Keys)
	for i := range by {
		by[i] = i
	}
	for _, b := range stored {
		for r := range b.N {
			k := string(batch.AppendKey(nil, b.Cols, by, r))
			if s.Gone && b.Cols[len(b.Cols)-1].Bools[r] {
				delete(rows, k)
			} else {
				rows[k] = place{b, r}
			}
		}
	}
	var list []string
	for k := range rows {
		list = append(list, k)
	}
	slices.Sort(list)
	out := batch.New(s.Schema)
	for _, k := range list {
		one := *rows[k].b
		one.Sel = []uint32{uint32(rows[k].r)}
		out.AppendRows(&one)
	}
	return out
}

// checkpoint keeps the cloud's state and sometimes starts it anew.
func (w *world) checkpoint() {
	w.t.Helper()
	full := len(w.cstates) == 0 || w.how.rng.IntN(6) == 0
	if full {
		w.cstates = nil
	}
	w.check(w.cloud.Changes(full, func(section uint32, b *batch.Batch) error {
		w.cstates = append(w.cstates, piece{section, clone(w.cloud.StateSection(section).Schema, b)})
		return nil
	}))
	if w.how.rng.IntN(3) > 0 {
		return
	}
	w.cloud = w.newCloud()
	for _, p := range w.cstates {
		w.check(w.cloud.RestoreState(p.section, p.b))
	}
	w.cloud.Resume(w.sent, w.sent)
}

// tableOf is what a table holds after these rows: the last revision of each key.
func tableOf(lines []string, key ...string) []string {
	rows := map[string]string{}
	for _, l := range lines {
		gone := strings.HasPrefix(l, "- ")
		l = strings.TrimPrefix(l, "- ")
		var k []string
		for _, f := range strings.Fields(l) {
			if name, _, _ := strings.Cut(f, "="); slices.Contains(key, name) {
				k = append(k, f)
			}
		}
		if gone {
			delete(rows, strings.Join(k, " "))
			continue
		}
		at := strings.Index(l, " _revision=")
		if at < 0 {
			at = len(l)
		}
		rows[strings.Join(k, " ")] = l[:at]
	}
	var out []string
	for _, l := range rows {
		out = append(out, l)
	}
	slices.Sort(out)
	return out
}

func diff(t testing.TB, name string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s: row %d of %d (want %d) is\n%s\nwant\n%s", name, i, len(got), len(want), g, w)
		}
	}
}

// eachRow sends a frame after each row, so that both tiers see the same watermarks.
func eachRow() schedule { return schedule{batch: 1, flush: 1} }

// anyhow sends what it likes when it likes.
func anyhow(seed uint64) schedule {
	return schedule{rng: rand.New(rand.NewPCG(seed, 5)), batch: 40, flush: 0.3}
}
