package transport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

var climateKey = StreamKey{Pipeline: "climate-1", Version: 3, Lane: 0, Epoch: 1}

func TestJoinAndSession(t *testing.T) {
	n := newNode(t, nil)
	n.plans = &wire.Plans{Revision: 7, Plans: [][]byte{[]byte("plan")}}
	id, err := Join(t.Context(), n.token(identity.TokenOptions{}, time.Now()), JoinConfig{Name: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := id.Save(dir); err != nil {
		t.Fatal(err)
	}
	if id, err = identity.LoadAgent(dir); err != nil {
		t.Fatal(err)
	}
	a := startAgent(t, id, nil)
	await(t, "plans", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return len(a.plans) > 0 })
	if p := a.plans[0]; p.Revision != 7 || string(p.Plans[0]) != "plan" {
		t.Errorf("plans came as %v", p)
	}
	if l := a.Link(); !l.Connected || l.Node != "node-1" || l.Skew > time.Minute || l.Skew < -time.Minute {
		t.Errorf("link is %+v", l)
	}
	n.mu.Lock()
	s := n.sessions[0]
	n.mu.Unlock()
	if s.AgentID() != "agent-1" || s.Hello().Labels["role"] != "greenhouse" || s.Serial() == "" {
		t.Errorf("session is of %q, Hello %v", s.AgentID(), s.Hello())
	}
	a.SendStatus(&wire.Status{PlansRevision: 7})
	await(t, "status", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.statuses) > 0 && n.statuses[0].PlansRevision == 7
	})

	src := newSource(climateKey)
	src.add(payloads(100, 1000)...)
	defer a.Feed(climateKey, src)()
	await(t, "100 frames acknowledged", func() bool { return src.First() == 101 })
	src.add(payloads(1, 10)...)
	await(t, "a frame added later acknowledged", func() bool { return src.First() == 102 })
	frames, duplicates := n.lane(climateKey)
	if frames != 101 || duplicates != 0 {
		t.Errorf("%d frames and %d duplicates came", frames, duplicates)
	}
	for i, f := range n.lanes[climateKey].frames {
		if !bytes.Equal(f, src.frames[i]) {
			t.Fatalf("frame %d came as other bytes than stored", i+1)
		}
	}
	if st := a.Streams()[0]; !st.Sending || st.Acked != 101 || st.Watermark != 1010 || src.water != 1010 {
		t.Errorf("stream is %+v, the source's watermark %d", st, src.water)
	}
}

// The session is cut in mid-stream, again and again, and the node is started anew: the agent
// goes on from the first unacknowledged frame.
func TestResumeAfterCuts(t *testing.T) {
	n := newNode(t, nil)
	n.ackEvery = 7
	a := startAgent(t, n.agent("gw"), nil)
	src := newSource(climateKey)
	src.add(payloads(500, 500)...)
	defer a.Feed(climateKey, src)()
	for _, at := range []uint64{50, 51, 200, 333} {
		n.mu.Lock()
		n.cutAt = at
		before := len(n.sessions)
		n.mu.Unlock()
		// A new session each time: what is still on its way in the old one must not meet the next cut.
		await(t, "the cut and a new session", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.cutAt == 0 && len(n.sessions) > before })
	}
	addr := n.addr()
	await(t, "frame 400", func() bool { f, _ := n.lane(climateKey); return f >= 400 })
	n.stop()
	n.start(addr, nil)
	n.mu.Lock()
	n.ackEvery = 1
	n.mu.Unlock()
	src.add(payloads(100, 500)...)
	await(t, "all frames acknowledged", func() bool { return src.First() == 601 })
	if frames, _ := n.lane(climateKey); frames != 600 {
		t.Errorf("%d frames came", frames)
	}
	if len(n.sessions) < 6 {
		t.Errorf("only %d sessions: the test has not met its faults", len(n.sessions))
	}
	if st := a.Streams()[0]; st.Found == 0 || st.Found > 600 { // acknowledgements go down with a connection
		t.Errorf("%d frames were found in the cloud when streams began", st.Found)
	}
}

