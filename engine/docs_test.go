package engine_test

import (
	"os"
	"strings"
	"testing"

	"github.com/leatio/leat/agent/decode"
	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/jsonl"
)

const docsHead = `name: example
source:
  file: {path: "-"}
  format: json
  schema: {device: string, ts: timestamp, temp: double, state: string}
  event_time: {column: ts, max_disorder: 10s}
sinks: [stdout: {}]
steps:
`

// block is the indented lines behind a line.
func block(section, line string) (out []string) {
	_, rest, ok := strings.Cut(section, "\n"+line+"\n\n")
	if !ok {
		return nil
	}
	for l := range strings.SplitSeq(rest, "\n") {
		if !strings.HasPrefix(l, "    ") {
			break
		}
		out = append(out, strings.TrimPrefix(l, "    "))
	}
	return out
}

// docsTable is the table of the page.
type docsTable string

func (d docsTable) table(columns []lookup.Column) (*lookup.Table, error) {
	return lookup.Parse("sites.csv", []byte(d), columns)
}

func (d docsTable) Reference(ref compile.LookupRef) (*compile.LookupInfo, error) {
	t, err := d.table(columnsOf(ref.Schema))
	if err != nil {
		return nil, err
	}
	return &compile.LookupInfo{Size: uint64(len(t.Append(nil)))}, nil
}

func (d docsTable) Lookup(*plan.Lookup) (*lookup.Table, error) {
	return d.table([]lookup.Column{{Name: "id", Type: batch.String}, {Name: "site", Type: batch.String}, {Name: "limit_c", Type: batch.Double}})
}

// TestTheExamplesOfTheSteps runs docs/reference/steps.md.
func TestTheExamplesOfTheSteps(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/steps.md")
	if err != nil {
		t.Fatal(err)
	}
	run := 0
	for section := range strings.SplitSeq(string(page), "\n## ") {
		name, _, _ := strings.Cut(section, "\n")
		steps := block(section, "Steps:")
		if steps == nil {
			continue
		}
		run++
		table := docsTable(strings.Join(block(section, "With `sites.csv`"), "\n"))
		p, err := compile.Compile([]byte(docsHead+"  "+strings.Join(steps, "\n  ")+"\n"), compile.Options{Lookups: table})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		diff(t, name, results(t, p, table, block(section, "Rows:")), block(section, "Results:"))
	}
	if run != 13 {
		t.Errorf("%d examples", run)
	}
}

// results gives what a pipeline prints for JSON lines.
func results(t *testing.T, p *plan.Plan, table docsTable, lines []string) (out []string) {
	t.Helper()
	sink := func(_ *plan.Node, s batch.Schema, b *batch.Batch) error {
		out = append(out, strings.Split(strings.TrimSuffix(string(jsonl.Append(nil, s, b)), "\n"), "\n")...)
		return nil
	}
	edge, err := engine.NewEdge(p, engine.EdgeConfig{Lookups: table})
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := engine.NewCloud(p, engine.CloudConfig{Lookups: table, Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	d, err := decode.New(p.Source, decode.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	var messages []source.Message
	for _, l := range lines {
		messages = append(messages, source.Message{Payload: []byte(l)})
	}
	b := batch.New(p.Source.Schema())
	d.Decode(b, messages, func(_ string, _ []byte, reason string) { t.Error(reason) })
	for _, err := range []error{edge.Process(b, 0), edge.AdvanceTo(engine.EndOfTime), edge.Flush(nil, cloud.Apply), cloud.Advance(engine.EndOfTime, engine.EndOfTime)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}
