package window

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// Bounds of times, far outside of what clocks give, that keep sums of times
// from overflowing.
const (
	maxTime = int64(1) << 61 // 73,000 years
	maxSize = int64(1) << 55
	// maxWindows bounds the windows that one slice feeds.
	maxWindows = 100_000
	// zonedSize is the shortest window that a time zone aligns.
	zonedSize = int64(3600) * 1_000_000
)

// span is a half-open stretch of time: a slice or a window.
type span struct{ start, end int64 }

// compare orders by end, then start.
func (a span) compare(b span) int {
	switch {
	case a.end != b.end:
		return compareInts(a.end, b.end)
	default:
		return compareInts(a.start, b.start)
	}
}

// slicer cuts time in slices and tells which windows a slice feeds.
//
// The windows of all specs share the slices. Those that the time zone aligns are cut
// between boundaries that are multiples of the clock's time, the others between
// multiples of UTC's; where there are both, a slice ends at the nearer of the two.
type slicer struct {
	specs []spec
	gap   int64 // of sessions; 0 = no sessions
	plain int64 // greatest common divisor of the specs that no zone aligns; 0 = none
	zoned int64 // of the others; 0 = none
	zone  *zone.Zone
}

// spec is one kind of window: from each multiple of every, windows of lengths step, 2*step, .. size.
// Tumbling windows have every = step = size, hopping ones step = size, cumulative ones every = size.
type spec struct {
	every, step, size int64
	zoned             bool
}

func newSlicer(w *plan.Window) (*slicer, error) {
	s := &slicer{}
	if len(w.GetWindows()) == 0 {
		return nil, fmt.Errorf("%w: a window step without a window", ErrPlan)
	}
	if w.Session() {
		s.gap = w.Windows[0].GetEveryMicros()
		if s.gap <= 0 || s.gap > maxSize || w.SliceMicros != 0 {
			return nil, fmt.Errorf("%w: a session with a gap of %d us and slices of %d us", ErrPlan, s.gap, w.SliceMicros)
		}
		return s, nil
	}
	windows := int64(0)
	for i, p := range w.Windows {
		size, every := p.GetSizeMicros(), p.GetEveryMicros()
		var sp spec
		switch p.GetKind() {
		case plan.WindowSpec_TUMBLING:
			sp, every = spec{size, size, size, false}, size
		case plan.WindowSpec_HOPPING:
			sp = spec{every, size, size, false}
		case plan.WindowSpec_CUMULATIVE:
			sp = spec{size, every, size, false}
		default:
			return nil, fmt.Errorf("%w: window %d is of kind %s, which does not stand beside others", ErrPlan, i, p.GetKind())
		}
		if size <= 0 || size > maxSize || every <= 0 || every > maxSize || size%sp.step != 0 {
			return nil, fmt.Errorf("%w: window %d: a %s window of %d us every %d us", ErrPlan, i, p.GetKind(), size, every)
		}
		if windows += size / every; windows > maxWindows {
			return nil, fmt.Errorf("%w: window %d: a row would count for more than %d windows", ErrPlan, i, maxWindows)
		}
		if sp.zoned = w.TimeZone != "" && size >= zonedSize; sp.zoned {
			s.zoned = gcd(s.zoned, gcd(every, size))
		} else {
			s.plain = gcd(s.plain, gcd(every, size))
		}
		s.specs = append(s.specs, sp)
	}
	if g := gcd(s.plain, s.zoned); w.SliceMicros != g {
		return nil, fmt.Errorf("%w: slices of %d us, want %d us, the greatest common divisor of the windows", ErrPlan, w.SliceMicros, g)
	}
	return s, nil
}

// setZone gives the rules of the plan's time zone.
func (s *slicer) setZone(name string, z *zone.Zone) error {
	if (name == "") != (z == nil) {
		return fmt.Errorf("%w: time zone %q, whose rules are given: %t", ErrPlan, name, z != nil)
	}
	s.zone = z
	return nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// sliceOf is the slice that a time falls into (of sessions: that a row at that time makes); ok is false for absurd times.
func (s *slicer) sliceOf(t int64) (sl span, ok bool) {
	if t < -maxTime || t > maxTime {
		return span{}, false
	}
	if s.gap != 0 {
		return span{t, t + s.gap}, true
	}
	if s.plain != 0 {
		start := floor(t, s.plain)
		sl = span{start, start + s.plain}
	}
	if s.zoned != 0 {
		local := floor(s.zone.High(t), s.zoned)
		z := span{s.zone.Reach(local), s.zone.Reach(local + s.zoned)}
		if s.plain == 0 {
			return z, true
		}
		sl = span{max(sl.start, z.start), min(sl.end, z.end)}
	}
	return sl, true
}

// floor is the largest multiple of size that is not above t.
func floor(t, size int64) int64 {
	r := t % size
	if r < 0 {
		r += size
	}
	return t - r
}

// valid tells whether a span is one that sliceOf gives (of sessions: or a union of such).
func (s *slicer) valid(sl span) bool {
	if s.gap != 0 {
		return sl.start >= -maxTime && sl.start <= maxTime && sl.end <= maxTime+s.gap && sl.end-s.gap >= sl.start
	}
	want, ok := s.sliceOf(sl.start)
	return ok && sl == want
}

// windowsOf appends the windows that a slice feeds, each once, in order of their
// ends, then their starts. A session is its own window until it is merged. Windows that are hopping with gaps between them leave slices that feed none.
func (s *slicer) windowsOf(sl span, dst []span) []span {
	if s.gap != 0 {
		return append(dst, sl)
	}
	from := len(dst)
	for i := range s.specs {
		dst = s.specs[i].windowsOf(sl, s.zone, dst)
	}
	if len(s.specs) > 1 || s.zoned != 0 || s.specs[0].step != s.specs[0].size {
		slices.SortFunc(dst[from:], span.compare)
		return append(dst[:from], slices.Compact(dst[from:])...)
	}
	slices.Reverse(dst[from:]) // one hopping window gives the latest first
	return dst
}

func (p *spec) windowsOf(sl span, z *zone.Zone, dst []span) []span {
	if !p.zoned {
		z = nil
	}
	for at := floor(z.High(sl.start), p.every); ; at -= p.every {
		if z.Reach(at+p.size) < sl.end {
			return dst
		}
		start := z.Reach(at)
		for length := p.size; length > 0; length -= p.step {
			end := z.Reach(at + length)
			if end < sl.end {
				break
			}
			dst = append(dst, span{start, end})
		}
	}
}
