package mqtt

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/leatio/leat/agent/source"
)

// memStore is what a checkpoint holds.
type memStore map[string][]byte

func (m memStore) Get(key string) ([]byte, error) { return m[key], nil }

func (m memStore) Range(prefix string, f func(string, []byte) error) error {
	var keys []string
	for k := range m {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	for _, k := range keys {
		if err := f(k, m[k]); err != nil {
			return err
		}
	}
	return nil
}

func (m memStore) commit(puts []source.Entry) {
	for _, e := range puts {
		if e.Value == nil {
			delete(m, e.Key)
		} else {
			m[e.Key] = slices.Clone(e.Value)
		}
	}
}

func nop() {}

// committed runs a message through the session up to its commit.
func committed(s *session, store memStore, id uint16, hash uint64) *entry {
	e, v := s.arrive(id, false, hash, nop)
	if v != deliver {
		panic("a new message is taken for a redelivery")
	}
	store.commit(s.take([]*entry{e}, "p/", nil))
	s.commit([]*entry{e}, func(*entry) {})
	return e
}

func TestRedeliveryOfACommittedMessage(t *testing.T) {
	s, store := newSession(), memStore{}
	s.connect(true)
	committed(s, store, 7, 70)
	s.connect(true)
	if _, v := s.arrive(7, true, 70, nop); v != ackNow {
		t.Errorf("verdict %d in one process, want ackNow", v)
	}
	s = newSession()
	if err := s.load(store, "p/"); err != nil {
		t.Fatal(err)
	}
	s.connect(true)
	if _, v := s.arrive(7, true, 70, nop); v != ackNow {
		t.Errorf("verdict %d after a restart, want ackNow", v)
	}
	if _, v := s.arrive(8, true, 70, nop); v != deliver {
		t.Errorf("verdict %d for an unknown id with DUP, want deliver", v)
	}
}

// TestRedeliveryBeforeTheCommit: the copy is not delivered, and its acknowledgement goes to the new connection.
func TestRedeliveryBeforeTheCommit(t *testing.T) {
	s := newSession()
	s.connect(true)
	var acked []string
	say := func(what string) func() { return func() { acked = append(acked, what) } }
	e, _ := s.arrive(1, false, 10, say("old 1"))
	f, _ := s.arrive(2, false, 20, say("old 2"))
	s.take([]*entry{e, f}, "", nil)
	s.connect(true)
	if _, v := s.arrive(1, true, 10, say("new 1")); v != hold {
		t.Fatalf("verdict %d, want hold", v)
	}
	s.commit([]*entry{e, f}, func(e *entry) { e.ack() })
	if fmt.Sprint(acked) != "[new 1]" {
		t.Fatalf("acknowledged %v, want only the copy of this connection", acked)
	}
	if g, v := s.arrive(2, true, 20, say("new 2")); v != ackNow || g != f {
		t.Fatalf("verdict %d for the copy after the commit, want ackNow", v)
	}
}

// delivered insists that a message is new.
func delivered(e *entry, v verdict) *entry {
	if v != deliver {
		panic("a new message is taken for a redelivery")
	}
	return e
}

func TestRules(t *testing.T) {
	for name, end := range map[string]func(*session){
		"R1 without DUP":        func(s *session) { s.forget(delivered(s.arrive(7, false, 70, nop))) },
		"R1 with other content": func(s *session) { s.forget(delivered(s.arrive(7, true, 71, nop))) },
		"R2 confirmed": func(s *session) {
			s.sent(s.entries[7], s.conn)
			s.confirm(1)
		},
		"R3 settled": func(s *session) {
			s.connect(true)
			s.answered = true
			for i := range settleAfter {
				s.arrive(uint16(1000+i), false, 1, nop)
			}
		},
		"R4 session": func(s *session) {
			if !s.connect(false) {
				panic("nothing to clear")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, store := newSession(), memStore{}
			s.connect(true)
			committed(s, store, 7, 70)
			end(s)
			if _, v := s.arrive(7, true, 70, nop); v != deliver {
				t.Fatalf("verdict %d, want deliver: the entry should have ended", v)
			}
			store.commit(s.take(nil, "p/", nil))
			if len(store) != 0 {
				t.Fatalf("still stored: %v", store)
			}
		})
	}
	for name, stay := range map[string]func(*session){
		"R2 the barrier of an earlier PUBACK": func(s *session) {
			e, _ := s.arrive(6, false, 60, nop)
			s.sent(e, s.conn)
			s.sent(s.entries[7], s.conn)
			s.confirm(1)
		},
		"R2 acknowledged on a connection that is gone": func(s *session) {
			s.sent(s.entries[7], s.conn)
			s.connect(true)
			s.sent(s.entries[7], s.conn-1)
			s.confirm(len(s.acked))
		},
		"R3 without the broker's answer": func(s *session) {
			s.connect(true)
			for i := range 100 {
				s.arrive(uint16(1000+i), false, 1, nop)
			}
		},
		"R3 redelivered on the connection": func(s *session) {
			s.connect(true)
			s.answered = true
			s.arrive(7, true, 70, nop)
			for i := range 100 {
				s.arrive(uint16(1000+i), false, 1, nop)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, store := newSession(), memStore{}
			s.connect(true)
			committed(s, store, 7, 70)
			stay(s)
			if _, v := s.arrive(7, true, 70, nop); v != ackNow {
				t.Fatalf("verdict %d, want ackNow", v)
			}
		})
	}
}

func TestDamagedStore(t *testing.T) {
	for _, m := range []memStore{
		{"ack/0000000000000000": {}}, {"ack/0000000000000000": {1, 2}}, {"ack/xyz": {1}}, {"ack/0000000000000000": {9}},
	} {
		if err := newSession().load(m, ""); err == nil {
			t.Errorf("%v is accepted", m)
		}
	}
}

// FuzzLoad reads whatever stands under the keys.
func FuzzLoad(f *testing.F) {
	f.Add("ack/0000000000000001", []byte{1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 70})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		s := newSession()
		if err := s.load(memStore{key: value}, ""); err == nil && len(s.entries) > len(value)/10 {
			t.Fatalf("%d entries from %d bytes", len(s.entries), len(value))
		}
	})
}

