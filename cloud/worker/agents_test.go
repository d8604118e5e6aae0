package worker

import (
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine"
)

// The roster leaves out work where a frame cannot change a watermark. Whatever comes in
// whatever order, what it gives is what the states give when they are looked at as a whole.
func TestWatermarksAreThoseOfTheWhole(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := newRoster([]int64{0, 0, 40}[rng.IntN(3)], []float64{0, 0.5, 0.9}[rng.IntN(3)])
		var fire, keep int64 = record.NoWatermark, record.NoWatermark
		skipped := 0
		for step := range 200 {
			id := string(rune('a' + rng.IntN(6)))
			switch rng.IntN(12) {
			case 0:
				r.set(agentKey{id, 1}, record.Membership(1+rng.IntN(4)))
			case 1:
				r.fence(agentKey{id, 1}, uint64(1+rng.IntN(2)))
			default:
				e := record.Entry{Agent: id, Epoch: 2, Watermark: int64(step + rng.IntN(60)), Lane: uint32(rng.IntN(10) / 9)}
				switch rng.IntN(20) {
				case 0:
					e.Watermark = record.NoWatermark
				case 1:
					e.Flags = record.FlagIdle
				case 2:
					e.Watermark = engine.EndOfTime
				}
				r.advance(LaneKey{Agent: id, Epoch: 2, Pipeline: "p", Version: 1, Lane: e.Lane}, &e)
			}
			if r.calm {
				skipped++
			} else {
				fire, keep = r.watermarks()
			}
			wantFire, wantKeep := naive(r)
			if fire != wantFire || keep != wantKeep {
				t.Fatalf("seed %d, step %d: fire %d keep %d, want %d and %d", seed, step, fire, keep, wantFire, wantKeep)
			}
		}
		if seed == 0 && skipped == 0 {
			t.Error("no work was left out: the test does not meet what it is about")
		}
	}
}

// naive is the rule of docs/concepts.md, word by word.
func naive(r *roster) (fire, keep int64) {
	type seen struct {
		watermark                   int64
		active, idle, waited, ended bool
	}
	var all []seen
	var positions []int64
	newest := int64(record.NoWatermark)
	for _, a := range r.agents {
		if a.removed {
			continue
		}
		position := int64(1 << 62)
		if len(a.lanes) == 0 {
			all = append(all, seen{watermark: record.NoWatermark, waited: a.absence == away})
			position = record.NoWatermark
		}
		for i, l := range a.lanes {
			s := seen{watermark: l.watermark, ended: l.ended()}
			here := i+1 == len(a.lanes) && l.absence == present
			if !s.ended {
				s.active, s.idle = here && !l.idle, here && l.idle
				s.waited = i+1 == len(a.lanes) && l.absence == away
				if s.active {
					newest = max(newest, l.watermark)
				}
				if !s.idle {
					position = min(position, l.watermark)
				}
			}
			all = append(all, s)
		}
		positions = append(positions, position)
	}
	const none = int64(record.NoWatermark)
	active, idle, ended, waited, anyWaited := int64(1<<62), none, none, int64(1<<62), false
	keep = 1<<63 - 1
	for _, s := range all {
		if s.ended {
			ended = engine.EndOfTime
			continue
		}
		keep = min(keep, s.watermark)
		lags := r.maxLag > 0 && newest != none && s.watermark < newest-r.maxLag
		switch {
		case s.waited:
			waited, anyWaited = min(waited, s.watermark), true
		case s.active && s.watermark != none && !lags:
			active = min(active, s.watermark)
		case s.idle:
			idle = max(idle, s.watermark)
		}
	}
	fire = active
	if fire == 1<<62 {
		fire = idle
	}
	if fire == none && idle == none {
		fire = ended
	}
	if !anyWaited || waited >= fire {
		return fire, keep
	}
	if r.quorum > 0 {
		for _, p := range positions {
			passed := 0
			for _, q := range positions {
				if q >= p {
					passed++
				}
			}
			if float64(passed) >= r.quorum*float64(len(positions)) {
				waited = max(waited, p)
			}
		}
	}
	return min(fire, waited), keep
}
