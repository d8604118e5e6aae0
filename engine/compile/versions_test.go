package compile

import (
	"slices"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/plan"
)

const versioned = `
name: climate
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, site: string, ts: timestamp_ms, temp: double, humidity: double}
  event_time: {column: ts}
steps:
  - where: temp > 0
  - add: {fahrenheit: temp * 1.8 + 32}
  - window: {by: [device], tumbling: 10s, emit: {n: count(*), high: max(fahrenheit)}}
sinks:
  - table: {name: t}
`

func TestWhatVersionsGoOnWith(t *testing.T) {
	compiled := func(file string) *plan.Plan {
		p, err := Compile([]byte(file), Options{File: "f.yaml", PipelineID: "climate-1", Version: 1})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	old := compiled(versioned)
	cases := []struct {
		name, from, to string
		kept           plan.Kept
		accumulators   []int
		reason         string
	}{
		{"a comment", "name:", "# new\nname:", plan.KeptAll, nil, ""},
		{"an aggregate more", "high:", "low: min(humidity), high:", plan.KeptWindows, []int{0, -1, 1}, ""},
		{"an aggregate less", "n: count(*), ", "", plan.KeptWindows, []int{1}, ""},
		{"another expression", "1.8", "2.0", plan.KeptWindows, []int{0, -1}, ""},
		{"another way to write it", "fahrenheit: temp * 1.8 + 32}", "f2: temp * 1.8 + 32}\n  - add: {fahrenheit: f2}", plan.KeptWindows, []int{0, 1}, ""},
		{"a step behind the window", "sinks:", "  - where: n > 1\nsinks:", plan.KeptWindows, []int{0, 1}, ""},
		{"another table", "name: t}", "name: u}", plan.KeptWindows, []int{0, 1}, ""},
		{"another condition", "temp > 0", "temp > 1", plan.KeptNothing, nil, "other rows"},
		{"another key", "by: [device]", "by: [site]", plan.KeptNothing, nil, "its keys"},
		{"one key more", "by: [device]", "by: [device, site]", plan.KeptNothing, nil, "its keys"},
		{"other slices", "10s", "20s", plan.KeptNothing, nil, "cuts time"},
	}
	for _, c := range cases {
		next := compiled(strings.Replace(versioned, c.from, c.to, 1))
		got := plan.Compare(old, next)
		if got.Kept != c.kept || c.reason != "" && !strings.Contains(strings.Join(got.Reasons, "\n"), c.reason) {
			t.Errorf("%s: %+v, want %d for %q", c.name, got, c.kept, c.reason)
			continue
		}
		if c.kept == plan.KeptWindows && (len(got.Windows) != 1 || !slices.Equal(got.Windows[0].Accumulators, c.accumulators)) {
			t.Errorf("%s: windows %+v, want the accumulators %v", c.name, got.Windows, c.accumulators)
		}
	}
}
