package worker

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine"
)

// agent is what a pipeline version knows of one of its agents.
//
//	            Expected                 frame                       Passed
//	(unknown) ────────────▶ AWAY, unheard ─────▶ ACTIVE, IDLE ◀────────────┐
//	    │                       │  ▲                │  ▲  frame      ┌──── AWAY, passed over
//	    │        frame          │  └─ new epoch ────┘  └──────── AWAY ─┘
//	    └───────────────────────┼──────────────────▲       Away ▲
//	                    Removed ▼   frame          │            └── from ACTIVE, IDLE
//	                        (removed) ─────────────┘
//
// A lane bears ACTIVE (present), IDLE, AWAY and passed over for itself; an agent
// without lanes bears AWAY and passed over in absence.
type agent struct {
	agentKey
	absence absence // while it has no lane: away or passed
	removed bool    // nothing is expected of it
	lanes   []*lane // of its newest store epoch, in order of their keys
	dirty   bool    // changed since the last checkpoint
	untold  bool    // changed since it was shared last
}

// agentKey names an agent of a pipeline version.
type agentKey struct {
	id      string
	version uint64
}

func (k agentKey) compare(b agentKey) int {
	return cmp.Or(cmp.Compare(k.id, b.id), cmp.Compare(k.version, b.version))
}

// lane gives a lane of the agent, or nil.
func (a *agent) lane(k LaneKey) *lane {
	for _, l := range a.lanes {
		if l.key == k {
			return l
		}
	}
	return nil
}

// add gives a lane, made if need be.
func (a *agent) add(k LaneKey) *lane {
	at, found := slices.BinarySearchFunc(a.lanes, k, func(l *lane, k LaneKey) int { return l.key.compare(k) })
	if !found {
		a.lanes = slices.Insert(a.lanes, at, &lane{key: k, watermark: record.NoWatermark})
	}
	return a.lanes[at]
}

// absenceOf is that of a lane: an older lane drains beside the one that the agent
// opened after an outage, and windows do not wait for it.
func (a *agent) absenceOf(i int) absence {
	if i+1 < len(a.lanes) {
		return passed
	}
	return a.lanes[i].absence
}

// position is the watermark that all of the agent's lanes have passed. Idle
// lanes and those that have ended hold nothing back.
func (a *agent) position() int64 {
	low := int64(math.MaxInt64)
	for i, l := range a.lanes {
		if l.ended() || l.idle && a.absenceOf(i) == present {
			continue
		}
		low = min(low, l.watermark)
	}
	return low
}

// roster holds the agents of a pipeline version, and of those before it whose states it took over.
type roster struct {
	agents  map[agentKey]*agent
	maxLag  int64   // microseconds; 0 = no bound
	quorum  float64 // 0 = all
	changed bool    // since positions was filled
	sorted  []int64 // positions of the expected agents, ascending

	untold []*agent  // changed since they were shared last
	gone   []LaneKey // dropped since

	// What the last call of watermarks met: while windows wait for present lanes only, one that stands
	// above steady and goes on changes nothing.
	steady int64
	calm   bool
}

func newRoster(maxLag int64, quorum float64) *roster {
	return &roster{agents: map[agentKey]*agent{}, maxLag: maxLag, quorum: quorum, changed: true}
}

// get gives an agent, entered if need be; one that is not heard of is AWAY.
func (r *roster) get(k agentKey) *agent {
	a := r.agents[k]
	if a == nil {
		a = &agent{agentKey: k, absence: away}
		r.agents[k] = a
		r.touch(a)
	}
	return a
}

// touch says that an agent has changed in a way that watermarks depend on.
func (r *roster) touch(a *agent) {
	r.calm, a.dirty = false, true
	r.share(a)
}

// share says that an agent or one of its lanes has changed.
func (r *roster) share(a *agent) {
	r.changed = true
	if !a.untold {
		a.untold = true
		r.untold = append(r.untold, a)
	}
}