// modelBroker is a broker that follows MQTT 3.1.1: ids in sequence, a window in flight, redelivery with DUP at each connection.
type modelBroker struct {
	inFlight []modelMessage
	id       uint16
	window   int
}

type modelMessage struct {
	id  uint16
	n   int // which message it is; the payload does not tell
	dup bool
}

func (b *modelBroker) ack(id uint16) {
	if i := slices.IndexFunc(b.inFlight, func(m modelMessage) bool { return m.id == id }); i >= 0 {
		b.inFlight = slices.Delete(b.inFlight, i, i+1)
	}
}

func (b *modelBroker) next() uint16 {
	if b.id++; b.id == 0 {
		b.id++
	}
	return b.id
}

// modelAgent is a source and the loop that commits its chunks.
type modelAgent struct {
	s         *session
	store     memStore // with the effects: both are committed together
	effects   *[]int
	queue     []modelMessage // received, not taken
	entries   []*entry
	taken     [][]*entry // not committed
	takenPuts [][]source.Entry
	takenRows [][]int
	acks      []any // written to this connection: the entry of a PUBACK, or the number of PUBACKs before a barrier
	pending   bool  // a barrier is under way
}

func (a *modelAgent) ack(e *entry) {
	a.acks = append(a.acks, e)
	a.s.sent(e, a.s.conn)
	if n := len(a.s.acked); n >= confirmEvery && !a.pending {
		a.acks, a.pending = append(a.acks, n), true
	}
}

func (a *modelAgent) receive(m modelMessage) {
	e, v := a.s.arrive(m.id, m.dup, 42, nop) // all messages have the same bytes
	switch v {
	case deliver:
		a.queue = append(a.queue, m)
		a.entries = append(a.entries, e)
	case ackNow:
		a.ack(e)
	}
}

func (a *modelAgent) take(n int) {
	n = min(n, len(a.queue))
	var rows []int
	for _, m := range a.queue[:n] {
		rows = append(rows, m.n)
	}
	a.takenPuts = append(a.takenPuts, a.s.take(a.entries[:n], "p/", nil))
	a.taken = append(a.taken, slices.Clone(a.entries[:n]))
	a.takenRows = append(a.takenRows, rows)
	a.queue, a.entries = a.queue[n:], a.entries[n:]
}

func (a *modelAgent) commit(callDone bool) {
	if len(a.taken) == 0 {
		return
	}
	a.store.commit(a.takenPuts[0])
	*a.effects = append(*a.effects, a.takenRows[0]...)
	if callDone {
		a.s.commit(a.taken[0], a.ack)
	}
	a.taken, a.takenPuts, a.takenRows = a.taken[1:], a.takenPuts[1:], a.takenRows[1:]
}

