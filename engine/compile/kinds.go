package compile

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
)

// Bounds of what one row may cost.
const (
	maxKinds    = 32     // of windows in one step
	maxOverlaps = 10_000 // windows that one row counts for, and slices of a window
)

// windowKinds reads tumbling, hopping, cumulative, session or the list of them.
func (b *builder) windowKinds(v *value, w *windowPlan) {
	p := w.plan
	p.SliceMicros = 1
	e, ok := v.chosen(windowChoice)
	if !ok || e.value == nil {
		p.Windows = []*plan.WindowSpec{{Kind: plan.WindowSpec_TUMBLING, SizeMicros: 1}}
		return
	}
	list := []*value{v}
	if e.key.Value == "windows" {
		list = e.value.list
		if n := len(e.value.node.Content); n == 0 || n > maxKinds {
			b.c.at(e.value.node, fmt.Sprintf("there are %d kinds of windows", n), fmt.Sprintf("between 1 and %d", maxKinds))
		}
	}
	for _, item := range list {
		spec := b.windowKind(item)
		if spec == nil {
			continue
		}
		if slices.ContainsFunc(p.Windows, func(have *plan.WindowSpec) bool { return pb.Equal(have, spec) }) {
			b.c.at(item.node, "these windows stand here a second time", "only one")
			continue
		}
		p.Windows = append(p.Windows, spec)
	}
	slice := int64(0)
	for _, spec := range p.Windows {
		slice = gcd(slice, sliceOf(spec))
	}
	p.SliceMicros = slice
	for _, spec := range p.Windows {
		if slice > 0 && spec.SizeMicros/slice > maxOverlaps*10 {
			b.c.at(v.node, fmt.Sprintf("windows of %s are cut in slices of %s", FormatDuration(spec.SizeMicros), FormatDuration(slice)), fmt.Sprintf("at most %d slices in a window: longer steps, or two window steps in branches", maxOverlaps*10))
			break
		}
	}
}

// windowKind reads one kind of windows; nil after a mistake.
func (b *builder) windowKind(v *value) *plan.WindowSpec {
	e, ok := v.chosen(windowChoice)
	if !ok || e.value == nil {
		return nil
	}
	long, short := e.value.get("size"), e.value.get("every")
	switch e.key.Value {
	case "tumbling":
		return &plan.WindowSpec{Kind: plan.WindowSpec_TUMBLING, SizeMicros: e.value.micros}
	case "session":
		gap := e.value.get("gap")
		if gap == nil {
			return nil
		}
		return &plan.WindowSpec{Kind: plan.WindowSpec_SESSION, EveryMicros: gap.micros}
	case "cumulative":
		short = e.value.get("step")
	}
	if long == nil || short == nil {
		return nil
	}
	spec := &plan.WindowSpec{Kind: plan.WindowSpec_HOPPING, SizeMicros: long.micros, EveryMicros: short.micros}
	switch {
	case short.micros > long.micros:
		b.c.at(short.node, fmt.Sprintf("%s is more than the size, %s", short.text, long.text), "at most the size")
		return nil
	case e.key.Value == "cumulative" && long.micros%short.micros != 0:
		b.c.at(short.node, fmt.Sprintf("%s does not go into %s without rest", short.text, long.text), "a part of the size")
		return nil
	case long.micros/short.micros > maxOverlaps:
		b.c.at(short.node, fmt.Sprintf("a row counts for %d windows", long.micros/short.micros), fmt.Sprintf("at most %d", maxOverlaps))
		return nil
	case short.micros == long.micros:
		return &plan.WindowSpec{Kind: plan.WindowSpec_TUMBLING, SizeMicros: long.micros}
	case e.key.Value == "cumulative":
		spec.Kind = plan.WindowSpec_CUMULATIVE
	}
	return spec
}

// sliceOf divides all starts and ends of a kind of windows; 0 = sessions.
func sliceOf(s *plan.WindowSpec) int64 {
	switch s.Kind {
	case plan.WindowSpec_SESSION:
		return 0
	case plan.WindowSpec_HOPPING:
		return gcd(s.SizeMicros, s.EveryMicros)
	case plan.WindowSpec_CUMULATIVE:
		return s.EveryMicros
	}
	return s.SizeMicros
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// windowOptions reads lateness, early, time zone, completeness, freshness and groups.
func (b *builder) windowOptions(v *value, w *windowPlan) {
	p := w.plan
	p.AllowedLatenessMicros = v.get("allowed_lateness").microsOr(0)
	p.EarlyMicros = v.get("early").microsOr(0)
	p.Completeness = b.completeness
	if c := v.get("completeness"); c != nil {
		p.Completeness = c.flag
	}
	if f := v.get("freshness"); f != nil {
		w.freshness, w.freshAtEnd = f.micros, f.text == "window"
		if f.micros == 0 && !w.freshAtEnd {
			w.freshness = 1 // 0 stands for the pipeline's
		}
	}
	if g := v.get("groups"); g != nil {
		p.MaxGroups = uint64(g.get("max").numberOr(0))
		if g.get("overflow").textOr("forward") == "reject" {
			p.Overflow = plan.Overflow_OVERFLOW_REJECT
		}
	}
	b.windowZone(v, w)
}

// windowZone says whether the windows follow a local clock. Windows of less
// than an hour never do.
func (b *builder) windowZone(v *value, w *windowPlan) {
	zone, own := b.zone, v.get("time_zone")
	if own != nil {
		zone = b.c.zone(own)
	}
	long, short := 0, 0
	for _, s := range w.plan.Windows {
		if zoned(s.SizeMicros) {
			long++
		} else {
			short++
		}
	}
	switch {
	case zone == "":
	case long == 0 && own != nil:
		b.c.at(own.node, "windows of less than an hour, and sessions, do not follow a time zone", "windows of an hour or more, or no time_zone")
	case long > 0 && short > 0:
		b.c.at(v.node, "windows of less than an hour, which follow UTC, stand beside longer ones, which follow the time zone "+zone, "two window steps in branches, or time_zone: UTC")
	case long > 0:
		w.plan.TimeZone = zone
	}
}