// keys gives the agents in a fixed order.
func (r *roster) keys() []agentKey { return slices.SortedFunc(maps.Keys(r.agents), agentKey.compare) }

// lane gives a lane, or nil.
func (r *roster) lane(k LaneKey) *lane {
	if a := r.agents[k.agent()]; a != nil {
		return a.lane(k)
	}
	return nil
}

// hasOtherLane tells whether the agent has a lane of the same version beside k.
func (r *roster) hasOtherLane(k LaneKey) bool {
	a := r.agents[k.agent()]
	return a != nil && slices.ContainsFunc(a.lanes, func(l *lane) bool { return l.key.Epoch == k.Epoch && l.key.Lane != k.Lane })
}

// advance notes that an entry was applied to a lane, made by its first entry.
func (r *roster) advance(k LaneKey, e *record.Entry) {
	a := r.get(k.agent())
	l := a.lane(k)
	if l == nil {
		l = a.add(k)
		r.touch(a)
	}
	if a.removed || a.absence != away {
		a.removed, a.absence = false, away
		r.touch(a)
	}
	idle := e.Flags&record.FlagIdle != 0
	if l.absence != present || l.idle || idle || l.watermark <= r.steady {
		r.calm = false
	}
	r.share(a)
	l.advance(e)
}

// set acts on a statement of a membership record and tells whether it changed anything.
func (r *roster) set(k agentKey, state record.Membership) bool {
	a := r.agents[k]
	if a == nil && state != record.Expected {
		return false // nobody counts on it
	}
	if a == nil {
		r.get(k)
		return true
	}
	changed := false
	switch state {
	case record.Expected:
		changed = a.removed
		a.removed = false
		if changed {
			a.absence = away
		}
	case record.Removed:
		changed = !a.removed
		a.removed = true
	case record.Away, record.Passed:
		changed = a.leave(state)
	}
	if changed {
		r.touch(a)
	}
	return changed
}

// leave makes the agent and all its lanes AWAY.
func (a *agent) leave(state record.Membership) (changed bool) {
	to := away
	if state == record.Passed {
		to = passed
	}
	if len(a.lanes) == 0 && a.absence < to {
		a.absence, changed = to, true
	}
	for _, l := range a.lanes {
		if l.absence < to && !l.ended() {
			l.absence, l.dirty, changed = to, true, true
		}
	}
	return changed
}

// fence drops the lanes of lower store epochs: nothing of them is taken any
// more, so they must not hold up watermarks. The agent is unheard again.
func (r *roster) fence(k agentKey, epoch uint64) (changed bool) {
	a := r.agents[k]
	if a == nil {
		return false
	}
	a.lanes = slices.DeleteFunc(a.lanes, func(l *lane) bool {
		if l.key.Epoch < epoch {
			r.gone, changed = append(r.gone, l.key), true
		}
		return l.key.Epoch < epoch
	})
	if changed {
		a.absence = away
		r.touch(a)
	}
	return changed
}

// tally is what watermarks gathers over the lanes.
type tally struct {
	active, waited, held int64 // the lowest of the lanes that are active, are waited for, or may still bring rows
	idle                 int64 // the highest of the idle ones
	anyActive, anyIdle   bool
	anyWaited, anyEnded  bool
}

// watermarks gives the watermark up to which windows fire and the one below
// which state can be forgotten.
//
//	base: the lowest of the ACTIVE lanes; where there is none, the highest of the IDLE ones
//	fire: base, but no higher than what all AWAY ones have passed, or a quorum of the agents
//	      has, until the wait for them is over
//	keep: what every lane has passed and every agent without a lane
//
// A lane that has given no row yet does not hold back base.
func (r *roster) watermarks() (fire, keep int64) {
	t := r.tally()
	const none = record.NoWatermark
	base := int64(none)
	switch {
	case t.anyActive:
		base = t.active
	case t.anyIdle:
		base = t.idle
	case t.anyEnded:
		base = engine.EndOfTime
	}
	fire = base
	if t.anyWaited && t.waited < base {
		fire = min(base, max(t.waited, r.quorumMark()))
	}
	r.steady, r.calm = max(fire, t.held), t.anyActive && !t.anyWaited && r.maxLag == 0
	return fire, t.held
}

