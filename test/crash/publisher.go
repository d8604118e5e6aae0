package crash

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// droppedTopic is where mosquitto counts the messages that it dropped.
const droppedTopic = "$SYS/broker/publish/messages/dropped"

// maxInFlight bounds the publisher's own unacknowledged messages.
const maxInFlight = 50

// publisher sends messages over one connection, in order. It never sends one
// twice: when the connection breaks, the run is void.
type publisher struct {
	client  paho.Client
	site    *site
	witness *witness
	oracle  *oracle
	backlog int

	tokens    [maxInFlight]paho.Token // in a ring
	published atomic.Int64            // handed to the client
	dropped   chan string             // what the broker says on droppedTopic
}

// newPublisher connects. lost is called when the connection breaks.
func newPublisher(s *site, o *oracle, lost func(error)) (*publisher, error) {
	p := &publisher{site: s, witness: s.witness, oracle: o, backlog: s.cfg.Backlog, dropped: make(chan string, 1)}
	opts := paho.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", s.ports.mqtt)).SetClientID(publisherID)
	opts.SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(s.cfg.Settle).SetKeepAlive(time.Minute).SetPingTimeout(s.cfg.Settle)
	opts.SetConnectionLostHandler(func(_ paho.Client, err error) {
		lost(fmt.Errorf("the publisher's connection broke, so what it sent is not known: the run is void: %w", err))
	})
	p.client = paho.NewClient(opts)
	if err := wait(p.client.Connect(), s.cfg.Settle, "the publisher's connection"); err != nil {
		return nil, err
	}
	return p, wait(p.client.Subscribe(droppedTopic, 0, func(_ paho.Client, m paho.Message) {
		select {
		case <-p.dropped:
		default:
		}
		p.dropped <- string(m.Payload())
	}), s.cfg.Settle, "the publisher's subscription")
}

func wait(t paho.Token, most time.Duration, what string) error {
	if !t.WaitTimeout(most) {
		return fmt.Errorf("%s: no answer within %s", what, most)
	}
	if err := t.Error(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// publish sends a message once the broker's queues have room for it.
func (p *publisher) publish(ctx context.Context, m message) error {
	room := func() bool { return p.witness.behind() < p.backlog }
	if err := p.site.until(ctx, "the agent acknowledges messages", func(ctx context.Context) error { return p.witness.wait(ctx, room) }); err != nil {
		return err
	}
	slot := p.published.Load() % maxInFlight
	if t := p.tokens[slot]; t != nil {
		select {
		case <-t.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := t.Error(); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	payload := m.payload()
	p.oracle.add(m)
	p.witness.published(payload)
	p.tokens[slot] = p.client.Publish(m.topic(), 1, false, payload)
	p.published.Add(1)
	return nil
}

// sent waits until the broker has everything.
func (p *publisher) sent(ctx context.Context) error {
	for _, t := range p.tokens {
		if t == nil {
			continue
		}
		select {
		case <-t.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := t.Error(); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	return nil
}

// brokerDropped gives the broker's own count of dropped messages, which it
// publishes when we subscribe and, a second later at most, when it changes.
func (p *publisher) brokerDropped(ctx context.Context) (string, error) {
	select {
	case v := <-p.dropped:
		return strings.TrimSpace(v), nil
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), errors.New("the broker published nothing on "+droppedTopic))
	}
}

func (p *publisher) close() { p.client.Disconnect(250) }
