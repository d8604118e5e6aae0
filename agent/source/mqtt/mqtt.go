package mqtt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatio/leat/agent/broker"
	"github.com/leatio/leat/agent/source"
)

// stableAfter is how long a connection must hold before backoff begins anew.
const stableAfter = 10 * time.Second

// Source subscribes to a broker. It is a source.Source.
type Source struct {
	cfg   Config
	at    broker.Endpoint
	store source.Store // may be nil

	ready   chan struct{} // something can be taken
	room    chan struct{} // something was taken
	ackWake chan struct{}

	received    atomic.Uint64
	redelivered atomic.Uint64
	connected   atomic.Bool

	mu         sync.Mutex
	session    *session
	queue      []item // waits for Take
	queueBytes int
	acks       []pendingAck
	link       link
	clearing   bool          // the next chunk deletes what is stored, messages or not
	cleared    chan struct{} // closed by that chunk's Done; nil = nothing to wait for
	topics     []byte        // stored form of what the session is subscribed to
	putTopics  bool
	status     source.Status
	logged     string // the last line in the log
	loggedAt   time.Time
}

// item is a message that waits for Take.
type item struct {
	message source.Message
	entry   *entry // nil at QoS 0
}

func (i *item) bytes() int { return len(i.message.Payload) + len(i.message.Topic) + 128 }

// pendingAck is a PUBACK to send, on one connection only.
type pendingAck struct {
	conn  uint64
	entry *entry
	ack   func()
}

// link is what the acker needs of the present connection.
type link struct {
	conn    uint64
	barrier func() (answer <-chan struct{}, failed func() error)
}

// New returns a source; store may be nil for one that starts without memory.
func New(cfg Config, store source.Store) (*Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	at, err := cfg.broker().Endpoint()
	if err != nil {
		return nil, err
	}
	return &Source{
		cfg: cfg.withDefaults(), at: at, store: store, session: newSession(),
		ready: make(chan struct{}, 1), room: make(chan struct{}, 1), ackWake: make(chan struct{}, 1),
		status: source.Status{Detail: "not started"},
	}, nil
}

// Run implements source.Source. It returns an error only when what is stored cannot be read.
func (s *Source) Run(ctx context.Context) error {
	if err := s.load(); err != nil {
		s.report(err.Error(), true)
		return fmt.Errorf("mqtt source: %w", err)
	}
	s.report("connecting to "+s.cfg.Broker, false)
	stop := make(chan struct{})
	var acker sync.WaitGroup
	acker.Go(func() { s.sendAcks(stop) })
	defer acker.Wait()
	defer close(stop)
	for failures := 0; ; failures++ {
		began := time.Now()
		err := s.connection(ctx)
		s.connected.Store(false)
		if ctx.Err() != nil {
			s.report("stopped", false)
			return nil
		}
		if time.Since(began) > stableAfter {
			failures = 0
		}
		delay := s.backoff(failures)
		s.report(fmt.Sprintf("mqtt broker %s: %s (next try in %s)", s.cfg.Broker, explain(err, s.at, s.cfg), delay.Round(100*time.Millisecond)), true)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

func (s *Source) load() error {
	if s.store == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.session.load(s.store, s.cfg.Prefix); err != nil {
		return err
	}
	topics, err := s.store.Get(s.cfg.Prefix + topicsKey)
	s.topics = append([]byte(nil), topics...)
	return err
}

// backoff doubles from MinBackoff to MaxBackoff; the upper half is random, so that agents do not come in step.
func (s *Source) backoff(failures int) time.Duration {
	d := min(s.cfg.MinBackoff<<min(failures, 20), s.cfg.MaxBackoff)
	return d/2 + rand.N(d/2+1)
}

// Take implements source.Source.
func (s *Source) Take(c *source.Chunk, most int) {
	c.Reset()
	s.mu.Lock()
	n := max(min(most, len(s.queue)), 0)
	var entries []*entry
	for i := range s.queue[:n] {
		it := &s.queue[i]
		c.Messages = append(c.Messages, it.message)
		s.queueBytes -= it.bytes()
		if it.entry != nil {
			entries = append(entries, it.entry)
		}
	}
	clear(s.queue[:n])
	s.queue = s.queue[n:]
	c.Dry = len(s.queue) == 0
	var cleared chan struct{}
	if n > 0 || s.clearing {
		c.Puts = s.session.take(entries, s.cfg.Prefix, c.Puts)
		if s.putTopics {
			s.putTopics = false
			c.Puts = append(c.Puts, source.Entry{Key: s.cfg.Prefix + topicsKey, Value: s.topics})
		}
		if s.clearing {
			s.clearing, cleared = false, s.cleared
		}
	}
	s.mu.Unlock()
	signal(s.room)
	if len(entries) > 0 || cleared != nil {
		c.Done = func() { s.done(entries, cleared) }
	}
}

// done runs when a chunk is durable.
func (s *Source) done(entries []*entry, cleared chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session.commit(entries, s.queueAck)
	if cleared != nil {
		close(cleared)
		if s.cleared == cleared {
			s.cleared = nil
		}
	}
}

// queueAck hands an entry's PUBACK to the acker; s.mu is held.
func (s *Source) queueAck(e *entry) {
	s.acks = append(s.acks, pendingAck{s.session.conn, e, e.ack})
	signal(s.ackWake)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Ready implements source.Source.
func (s *Source) Ready() <-chan struct{} { return s.ready }

// Connected implements source.Source: it is true while the subscription stands.
func (s *Source) Connected() bool { return s.connected.Load() }

// Status implements source.Source.
func (s *Source) Status() source.Status {
	s.mu.Lock()
	st := s.status
	s.mu.Unlock()
	st.Connected, st.Received, st.Redelivered = s.Connected(), s.received.Load(), s.redelivered.Load()
	return st
}

// logEvery bounds how often an unchanged failure is logged.
const logEvery = time.Minute

// report sets the status line, and logs it unless it was logged just now.
func (s *Source) report(line string, failure bool) {
	s.mu.Lock()
	s.status.Detail = line
	if failure {
		s.status.LastError = line
	}
	kind := line
	for i := range kind { // without "(next try in ...)", which differs
		if kind[i] == '(' {
			kind = kind[:i]
			break
		}
	}
	now := s.cfg.Now()
	quiet := kind == s.logged && now.Sub(s.loggedAt) < logEvery
	if !quiet {
		s.logged, s.loggedAt = kind, now
	}
	s.mu.Unlock()
	switch {
	case quiet:
	case failure:
		s.cfg.Log.Warn(line)
	default:
		s.cfg.Log.Info(line)
	}
}
