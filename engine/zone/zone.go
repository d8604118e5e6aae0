package zone

import (
	"fmt"
	"math"
	"sort"
	"sync/atomic"
)

const second = int64(1_000_000)

// maxOffset bounds offsets, in seconds; the largest that ever was is 15:56:08.
const maxOffset = 24 * 3600

// maxInstant bounds the instants of changes, in seconds, so that sums of times do not overflow.
const maxInstant = int64(1) << 40

// Change gives the offset of a zone from an instant on.
type Change struct {
	At     int64 // seconds since 1970-01-01T00:00:00Z
	Offset int64 // seconds east of UTC
}

// Zone holds the rules of a time zone. It may be used by several goroutines.
type Zone struct {
	periods []period
	last    atomic.Int32 // index of the period that was asked for last
}

// period is a time without a change of the offset: [start, end) in instants.
type period struct {
	start, end int64
	offset     int64 // microseconds
	// high is what the clocks had reached before start: they showed every time
	// below it, and none from it on. The periods' highs never go down.
	high int64
	// low is what no later period's clocks show a time below. The periods' lows never go down.
	low int64
}

// New makes a zone of its offset before the first change, in seconds east of UTC,
// and its changes in ascending order.
func New(offset int64, changes []Change) (*Zone, error) {
	z := &Zone{periods: make([]period, 0, len(changes)+1)}
	if err := checkOffset(offset); err != nil {
		return nil, err
	}
	p := period{start: math.MinInt64, offset: offset * second, high: math.MinInt64}
	for i, c := range changes {
		if err := checkOffset(c.Offset); err != nil {
			return nil, err
		}
		if c.At < -maxInstant || c.At > maxInstant || i > 0 && c.At <= changes[i-1].At {
			return nil, fmt.Errorf("time zone: change %d, at %d s, is not after the one before it or out of range", i, c.At)
		}
		p.end = c.At * second
		z.periods = append(z.periods, p)
		p = period{start: p.end, offset: c.Offset * second, high: max(p.high, p.end+p.offset)}
	}
	p.end, p.low = math.MaxInt64, math.MaxInt64
	z.periods = append(z.periods, p)
	for i := len(changes) - 1; i >= 0; i-- {
		next := &z.periods[i+1]
		z.periods[i].low = min(next.low, next.start+next.offset)
	}
	return z, nil
}

func checkOffset(seconds int64) error {
	if seconds < -maxOffset || seconds > maxOffset {
		return fmt.Errorf("time zone: an offset of %d s is more than a day", seconds)
	}
	return nil
}

// at is the period of an instant. Most are in the one that was asked for last.
func (z *Zone) at(utc int64) *period {
	p := &z.periods[z.last.Load()]
	if utc >= p.start && utc < p.end {
		return p
	}
	// The last period has no end: even the greatest instant is in it.
	i := sort.Search(len(z.periods)-1, func(i int) bool { return utc < z.periods[i].end })
	z.last.Store(int32(i))
	return &z.periods[i]
}

// Local is what the clocks show at an instant.
func (z *Zone) Local(utc int64) int64 {
	if z == nil {
		return utc
	}
	return utc + z.at(utc).offset
}

// UTC is the instant at which the clocks show local. Of two it is the second;
// for a time that is never shown it is the one that the offset before the gap gives. These are PostgreSQL's choices.
func (z *Zone) UTC(local int64) int64 {
	if z == nil {
		return local
	}
	if p := &z.periods[z.last.Load()]; local < p.low && p.start <= local-p.offset {
		return local - p.offset
	}
	i := sort.Search(len(z.periods)-1, func(i int) bool { return local < z.periods[i].low })
	return local - z.periods[i].offset
}

// High is the latest time that the clocks showed up to and at an instant.
func (z *Zone) High(utc int64) int64 {
	if z == nil {
		return utc
	}
	p := z.at(utc)
	if local := utc + p.offset; local >= p.high {
		return local
	}
	return p.high - 1
}

// Reach is the first instant at which the clocks show local or later.
func (z *Zone) Reach(local int64) int64 {
	if z == nil {
		return local
	}
	if p := &z.periods[z.last.Load()]; local >= p.high && p.start <= local-p.offset && local-p.offset < p.end {
		return local - p.offset
	}
	// The first period that gets to local: the one after it starts with a high above local.
	last := len(z.periods) - 1
	i := sort.Search(last, func(i int) bool { return z.periods[i+1].high > local })
	p := &z.periods[i]
	return max(p.start, local-p.offset)
}
