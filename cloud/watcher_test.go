package cloud

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/worker"
)

func TestWhatIsSaidOfSilentAgents(t *testing.T) {
	k := worker.MemberKey{Pipeline: "p-1", Version: 3, Agent: "x"}
	has := &holding{lanes: map[laneVersion]bool{{"p-1", 3}: true}, whole: true}
	other := &holding{lanes: map[laneVersion]bool{{"p-1", 4}: true}, whole: true}
	heard, unheard := worker.MemberView{Heard: true}, worker.MemberView{}
	type at struct {
		second int
		view   worker.MemberView
		held   *holding
	}
	cases := []struct {
		name   string
		p      patience
		rounds []at
		want   string
	}{
		{"connected and heard", patience{wait: 30 * time.Second}, []at{{0, heard, has}, {100, heard, has}}, ""},
		{"gone", patience{wait: 30 * time.Second}, []at{{0, heard, nil}, {29, heard, nil}, {30, heard, nil}}, "30:1"},
		// A partition that changed its owner just then did not take it.
		{"said again until the log has it", patience{wait: 30 * time.Second},
			[]at{{0, heard, nil}, {30, heard, nil}, {39, heard, nil}, {40, heard, nil}, {60, worker.MemberView{Heard: true, Away: true, Passed: true}, nil}}, "30:1 40:1"},
		{"back in between", patience{wait: 30 * time.Second}, []at{{0, heard, nil}, {20, heard, has}, {21, heard, nil}, {50, heard, nil}, {51, heard, nil}}, "51:1"},
		{"a quorum does without it sooner", patience{wait: 30 * time.Second, quorum: true}, []at{{0, heard, nil}, {4, heard, nil}, {5, heard, nil}, {30, worker.MemberView{Heard: true, Away: true}, nil}}, "5:2 30:1"},
		{"never heard of, connected", patience{wait: 10 * time.Second}, []at{{0, unheard, has}, {10, unheard, has}}, "10:1"},
		{"never heard of, was never given it", patience{wait: 10 * time.Second}, []at{{0, unheard, other}}, "0:4"},
		{"never heard of, not known yet what it has", patience{wait: 10 * time.Second}, []at{{0, unheard, &holding{}}}, ""},
		{"away beyond keep", patience{wait: time.Second, keep: time.Hour},
			[]at{{0, heard, nil}, {1, heard, nil}, {3599, worker.MemberView{Heard: true, Away: true, Passed: true}, nil}, {3600, worker.MemberView{Heard: true, Away: true, Passed: true}, nil}}, "1:1 3600:4"},
		{"its lanes have ended", patience{wait: time.Second}, []at{{0, worker.MemberView{Heard: true, Ended: true}, nil}, {60, worker.MemberView{Heard: true, Ended: true}, nil}}, ""},
	}
	for _, c := range cases {
		w := newWatcher()
		var got []string
		for _, r := range c.rounds {
			now := time.Unix(int64(r.second), 0)
			s, due := w.due(now, 0, k, r.view, r.held, func(v laneVersion) (patience, bool) { return c.p, v == laneVersion{"p-1", 3} })
			if due {
				got = append(got, fmt.Sprintf("%d:%d", r.second, s))
			}
			w.sweep(now)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: said %q, want %q", c.name, got, c.want)
		}
	}
	if record.Passed != 1 || record.Away != 2 || record.Removed != 4 {
		t.Error("the numbers above mean something else")
	}
}

func TestWatcherForgetsWhatNoPartitionTellsOf(t *testing.T) {
	w := newWatcher()
	of := func(laneVersion) (patience, bool) { return patience{wait: time.Second}, true }
	w.due(time.Unix(0, 0), 0, worker.MemberKey{Agent: "x"}, worker.MemberView{}, nil, of)
	w.sweep(time.Unix(0, 0))
	if len(w.since) != 1 {
		t.Fatalf("%d agents are followed, want 1", len(w.since))
	}
	w.sweep(time.Unix(1, 0))
	if len(w.since) != 0 {
		t.Errorf("%d agents are followed, want none", len(w.since))
	}
}
