package engine

import (
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// Boundary is the first instant, not before after, at which windows of every
// window step of some plans begin: where one can take over from another without cutting a window. The
// first plan counts most: its steps, and then the longest ones, decide where they do not all meet within
// a day, or within the longest of them. Sessions begin anywhere.
func Boundary(after int64, plans ...*plan.Plan) (int64, error) {
	unit, name := int64(1), ""
	var zone *zone.Zone
	for _, p := range plans {
		zones, err := zones(p)
		if err != nil {
			return 0, err
		}
		for _, n := range p.Cloud.GetNodes() {
			w := n.GetFinalWindow()
			for _, s := range w.GetWindows() {
				unit = meet(unit, everyOf(s))
			}
			if w.GetTimeZone() != "" && name == "" {
				name, zone = w.TimeZone, zones[w.TimeZone]
			}
		}
	}
	return nextMultiple(zone, unit, after), nil
}

// everyOf is how often windows begin; 0 = anywhere.
func everyOf(s *plan.WindowSpec) int64 {
	switch s.Kind {
	case plan.WindowSpec_HOPPING:
		return s.EveryMicros
	case plan.WindowSpec_SESSION:
		return 0
	default:
		return s.SizeMicros
	}
}

// meet is how often two periods begin together, or the longer one where that is too seldom.
func meet(a, b int64) int64 {
	if b <= 0 {
		return a
	}
	const day = 86_400_000_000
	times := a / gcd(a, b)
	if times > max(day, a, b)/b {
		return max(a, b)
	}
	return times * b
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// nextMultiple is the first instant, not before after, at which a clock reaches a multiple of unit.
func nextMultiple(z *zone.Zone, unit, after int64) int64 {
	local := after
	if z != nil {
		local = z.High(after)
	}
	k := local / unit
	if local < 0 && local%unit != 0 {
		k--
	}
	for ; ; k++ {
		at := k * unit
		if z != nil {
			at = z.Reach(k * unit)
		}
		if at >= after {
			return at
		}
	}
}

// since leaves out the results of windows that begin before from; from 0 leaves out none.
func since(from int64, b *batch.Batch, sel []uint32) (*batch.Batch, []uint32) {
	if from == 0 || b.N == 0 {
		return b, sel
	}
	starts := b.Cols[0].Ints
	sel = sel[:0]
	lowest := int64(math.MaxInt64)
	for k := range b.Len() {
		r := rowAt(b, k)
		lowest = min(lowest, starts[r])
		if starts[r] >= from {
			sel = append(sel, uint32(r))
		}
	}
	if lowest >= from {
		return b, sel
	}
	out := *b
	out.Sel = sel
	return &out, sel
}
