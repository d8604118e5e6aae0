package transport

import (
	"fmt"

	"github.com/leatio/leat/transport/wire"
)

// Sender decides what the sending side of a data stream does next. It does
// no I/O, knows no time and starts nothing; one goroutine at a time uses it.
//
// The window bounds what is in flight: sent and not acknowledged. A frame
// larger than the window is sent when nothing else is in flight.
type Sender struct {
	maxFrames, maxBytes int

	next     uint64     // the frame to send next
	acked    uint64     // last acknowledged frame
	flight   []inFlight // sent, in order, not acknowledged
	bytes    int        // in flight
	accepted bool
	highest  uint64 // highest frame ever sent, over all connections
	resent   uint64
}

type inFlight struct {
	to    uint64
	bytes int
}

// NewSender makes a Sender whose window holds so many frames and bytes.
func NewSender(maxFrames, maxBytes int) *Sender {
	return &Sender{maxFrames: maxFrames, maxBytes: maxBytes}
}

// Open begins a new stream: nothing is in flight and nothing accepted.
// first is the source's first unacknowledged frame.
func (s *Sender) Open(first uint64) {
	s.accepted = false
	s.flight, s.bytes = s.flight[:0], 0
	s.next, s.acked = first, first-1
}

// Accepted takes the cloud's answer: frames up to and with durable are there,
// the last with the given checksum. next is the source's next number; known gives the checksum of the source's frames
// between first-1 and next-1. It returns the number up to which the source may let go.
func (s *Sender) Accepted(durable uint64, checksum uint32, next uint64, known func(seq uint64) (uint32, error)) (upTo uint64, err error) {
	first := s.next
	switch {
	case durable < first-1:
		return 0, Refuse(wire.CodeDiverged, "the cloud node has frames up to %d only, but %d to %d were acknowledged and are gone here: "+
			"its log was restored or lost; restore it further or give this agent a new epoch", durable, durable+1, first-1)
	case durable >= next:
		return 0, Refuse(wire.CodeDiverged, "the cloud node has frames up to %d, this agent has given numbers up to %d only: "+
			"its data directory was restored or copied; give it a new epoch", durable, next-1)
	}
	if durable > 0 {
		have, err := known(durable)
		if err != nil {
			return 0, err
		}
		if have != checksum {
			return 0, Refuse(wire.CodeDiverged, "frame %d is another in the cloud (checksum %08x, here %08x): "+
				"this agent's data directory was restored or copied; give it a new epoch", durable, checksum, have)
		}
	}
	s.accepted = true
	s.next, s.acked = durable+1, durable
	return durable, nil
}

// Want gives the frame to send next. ok is false before Accepted and while the
// window is full.
func (s *Sender) Want() (seq uint64, ok bool) {
	if !s.accepted {
		return 0, false
	}
	if len(s.flight) > 0 && (len(s.flight) >= s.maxFrames || s.bytes >= s.maxBytes) {
		return 0, false
	}
	return s.next, true
}

// Fits tells whether a frame of so many bytes may be sent now.
func (s *Sender) Fits(bytes int) bool { return len(s.flight) == 0 || s.bytes+bytes <= s.maxBytes }

// Sent records that the frame that Want gave, numbered from to to, was sent.
func (s *Sender) Sent(from, to uint64, bytes int) error {
	if from != s.next || to < from {
		return fmt.Errorf("transport: the source gave frame %d..%d where %d was asked for", from, to, s.next)
	}
	if from <= s.highest {
		s.resent++
	}
	s.highest = max(s.highest, to)
	s.flight = append(s.flight, inFlight{to, bytes})
	s.bytes += bytes
	s.next = to + 1
	return nil
}

// Acked takes a cumulative acknowledgement and tells whether it is news.
func (s *Sender) Acked(seq uint64) (news bool, err error) {
	if seq >= s.next {
		return false, Refuse(wire.CodeBadMessage, "the cloud node acknowledged frame %d, %d was sent last", seq, s.next-1)
	}
	if seq <= s.acked {
		return false, nil
	}
	n := 0
	for n < len(s.flight) && s.flight[n].to <= seq {
		s.bytes -= s.flight[n].bytes
		n++
	}
	s.flight = append(s.flight[:0], s.flight[n:]...)
	s.acked = seq
	return true, nil
}
