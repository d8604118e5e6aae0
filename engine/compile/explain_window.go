package compile

import (
	"fmt"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

func partialText(n *plan.Node, w *plan.Window, in []*plan.Column) Explained {
	e := Explained{Kind: "window, partial stage", Text: windowText(w), Details: sliceText(w)}
	for i, a := range w.Accumulators {
		e.Details = append(e.Details, fmt.Sprintf("accumulator %d: %s", i, accumulatorText(a, in)))
	}
	if n.GetPartialWindow() != nil {
		e.Details = append(e.Details, "partials: "+columnList(n.Schema))
	}
	return e
}

func resultsText(w *plan.Window) []string {
	var out []string
	for _, r := range w.Results {
		name := r.Function
		if r.Param != 0 {
			name = fmt.Sprintf("%s %g", r.Function, r.Param)
		}
		out = append(out, fmt.Sprintf("%s %s = %s of accumulators %v", r.Name, batch.Type(r.Type), name, r.Accumulators))
	}
	return out
}

// windowText names the windows of a step.
func windowText(w *plan.Window) string {
	var parts []string
	for _, s := range w.Windows {
		parts = append(parts, specText(s))
	}
	if w.TimeZone != "" {
		parts = append(parts, "in the time zone "+w.TimeZone)
	}
	if len(w.Keys) > 0 {
		names := make([]string, len(w.Keys))
		for i, k := range w.Keys {
			names[i] = k.Name
		}
		parts = append(parts, "by "+strings.Join(names, ", "))
	} else {
		parts = append(parts, "one group of all rows")
	}
	parts = append(parts, "lateness "+FormatDuration(w.AllowedLatenessMicros))
	if w.InnerLatenessMicros > 0 {
		parts = append(parts, "on top of "+FormatDuration(w.InnerLatenessMicros))
	}
	if w.EarlyMicros > 0 {
		parts = append(parts, "early every "+FormatDuration(w.EarlyMicros))
	}
	if w.Completeness {
		parts = append(parts, "with completeness")
	}
	if w.ForwardRows {
		parts = append(parts, "rows are always forwarded")
	}
	if w.MaxGroups > 0 {
		policy := "are forwarded"
		if w.Overflow == plan.Overflow_OVERFLOW_REJECT {
			policy = "are rejected"
		}
		parts = append(parts, fmt.Sprintf("at most %d groups in a slice, rows beyond %s", w.MaxGroups, policy))
	}
	return strings.Join(parts, ", ")
}

func specText(s *plan.WindowSpec) string {
	switch s.Kind {
	case plan.WindowSpec_HOPPING:
		return fmt.Sprintf("hopping %s every %s", FormatDuration(s.SizeMicros), FormatDuration(s.EveryMicros))
	case plan.WindowSpec_CUMULATIVE:
		return fmt.Sprintf("cumulative %s by %s", FormatDuration(s.SizeMicros), FormatDuration(s.EveryMicros))
	case plan.WindowSpec_SESSION:
		return "session with a gap of " + FormatDuration(s.EveryMicros)
	}
	return "tumbling " + FormatDuration(s.SizeMicros)
}

// sliceText says how time is cut.
func sliceText(w *plan.Window) []string {
	if w.Session() {
		return []string{"slices: from the first row to the last + the gap; they grow together"}
	}
	out := []string{"slices: " + FormatDuration(w.SliceMicros)}
	for _, s := range w.Windows {
		slices := s.SizeMicros / w.SliceMicros
		line := fmt.Sprintf("%s: %s, and a row counts for %s", specText(s), countOf(slices, "slice"), countOf(windowsOfRow(s), "window"))
		if s.Kind == plan.WindowSpec_CUMULATIVE {
			line = fmt.Sprintf("%s: 1 to %s, and a row counts for up to %s", specText(s), countOf(slices, "slice"), countOf(windowsOfRow(s), "window"))
		}
		out = append(out, line)
	}
	return out
}

// windowsOfRow is how many windows of a kind a row counts for at most.
func windowsOfRow(s *plan.WindowSpec) int64 {
	if s.EveryMicros == 0 {
		return 1
	}
	return (s.SizeMicros + s.EveryMicros - 1) / s.EveryMicros
}

func countOf(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func accumulatorText(a *plan.Accumulator, in []*plan.Column) string {
	kind := a.Kind
	if a.Param != 0 {
		kind = fmt.Sprintf("%s %g", a.Kind, a.Param)
	}
	if a.Column < 0 {
		return kind
	}
	text := fmt.Sprintf("%s of %s (%s)", kind, in[a.Column].Name, batch.Type(a.Type))
	if a.Argument != "" && a.Argument != identifier(in[a.Column].Name) {
		text += " = " + a.Argument
	}
	return text
}
