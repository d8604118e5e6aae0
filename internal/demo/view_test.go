package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/agent"
	"github.com/leatio/leat/cloud/api"
)

func TestRender(t *testing.T) {
	at := time.Date(2026, 1, 31, 8, 0, 20, 0, time.UTC)
	watermark := at.Add(-5 * time.Second)
	before := sample{at: at.Add(-2 * time.Second), totals: agent.Totals{Messages: 200}}
	now := sample{
		at:     at,
		totals: agent.Totals{Messages: 1000, Rows: 990, RawBytes: 67320, SentBytes: 1584, Rejects: 10, Late: 3},
		cloud:  &api.Status{Pipelines: []api.PipelineStatus{{Fired: 40, Watermark: &watermark}}},
		newest: &api.Result{Rows: [][]any{{"dev-1", "2026-01-31T08:00:00.000000Z", 25, 21.5, nil}}},
	}
	want := `08:00:20  agent no session
  messages       400/s   total 1000   rejects 10   late 3
  wire          1.60 bytes a row, raw 68.0   (42 times less)
  windows         40 results fired   watermark lag 5s
  device     window_start             n  temp_avg  dew_max
  dev-1      2026-01-31T08:00:00Z    25      21.5     null
`
	if got := render(before, now); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := cutLines("abc\nä€de\n\n", 3); got != "abc\nä€d\n\n" {
		t.Errorf("cut to %q", got)
	}
	if first := render(sample{}, sample{at: at, cloud: &api.Status{}}); strings.Contains(first, "NaN") || strings.Contains(first, "Inf") {
		t.Errorf("nothing yet gives\n%s", first)
	}
}
