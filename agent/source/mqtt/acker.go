package mqtt

// sendAcks sends the acknowledgements in order and, from time to time, a
// barrier after them: a request whose answer proves that the broker has
// processed what was sent before it. It is a goroutine of its own, as paho's Ack waits for the write.
func (s *Source) sendAcks(stop <-chan struct{}) {
	var batch []pendingAck
	var b barrier
	for {
		select {
		case <-stop:
			return
		case <-s.ackWake:
		case <-b.answer:
			s.answered(&b)
		}
		s.mu.Lock()
		batch, s.acks = s.acks, batch[:0]
		at := s.link
		s.mu.Unlock()
		for i := range batch {
			if batch[i].conn == at.conn { // else the broker sends the message again on the new connection
				batch[i].ack()
			}
		}
		s.mu.Lock()
		for i := range batch {
			s.session.sent(batch[i].entry, batch[i].conn)
		}
		n := len(s.session.acked)
		stale := s.session.conn != at.conn
		s.mu.Unlock()
		clear(batch)
		if b.answer != nil && b.conn != at.conn {
			b = barrier{} // its connection is gone
		}
		if b.answer == nil && n >= confirmEvery && !stale {
			b = barrier{conn: at.conn, acks: n}
			b.answer, b.failed = at.barrier()
		}
	}
}

// barrier is a request under way.
type barrier struct {
	conn   uint64
	acks   int // how many PUBACKs it confirms
	answer <-chan struct{}
	failed func() error
}

// answered ends what a barrier confirms.
func (s *Source) answered(b *barrier) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.failed() == nil && b.conn == s.session.conn {
		s.session.confirm(b.acks)
	}
	*b = barrier{}
}
