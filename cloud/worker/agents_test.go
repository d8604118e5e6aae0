package worker

import (
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire/columnar"
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

// An agent that was away for long made the windows that waited for it outgrow the node.
func TestWindowsThatWaitAreBounded(t *testing.T) {
	s := goldenState(t)
	s.maxStates = 50
	k := pipelineKey{"climate-1", 1}
	p, err := s.pipeline(k)
	if err != nil {
		t.Fatal(err)
	}
	p.roster.set(agentKey{"away", 1}, record.Expected)
	p.roster.set(agentKey{"away", 1}, record.Passed)
	schema := engine.PortSchema(p.plan, 0)
	most := 0
	for i := range int64(500) {
		b := batch.New(schema)
		for c := range b.Cols {
			col := &b.Cols[c]
			switch schema[c].Name {
			case plan.SliceStart:
				col.Ints = []int64{i * 10e6}
			case plan.SliceEnd:
				col.Ints = []int64{i*10e6 + 10e6}
			case "device":
				col.Dict = batch.NewDict()
				col.Codes = []uint32{col.Dict.CodeString("d")}
			default:
				col.AppendNull()
				col.Valid = nil
			}
		}
		b.N = 1
		e := record.Entry{
			Agent: "gw-1", Epoch: 1, Pipeline: k.id, Version: 1, From: uint64(i) + 1, To: uint64(i) + 1, Watermark: i*10e6 + 10e6,
			Payload: columnar.AppendPayload(nil, []columnar.Section{{Port: 0, Batch: b}}, func(uint32) batch.Schema { return schema }),
		}
		if err := s.apply(uint64(i)+1, &record.Record{Kind: record.KindBundle, Entries: []record.Entry{e}}); err != nil {
			t.Fatal(err)
		}
		most = max(most, p.cloud.States())
	}
	if most > 51 || p.cloud.States() < 10 || s.count.Shed == 0 || p.cloud.Fired() != 500 {
		t.Errorf("%d states at most, %d now, shed %d times, %d windows fired", most, p.cloud.States(), s.count.Shed, p.cloud.Fired())
	}
}
