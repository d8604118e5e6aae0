package engine

import (
	"testing"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
)

func compiled(t *testing.T, window string) *plan.Plan {
	t.Helper()
	p, err := compile.Compile([]byte(`
name: t
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts}
steps:
  - window: {by: [device], `+window+`, emit: {n: count(*)}}
sinks:
  - table: {name: t}
`), compile.Options{File: "t.yaml", PipelineID: "t-1", Version: 2})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBoundaries(t *testing.T) {
	zoned := func(p *plan.Plan) *plan.Plan {
		// Clocks go from UTC+1 to UTC+2 at 2026-03-29T01:00:00Z.
		p.Zones = []*plan.Zone{{Name: "Europe/Berlin", Offset: 3600, Changes: []*plan.ZoneChange{{At: 1774746000, Offset: 7200}}}}
		p.Cloud.Nodes[1].GetFinalWindow().TimeZone = "Europe/Berlin"
		return p
	}
	two := compiled(t, "tumbling: 4s")
	two.Cloud.Nodes = append(two.Cloud.Nodes, compiled(t, "tumbling: 5s").Cloud.Nodes...)
	for _, c := range []struct {
		name  string
		plan  *plan.Plan
		after string
		want  string
	}{
		{"tumbling", compiled(t, "tumbling: 10s"), "2026-01-01T00:00:01Z", "2026-01-01T00:00:10Z"},
		{"on a boundary", compiled(t, "tumbling: 10s"), "2026-01-01T00:00:10Z", "2026-01-01T00:00:10Z"},
		{"before 1970", compiled(t, "tumbling: 10s"), "1969-12-31T23:59:51Z", "1970-01-01T00:00:00Z"},
		{"hopping", compiled(t, "hopping: {size: 1m, every: 10s}"), "2026-01-01T00:00:01Z", "2026-01-01T00:00:10Z"},
		{"days in a zone", zoned(compiled(t, "tumbling: 24h")), "2026-01-01T00:00:01Z", "2026-01-01T23:00:00Z"},
		{"the day after the change", zoned(compiled(t, "tumbling: 24h")), "2026-03-29T03:00:00Z", "2026-03-29T22:00:00Z"},
		{"two that meet", two, "2026-01-01T00:00:01Z", "2026-01-01T00:00:20Z"},
	} {
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Boundary(after.UnixMicro(), c.plan)
		if text := time.UnixMicro(got).UTC().Format(time.RFC3339); err != nil || text != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, text, err, c.want)
		}
	}
}

// A version that begins at a boundary has none of the windows that begin before it, even where rows of it fall in them.
func TestWindowsBeforeAVersionsBeginning(t *testing.T) {
	p := compiled(t, "hopping: {size: 20s, every: 10s}")
	p.StartsAtMicros = 100e6
	var starts []int64
	cloud, err := NewCloud(p, CloudConfig{Sink: func(_ *plan.Node, _ batch.Schema, b *batch.Batch) error {
		for k := range b.Len() {
			starts = append(starts, b.Cols[0].Ints[rowAt(b, k)]/1e6)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	edge, err := NewEdge(p, EdgeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	rows := batch.New(p.Source.Schema())
	for i, f := range p.Source.Schema() {
		switch f.Name {
		case "device":
			rows.Cols[i].Dict = batch.NewDict()
			rows.Cols[i].Codes = []uint32{rows.Cols[i].Dict.CodeString("x"), 0}
		case "ts":
			rows.Cols[i].Ints = []int64{105e6, 115e6}
		default:
			rows.Cols[i].Doubles = []float64{1, 2}
		}
	}
	rows.N = 2
	if err := edge.Process(rows, 0); err != nil {
		t.Fatal(err)
	}
	if err := edge.Flush(nil, func(port uint32, b *batch.Batch) error { return cloud.Apply(port, b) }); err != nil {
		t.Fatal(err)
	}
	if err := cloud.Advance(EndOfTime, EndOfTime); err != nil {
		t.Fatal(err)
	}
	if len(starts) != 2 || starts[0] != 100 || starts[1] != 110 || cloud.Fired() != 2 {
		t.Errorf("windows begin at %v (%d fired), want 100 and 110: the one at 90 belongs to the version before", starts, cloud.Fired())
	}
}
