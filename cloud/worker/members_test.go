package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/compile"
)

// say appends a membership record as the owner of an epoch.
func (r *rig) say(writer uint64, state record.Membership, agents ...string) {
	r.t.Helper()
	rec := &record.Record{Kind: record.KindMembership, Writer: writer}
	for _, a := range agents {
		rec.Members = append(rec.Members, record.Member{Agent: a, Pipeline: r.plan.PipelineId, Version: r.plan.Version, State: state})
	}
	if _, err := r.log.Append(r.t.Context(), 0, record.Append(nil, rec)); err != nil {
		r.t.Fatal(err)
	}
}

const owner = 1000 // higher than any epoch of these tests

func (r *rig) step(w *worker.Worker, what string, want ...string) {
	r.t.Helper()
	r.caughtUp(w)
	slices.Sort(want)
	if got := r.tables.list(); !slices.Equal(got, want) {
		r.t.Errorf("%s: tables hold\n%q, want\n%q", what, got, want)
	}
}

func (r *rig) end(stop func() error) {
	r.t.Helper()
	if err := stop(); err != nil {
		r.t.Fatal(err)
	}
}

// What an agent that nobody had heard of brought for windows that the others
// had closed was lost.
func TestWindowsWaitForExpectedAgents(t *testing.T) {
	r := newRig(t)
	w, stop := r.start(time.Hour)
	defer r.end(stop)
	r.say(owner, record.Expected, "a", "b")
	r.append(r.entry("a", row{"x", 1, 1}, row{"x", 12, 1}, row{"x", 1000, 1}))
	r.step(w, "b was never heard of")
	r.say(owner, record.Passed, "b")
	r.step(w, "the wait for b is over", "x@0 n=1 sum=1", "x@10 n=1 sum=1")
	r.append(r.entry("a", row{"x", 2000, 1}))
	r.append(r.entry("b", row{"x", 2, 5}))
	r.step(w, "the first rows of b, beyond the lateness", "x@0 n=2 sum=6", "x@10 n=1 sum=1", "x@1000 n=1 sum=1")
	if v := w.View().Pipelines[0]; v.TooLate != 0 {
		t.Errorf("%d partials were too late, want none", v.TooLate)
	}
	v, ok := w.Member(worker.MemberKey{Pipeline: r.plan.PipelineId, Version: 1, Agent: "b"})
	if !ok || v != (worker.MemberView{Heard: true}) {
		t.Errorf("b is %+v, %t", v, ok)
	}
}

func TestWindowsWaitForAwayAgents(t *testing.T) {
	r := newRig(t)
	w, stop := r.start(time.Hour)
	defer r.end(stop)
	r.append(r.entry("a", row{"x", 1, 1}), r.entry("b", row{"x", 2, 1}))
	r.say(owner, record.Away, "b")
	r.append(r.entry("a", row{"x", 12, 1}))
	r.step(w, "b is AWAY")
	r.say(owner, record.Passed, "b")
	r.step(w, "the wait is over", "x@0 n=2 sum=2")
	r.append(r.entry("a", row{"x", 500, 1}))
	r.append(r.entry("b", row{"x", 3, 5}))
	r.step(w, "b is back", "x@0 n=3 sum=7", "x@10 n=1 sum=1")
	r.append(r.entry("a", row{"x", 600, 1}))
	r.step(w, "b is ACTIVE again and has not passed", "x@0 n=3 sum=7", "x@10 n=1 sum=1")
	r.say(owner, record.Removed, "b")
	r.step(w, "nothing is expected of b", "x@0 n=3 sum=7", "x@10 n=1 sum=1", "x@500 n=1 sum=1")
	r.append(r.entry("a", row{"x", 700, 1}))
	r.append(r.entry("b", row{"x", 4, 5}))
	r.step(w, "state waits for nobody who was removed", `late b {"device":"x"} 0-10 rows=1 partials=1 late/b/1/climate-1/1/0/3/0/0`, "x@0 n=3 sum=7", "x@10 n=1 sum=1", "x@500 n=1 sum=1", "x@600 n=1 sum=1")
	if v := w.View().Pipelines[0]; v.TooLate != 1 {
		t.Errorf("%d partials were too late, want 1", v.TooLate)
	}
}

func TestQuorumOfAwayAgents(t *testing.T) {
	r := newRig(t)
	r.plan.AwayQuorum = 0.6
	w, stop := r.start(time.Hour)
	defer r.end(stop)
	r.say(owner, record.Expected, "a", "b", "c", "d", "e")
	r.append(r.entry("a", row{"x", 1, 1}, row{"x", 12, 1}), r.entry("b", row{"x", 11, 1}))
	r.step(w, "two of five have passed")
	r.append(r.entry("c", row{"x", 5, 1}))
	r.step(w, "c is ACTIVE and has not")
	r.append(r.entry("c", row{"x", 10, 1}))
	r.step(w, "three of five have, the others are AWAY", "x@0 n=2 sum=2")
	r.append(r.entry("d", row{"x", 3, 1}))
	r.step(w, "d corrects it", "x@0 n=3 sum=3")
}

