package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/step"
)

// handMade is a plan of a source (device, ts, temp) and some nodes; ports carry rows.
func handMade(edge, cloud []*plan.Node, ports ...*plan.Port) *plan.Plan {
	for i, n := range edge {
		n.Id = uint32(i)
	}
	for i, n := range cloud {
		n.Id = uint32(i)
	}
	cols := []*plan.SourceColumn{{Name: "device", Type: uint32(batch.String)}, {Name: "ts", Type: uint32(batch.Timestamp)}, {Name: "temp", Type: uint32(batch.Double)}}
	return &plan.Plan{
		Format: 1, Pipeline: "hand", Source: &plan.Source{Format: "json", Columns: cols, EventTime: 1, HasEventTime: true, MaxDisorderMicros: 4 * second,
			Kind: &plan.Source_File{File: &plan.FileSource{Paths: []string{"-"}}}},
		Edge: &plan.Fragment{Nodes: edge}, Cloud: &plan.Fragment{Nodes: cloud}, Ports: ports,
	}
}

func sourceColumns() []*plan.Column {
	return []*plan.Column{{Name: "device", Type: uint32(batch.String)}, {Name: "ts", Type: uint32(batch.Timestamp)}, {Name: "temp", Type: uint32(batch.Double)}}
}

func table(input int32, schema []*plan.Column) *plan.Node {
	return &plan.Node{Input: input, Schema: schema, Op: &plan.Node_Sink{Sink: &plan.Sink{Name: "t", Kind: &plan.Sink_Table{Table: &plan.TableSink{Name: "t"}}}}}
}

func portOut(input int32, k uint32, schema []*plan.Column) *plan.Node {
	return &plan.Node{Input: input, Schema: schema, Op: &plan.Node_PortOut{PortOut: &plan.PortOut{Port: k}}}
}

func portIn(k uint32, schema []*plan.Column) *plan.Node {
	return &plan.Node{Input: -1, Schema: schema, Op: &plan.Node_PortIn{PortIn: &plan.PortIn{Port: k}}}
}

// gaps is a keyed function: each row of a key gives the seconds since the one
// before it, and a timer says 0 when none came for 10 s.
type gaps struct{}

func (gaps) Keyed(string) (step.Function, error) { return gaps{}, nil }

func (gaps) Bind(in batch.Schema) ([]int, batch.Schema, error) {
	return []int{in.Index("ts")}, batch.Schema{{Name: "gap", Type: batch.Double}}, nil
}

func (gaps) Call(c *step.Call) error {
	give := func(g, row uint32, v float64) {
		o := &c.Out
		o.Rows.Cols[0].Doubles = append(o.Rows.Cols[0].Doubles, v)
		o.Rows.N++
		o.Group, o.Row = append(o.Group, g), append(o.Row, row)
	}
	for g := range uint32(c.Groups) {
		last := int64(0)
		if s := c.State[g]; s != nil {
			if _, err := fmt.Sscan(string(s), &last); err != nil {
				return err
			}
		}
		for r := c.RowStart[g]; r < c.RowStart[g+1]; r++ {
			ts := c.Rows[0].Ints[r]
			if last > 0 {
				give(g, r, float64(ts-last)/float64(second))
			}
			last = ts
			c.Out.Timers = append(c.Out.Timers, step.TimerChange{Group: g, Timer: step.Timer{At: ts + 10*second}})
			c.Out.Timers = append(c.Out.Timers, step.TimerChange{Group: g, Timer: step.Timer{Kind: step.ProcessingTime, At: c.Clock + 1000}})
		}
		for range c.Timers[c.TimerStart[g]:c.TimerStart[g+1]] {
			give(g, step.NoRow, 0)
		}
		c.Out.States = append(c.Out.States, step.StateChange{Group: g, State: fmt.Append(nil, last)})
	}
	return nil
}

func keyedPlan(edge bool) *plan.Plan {
	cols := sourceColumns()
	out := []*plan.Column{cols[0], cols[1], {Name: "gap", Type: uint32(batch.Double)}}
	keyed := &plan.Node{Input: -1, Schema: out, Op: &plan.Node_Keyed{Keyed: &plan.Keyed{Keys: []uint32{0}, TimeColumn: 1, Function: "gaps"}}}
	if edge {
		return handMade([]*plan.Node{keyed, portOut(0, 0, out)}, []*plan.Node{portIn(0, out), table(0, out)}, &plan.Port{Schema: out})
	}
	keyed.Input = 0
	return handMade([]*plan.Node{portOut(-1, 0, cols)}, []*plan.Node{portIn(0, cols), keyed, table(1, out)}, &plan.Port{Schema: cols})
}

// pair is both fragments of a plan, joined.
type pair struct {
	t     *testing.T
	plan  *plan.Plan
	edge  *engine.Edge
	cloud *engine.Cloud
	out   []string
}

