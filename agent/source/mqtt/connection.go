package mqtt

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/leatio/leat/agent/source"
)

// barrierTopic is what a barrier unsubscribes from. Nothing is ever subscribed to it.
const barrierTopic = "leat/barrier"

// connection is one connection to the broker, with a paho client of its own.
type connection struct {
	s     *Source
	ctx   context.Context // ends with the connection
	tap   atomic.Pointer[tap]
	calm  func() bool   // after the handshake the end of ctx no longer breaks the connection; set by dial
	begun chan struct{} // closed when the session knows of the connection; callbacks wait for it
	lost  chan error
	count uint64 // PUBLISH packets delivered; owned by the callback
}

// connection runs one connection until it ends and tells why.
func (s *Source) connection(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	c := &connection{s: s, ctx: ctx, begun: make(chan struct{}), lost: make(chan error, 1)}
	client := paho.NewClient(c.options())
	connecting, ok := client.Connect().(*paho.ConnectToken)
	if !ok {
		panic("BUG: paho's Connect gives another token")
	}
	<-connecting.Done() // bounded by ConnectTimeout and ctx, see dial
	if c.calm != nil {
		c.calm()
	}
	if err := connecting.Error(); err != nil {
		cancel()
		return err
	}
	// The deferred calls run in the order cancel, Disconnect: a callback that waits for room must end first.
	defer client.Disconnect(uint(2 * time.Second / time.Millisecond))
	defer cancel()
	present := connecting.SessionPresent()
	if err := c.begin(client, present); err != nil {
		return err
	}
	if err := c.subscribe(client, present); err != nil {
		return err
	}
	s.connected.Store(true)
	s.report(fmt.Sprintf("connected to %s, subscribed to %d topics", s.cfg.Broker, len(s.cfg.Topics)), false)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-c.lost:
		return fmt.Errorf("%w: %w", errLost, err)
	}
}

func (c *connection) options() *paho.ClientOptions {
	cfg := c.s.cfg
	o := paho.NewClientOptions()
	o.AddBroker("tcp://" + c.s.at.Address) // dial knows better
	o.SetClientID(cfg.ClientID).SetUsername(cfg.Username).SetPassword(cfg.Password)
	o.SetProtocolVersion(4).SetCleanSession(cfg.Clean)
	o.SetOrderMatters(true).SetAutoAckDisabled(true).SetStore(noStore{}).SetResumeSubs(false)
	o.SetAutoReconnect(false).SetConnectRetry(false)
	o.SetConnectTimeout(cfg.ConnectTimeout).SetKeepAlive(cfg.KeepAlive).SetPingTimeout(cfg.KeepAlive)
	o.SetDefaultPublishHandler(c.message)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { c.lost <- err })
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return c.dial() })
	return o
}