func TestAgentsThatLagAreNotWaitedFor(t *testing.T) {
	r := newRig(t)
	r.plan.MaxLagMicros = 60e6
	w, stop := r.start(time.Hour)
	defer r.end(stop)
	r.append(r.entry("a", row{"x", 1, 1}), r.entry("b", row{"x", 2, 1}))
	r.append(r.entry("a", row{"x", 62, 1}))
	r.step(w, "b lags by 60 s")
	r.append(r.entry("a", row{"x", 63, 1}))
	r.step(w, "by 61 s", "x@0 n=2 sum=2")
	r.append(r.entry("a", row{"x", 500, 1}))
	r.append(r.entry("b", row{"x", 3, 1}))
	r.step(w, "what it sends is not too late", "x@0 n=3 sum=3", "x@60 n=2 sum=2")
}

// State outlives the allowed lateness while someone may still bring rows, up to keep.
func TestStateIsKeptForAwayAgentsUpToKeep(t *testing.T) {
	r := newRig(t)
	r.plan.KeepMicros = 3600e6
	w, stop := r.start(time.Hour)
	defer r.end(stop)
	b1, b2, b3 := r.entry("b", row{"x", 1, 1}), r.entry("b", row{"x", 5, 10}), r.entry("b", row{"x", 6, 10})
	r.append(r.entry("a", row{"x", 1, 1}), b1)
	r.say(owner, record.Passed, "b")
	r.append(r.entry("a", row{"x", 3600, 1}))
	r.append(b2)
	r.step(w, "within keep", "x@0 n=3 sum=12")
	r.say(owner, record.Passed, "b")
	r.append(r.entry("a", row{"x", 4000, 1}))
	r.append(b3)
	r.step(w, "keep is used up", `late b {"device":"x"} 0-10 rows=1 partials=1 late/b/1/climate-1/1/0/3/0/0`, "x@0 n=3 sum=12", "x@3600 n=1 sum=1")
	if v := w.View().Pipelines[0]; v.TooLate != 1 {
		t.Errorf("%d partials were too late, want 1", v.TooLate)
	}
}

// A version that all its agents had left forgot the windows of those that were away.
func TestReplacedVersionWaitsForAwayAgents(t *testing.T) {
	r := newRig(t)
	w, stop := r.start(time.Hour)
	defer r.end(stop)
	last := r.entry("a", row{"x", 2, 1})
	last.Watermark = engine.EndOfTime
	r.append(r.entry("b", row{"x", 1, 1}))
	r.say(owner, record.Passed, "b")
	r.append(last)
	r.step(w, "a has left", "x@0 n=2 sum=2")
	r.append(r.entry("b", row{"x", 3, 1}, row{"x", 15, 1}))
	last = r.entry("b", row{"x", 16, 1})
	last.Watermark = engine.EndOfTime
	r.append(last)
	r.step(w, "b has left too", "x@0 n=3 sum=3", "x@10 n=2 sum=2")
}

func TestMembershipOfAnEarlierOwnerCountsForNothing(t *testing.T) {
	r := newRig(t)
	for range 2 {
		w, stop := r.start(time.Hour)
		<-w.Ready()
		r.end(stop)
	}
	w, stop := r.start(time.Hour) // owner 3
	defer r.end(stop)
	r.append(r.entry("a", row{"x", 1, 1}), r.entry("b", row{"x", 2, 1}))
	r.caughtUp(w)
	r.say(2, record.Passed, "b")
	r.append(r.entry("a", row{"x", 12, 1}))
	r.step(w, "said by owner 2")
	r.say(3, record.Passed, "b")
	r.step(w, "said by owner 3", "x@0 n=2 sum=2")
}

// A pipeline that keeps one lane takes no second one of the same agent.
func TestOneLane(t *testing.T) {
	r := newRig(t)
	r.plan.OneLane = true
	w, stop := r.start(time.Hour)
	defer r.end(stop)
	r.append(r.entry("a", row{"x", 1, 1}))
	delete(r.lanes, "a 1")
	second := r.entry("a", row{"x", 2, 1}, row{"x", 30, 1})
	second.Lane = 1
	r.append(second)
	r.step(w, "a second lane")
	if c := w.View().Counters; c.Lanes != 1 {
		t.Errorf("%d entries counted, want 1", c.Lanes)
	}
}

