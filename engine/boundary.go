package engine

import (
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// Boundary is the first instant, not before after, at which windows of every
// window step of a plan begin: where the plan can take over from another without cutting one of its windows.
// Sessions begin anywhere. Where the steps do not meet within 400 days, the longest ones decide.
func Boundary(p *plan.Plan, after int64) (int64, error) {
	const most = 400 * 86_400_000_000
	zones, err := zones(p)
	if err != nil {
		return 0, err
	}
	unit, name := int64(1), ""
	for _, n := range p.Cloud.GetNodes() {
		w := n.GetFinalWindow()
		for _, s := range w.GetWindows() {
			every := s.SizeMicros
			switch s.Kind {
			case plan.WindowSpec_HOPPING:
				every = s.EveryMicros
			case plan.WindowSpec_SESSION:
				every = 1
			}
			if every <= 0 {
				continue
			}
			next := unit / gcd(unit, every)
			if next > most/every {
				unit = max(unit, every)
			} else {
				unit = next * every
			}
			if w.TimeZone != "" {
				name = w.TimeZone
			}
		}
	}
	return nextMultiple(zones[name], unit, after), nil
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
