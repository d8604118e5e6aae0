package crash

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// These lines are mosquitto 2.0.11's.
const brokerLines = `mosquitto version 2.0.11 running
New client connected from 127.0.0.1:33404 as leat-g-p (p2, c0, k15).
Received SUBSCRIBE from leat-g-p
	crash/+ (QoS 1)
Sending SUBACK to leat-g-p
New client connected from 127.0.0.1:33426 as crash-publisher (p2, c1, k60).
Sending SUBACK to crash-publisher
Sending PUBLISH to crash-publisher (d0, q0, r1, m0, '$SYS/broker/publish/messages/dropped', ... (1 bytes))
Received PUBLISH from crash-publisher (d0, q1, r0, m1, 'crash/a', ... (5 bytes))
Sending PUBLISH to leat-g-p (d0, q1, r0, m65535, 'crash/a', ... (5 bytes))
Sending PUBACK to crash-publisher (m1, rc0)
Received PUBACK from leat-g-p (Mid: 65535, RC:0)
Sending PUBLISH to leat-g-p (d0, q1, r0, m1, 'crash/d1, m7', ... (5 bytes))
Sending PUBLISH to leat-g-p (d0, q1, r0, m65535, 'crash/a', ... (5 bytes))
Client leat-g-p closed its connection.
New client connected from 127.0.0.1:33500 as leat-g-p (p2, c0, k15).
Sending PUBLISH to leat-g-p (d1, q1, r0, m1, 'crash/a', ... (5 bytes))
Sending PUBLISH to leat-g-p (d1, q1, r0, m65535, 'crash/a', ... (5 bytes))
Sending PUBLISH to leat-g-p (d0, q1, r0, m3, 'crash/a', ... (5 bytes))
Received PUBACK from leat-g-p (Mid: 1, RC:0)
Received PUBACK from leat-g-p (Mid: 9, RC:0)
Client leat-g-p has exceeded timeout, disconnecting.
New client connected from 127.0.0.1:33501 as leat-g-p (p2, c0, k15).
Client leat-g-p already connected, closing old connection.
Sending PUBLISH to leat-g-p (d0, q1, r0, m3, 'crash/a', ... (5 bytes))
Sending PUBLISH to leat-g-p (d0, q1, r0, m4, 'crash/a', ... (5 bytes))
Sending PUBLISH to leat-g-p (d1, q1, r0, m65535, 'crash/a', ... (5 bytes))
Outgoing messages are being dropped for client leat-g-p.
`

func TestWitness(t *testing.T) {
	var kept bytes.Buffer
	w := newWitness("crash-publisher", &kept)
	for _, p := range []string{"same", "other", "same", "x", "y"} {
		w.published([]byte(p))
	}
	if err := w.follow(strings.NewReader(brokerLines)); err != nil {
		t.Fatal(err)
	}
	all := w.subscribers()
	if len(all) != 1 {
		t.Fatalf("%d subscribers", len(all))
	}
	s := all[0]
	if !s.connected || s.connects != 3 || s.fresh != 5 || s.again != 3 || s.plain != 1 || s.acked != 2 || len(s.unacked) != 3 || s.mostUnacked != 3 {
		t.Errorf("%+v", s)
	}
	// Message 3 has the id of message 1, and its bytes. The last line but one comes behind message 5.
	if s.reused != 1 || s.shortest != 2 || s.twins != 2 || s.late != 1 {
		t.Errorf("ids: %+v", s)
	}
	if w.behind() != 3 || len(w.dropped) != 1 || w.tally(unacked) != 3 {
		t.Errorf("behind %d, dropped %q", w.behind(), w.dropped)
	}
	if text := kept.String(); strings.Contains(text, "PUBACK") || !strings.Contains(text, "has exceeded timeout") {
		t.Errorf("kept:\n%s", text)
	}
}

func TestWitnessWaits(t *testing.T) {
	w := newWitness("crash-publisher", new(bytes.Buffer))
	done := make(chan error)
	go func() { done <- w.wait(t.Context(), func() bool { return len(w.subscribers()) == 2 }) }()
	w.line("Sending SUBACK to a")
	w.line("Sending SUBACK to b")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the cause")
	cancel(cause)
	if err := w.wait(ctx, func() bool { return false }); !errors.Is(err, cause) {
		t.Fatal(err)
	}
}
