package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/leatio/leat/engine"
)

func at(seconds float64) time.Time { return time.Unix(0, int64(seconds*1e9)) }

func TestIdleAgentSpeaksThreeTimes(t *testing.T) {
	p := pace{idleAfter: 30 * time.Second, lateness: 60e6}
	p.row(at(100))
	const last, sliceEnd = int64(95e6), int64(130e6) // watermark and end of the last window, microseconds
	watermark := last
	var said []int64
	for s := 100.0; s < 400; s += 0.5 {
		w, speak := p.silence(at(s), true, watermark, sliceEnd)
		if speak {
			watermark = w
			said = append(said, w)
		}
	}
	// When it becomes idle, when its last window can fire, when that can be forgotten.
	want := []int64{125e6, 130e6, 190e6}
	if len(said) != 3 || said[0] != want[0] || said[1] != want[1] || said[2] != want[2] {
		t.Errorf("spoke %v, want %v", said, want)
	}
	if !p.row(at(401)) || p.idle {
		t.Error("a row does not end idleness")
	}
}

func TestOnlyAConnectedSourceIsIdle(t *testing.T) {
	p := pace{idleAfter: 30 * time.Second}
	p.row(at(0))
	if _, speak := p.silence(at(100), false, 5, engine.NoWatermark); speak || p.idle {
		t.Error("idle although the source cannot vouch for its silence")
	}
	// The silence that counts begins when the source is back.
	if _, speak := p.silence(at(120), true, 5, engine.NoWatermark); speak {
		t.Error("silence before the connection counted")
	}
	if _, speak := p.silence(at(131), true, 5, engine.NoWatermark); !speak {
		t.Error("not idle 31 s after the source was back")
	}
}

func TestIdleBeforeTheFirstRowHasNoWatermark(t *testing.T) {
	p := pace{idleAfter: time.Second, heard: at(0)}
	w, speak := p.silence(at(10), true, engine.NoWatermark, engine.NoWatermark)
	if !speak || w != engine.NoWatermark {
		t.Errorf("got %d, %t", w, speak)
	}
	if _, speak := p.silence(at(20), true, engine.NoWatermark, engine.NoWatermark); speak {
		t.Error("speaks again without anything new")
	}
}

func TestFirstRowsAfterAQuietTimeLeaveAtOnce(t *testing.T) {
	p := pace{ports: []portPace{{freshness: time.Second, lastFlush: at(0)}, {freshness: time.Minute, lastFlush: at(0)}}}
	due := func(now float64) (out []int) {
		for k := range p.ports {
			if p.due(k, at(now), 0, false, 0, 0) {
				out = append(out, k)
			}
		}
		return out
	}
	if got := due(5); !slices.Equal(got, []int{0}) {
		t.Errorf("after 5 s of quiet ports %v are due, want the first", got)
	}
	p.flushed(at(5), func(port uint32) bool { return port == 0 })
	if got := due(5.5); got != nil {
		t.Errorf("ports %v flush twice within freshness", got)
	}
	if got := due(60); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("after a minute ports %v are due, want both", got)
	}
	if d := p.wake(at(5.5), true); d != 500*time.Millisecond {
		t.Errorf("sleeps %s, want 500 ms", d)
	}
}

// An idle agent that had lost its session for a while stayed AWAY until its next row, and the cloud kept all windows since.
func TestIdleAgentSpeaksInANewSession(t *testing.T) {
	p := pace{idleAfter: 30 * time.Second}
	p.row(at(100))
	if _, speak := p.silence(at(130), true, 95e6, engine.NoWatermark); !speak {
		t.Fatal("not idle after 30 s")
	}
	p.again = true
	if w, speak := p.silence(at(500), true, 125e6, engine.NoWatermark); !speak || w != 495e6 {
		t.Errorf("says %d, %t in a new session, want 495 s", w, speak)
	}
	if _, speak := p.silence(at(501), true, 495e6, engine.NoWatermark); speak {
		t.Error("speaks twice in one session")
	}
}

// With freshness: window a slice leaves once it has ended, and the watermark by
// itself only when it has passed the end of a slice.
func TestFreshnessOfAWindow(t *testing.T) {
	p := pace{ports: []portPace{{freshness: time.Second, slice: 10, lastFlush: at(0)}}}
	for _, c := range []struct {
		name            string
		ends            int64
		waits           bool
		watermark, sent int64
		want            bool
	}{
		{"the slice goes on", 20, true, 19, 0, false},
		{"the slice has ended", 20, true, 20, 0, true},
		{"nothing waits, same slice", 0, false, 19, 10, false},
		{"nothing waits, next slice", 0, false, 20, 19, true},
		{"no row yet", 0, false, engine.NoWatermark, engine.NoWatermark, false},
		{"first row, filtered out", 0, false, 5, engine.NoWatermark, true},
	} {
		if got := p.due(0, at(100), c.ends, c.waits, c.watermark, c.sent); got != c.want {
			t.Errorf("%s: due is %t", c.name, got)
		}
	}
}

// The cloud keeps every window that rows of an idle agent could still fall in: such agents held back all of them.
func TestIdleAgentFollowsTheCloud(t *testing.T) {
	p := pace{idleAfter: 30 * time.Second}
	p.row(at(100))
	if p.follow(at(110), 5, 50) {
		t.Error("follows although it is active")
	}
	if _, speak := p.silence(at(131), true, 5, engine.NoWatermark); !speak {
		t.Fatal("not idle")
	}
	var said []int
	current, cloud := int64(5), int64(50)
	for s := 131; s < 400; s++ {
		if s == 300 {
			cloud = 60
		}
		if p.follow(at(float64(s)), current, cloud) {
			said, current = append(said, s), cloud
		}
	}
	if len(said) != 2 || said[0] != 131 || said[1] != 300 {
		t.Errorf("followed at %v, want 131 and 300", said)
	}
	if p.follow(at(1000), current, engine.EndOfTime) {
		t.Error("follows sources that have ended")
	}
}

// Steps that wait for the watermark see it go on while the source is silent.
func TestTimeGoesOnForStepsOfASilentSource(t *testing.T) {
	p := pace{idleAfter: 30 * time.Second, timers: true}
	p.row(at(100))
	if w, speak := p.silence(at(120), true, 95e6, engine.NoWatermark); speak || w != 95e6 {
		t.Errorf("after 20 s: %d, %t", w, speak)
	}
	if w, speak := p.silence(at(130), true, 95e6, engine.NoWatermark); !speak || w != 125e6 {
		t.Errorf("after 30 s: %d, %t", w, speak)
	}
	if w, speak := p.silence(at(140), true, 125e6, engine.NoWatermark); speak || w != 135e6 {
		t.Errorf("after 40 s: %d, %t, want 135 s unsaid", w, speak)
	}
}