// A cloud that forgot frames that it had not acknowledged gets them again; duplicates reach the handler.
func TestDuplicatesAreDelivered(t *testing.T) {
	n := newNode(t, nil)
	n.holdAcks = true
	a := startAgent(t, n.agent("gw"), nil)
	src := newSource(climateKey)
	src.add(payloads(20, 10)...)
	stop := a.Feed(climateKey, src)
	await(t, "20 frames", func() bool { f, _ := n.lane(climateKey); return f == 20 })
	stop()
	n.mu.Lock()
	l := n.lanes[climateKey]
	l.frames, l.checksum = l.frames[:5], wire.Checksum(l.frames[4])
	n.holdAcks = false
	n.mu.Unlock()
	defer a.Feed(climateKey, src)()
	await(t, "all acknowledged", func() bool { return src.First() == 21 })
}

func TestWindowBoundsWhatIsInFlight(t *testing.T) {
	n := newNode(t, nil)
	n.holdAcks = true
	a := startAgent(t, n.agent("gw"), func(c *ClientConfig) { c.WindowFrames = 8 })
	src := newSource(climateKey)
	src.add(payloads(50, 10)...)
	stop := a.Feed(climateKey, src)
	await(t, "8 frames", func() bool { f, _ := n.lane(climateKey); return f == 8 })
	if st := a.Streams()[0]; st.Sent != 8 {
		t.Errorf("frame %d was sent with a window of 8", st.Sent)
	}
	stop()
	n.mu.Lock()
	n.holdAcks = false
	n.mu.Unlock()
	defer a.Feed(climateKey, src)()
	await(t, "all acknowledged", func() bool { return src.First() == 51 })
}

func TestStreamsAreIndependent(t *testing.T) {
	n := newNode(t, nil)
	other := StreamKey{Pipeline: "other", Version: 1, Epoch: 1}
	n.refuse = func(k StreamKey) error {
		if k == other {
			return Refuse(wire.CodeEpoch, "epoch 1 of this agent is closed; it needs epoch 2")
		}
		return nil
	}
	a := startAgent(t, n.agent("gw"), nil)
	good, bad := newSource(climateKey), newSource(other)
	good.add(payloads(10, 10)...)
	bad.add(payloads(10, 10)...)
	defer a.Feed(climateKey, good)()
	defer a.Feed(other, bad)()
	await(t, "the good stream", func() bool { return good.First() == 11 })
	var r *Refusal
	await(t, "the refusal", func() bool {
		for _, s := range a.Streams() {
			if s.Key == other && errors.As(s.Err, &r) {
				return true
			}
		}
		return false
	})
	if r.Code != wire.CodeEpoch || !strings.Contains(r.Reason, "epoch 2") || bad.First() != 1 {
		t.Errorf("refused with %v, first is %d", r, bad.First())
	}
	n.mu.Lock()
	n.refuse = nil
	n.mu.Unlock()
	await(t, "the stream that is no longer refused", func() bool { return bad.First() == 11 })
}

// A cloud that knows more than the agent ever gave means a restored store.
func TestDivergedStoreIsRefused(t *testing.T) {
	n := newNode(t, nil)
	a := startAgent(t, n.agent("gw"), nil)
	src := newSource(climateKey)
	src.add(payloads(10, 10)...)
	stop := a.Feed(climateKey, src)
	await(t, "10 frames", func() bool { return src.First() == 11 })
	stop()
	for name, other := range map[string][][]byte{"shorter": payloads(4, 10), "different": payloads(12, 11)} {
		restored := newSource(climateKey)
		restored.add(other...)
		stop := a.Feed(climateKey, restored)
		var r *Refusal
		await(t, "the refusal of a "+name+" store", func() bool { return errors.As(a.Streams()[0].Err, &r) })
		if r.Code != wire.CodeDiverged || restored.First() != 1 {
			t.Errorf("%s store: %v, first is %d", name, r, restored.First())
		}
		stop()
	}
}

