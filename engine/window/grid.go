package window

import "github.com/leatio/leat/engine/zone"

// grid is one window specification: its windows have numbers, by which their
// starts and ends never go down.
type grid struct {
	cumulative bool
	size       int64
	every      int64 // hopping: from start to start; tumbling: the size; cumulative: from end to end
	zone       *zone.Zone
}

// grids are those of the window specifications.
func (s *slicer) grids() []grid {
	out := make([]grid, len(s.specs))
	for i, p := range s.specs {
		g := &out[i]
		*g = grid{size: p.size, every: p.every}
		if p.step < p.size {
			g.cumulative, g.every = true, p.step
		}
		if p.zoned {
			g.zone = s.zone
		}
	}
	return out
}

// lastEnd is the end of the last window that a slice feeds; its own end where it feeds none.
func (s *slicer) lastEnd(sl span) int64 {
	end := sl.end
	for i := range s.specs {
		p := &s.specs[i]
		z := s.zone
		if !p.zoned {
			z = nil
		}
		end = max(end, z.Reach(floor(z.High(sl.start), p.every)+p.size))
	}
	return end
}

// window gives the k-th window. In the gap of a zone it may be empty or that of the number before.
func (g *grid) window(k int64) span {
	if !g.cumulative {
		return span{g.zone.Reach(k * g.every), g.zone.Reach(k*g.every + g.size)}
	}
	end := (k + 1) * g.every
	return span{g.zone.Reach(floor(end-g.every, g.size)), g.zone.Reach(end)}
}

// after is the number of the first window that ends after t.
func (g *grid) after(t int64) int64 {
	local := g.zone.High(t)
	if g.cumulative {
		return floor(local, g.every) / g.every
	}
	return floor(local-g.size, g.every)/g.every + 1
}

// pivot is the time at which the merge of a window's panes begins: those before it are merged backwards and
// those behind it forwards. It is the same for windows that follow each other as long as it lies in them.
func (g *grid) pivot(w span) int64 {
	if g.cumulative || g.every == g.size {
		return w.start
	}
	return max(w.start, g.zone.Reach(floor(g.zone.High(w.end), g.size)))
}