func (r *roster) tally() tally {
	t := tally{active: math.MaxInt64, waited: math.MaxInt64, held: math.MaxInt64, idle: record.NoWatermark}
	bound := r.lagBound()
	for _, a := range r.agents {
		if a.removed {
			continue
		}
		if len(a.lanes) == 0 {
			t.held = record.NoWatermark
			if a.absence == away {
				t.waited, t.anyWaited = record.NoWatermark, true
			}
		}
		for i, l := range a.lanes {
			t.add(l, a.absenceOf(i), bound)
		}
	}
	return t
}

func (t *tally) add(l *lane, ab absence, bound int64) {
	if l.ended() {
		t.anyEnded = true
		return
	}
	t.held = min(t.held, l.watermark)
	switch {
	case ab == away:
		t.waited, t.anyWaited = min(t.waited, l.watermark), true
	case ab == passed || l.watermark == record.NoWatermark:
	case l.idle:
		t.idle, t.anyIdle = max(t.idle, l.watermark), true
	case l.watermark >= bound:
		t.active, t.anyActive = min(t.active, l.watermark), true
	}
}

// lagBound is the watermark below which an ACTIVE lane counts as AWAY and passed over.
func (r *roster) lagBound() int64 {
	if r.maxLag == 0 {
		return record.NoWatermark
	}
	newest := int64(record.NoWatermark)
	for _, a := range r.agents {
		for i, l := range a.lanes {
			if !a.removed && !l.idle && !l.ended() && a.absenceOf(i) == present {
				newest = max(newest, l.watermark)
			}
		}
	}
	if newest == record.NoWatermark {
		return newest
	}
	return newest - r.maxLag
}

// positions gives the positions of all expected agents, ascending.
func (r *roster) positions() []int64 {
	if r.changed {
		r.sorted, r.changed = r.sorted[:0], false
		for _, s := range r.standings() {
			r.sorted = append(r.sorted, s.position())
		}
		slices.Sort(r.sorted)
	}
	return r.sorted
}

// standing is where an agent stands in all its versions.
type standing struct {
	low     int64 // of the versions that it has been heard in
	heard   bool  // in one that has not ended
	unheard bool  // in another
}

// position is the watermark that the agent has passed. While it goes on with the
// version before, it need not have begun with the next.
func (s standing) position() int64 {
	if s.unheard && !s.heard {
		return record.NoWatermark
	}
	return s.low
}

func (r *roster) standings() map[string]standing {
	out := map[string]standing{}
	for _, a := range r.agents {
		if a.removed {
			continue
		}
		s, ok := out[a.id]
		if !ok {
			s.low = math.MaxInt64
		}
		if len(a.lanes) == 0 {
			s.unheard = true
		} else {
			s.low = min(s.low, a.position())
			s.heard = s.heard || slices.ContainsFunc(a.lanes, func(l *lane) bool { return !l.ended() })
		}
		out[a.id] = s
	}
	return out
}

// quorumMark is the watermark that enough of the expected agents have passed.
func (r *roster) quorumMark() int64 {
	if r.quorum <= 0 || r.quorum >= 1 {
		return record.NoWatermark
	}
	all := r.positions()
	need := max(1, int(math.Ceil(r.quorum*float64(len(all)))))
	return all[len(all)-need]
}

// completeness tells how many of the expected agents have passed the end of a window.
func (r *roster) completeness(end int64) (seen, expected int64) {
	all := r.positions()
	at, _ := slices.BinarySearch(all, end)
	return int64(len(all) - at), int64(len(all))
}