func TestFetch(t *testing.T) {
	n := newNode(t, nil)
	big := bytes.Repeat([]byte("wasm"), 1<<20)
	sum, empty := n.object(big), n.object(nil)
	a := startAgent(t, n.agent("gw"), nil)
	await(t, "a session", func() bool { return a.Link().Connected })
	for i := range 100 { // more than an agent may have open at once
		if i > 2 {
			sum, big = empty, nil
		}
		got, err := a.Fetch(t.Context(), sum)
		if err != nil || !bytes.Equal(got, big) {
			t.Fatalf("fetch %d: %d bytes, %v", i, len(got), err)
		}
	}
	var r *Refusal
	if _, err := a.Fetch(t.Context(), sha256.Sum256([]byte("no"))); !errors.As(err, &r) || r.Code != wire.CodeUnknown {
		t.Errorf("an object that is not there: %v", err)
	}
	n.mu.Lock()
	n.objects[sha256.Sum256([]byte("x"))] = []byte("y")
	n.mu.Unlock()
	if _, err := a.Fetch(t.Context(), sha256.Sum256([]byte("x"))); !errors.As(err, &r) || r.Code != wire.CodeBadMessage {
		t.Errorf("an object with other bytes: %v", err)
	}
}

func TestRenew(t *testing.T) {
	n := newNode(t, nil)
	a := startAgent(t, n.agent("gw"), nil)
	await(t, "a session", func() bool { return a.Link().Connected })
	n.mu.Lock()
	old := n.sessions[0]
	n.mu.Unlock()
	fresh, err := a.Renew(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fresh.ID != "gw" || fresh.Check() != nil {
		t.Errorf("renewed to %+v", fresh)
	}
	n.srv.Cut("gw", wire.CodeShutdown, "again")
	await(t, "a session with the new certificate", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		last := n.sessions[len(n.sessions)-1]
		return last != old && last.Serial() != old.Serial()
	})
}

func TestRevokedAgentIsCut(t *testing.T) {
	n := newNode(t, nil)
	a := startAgent(t, n.agent("gw"), nil)
	b := startAgent(t, n.agent("other"), nil)
	await(t, "sessions", func() bool { return a.Link().Connected && b.Link().Connected })
	n.mu.Lock()
	n.denied["gw"] = true
	n.mu.Unlock()
	began := time.Now()
	if !n.srv.Cut("gw", wire.CodeRevoked, "agent gw was revoked") {
		t.Error("no session was cut")
	}
	await(t, "the cut", func() bool { return !a.Link().Connected && strings.Contains(a.lastError(), "revoked; ask its owner") })
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the cut took %s", d)
	}
	if !b.Link().Connected {
		t.Error("another agent was cut too")
	}
	if a.Link().RetryIn == 0 {
		t.Error("no pause after a refusal")
	}
}

func TestNewerSessionReplacesOlder(t *testing.T) {
	n := newNode(t, nil)
	id := n.agent("gw")
	a := startAgent(t, id, func(c *ClientConfig) { c.BackoffMin, c.BackoffMax = time.Hour, time.Hour })
	await(t, "a session", func() bool { return a.Link().Connected })
	b := startAgent(t, id, nil)
	await(t, "the newer session", func() bool { return b.Link().Connected })
	await(t, "the end of the older", func() bool { return strings.Contains(a.lastError(), "newer session") })
	if _, err := a.Fetch(context.Background(), [32]byte{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a request without a session: %v", err)
	}
}

func TestServerShutdownTellsAgents(t *testing.T) {
	n := newNode(t, nil)
	a := startAgent(t, n.agent("gw"), nil)
	await(t, "a session", func() bool { return a.Link().Connected })
	n.stop()
	await(t, "the end", func() bool { return strings.Contains(a.lastError(), "going down") })
}