// Membership is part of the state: a worker that dies at any record, and one
// that never does, give the same.
func TestMembershipSurvivesADeathAtEveryRecord(t *testing.T) {
	steps := func(r *rig) []func() {
		var out []func()
		say := func(s record.Membership, agents ...string) { out = append(out, func() { r.say(owner, s, agents...) }) }
		send := func(agent string, rows ...row) {
			out = append(out, func() { r.append(r.entry(agent, rows...)) })
		}
		say(record.Expected, "a", "b", "c")
		for i := range int64(12) {
			send("a", row{"x", i * 7, float64(i)})
			switch i {
			case 1:
				send("b", row{"y", 3, 1})
			case 3:
				say(record.Passed, "c")
			case 4:
				say(record.Away, "b")
			case 6:
				say(record.Passed, "b")
			case 8:
				send("c", row{"x", 5, 100})
			case 9:
				say(record.Removed, "c")
			case 10:
				send("b", row{"y", 8, 1}, row{"y", 200, 1})
			}
		}
		return out
	}
	whole := newRig(t)
	whole.plan.AwayQuorum = 0.7
	w, stop := whole.start(time.Hour)
	var after []string
	for _, do := range steps(whole) {
		do()
		whole.caughtUp(w)
		after = append(after, fmt.Sprint(whole.tables.list()))
	}
	whole.end(stop)
	if len(slices.Compact(slices.Clone(after))) < 5 {
		t.Fatalf("too few results: %q", after)
	}
	r := newRig(t)
	r.plan.AwayQuorum = 0.7
	for i, do := range steps(r) {
		w, stop := r.start(time.Duration(1+i%3) * time.Millisecond)
		do()
		r.caughtUp(w)
		if i%3 == 0 {
			r.checkpointed(w)
		}
		r.end(stop)
		if got := fmt.Sprint(r.tables.list()); got != after[i] {
			t.Fatalf("after record %d: %s, want %s", i, got, after[i])
		}
	}
}

// What comes too late for everything is counted, and sampled within bounds.
func TestLatePartialsAreSampled(t *testing.T) {
	for range 2 { // a replay names the same rows
		r := newRig(t)
		w, stop := r.start(time.Hour)
		r.append(r.entry("a", row{"x", 1, 1}, row{"x", 1000, 1}))
		var many []row
		for i := range 150 {
			many = append(many, row{fmt.Sprintf("d%03d", i), int64(i % 2 * 10), 1}, row{fmt.Sprintf("d%03d", i), int64(i % 2 * 10), 1})
		}
		r.append(r.entry("b", many...), r.entry("c", row{"z", 3, 1}))
		r.append(r.entry("c", row{"z", 5, 1}))
		r.caughtUp(w)
		got := r.tables.list()
		r.end(stop)
		if v := w.View().Pipelines[0]; v.TooLate != 152 {
			t.Errorf("%d partials were too late, want 152", v.TooLate)
		}
		late := slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, "late ") })
		for _, want := range []string{
			`late b {"device":"d000"} 0-10 rows=2 partials=1 late/b/1/climate-1/1/0/1/0/0`,
			`late b several 10-20 rows=100 partials=50 late/b/1/climate-1/1/0/1/0/100`,
			`late c several 0-10 rows=1 partials=1 late/c/1/climate-1/1/0/1/0/0`,
			`late c {"device":"z"} 0-10 rows=1 partials=1 late/c/1/climate-1/1/0/2/0/0`,
		} {
			if !slices.Contains(late, want) {
				t.Errorf("%q is not there: %q", want, late[len(late)-4:])
			}
		}
		if len(late) != 103 {
			t.Errorf("%d rows, want 103: %q", len(late), late)
		}
	}
}

// A window says how many agents it has heard of, each time it fires.
func TestCompleteness(t *testing.T) {
	r := newRig(t)
	p, err := compile.Compile([]byte(strings.Replace(file, "tumbling: 10s", "tumbling: 10s\n      completeness: true", 1)),
		compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.plan = p
	w, stop := r.start(time.Hour)
	defer r.end(stop)
	r.say(owner, record.Expected, "a", "b", "c", "d")
	idle := r.entry("c")
	idle.Flags = record.FlagIdle
	r.append(r.entry("a", row{"x", 1, 1}, row{"x", 12, 1}), r.entry("b", row{"x", 2, 1}), idle)
	r.say(owner, record.Passed, "b", "d")
	r.step(w, "a has passed, c is IDLE", "x@0 n=2 sum=2 _agents_seen=2 _agents_expected=4")
	r.append(r.entry("b", row{"x", 3, 1}, row{"x", 15, 1}))
	r.step(w, "b has passed as well", "x@0 n=3 sum=3 _agents_seen=3 _agents_expected=4")
	r.say(owner, record.Removed, "d")
	r.append(r.entry("a", row{"x", 5, 1}, row{"x", 20, 1}))
	r.append(r.entry("b", row{"x", 20, 1}))
	r.step(w, "nothing is expected of d", "x@0 n=4 sum=4 _agents_seen=3 _agents_expected=3", "x@10 n=2 sum=2 _agents_seen=3 _agents_expected=3")
}
