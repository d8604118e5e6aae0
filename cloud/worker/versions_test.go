package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
)

// version compiles the file with some text replaced.
func version(t *testing.T, number uint64, changes ...string) *plan.Plan {
	t.Helper()
	p, err := compile.Compile([]byte(strings.NewReplacer(changes...).Replace(file)),
		compile.Options{File: "t.yaml", PipelineID: "climate-1", Version: number})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// versionsRig has a version, one with another aggregate in front that takes over its
// windows, and one with another at the end that takes over theirs.
func versionsRig(t *testing.T) (*rig, []*plan.Plan) {
	t.Helper()
	r := newRig(t)
	two := version(t, 2, "n: count(*)", "n: count(*), temp_max: max(temp)")
	three := version(t, 3, "n: count(*)", "n: count(*), temp_max: max(temp)", "sum(temp)", "sum(temp), temp_min: min(temp)")
	two.TakesOver, three.TakesOver = 1, 2
	r.plans = plansByVersion{1: r.plan, 2: two, 3: three}
	return r, []*plan.Plan{r.plan, two, three}
}

// onVersion gives what an agent sends as a version.
func (r *rig) onVersion(p *plan.Plan, agent string, rows ...row) record.Entry {
	before := r.plan
	r.plan = p
	defer func() { r.plan = before }()
	return r.entry(agent, rows...)
}

// sayOf appends a membership record of a version.
func (r *rig) sayOf(p *plan.Plan, state record.Membership, agents ...string) {
	before := r.plan
	r.plan = p
	defer func() { r.plan = before }()
	r.say(owner, state, agents...)
}

func (r *rig) ended(p *plan.Plan, agent string) record.Entry {
	e := r.onVersion(p, agent)
	e.Watermark = engine.EndOfTime
	return e
}

// A version with other aggregates takes over the windows that are open: they end with the
// rows of all versions, whoever was away. What a new aggregate says of them is of the rows since.
func TestWindowsGoOverToANewVersion(t *testing.T) {
	steps := func(r *rig, p []*plan.Plan) []func() {
		expect := func(v int, agents ...string) func() {
			return func() { r.sayOf(p[v], record.Expected, agents...) }
		}
		send := func(v int, agent string, rows ...row) func() {
			return func() { r.append(r.onVersion(p[v], agent, rows...)) }
		}
		end := func(v int, agent string) func() { return func() { r.append(r.ended(p[v], agent)) } }
		return []func(){
			expect(0, "a", "b"),
			send(0, "a", row{"x", 1, 10}), send(0, "b", row{"x", 2, 20}, row{"y", 2, 5}),
			func() { r.say(owner, record.Passed, "b") },
			send(0, "a", row{"x", 11, 1}), // the first window fires
			expect(1, "a", "b"),
			end(0, "a"),
			send(1, "a", row{"x", 13, 7}, row{"x", 3, 30}),
			func() { r.sayOf(p[1], record.Passed, "b") },
			send(1, "a", row{"x", 25, 2}), // the second window fires, with rows of both versions
			expect(2, "a"),
			end(1, "a"),
			send(2, "a", row{"x", 27, 3}, row{"x", 41, 3}),
			send(0, "b", row{"x", 4, 40}, row{"x", 15, 4}), // b is back and knows of nothing
			end(0, "b"),
			expect(2, "b"),
			send(1, "b", row{"x", 5, 50}), // and had been given the second version as well
			end(1, "b"),
			send(2, "b", row{"x", 42, 1}),
		}
	}
	// die tells after which records the worker dies; it publishes checkpoints in between.
	run := func(every time.Duration, die func(i int) bool) [][]string {
		r, p := versionsRig(t)
		w, stop := r.start(every)
		var out [][]string
		for i, do := range steps(r, p) {
			do()
			r.caughtUp(w)
			out = append(out, r.tables.list())
			if every < time.Second && i%2 == 0 {
				r.checkpointed(w)
			}
			if !die(i) {
				continue
			}
			r.end(stop)
			w, stop = r.start(every)
			r.caughtUp(w)
		}
		r.end(stop)
		if c := w.View().Counters; c.Undecoded+c.Gaps+c.Mismatches+c.Lanes > 0 {
			t.Errorf("%+v", c)
		}
		return out
	}
	whole := run(time.Hour, func(int) bool { return false })
	want := []string{
		"x@0 n=5 max=50 sum=150 min=null",
		"x@10 n=3 max=7 sum=12 min=null",
		"x@20 n=2 max=3 sum=5 min=3",
		"y@0 n=1 sum=5",
	}
	got := whole[len(whole)-1]
	if !slices.Equal(got, want) {
		t.Errorf("the tables hold\n%q, want\n%q", got, want)
	}
	same := func(what string, run [][]string) {
		for i, got := range run {
			if fmt.Sprint(got) != fmt.Sprint(whole[i]) {
				t.Fatalf("a worker that died %s holds after record %d\n%q, want\n%q", what, i, got, whole[i])
			}
		}
	}
	same("after each record", run(time.Millisecond, func(int) bool { return true }))
	for at := range whole { // full checkpoints and deltas before
		same(fmt.Sprint("after record ", at), run(time.Millisecond, func(i int) bool { return i == at }))
	}
}

// A version that can keep no state begins at a boundary; what agents that are AWAY still
// send is finished by the one before, which keeps its windows for them.
func TestVersionsMeetAtABoundary(t *testing.T) {
	r := newRig(t)
	next := version(t, 2, "tumbling: 10s", "tumbling: 15s", "name: t}", "name: u}")
	next.StartsAtMicros = 30e6
	if c := plan.Compare(r.plan, next); c.Kept != plan.KeptNothing {
		t.Fatalf("the versions keep %+v: the test does not meet what it is about", c)
	}
	r.plans = plansByVersion{1: r.plan, 2: next}
	w, stop := r.start(time.Hour)
	defer r.end(stop)
	r.append(r.entry("a", row{"x", 1, 1}, row{"x", 25, 1}), r.entry("b", row{"x", 2, 1}))
	r.say(owner, record.Passed, "b")
	r.step(w, "b is AWAY", "x@0 n=2 sum=2")
	r.sayOf(next, record.Expected, "a", "b")
	r.sayOf(next, record.Passed, "b")
	r.append(r.onVersion(next, "a", row{"x", 31, 7}))
	r.append(r.ended(r.plan, "a"))
	r.append(r.onVersion(next, "a", row{"x", 45, 7}, row{"x", 5000, 7}))
	r.step(w, "a has gone over", "x@0 n=2 sum=2", "x@20 n=1 sum=1", "x@30 n=1 sum=7", "x@45 n=1 sum=7")
	r.append(r.entry("b", row{"x", 3, 1}, row{"x", 26, 1}))
	r.append(r.ended(r.plan, "b"))
	r.append(r.onVersion(next, "b", row{"x", 32, 1}))
	r.step(w, "b is back", "x@0 n=3 sum=3", "x@20 n=2 sum=2", "x@30 n=2 sum=8", "x@45 n=1 sum=7")
	for _, p := range w.View().Pipelines {
		if p.TooLate != 0 {
			t.Errorf("%d partials of version %d were too late", p.TooLate, p.Version)
		}
	}
}
