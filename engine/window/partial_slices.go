package window

import (
	"math"
	"slices"
)

// slice is a slice of time with pending partials of rows that count for the same of its windows.
type slice struct {
	span
	firstEnd int64 // end of the first window that its rows count for; the slice's end = all
	from, to int64 // its rows are those that come while from <= watermark < to
	missed   int64 // windows that its rows are late for
	index    groupIndex
	slots    []uint32
}

// takes tells whether a row at time t that comes at watermark wm belongs here.
func (s *slice) takes(t, wm int64) bool {
	return uint64(t-s.start) < uint64(s.end-s.start) && wm >= s.from && wm < s.to
}

func (s *slice) compare(o *slice) int {
	if c := s.span.compare(o.span); c != 0 {
		return c
	}
	return compareInts(s.firstEnd, o.firstEnd)
}

type sliceKey struct {
	span
	firstEnd int64
}

// sliceSet holds the slices that rows came for since the last drain.
type sliceSet struct {
	shape  *shape
	list   []*slice // in order of first sight
	byKey  map[sliceKey]*slice
	recent [8]*slice // those looked up last
	turn   int       // where the next goes
	none   slice     // takes nothing
	spare  []*slice  // empty ones to use again
	ends   []span    // the windows of endsOf
	endsOf span
	newest int64 // largest slice end ever; math.MinInt64 = none
}

// maxSpare is how many slices' memory is kept for the next ones.
const maxSpare = 16

func newSliceSet(s *shape) *sliceSet {
	x := &sliceSet{shape: s, byKey: map[sliceKey]*slice{}, newest: math.MinInt64}
	x.forgetRecent()
	return x
}

func (x *sliceSet) forgetRecent() {
	for i := range x.recent {
		x.recent[i] = &x.none
	}
}

// verdict says what becomes of a row.
type verdict uint8

const (
	counts  verdict = iota // for some windows at least
	absurd                 // its time is
	between                // no window contains it
	tooLate                // for all windows
)

// find gives the slice of a row at time t that comes at watermark wm, made if need be. Of a row that is too late
// it tells the number of windows missed.
func (x *sliceSet) find(t, wm int64) (s *slice, v verdict, missed int64) {
	for _, s := range x.recent {
		if s.takes(t, wm) {
			return s, counts, s.missed
		}
	}
	sl, ok := x.shape.sliceOf(t)
	if !ok {
		return nil, absurd, 0
	}
	if s := x.byKey[sliceKey{sl, sl.end}]; s != nil && s.takes(t, wm) {
		x.remember(s)
		return s, counts, 0
	}
	ends := x.windows(sl)
	if len(ends) == 0 {
		return nil, between, 0
	}
	i := 0
	for i < len(ends) && x.shape.lastWatermark(ends[i].end) <= wm {
		i++
	}
	if i == len(ends) {
		return nil, tooLate, int64(i)
	}
	s = x.at(sl, i)
	x.remember(s)
	return s, counts, s.missed
}

func (x *sliceSet) remember(s *slice) {
	x.recent[x.turn] = s
	x.turn = (x.turn + 1) % len(x.recent)
}

// windows are the windows of a slice.
func (x *sliceSet) windows(sl span) []span {
	if x.endsOf != sl {
		x.ends, x.endsOf = x.shape.windowsOf(sl, x.ends[:0]), sl
	}
	return x.ends
}

// at is the slice sl for rows that miss its first windows, as many as missed; the next one ends later than these.
func (x *sliceSet) at(sl span, missed int) *slice {
	ends := x.windows(sl)
	key := sliceKey{sl, sl.end}
	if missed > 0 {
		key.firstEnd = ends[missed].end
	}
	if s := x.byKey[key]; s != nil {
		return s
	}
	var s *slice
	if n := len(x.spare); n > 0 {
		s, x.spare = x.spare[n-1], x.spare[:n-1]
	} else {
		s = new(slice)
	}
	s.span, s.firstEnd, s.missed = sl, key.firstEnd, int64(missed)
	s.from, s.to = math.MinInt64, math.MaxInt64
	if len(ends) > 0 { // none where an outside batch names a slice without windows
		s.to = x.shape.lastWatermark(ends[missed].end)
	}
	if missed > 0 {
		s.from = x.shape.lastWatermark(ends[missed-1].end)
	}
	x.newest = max(x.newest, sl.end)
	x.byKey[key] = s
	x.list = append(x.list, s)
	return s
}

// named is the slice that a checked batch names.
func (x *sliceSet) named(sl span, firstEnd int64) *slice {
	for _, s := range x.recent {
		if s.span == sl && s.firstEnd == firstEnd && s != &x.none {
			return s
		}
	}
	missed := 0
	if firstEnd != sl.end {
		missed = slices.IndexFunc(x.windows(sl), func(w span) bool { return w.end == firstEnd })
	}
	s := x.at(sl, missed)
	x.remember(s)
	return s
}

// clear forgets all slices, and with give their memory too.
func (x *sliceSet) clear(give bool) {
	for _, s := range x.list {
		if len(x.spare) < maxSpare {
			s.index.reset()
			s.slots = s.slots[:0]
			x.spare = append(x.spare, s)
		}
	}
	clear(x.list)
	x.list = x.list[:0]
	clear(x.byKey)
	x.forgetRecent()
	if give {
		x.spare = nil
	}
}

func (x *sliceSet) sizeBytes() (n int) {
	for _, list := range [][]*slice{x.list, x.spare} {
		for _, s := range list {
			n += 160 + s.index.sizeBytes() + 4*cap(s.slots)
		}
	}
	return n + 16*cap(x.ends)
}
