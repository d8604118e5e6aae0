package agent

import (
	"time"

	"github.com/leatio/leat/engine"
)

// pace decides when a pipeline flushes and when its source counts as idle. It
// reads no clock: now is passed in.
type pace struct {
	freshness time.Duration
	idleAfter time.Duration // 0 = never idle
	lateness  int64         // allowed_lateness of the pipeline's window, microseconds

	lastFlush time.Time
	heard     time.Time // last row, or when the source last could not vouch for its silence
	base      int64     // watermark when idling began
	idle      bool
	again     bool // say anew that the source is idle
}

// row notes that rows came. It tells whether that ended idleness.
func (p *pace) row(now time.Time) (wasIdle bool) {
	wasIdle = p.idle
	p.heard, p.idle = now, false
	return wasIdle
}

// silence is asked while nothing comes; connected says that the source vouches
// that silence means silence. When the agent should say something (that it is
// idle now, or that its watermark has passed the end of its last window), speak is
// true and watermark is what to say: it grows with the time since the last
// row, as if the source's clock had gone on. A new session makes it speak again, as the
// cloud may have counted the agent as AWAY, which only a frame ends.
func (p *pace) silence(now time.Time, connected bool, current, lastSliceEnd int64) (watermark int64, speak bool) {
	if !connected || p.idleAfter == 0 {
		if !p.idle {
			p.heard = now
		}
		return current, false
	}
	if !p.idle {
		if now.Sub(p.heard) < p.idleAfter {
			return current, false
		}
		p.idle, p.base = true, current
		p.again = false
		return p.extrapolate(now), true
	}
	if p.again {
		p.again = false
		return max(current, p.extrapolate(now)), true
	}
	w := p.extrapolate(now)
	for _, mark := range []int64{lastSliceEnd, lastSliceEnd + p.lateness} {
		if lastSliceEnd != engine.NoWatermark && current < mark && mark <= w {
			return w, true
		}
	}
	return current, false
}

func (p *pace) extrapolate(now time.Time) int64 {
	if p.base == engine.NoWatermark {
		return p.base
	}
	return p.base + now.Sub(p.heard).Microseconds()
}

// flushDue tells whether what is pending should leave.
func (p *pace) flushDue(now time.Time) bool { return now.Sub(p.lastFlush) >= p.freshness }

// wake is how long the loop may sleep when nothing arrives.
func (p *pace) wake(now time.Time, pending bool) time.Duration {
	d := time.Second
	if pending {
		d = min(d, p.freshness-now.Sub(p.lastFlush))
	}
	return max(d, time.Millisecond)
}
