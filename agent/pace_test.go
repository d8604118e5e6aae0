package agent

import (
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
	p := pace{freshness: time.Second, lastFlush: at(0)}
	if !p.flushDue(at(5)) {
		t.Error("not flushed although the line was quiet for 5 s")
	}
	p.lastFlush = at(5)
	if p.flushDue(at(5.5)) {
		t.Error("flushed twice within freshness")
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