// dial opens the connection that paho talks over. When ctx ends during the handshake, it is closed.
func (c *connection) dial() (net.Conn, error) {
	cfg := c.s.cfg
	conn, err := cfg.broker().Dial(c.ctx)
	if err != nil {
		return nil, err
	}
	t := newTap(conn, cfg.MaxMessageBytes, len(cfg.Topics))
	c.tap.Store(t)
	c.calm = context.AfterFunc(c.ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	return t, nil
}

// begin tells the session of the connection, and when the broker has forgotten the session waits until the agent has, too.
func (c *connection) begin(client paho.Client, present bool) error {
	s := c.s
	s.mu.Lock()
	if s.session.connect(present) {
		s.clearing, s.cleared = true, make(chan struct{})
	}
	cleared := s.cleared // perhaps of an earlier connection that did not live to see it
	s.acks = s.acks[:0]
	s.link = link{conn: s.session.conn, barrier: func() (<-chan struct{}, func() error) {
		token := client.Unsubscribe(barrierTopic)
		return token.Done(), token.Error
	}}
	if !present {
		s.topics = nil
	}
	s.mu.Unlock()
	close(c.begun)
	if cleared == nil {
		return nil
	}
	s.report(fmt.Sprintf("the broker %s has no session of client %q any more: forgetting what it may redeliver", s.cfg.Broker, s.cfg.ClientID), false)
	signal(s.ready)
	select {
	case <-cleared:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	case err := <-c.lost:
		return fmt.Errorf("%w: %w", errLost, err)
	}
}

// subscribe makes the session's subscription what the configuration asks for.
func (c *connection) subscribe(client paho.Client, present bool) error {
	s := c.s
	want := encodeTopics(s.cfg.QoS, s.cfg.Topics)
	s.mu.Lock()
	have, first := s.topics, s.session.conn == 1
	s.mu.Unlock()
	if present && !first && string(have) == string(want) {
		return c.await(client.Unsubscribe(barrierTopic), "the barrier")
	}
	gone := decodeTopics(have)
	gone = slices.DeleteFunc(gone, func(t string) bool { return slices.Contains(s.cfg.Topics, t) })
	if len(gone) > 0 {
		if err := c.await(client.Unsubscribe(gone...), "the old subscription's end"); err != nil {
			return err
		}
	}
	filters := make(map[string]byte)
	for _, t := range s.cfg.Topics {
		filters[t] = s.cfg.QoS
	}
	token := client.SubscribeMultiple(filters, nil)
	if err := c.await(token, "the subscription"); err != nil {
		return err
	}
	if granted, ok := token.(*paho.SubscribeToken); ok {
		for t, code := range granted.Result() {
			if code > 1 {
				return fmt.Errorf("%w to %q", errRefused, t)
			}
		}
	}
	s.mu.Lock()
	if string(have) != string(want) {
		s.topics, s.putTopics = want, true
	}
	s.mu.Unlock()
	return nil
}

// await waits for the broker's answer, which also proves that it has processed all that was sent before.
func (c *connection) await(token paho.Token, what string) error {
	timer := time.NewTimer(c.s.cfg.ConnectTimeout)
	defer timer.Stop()
	select {
	case <-token.Done():
	case <-timer.C:
		return fmt.Errorf("%w (%s)", errTimeout, what)
	case err := <-c.lost:
		return fmt.Errorf("%w: %w", errLost, err)
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	c.s.mu.Lock()
	c.s.session.answered = true
	c.s.mu.Unlock()
	return nil
}

// message is paho's callback, one call at a time and in the order of arrival.
func (c *connection) message(_ paho.Client, m paho.Message) {
	select {
	case <-c.begun:
	case <-c.ctx.Done():
		return
	}
	s := c.s
	c.count++
	it := item{message: source.Message{
		Topic: m.Topic(), Payload: m.Payload(), ReceivedMicros: s.cfg.Now().UnixMicro(), Oversized: c.tap.Load().shortened(c.count),
	}}
	if m.Qos() > 0 {
		h := hash(m)
		s.mu.Lock()
		e, v := s.session.arrive(m.MessageID(), m.Duplicate(), h, m.Ack)
		if v == ackNow {
			s.queueAck(e)
		}
		s.mu.Unlock()
		if v != deliver {
			s.redelivered.Add(1)
			return
		}
		it.entry = e
	}
	c.enqueue(it)
}

// enqueue puts a message into the buffer once there is room. A message that is
// larger than the buffer goes alone.
func (c *connection) enqueue(it item) {
	s := c.s
	for {
		s.mu.Lock()
		if len(s.queue) == 0 || len(s.queue) < s.cfg.BufferMessages && s.queueBytes+it.bytes() <= s.cfg.BufferBytes {
			s.queue = append(s.queue, it)
			s.queueBytes += it.bytes()
			s.mu.Unlock()
			s.received.Add(1)
			signal(s.ready)
			return
		}
		s.mu.Unlock()
		select {
		case <-s.room:
		case <-c.ctx.Done():
			if it.entry != nil { // not acknowledged: the broker sends it again
				s.mu.Lock()
				s.session.forget(it.entry)
				s.mu.Unlock()
			}
			return
		}
	}
}

// hash is XXH64 of the topic, a zero byte, which no topic holds, and the payload.
func hash(m paho.Message) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(m.Topic()) // never fails
	_, _ = d.Write([]byte{0})
	_, _ = d.Write(m.Payload())
	return d.Sum64()
}

// encodeTopics is the stored form of a subscription.
func encodeTopics(qos byte, topics []string) []byte {
	v := []byte{storedVersion, qos}
	for _, t := range slices.Sorted(slices.Values(topics)) {
		v = append(append(v, t...), 0)
	}
	return v
}

// decodeTopics gives the topics of a stored subscription.
func decodeTopics(v []byte) (topics []string) {
	if len(v) < 2 || v[0] != storedVersion {
		return nil
	}
	for v = v[2:]; len(v) > 0; {
		i := slices.Index(v, 0)
		if i < 0 {
			return topics
		}
		topics, v = append(topics, string(v[:i])), v[i+1:]
	}
	return topics
}

// noStore is paho's store that keeps nothing: what must survive is in ours.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
