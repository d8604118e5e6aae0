package agent

import (
	"time"

	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/plan"
)

// pace decides when a pipeline flushes and when its source counts as idle. It
// reads no clock: now is passed in.
type pace struct {
	ports     []portPace
	idleAfter time.Duration // 0 = never idle
	lateness  int64         // allowed_lateness of the pipeline's window, microseconds
	timers    bool          // steps wait for the watermark: it goes on while idle without being said

	lastFlush time.Time // of any port
	heard     time.Time // last row, or when the source last could not vouch for its silence
	base      int64     // watermark when idling began
	idle      bool
	again     bool // say anew that the source is idle
	followed  time.Time
}

// portPace is the pace of one port.
type portPace struct {
	freshness time.Duration
	slice     int64 // microseconds; above 0: it sends when a slice has ended, not by freshness
	lastFlush time.Time
}

// defaultFreshness is that of a plan that says none.
const defaultFreshness = time.Second

// paceOf reads a plan's freshness and the like.
func paceOf(p *plan.Plan, now time.Time) pace {
	out := pace{idleAfter: time.Duration(p.Source.IdleAfterMicros) * time.Microsecond, heard: now}
	slices := map[uint32]int64{} // by port
	for _, n := range p.Edge.Nodes {
		if out := n.GetPortOut(); out != nil && n.Input >= 0 {
			slices[out.Port] = p.Edge.Nodes[n.Input].GetPartialWindow().GetSliceMicros()
		}
		out.lateness = max(out.lateness, n.GetPartialWindow().GetAllowedLatenessMicros())
		out.timers = out.timers || n.GetAlert().GetSilentMicros() > 0 || n.GetKeyed() != nil || n.GetFinalWindow() != nil
	}
	for k, port := range p.Ports {
		micros := port.FreshnessMicros
		if micros == 0 {
			micros = p.FreshnessMicros
		}
		pp := portPace{freshness: time.Duration(micros) * time.Microsecond}
		if port.FreshnessWindow || port.FreshnessMicros == 0 && p.FreshnessWindow {
			pp.slice = slices[uint32(k)]
		}
		if pp.freshness == 0 {
			pp.freshness = defaultFreshness
		}
		out.ports = append(out.ports, pp)
	}
	return out
}

// followEvery bounds how often an idle agent speaks because the cloud has gone on.
const followEvery = time.Minute

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
	if p.timers {
		return w, false
	}
	return current, false
}

// follow tells whether an idle agent should say that it has taken over the cloud's
// watermark, as it would when its next row comes: until it has said so, the cloud
// keeps the windows that rows of it could still fall in.
func (p *pace) follow(now time.Time, current, cloud int64) bool {
	if !p.idle || cloud <= current || cloud >= engine.EndOfTime || now.Sub(p.followed) < followEvery {
		return false
	}
	p.followed = now
	return true
}

func (p *pace) extrapolate(now time.Time) int64 {
	if p.base == engine.NoWatermark {
		return p.base
	}
	return p.base + now.Sub(p.heard).Microseconds()
}

// due tells whether what waits at a port should leave. ends is the end of the
// oldest slice that waits there, if one does; watermark is the present one and sent that of the last frame.
func (p *pace) due(port int, now time.Time, ends int64, waits bool, watermark, sent int64) bool {
	pp := &p.ports[port]
	switch {
	case pp.slice == 0:
		return now.Sub(pp.lastFlush) >= pp.freshness
	case waits:
		return ends <= watermark
	case sent == engine.NoWatermark || watermark == engine.NoWatermark:
		return watermark != sent
	}
	return watermark/pp.slice != sent/pp.slice // a window ended that has no rows here
}

// speakDue tells whether the watermark and the rejects may leave by themselves:
// as often as the freshest port.
func (p *pace) speakDue(now time.Time) bool { return now.Sub(p.lastFlush) >= p.freshest() }

func (p *pace) freshest() time.Duration {
	least := time.Duration(0)
	for _, pp := range p.ports {
		if least == 0 || pp.freshness < least {
			least = pp.freshness
		}
	}
	if least == 0 {
		return defaultFreshness
	}
	return least
}

// flushed notes a flush of the ports that were due.
func (p *pace) flushed(now time.Time, due func(port uint32) bool) {
	p.lastFlush = now
	for k := range p.ports {
		if due(uint32(k)) {
			p.ports[k].lastFlush = now
		}
	}
}

// wake is how long the loop may sleep when nothing arrives.
func (p *pace) wake(now time.Time, pending bool) time.Duration {
	d := time.Second
	if pending {
		for _, pp := range p.ports {
			d = min(d, pp.freshness-now.Sub(pp.lastFlush))
		}
	}
	return max(d, time.Millisecond)
}