func newPair(t *testing.T, p *plan.Plan) *pair {
	t.Helper()
	w := &pair{t: t, plan: p}
	sink := func(_ *plan.Node, s batch.Schema, b *batch.Batch) error {
		w.out = append(w.out, linesOf(s, b)...)
		return nil
	}
	var err error
	if w.edge, err = engine.NewEdge(p, engine.EdgeConfig{Keyed: gaps{}, Sink: sink, Lookups: content(sites)}); err != nil {
		t.Fatal(err)
	}
	if w.cloud, err = engine.NewCloud(p, engine.CloudConfig{Keyed: gaps{}, Sink: sink, Lookups: content(sites)}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *pair) give(rows ...row) {
	w.t.Helper()
	err := w.edge.Process(batchOf(w.plan, rows, map[string]*batch.Dict{}), 0)
	if err == nil {
		err = w.edge.Flush(nil, w.cloud.Apply)
	}
	if err == nil {
		err = w.cloud.Advance(w.edge.FlushWatermark(), w.edge.FlushWatermark())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestKeyedOnBothTiers(t *testing.T) {
	want := []string{
		"device=a ts=3000000 gap=2",
		"device=a ts=13000000 gap=0", // by event time
		"device=b ts=26000000 gap=0", // by the clock
		"device=a ts=26000000 gap=0",
	}
	for _, onEdge := range []bool{true, false} {
		w := newPair(t, keyedPlan(onEdge))
		w.give(row{device: "a", ts: second})
		w.give(row{device: "a", ts: 3 * second})
		w.give(row{device: "b", ts: 30 * second})
		clock, next := w.cloud.AdvanceClock, w.cloud.NextClock
		if onEdge {
			clock, next = w.edge.AdvanceClock, w.edge.NextClock
		}
		if at, ok := next(); !ok || at != 1000 {
			t.Errorf("the next timer is due at %d, %t", at, ok)
		}
		if err := errors.Join(clock(999), clock(1000)); err != nil {
			t.Fatal(err)
		}
		if err := w.edge.Flush(nil, w.cloud.Apply); err != nil {
			t.Fatal(err)
		}
		if _, ok := next(); ok {
			t.Error("a timer that fired is due again")
		}
		slices.Sort(w.out[2:])
		slices.Reverse(w.out[2:])
		diff(t, fmt.Sprint("on the edge ", onEdge), w.out, want)
	}
}

func TestALookupIsReplacedBetweenBatches(t *testing.T) {
	cols := sourceColumns()
	out := append(slices.Clone(cols), &plan.Column{Name: "site", Type: uint32(batch.String)})
	join := &plan.Node{Input: -1, Schema: out, Op: &plan.Node_Lookup{Lookup: &plan.LookupJoin{Keys: []uint32{0}, On: []string{"id"}, Columns: []string{"site"}}}}
	p := handMade([]*plan.Node{join, portOut(0, 0, out)}, []*plan.Node{portIn(0, out), table(0, out)}, &plan.Port{Schema: out})
	p.Lookups = []*plan.Lookup{{Name: "sites.csv"}}
	w := newPair(t, p)
	w.give(row{device: "d0", ts: second})
	next, err := content("id,site,limit_c\nd0,moved,1\n").Lookup(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.edge.SetLookup(0, next), w.cloud.SetLookup(0, next)); err != nil {
		t.Fatal(err)
	}
	w.give(row{device: "d0", ts: second})
	diff(t, "rows", w.out, []string{"device=d0 ts=1000000 temp=0 site=north", "device=d0 ts=1000000 temp=0 site=moved"})
	other, err := lookup.Parse("x.csv", []byte("id\nd0\n"), []lookup.Column{{Name: "id", Type: batch.String}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.edge.SetLookup(0, other); !errors.Is(err, step.ErrPlan) {
		t.Errorf("a table without the column: %v", err)
	}
	seen := 0
	w.edge.StepStats(func(n *plan.Node, s step.Stats) { seen += int(n.Id) + 1 + s.SizeBytes })
	if seen < 2 {
		t.Error("the step has no counters")
	}
}

// portOf is the first port of a kind.
func portOf(p *plan.Plan, kind plan.Port_Kind) uint32 {
	return uint32(slices.IndexFunc(p.Ports, func(port *plan.Port) bool { return port.Kind == kind }))
}

// TestTheWatermarkOfAFrame does not pass what stays behind.
func TestTheWatermarkOfAFrame(t *testing.T) {
	p := compiled(t, `branches:
  rows:
    sinks: [table: {name: rows}]
  windows:
    steps:
      - window: {by: [device], tumbling: 10s, freshness: window, emit: {n: count(*)}}
    sinks: [table: {name: windows}]
`)
	e, err := engine.NewEdge(p, engine.EdgeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	rows, partials := portOf(p, plan.Port_ROWS), portOf(p, plan.Port_PARTIALS)
	nothing := func(uint32, *batch.Batch) error { return nil }
	only := func(port uint32) func(uint32) bool { return func(k uint32) bool { return k == port } }
	expect := func(what string, want int64) {
		t.Helper()
		if got := e.FlushWatermark(); got != want {
			t.Errorf("%s: the frame may carry %d, want %d", what, got, want)
		}
	}
	give := func(ts ...int64) {
		t.Helper()
		var list []row
		for _, at := range ts {
			list = append(list, row{device: "a", ts: at * second})
		}
		if err := e.Process(batchOf(p, list, map[string]*batch.Dict{}), 0); err != nil {
			t.Fatal(err)
		}
	}
	give(100)
	expect("the first row is pending", engine.NoWatermark)
	if err := e.Flush(nil, nothing); err != nil {
		t.Fatal(err)
	}
	expect("nothing is pending", 96*second)
	give(107, 125)
	if end, ok := e.SliceEndAt(partials); !ok || end != 110*second {
		t.Errorf("the slice at the port ends at %d, %t", end, ok)
	}
	if _, ok := e.SliceEndAt(rows); ok {
		t.Error("rows wait in a slice")
	}
	expect("rows and partials are pending", 96*second)
	if err := e.Journal(nothing); err != nil {
		t.Fatal(err)
	}
	expect("they were journalled", 96*second)
	if n, size := e.PendingAt(rows); n != 2 || size == 0 {
		t.Errorf("%d rows of %d bytes wait", n, size)
	}
	if err := e.Flush(only(rows), nothing); err != nil {
		t.Fatal(err)
	}
	expect("partials are pending", 110*second-1)
	if n, _ := e.Pending(); n != 2 {
		t.Errorf("%d wait", n)
	}
	if err := e.Flush(only(partials), nothing); err != nil {
		t.Fatal(err)
	}
	expect("nothing is pending any more", 121*second)
	// After a restart nobody knows what stood before the first row.
	if err := e.Restore(rows, batchOf(p, []row{{device: "a", ts: 1}}, map[string]*batch.Dict{})); err != nil {
		t.Fatal(err)
	}
	expect("restored rows are pending", engine.NoWatermark)
}

func TestPlansThatDoNotFitAreRefused(t *testing.T) {
	cols := sourceColumns()
	late := append(slices.Clone(cols), &plan.Column{Name: plan.LateFor, Type: uint32(batch.Int)})
	win := &plan.Window{Keys: cols[:1], KeyColumns: []uint32{0}, TimeColumn: 1, Windows: []*plan.WindowSpec{{SizeMicros: second}}, SliceMicros: second}
	partial := func() *plan.Node {
		s, err := plan.PartialColumns(win)
		if err != nil {
			t.Fatal(err)
		}
		return &plan.Node{Input: -1, Schema: s, Op: &plan.Node_PartialWindow{PartialWindow: win}}
	}
	final := func(input int32) *plan.Node {
		return &plan.Node{Input: input, Schema: plan.FinalColumns(win), Op: &plan.Node_FinalWindow{FinalWindow: win}}
	}
	rows := &plan.Port{Schema: cols}
	for name, c := range map[string]struct {
		p    *plan.Plan
		want string
	}{
		"late rows of the source": {handMade([]*plan.Node{{Input: -1, Schema: late, Op: &plan.Node_Late{Late: &plan.Late{}}}}, nil), "late rows of what is no window"},
		"results of rows":         {handMade([]*plan.Node{final(-1)}, nil), "reads no partial window"},
		"a window twice": {handMade([]*plan.Node{partial(), portOut(0, 0, partial().Schema), final(0)}, nil,
			&plan.Port{Kind: plan.Port_PARTIALS, Schema: partial().Schema}), "or one with a port"},
		"a window twice, the other way": {handMade([]*plan.Node{partial(), final(0), portOut(0, 0, partial().Schema)}, nil,
			&plan.Port{Kind: plan.Port_PARTIALS, Schema: partial().Schema}), "or by one that ends on the edge"},
		"partials of rows":     {handMade([]*plan.Node{portOut(-1, 0, cols)}, nil, &plan.Port{Kind: plan.Port_PARTIALS, Schema: cols}), "is not fed by a window"},
		"a port twice":         {handMade([]*plan.Node{portOut(-1, 0, cols), portOut(-1, 0, cols)}, nil, rows), "written twice"},
		"no such port":         {handMade([]*plan.Node{portOut(-1, 3, cols)}, nil, rows), "is not there"},
		"a sink for nobody":    {handMade([]*plan.Node{table(-1, cols)}, nil), "nothing that takes its rows"},
		"a port on the edge":   {handMade([]*plan.Node{portIn(0, cols)}, nil, rows), "on the edge"},
		"a lookup of nothing":  {handMade([]*plan.Node{{Input: -1, Schema: cols, Op: &plan.Node_Lookup{Lookup: &plan.LookupJoin{Keys: []uint32{0}, On: []string{"id"}}}}}, nil), "lookup 0 of 0"},
		"a function of nobody": {keyedPlan(true), "no keyed functions"},
	} {
		if _, err := engine.NewEdge(c.p, engine.EdgeConfig{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	numbers := handMade([]*plan.Node{portOut(-1, 0, cols)}, nil, rows)
	numbers.Edge.Nodes[0].Id = 1
	if _, err := engine.NewEdge(numbers, engine.EdgeConfig{}); !errors.Is(err, engine.ErrPlan) {
		t.Errorf("a node without its number: %v", err)
	}
	for name, c := range map[string]struct {
		p    *plan.Plan
		want string
	}{
		"rows for no window": {handMade(nil, []*plan.Node{portIn(0, cols), {Input: 0, Op: &plan.Node_WindowRows{WindowRows: &plan.WindowRows{Window: 0}}}}, rows), "does not stand before it"},
		"no such port":       {handMade(nil, []*plan.Node{portIn(7, cols)}, rows), "port 7 of 1"},
		"a port out":         {handMade(nil, []*plan.Node{portIn(0, cols), portOut(0, 0, cols)}, rows), "in the cloud"},
		"a lookup, no tables": {func() *plan.Plan {
			p := handMade(nil, []*plan.Node{portIn(0, cols), {Input: 0, Schema: cols, Op: &plan.Node_Lookup{Lookup: &plan.LookupJoin{Keys: []uint32{0}, On: []string{"id"}}}}}, rows)
			p.Lookups = []*plan.Lookup{{Name: "x"}}
			return p
		}(), "nothing here gives reference tables"},
	} {
		if _, err := engine.NewCloud(c.p, engine.CloudConfig{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestAnErrorOfASinkStopsTheEdge also where the rows were late.
func TestAnErrorOfASinkStopsTheEdge(t *testing.T) {
	p := compiled(t, `steps:
  - window: {by: [device], tumbling: 10s, emit: {n: count(*)}, late: [{file: {path: x}, place: edge}]}
sinks: [table: {name: windows}]
`)
	broken := errors.New("broken")
	e, err := engine.NewEdge(p, engine.EdgeConfig{Sink: func(*plan.Node, batch.Schema, *batch.Batch) error { return broken }})
	if err != nil {
		t.Fatal(err)
	}
	rows := []row{{device: "a", ts: 100 * second}, {device: "a", ts: second}}
	if err := e.Process(batchOf(p, rows, map[string]*batch.Dict{}), 0); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// TestForwardingShowsInNoResult makes keys so many that the window gives up aggregating.
func TestForwardingShowsInNoResult(t *testing.T) {
	body := `steps:
  - window: {by: [device], tumbling: 10s, emit: {n: count(*), total: sum(temp)}%s}
sinks: [table: {name: t}]
`
	rng := rand.New(rand.NewPCG(1, 1))
	var rows []row
	for i := range 30_000 {
		rows = append(rows, row{device: fmt.Sprint("d", rng.IntN(20_000)), ts: int64(i) * second / 200, temp: float64(rng.IntN(50))})
	}
	how := func() schedule { return schedule{rng: rand.New(rand.NewPCG(2, 2)), batch: 1000, flush: 0.3} }
	p := compiled(t, fmt.Sprintf(body, ""))
	w := newWorld(t, p, how())
	got := w.run(rows)["t"]
	bounded := newWorld(t, compiled(t, fmt.Sprintf(body, ", groups: {max: 50, overflow: forward}")), how()).run(rows)["t"]
	keys := []string{"window_start", "window_end", "device"}
	want := map[string]float64{}
	for _, r := range rows {
		want[fmt.Sprintf("window_start=%d window_end=%d device=%s", r.ts-r.ts%(10*second), r.ts-r.ts%(10*second)+10*second, r.device)] += r.temp
	}
	if lines := tableOf(got, keys...); len(lines) != len(want) {
		t.Fatalf("%d results, want %d", len(lines), len(want))
	}
	for _, l := range tableOf(got, keys...) {
		k, rest, _ := strings.Cut(l, " n=")
		if _, total, _ := strings.Cut(rest, " total="); total != fmt.Sprint(want[k]) {
			t.Fatalf("%s, want a total of %g", l, want[k])
		}
	}
	diff(t, "bounded groups", tableOf(bounded, keys...), tableOf(got, keys...))
}
