// Package mqtt publishes the rows of an edge sink to an MQTT broker.
package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/leatio/leat/agent/broker"
	"github.com/leatio/leat/agent/sink"
)

// Config of an Outlet.
type Config struct {
	Broker broker.Config
	QoS    byte // 0 or 1
	Retain bool
}

// Outlet publishes to a broker. It connects when it has something to say. It is a sink.Outlet.
type Outlet struct {
	cfg    Config
	client paho.Client // nil = not connected
}

// ErrRefused says that the broker did not take a message in time.
var ErrRefused = errors.New("the broker did not acknowledge in time")

// New returns an outlet.
func New(cfg Config) (*Outlet, error) {
	if err := cfg.Broker.Validate(); err != nil {
		return nil, err
	}
	if cfg.QoS > 1 {
		return nil, fmt.Errorf("mqtt sink: qos is %d: expected 0 or 1", cfg.QoS)
	}
	return &Outlet{cfg: cfg}, nil
}

// inFlight is how many messages wait for the broker's acknowledgement at once.
const inFlight = 64

// Deliver publishes the messages and waits for the broker's acknowledgements.
func (o *Outlet) Deliver(ctx context.Context, messages []sink.Message) (delivered int, err error) {
	if err := o.connect(ctx); err != nil {
		return 0, fmt.Errorf("broker %s: %w: %w", o.cfg.Broker.URL, sink.ErrUnreachable, err)
	}
	var tokens []paho.Token
	for sent := 0; delivered < len(messages); delivered++ {
		for ; sent < len(messages) && sent < delivered+inFlight; sent++ {
			m := &messages[sent]
			tokens = append(tokens, o.client.Publish(m.Topic, o.cfg.QoS, o.cfg.Retain, m.Payload))
		}
		if err := o.acknowledged(ctx, tokens[delivered]); err != nil {
			return delivered, errors.Join(fmt.Errorf("broker %s: %w", o.cfg.Broker.URL, err), o.Close())
		}
	}
	return delivered, nil
}

// acknowledged waits for one message, as long as an answer may take.
func (o *Outlet) acknowledged(ctx context.Context, t paho.Token) error {
	timer := time.NewTimer(o.cfg.Broker.Timeout())
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-timer.C:
		return ErrRefused
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *Outlet) connect(ctx context.Context) error {
	if o.client != nil && o.client.IsConnectionOpen() {
		return nil
	}
	if err := o.Close(); err != nil {
		return err
	}
	b := o.cfg.Broker
	at, err := b.Endpoint()
	if err != nil {
		return err
	}
	opts := paho.NewClientOptions().AddBroker("tcp://" + at.Address)
	opts.SetClientID(b.ClientID).SetUsername(b.Username).SetPassword(b.Password)
	opts.SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false)
	opts.SetConnectTimeout(b.Timeout()).SetWriteTimeout(b.Timeout()).SetKeepAlive(15 * time.Second)
	opts.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return b.Dial(ctx) })
	client := paho.NewClient(opts)
	token := client.Connect()
	<-token.Done() // bounded by Timeout and ctx
	if err := token.Error(); err != nil {
		return explain(err)
	}
	o.client = client
	return nil
}

// explain adds the next step to failures of TLS.
func explain(err error) error {
	var unknown *tls.CertificateVerificationError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w: set ca_file to the certificates that the broker's is checked against", err)
	}
	return err
}

// Close ends the connection.
func (o *Outlet) Close() error {
	if o.client != nil {
		o.client.Disconnect(250)
		o.client = nil
	}
	return nil
}
