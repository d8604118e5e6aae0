package crash

import (
	"bufio"
	"context"
	"hash/maphash"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// witness follows the log that mosquitto writes with log_type all. It sees each
// PUBLISH and PUBACK of each subscription, with packet id and DUP flag.
type witness struct {
	publisher string // client id whose messages are counted
	seed      maphash.Seed
	keep      io.Writer // gets the lines that are not about single messages

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each change; guarded by mu
	waiting  bool          // somebody waits on changed; guarded by mu
	sums     []uint64      // of the published payloads, in order; guarded by mu
	sessions map[string]*session
	dropped  []string // lines that tell of dropped messages
}

// session is what the broker did for one subscriber, over all its connections.
type session struct {
	connected   bool
	subscribed  bool
	connects    int
	fresh       uint64 // messages sent for the first time
	again       uint64 // messages sent again, with DUP
	plain       uint64 // messages sent again without DUP: the broker knows that it could not write them before
	acked       uint64
	reused      uint64 // packet ids used for another message than before
	shortest    uint64 // messages between two uses of an id; 0 = none was used twice
	twins       uint64 // sent again with an id whose message before had the same bytes
	late        uint64 // sent again after something new on the same connection
	newHere     uint64 // messages sent for the first time on this connection
	mostUnacked int
	firstAck    time.Time      // on this connection; zero = none yet
	ids         map[uint16]use // last use of each id
	unacked     map[uint16]bool
}

// use is the message that an id stands for, and the one before, numbered from 1.
type use struct{ now, before uint64 }

func newWitness(publisher string, keep io.Writer) *witness {
	return &witness{publisher: publisher, seed: maphash.MakeSeed(), keep: keep, changed: make(chan struct{}), sessions: map[string]*session{}}
}

// published notes a payload before it is published.
func (w *witness) published(payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sums = append(w.sums, maphash.Bytes(w.seed, payload))
}

// follow reads the log to its end.
func (w *witness) follow(r io.Reader) error {
	s := bufio.NewScanner(r)
	for s.Scan() {
		if !w.line(s.Text()) {
			if _, err := io.WriteString(w.keep, s.Text()+"\n"); err != nil {
				return err
			}
		}
	}
	return s.Err()
}

// line takes one line. It tells whether the line is about a single message.
func (w *witness) line(l string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case strings.HasPrefix(l, "Sending PUBLISH to "):
		client, rest, _ := strings.Cut(l[len("Sending PUBLISH to "):], " (d")
		if id, ok := number(rest, ", m"); ok && strings.Contains(rest, "q1") {
			w.session(client).sent(uint16(id), rest[0] == '1', w.sums)
		}
	case strings.HasPrefix(l, "Received PUBACK from "):
		client, rest, _ := strings.Cut(l[len("Received PUBACK from "):], " (")
		if id, ok := number(rest, "Mid: "); ok {
			w.session(client).ack(uint16(id))
		}
	case strings.HasPrefix(l, "Received PUBLISH from "), strings.HasPrefix(l, "Sending PUBACK to "):
		return true
	default:
		w.connection(l)
		w.wake()
		return false
	}
	w.wake()
	return true
}

// connection takes a line about a client's connection.
func (w *witness) connection(l string) {
	client, after, _ := strings.Cut(strings.TrimPrefix(l, "Client "), " ")
	switch {
	case strings.HasPrefix(l, "New client connected from "):
		_, name, _ := strings.Cut(l, " as ")
		name, _, _ = strings.Cut(name, " (")
		s := w.session(name)
		s.connected, s.newHere, s.connects, s.firstAck = true, 0, s.connects+1, time.Time{}
	case strings.HasPrefix(l, "Client "):
		// closed its connection, disconnected, has exceeded timeout, ...
		if !strings.HasPrefix(after, "already connected") {
			w.session(client).connected = false
		}
	case strings.HasPrefix(l, "Sending SUBACK to "):
		w.session(l[len("Sending SUBACK to "):]).subscribed = true
	case strings.HasPrefix(l, "Outgoing messages are being dropped"):
		w.dropped = append(w.dropped, l)
	}
}

func (w *witness) session(client string) *session {
	s := w.sessions[client]
	if s == nil {
		s = &session{ids: map[uint16]use{}, unacked: map[uint16]bool{}}
		w.sessions[client] = s
	}
	return s
}

func (s *session) sent(id uint16, dup bool, sums []uint64) {
	u := s.ids[id]
	if dup {
		s.again++
		if s.newHere > 0 {
			s.late++
		}
		if u.before > 0 && u.now <= uint64(len(sums)) && sums[u.now-1] == sums[u.before-1] {
			s.twins++
		}
		return
	}
	if s.unacked[id] {
		s.plain++
		return
	}
	s.fresh++
	s.newHere++
	if u.now > 0 {
		s.reused++
		if d := s.fresh - u.now; s.shortest == 0 || d < s.shortest {
			s.shortest = d
		}
	}
	s.ids[id] = use{s.fresh, u.now}
	s.unacked[id] = true
	s.mostUnacked = max(s.mostUnacked, len(s.unacked))
}

func (s *session) ack(id uint16) {
	if s.unacked[id] {
		s.acked++
		delete(s.unacked, id)
		if s.firstAck.IsZero() {
			s.firstAck = time.Now()
		}
	}
}

// number reads the decimal number that follows mark.
func number(text, mark string) (int, bool) {
	_, text, ok := strings.Cut(text, mark)
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if !ok || end < 1 {
		return 0, false
	}
	n, err := strconv.Atoi(text[:end])
	return n, err == nil
}

// wake is called with mu held.
func (w *witness) wake() {
	if w.waiting {
		close(w.changed)
		w.changed, w.waiting = make(chan struct{}), false
	}
}

// wait waits until ok, which is called with mu held, or until ctx ends.
func (w *witness) wait(ctx context.Context, ok func() bool) error {
	for {
		w.mu.Lock()
		if ok() {
			w.mu.Unlock()
			return nil
		}
		w.waiting = true
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// subscribers gives the sessions of agents. It is called with mu held.
func (w *witness) subscribers() []*session {
	var out []*session
	for client, s := range w.sessions {
		if s.subscribed && client != w.publisher {
			out = append(out, s)
		}
	}
	return out
}

// tally sums what a function gives of all subscribers.
func (w *witness) tally(f func(s *session) uint64) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var n uint64
	for _, s := range w.subscribers() {
		n += f(s)
	}
	return n
}

// back gives when every subscriber had acknowledged something after a moment; ok is false while one has not.
func (w *witness) back(since time.Time) (at time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.subscribers() {
		if !s.connected || !s.firstAck.After(since) {
			return at, false
		}
		if s.firstAck.After(at) {
			at = s.firstAck
		}
	}
	return at, true
}

// behind is the number of published messages that the slowest subscriber has
// not acknowledged. It is called with mu held.
func (w *witness) behind() int {
	most := 0
	for _, s := range w.subscribers() {
		most = max(most, len(w.sums)-int(s.acked))
	}
	return most
}
