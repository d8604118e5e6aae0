package transport

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leatio/leat/transport/wire"
)

func sum(seq uint64) uint32 { return uint32(seq * 2654435761) }

func known(seq uint64) (uint32, error) { return sum(seq), nil }

func TestSenderAccepted(t *testing.T) {
	for _, tc := range []struct {
		name           string
		first, next    uint64
		durable        uint64
		checksum       uint32
		upTo, want     uint64
		refused, words string
	}{
		{name: "fresh", first: 1, next: 1, want: 1},
		{name: "fresh with frames", first: 1, next: 9, want: 1},
		{name: "goes on", first: 5, next: 9, durable: 4, checksum: sum(4), upTo: 4, want: 5},
		{name: "acknowledgement lost", first: 5, next: 9, durable: 7, checksum: sum(7), upTo: 7, want: 8},
		{name: "all there", first: 5, next: 9, durable: 8, checksum: sum(8), upTo: 8, want: 9},
		{name: "cloud forgot", first: 5, next: 9, durable: 3, checksum: sum(3), refused: "diverged", words: "4 to 4 were acknowledged"},
		{name: "cloud forgot all", first: 5, next: 9, refused: "diverged", words: "restored or lost"},
		{name: "agent forgot", first: 5, next: 9, durable: 9, checksum: sum(9), refused: "diverged", words: "up to 8 only"},
		{name: "another frame", first: 5, next: 9, durable: 6, checksum: 1, refused: "diverged", words: "frame 6"},
	} {
		s := NewSender(4, 1000)
		s.Open(tc.first)
		if _, ok := s.Want(); ok {
			t.Errorf("%s: sends before it is accepted", tc.name)
		}
		upTo, err := s.Accepted(tc.durable, tc.checksum, tc.next, known)
		if tc.refused != "" {
			var r *Refusal
			if !errors.As(err, &r) || r.Code.String() != tc.refused || !strings.Contains(r.Reason, tc.words) {
				t.Errorf("%s: error is %v", tc.name, err)
			}
			if _, ok := s.Want(); ok {
				t.Errorf("%s: sends all the same", tc.name)
			}
			continue
		}
		if seq, ok := s.Want(); err != nil || upTo != tc.upTo || !ok || seq != tc.want {
			t.Errorf("%s: up to %d, wants %d (%v), error %v", tc.name, upTo, seq, ok, err)
		}
	}
}

func TestSenderRefusesNonsense(t *testing.T) {
	s := NewSender(4, 1000)
	s.Open(1)
	if _, err := s.Accepted(0, 0, 10, known); err != nil {
		t.Fatal(err)
	}
	if err := s.Sent(2, 2, 10); err == nil {
		t.Error("the source gave another frame than asked for")
	}
	if err := s.Sent(1, 3, 10); err != nil {
		t.Error(err)
	}
	if seq, _ := s.Want(); seq != 4 {
		t.Errorf("after frame 1..3 comes %d", seq)
	}
	if _, err := s.Acked(4); err == nil {
		t.Error("an acknowledgement of what was not sent was taken")
	}
}

// Whatever the order of sending, acknowledging and reconnecting: the window
// holds, frames go in order, every one goes, and the acknowledged number never falls.
func TestSenderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxFrames, maxBytes := rapid.IntRange(1, 6).Draw(t, "frames"), rapid.IntRange(1, 50).Draw(t, "bytes")
		s := NewSender(maxFrames, maxBytes)
		const total = 40
		first, durable := uint64(1), uint64(0) // of the source; of the cloud
		s.Open(first)
		open := false
		for range 400 {
			if !open {
				if _, err := s.Accepted(durable, sum(durable), total+1, known); err != nil {
					t.Fatal(err)
				}
				first, open = durable+1, true
				continue
			}
			switch rapid.IntRange(0, 8).Draw(t, "step") {
			case 0: // the connection breaks
				s.Open(first)
				open = false
			case 1, 2, 3: // an acknowledgement
				if durable >= first {
					seq := rapid.Uint64Range(first, durable).Draw(t, "ack")
					if _, err := s.Acked(seq); err != nil {
						t.Fatal(err)
					}
					first = seq + 1
				}
			default:
				seq, ok := s.Want()
				size := rapid.IntRange(1, 60).Draw(t, "size")
				if !ok || seq > total || !s.Fits(size) {
					continue
				}
				if err := s.Sent(seq, seq, size); err != nil {
					t.Fatal(err)
				}
				if seq != durable+1 {
					t.Fatalf("frame %d went to a cloud that has %d", seq, durable)
				}
				durable = seq
				if len(s.flight) > maxFrames || len(s.flight) > 1 && s.bytes > maxBytes {
					t.Fatalf("%d frames and %d bytes in a window of %d and %d", len(s.flight), s.bytes, maxFrames, maxBytes)
				}
			}
		}
	})
}

func TestBackoffIsBoundedAndJittered(t *testing.T) {
	b := newBackoff(100, 1000)
	seen := map[int64]bool{}
	for i := range 200 {
		d := b.next()
		if d < 0 || d > 1000 || i == 0 && d > 100 {
			t.Fatalf("pause %d is %d", i, d)
		}
		seen[int64(d)] = true
	}
	if len(seen) < 50 {
		t.Errorf("only %d different pauses of 200", len(seen))
	}
	if d := b.longest(); d < 500 || d > 1000 {
		t.Errorf("the longest pause is %d", d)
	}
	if b.reset(); b.next() > 100 {
		t.Error("reset does not begin anew")
	}
}

func TestPermanentCodes(t *testing.T) {
	for c := wire.CodeNone; c <= wire.CodeCertificate; c++ {
		if strings.HasPrefix(c.String(), "code(") {
			t.Errorf("code %d has no name", c)
		}
	}
	if wire.CodeShutdown.Permanent() || !wire.CodeRevoked.Permanent() {
		t.Error("a shutdown is permanent or a revocation is not")
	}
}