// TestExactlyOnceUnderRandomFaults sends equal messages through a model of a
// broker and drops connections and processes at random: each message must
// take effect once. It runs far enough for packet ids to come round.
func TestExactlyOnceUnderRandomFaults(t *testing.T) {
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 3))
		const messages = 70_000
		b := &modelBroker{window: []int{20, 300, 5000}[seed]}
		var effects []int
		store := memStore{}
		agent := func() *modelAgent {
			a := &modelAgent{s: newSession(), store: store, effects: &effects}
			if err := a.s.load(store, "p/"); err != nil {
				t.Fatal(err)
			}
			return a
		}
		a := agent()
		wire := []modelMessage(nil) // from the broker to the agent
		connect := func() {
			wire = wire[:0]
			a.acks, a.pending = a.acks[:0], false
			a.s.connect(true)
			for i := range b.inFlight {
				b.inFlight[i].dup = true
				wire = append(wire, b.inFlight[i])
			}
			a.s.answered = rng.IntN(2) == 0
		}
		connect()
		sent, redelivered, faults, largest := 0, 0, 0, 0
		for steps := 0; len(effects) < messages || len(b.inFlight) > 0; steps++ {
			if steps > 40*messages || len(effects) > messages {
				t.Fatalf("seed %d: %d effects of %d messages after %d steps, %d in flight", seed, len(effects), messages, steps, len(b.inFlight))
			}
			for range rng.IntN(30) {
				if len(b.inFlight) < b.window && sent < messages {
					m := modelMessage{id: b.next(), n: sent}
					sent++
					b.inFlight = append(b.inFlight, m)
					wire = append(wire, m)
				}
			}
			for range rng.IntN(30) {
				if len(wire) > 0 {
					if wire[0].dup {
						redelivered++
					}
					a.receive(wire[0])
					wire = wire[1:]
				}
			}
			if rng.IntN(2) == 0 {
				a.take(1 + rng.IntN(25))
			}
			if rng.IntN(2) == 0 {
				a.commit(true)
			}
			for range rng.IntN(30) {
				if len(a.acks) > 0 {
					switch w := a.acks[0].(type) {
					case *entry:
						b.ack(w.id)
					case int:
						if rng.IntN(2) == 0 { // else the answer is still on its way
							a.s.confirm(w)
							a.pending = false
						} else {
							a.acks = append(a.acks, w)
						}
					}
					a.acks = a.acks[1:]
				}
			}
			largest = max(largest, len(store))
			switch rng.IntN(400) {
			case 0: // the connection drops
				faults++
				connect()
			case 1: // the process dies, perhaps between a commit and its acknowledgement
				faults++
				if rng.IntN(2) == 0 {
					a.commit(false)
				}
				a = agent()
				connect()
			}
		}
		slices.Sort(effects)
		for i, n := range effects {
			if i != n {
				t.Fatalf("seed %d: message %d is lost or came twice (%d effects)", seed, min(i, n), len(effects))
			}
		}
		if len(effects) != messages || faults < 20 || redelivered < faults/4 {
			t.Fatalf("seed %d: %d effects, %d faults, %d redeliveries: the test did not meet its faults", seed, len(effects), faults, redelivered)
		}
		if largest > 4*confirmEvery+b.window {
			t.Fatalf("seed %d: %d stored entries", seed, largest)
		}
	}
}

// TestBarrierConfirmsOnlyWhatWasBeforeIt answers a barrier after more acknowledgements were sent.
func TestBarrierConfirmsOnlyWhatWasBeforeIt(t *testing.T) {
	s, err := New(Config{Broker: "tcp://h", Topics: []string{"a"}, ClientID: "c", QoS: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.session.connect(true)
	asked, answer := make(chan int, 10), make(chan struct{})
	s.link = link{conn: s.session.conn, barrier: func() (<-chan struct{}, func() error) {
		asked <- len(s.session.acked)
		return answer, func() error { return nil }
	}}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { defer close(stopped); s.sendAcks(stop) }()
	held := func() (entries, acked int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.session.entries), len(s.session.acked)
	}
	send := func(from, n int) {
		var entries []*entry
		s.mu.Lock()
		for id := range n {
			e, _ := s.session.arrive(uint16(from+id), false, 1, nop)
			entries = append(entries, e)
		}
		s.mu.Unlock()
		s.done(entries, nil)
		until(t, "they are acknowledged", func() bool { _, acked := held(); return acked == from+n-1 })
	}
	send(1, confirmEvery)
	if n := <-asked; n != confirmEvery {
		t.Fatalf("a barrier after %d", n)
	}
	send(confirmEvery+1, 10)
	answer <- struct{}{}
	until(t, "the barrier confirms", func() bool { entries, acked := held(); return entries == 10 && acked == 10 })
	close(stop)
	<-stopped
}
