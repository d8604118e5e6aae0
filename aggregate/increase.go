package aggregate

import (
	"cmp"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// increase is how much a counter rose from the first to the last of the rows, by event time: the sum, over
// neighbours in time, of the later value less the earlier, or of the later value where it is below the earlier, since then
// the counter began anew. Rows of one time count in ascending order of values; equal rows count once.
//
// A row that arrives late changes what its neighbours in time add, so a slot keeps all its points. Then it is commutative,
// associative and idempotent. Beyond maxPoints the oldest foldedPoints of a slot are
// folded: what they rose is kept, with their first and last point. Rows before or after the fold still count exactly; a row that
// arrives later with a time inside it is left out, and of folds that overlap (of two agents that both read
// the counter) the largest rise that both vouch for is taken. The result may then be too small, never too large.
//
// NaN and infinities are no readings and skipped.
//
// The state is one Bytes column (see increase_state.go), empty without rows.
type increase struct {
	s    []increaseSlot
	skip present

	doubles bool
	values  func(col *batch.Column, rows []uint32, n int) []int64 // as in timed
	rises   rises
}

const (
	maxPoints    = 4096
	foldedPoints = 2048
)

type increaseSlot struct {
	points []point
	fold   *fold
	// unsorted tells that points are not in order, or some are before the end of fold.
	unsorted bool
}

// point is a reading; of doubles v is the order key.
type point struct {
	at, v int64
}

// fold is the rise of points that are no longer kept.
type fold struct {
	first, last point
	rise        rise
}

// rise is a sum of rises: of ints an int128, of doubles a dd.
type rise struct {
	ints    int128
	doubles dd
}

func comparePoints(a, b point) int {
	if a.at != b.at {
		return cmp.Compare(a.at, b.at)
	}
	return cmp.Compare(a.v, b.v)
}

func (a *increase) Grow(slots int) { a.s = grow(a.s, slots, increaseSlot{}) }

func (a *increase) Add(slots []uint32, col *batch.Column, times []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	if len(slots) == 0 {
		return
	}
	values := a.values(col, rows, len(slots))
	for i, s := range slots {
		v := values[i]
		if a.doubles {
			if x := fromOrderKey(v); x-x != 0 {
				continue
			}
		}
		a.addPoint(&a.s[s], point{times[rowAt(rows, i)], v})
	}
}

func (a *increase) addPoint(p *increaseSlot, x point) {
	if n := len(p.points); n > 0 {
		switch c := comparePoints(p.points[n-1], x); {
		case c == 0:
			return
		case c > 0:
			p.unsorted = true
		}
	}
	if p.fold != nil && comparePoints(x, p.fold.last) <= 0 {
		p.unsorted = true
	}
	p.points = append(p.points, x)
	if len(p.points) > maxPoints {
		a.settle(p)
	}
}

// settle puts the points in order, behind the fold, and keeps them within bounds.
func (a *increase) settle(p *increaseSlot) {
	if p.unsorted {
		slices.SortFunc(p.points, comparePoints)
		p.points = slices.Compact(p.points)
		p.unsorted = false
		if p.fold != nil {
			a.refold(p, *p.fold)
		}
	}
	if n := len(p.points) - (maxPoints - foldedPoints); len(p.points) > maxPoints {
		old := a.folded(p.points[:n])
		if p.fold != nil {
			old = a.joined(*p.fold, old)
		}
		p.fold = &old
		p.points = append(p.points[:0], p.points[n:]...)
	}
}

// refold makes one fold of the folds, given in the order of their first points, and
// the points before and between them. Points inside a fold are dropped.
func (a *increase) refold(p *increaseSlot, folds ...fold) {
	points := p.points
	var all *fold
	for _, f := range folds {
		n := 0
		for n < len(points) && comparePoints(points[n], f.first) < 0 {
			n++
		}
		if n > 0 {
			f = a.joined(a.folded(points[:n]), f)
		}
		if all != nil {
			f = a.joined(*all, f)
		}
		all = &f
		for n < len(points) && comparePoints(points[n], f.last) <= 0 {
			n++
		}
		points = points[n:]
	}
	p.fold = all
	p.points = append(p.points[:0], points...)
}

// folded is a fold of points in order.
func (a *increase) folded(points []point) fold {
	f := fold{first: points[0], last: points[len(points)-1], rise: a.rises.none()}
	for i := 1; i < len(points); i++ {
		f.rise = a.rises.step(f.rise, points[i-1].v, points[i].v)
	}
	return f
}

// joined is the fold of what f and g folded, where f begins first.
func (a *increase) joined(f, g fold) fold {
	if comparePoints(f.last, g.first) < 0 {
		f.rise = a.rises.add(a.rises.step(f.rise, f.last.v, g.first.v), g.rise)
		f.last = g.last
		return f
	}
	// They overlap. The rise of both is at least that of one and what the other reaches beyond it.
	out := fold{first: f.first, last: f.last, rise: f.rise}
	if comparePoints(g.last, f.last) > 0 {
		out.last = g.last
		if g.last.v > f.last.v {
			out.rise = a.rises.step(f.rise, f.last.v, g.last.v)
		}
	}
	other := g.rise
	if g.first.v > f.first.v {
		other = a.rises.step(g.rise, f.first.v, g.first.v)
	}
	if a.rises.less(out.rise, other) {
		out.rise = other
	}
	return out
}

// mergeSlot takes in another slot's points, which are in order, and its fold.
func (a *increase) mergeSlot(p *increaseSlot, points []point, g *fold) {
	a.settle(p)
	p.unsorted = len(p.points) > 0 && len(points) > 0 && comparePoints(p.points[len(p.points)-1], points[0]) >= 0
	p.points = append(p.points, points...)
	if p.fold == nil && g == nil {
		a.settle(p)
		return
	}
	slices.SortFunc(p.points, comparePoints)
	p.points = slices.Compact(p.points)
	p.unsorted = false
	switch f := p.fold; {
	case f == nil:
		a.refold(p, *g)
	case g == nil:
		a.refold(p, *f)
	case cmp.Or(comparePoints(f.first, g.first), comparePoints(f.last, g.last)) > 0:
		a.refold(p, *g, *f)
	default:
		a.refold(p, *f, *g)
	}
	a.settle(p)
}

func (a *increase) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	o := peer(a, from)
	for i, s := range slots {
		b := &o.s[fromSlots[i]]
		o.settle(b)
		a.mergeSlot(&a.s[s], b.points, b.fold)
	}
}

func (a *increase) appendResult(out *batch.Column, slots []uint32) {
	for _, s := range slots {
		p := &a.s[s]
		a.settle(p)
		if len(p.points) == 0 && p.fold == nil {
			out.AppendNull()
			continue
		}
		a.rises.put(out, a.total(p))
	}
}

// total is the rise of a settled slot that has points.
func (a *increase) total(p *increaseSlot) rise {
	if len(p.points) == 0 {
		return p.fold.rise
	}
	f := a.folded(p.points)
	if p.fold != nil {
		f = a.joined(*p.fold, f)
	}
	return f.rise
}

func (a *increase) Clear(slots []uint32) {
	for _, s := range slots {
		p := &a.s[s]
		*p = increaseSlot{points: p.points[:0]}
	}
}

func (a *increase) SizeBytes() int {
	n := 40*cap(a.s) + a.skip.sizeBytes()
	for i := range a.s {
		n += 16 * cap(a.s[i].points)
		if a.s[i].fold != nil {
			n += 64
		}
	}
	return n
}
