package mqtt

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/leatio/leat/agent/broker"
)

// Config of a Source.
type Config struct {
	Broker   string   // tcp://host:port, or ssl://host:port for TLS (also mqtt, mqtts, tls); default ports 1883 and 8883
	Topics   []string // filters
	QoS      byte     // 0 or 1
	ClientID string   // fixed: the broker keeps the session under it
	Username string
	Password string

	CAFile             string // PEM; empty = the system's
	CertFile, KeyFile  string // PEM; of this client
	InsecureSkipVerify bool

	// Clean asks for a session that ends with the connection: the broker keeps nothing,
	// and what is sent meanwhile is lost.
	Clean bool

	Prefix          string        // goes before the keys in Puts and Store
	MaxMessageBytes int           // a larger payload is delivered as Oversized; 0 = 1 MiB
	BufferMessages  int           // messages that wait for Take; 0 = 4,096
	BufferBytes     int           // and their bytes; 0 = 16 MiB
	ConnectTimeout  time.Duration // 0 = 10 s
	KeepAlive       time.Duration // whole seconds; 0 = 15 s
	MinBackoff      time.Duration // 0 = 250 ms
	MaxBackoff      time.Duration // 0 = 30 s
	Log             *slog.Logger  // nil = none
	Now             func() time.Time
}

func (c Config) withDefaults() Config {
	defaultTo(&c.MaxMessageBytes, 1<<20)
	defaultTo(&c.BufferMessages, 4096)
	defaultTo(&c.BufferBytes, 16<<20)
	defaultTo(&c.ConnectTimeout, 10*time.Second)
	defaultTo(&c.KeepAlive, 15*time.Second)
	defaultTo(&c.MinBackoff, 250*time.Millisecond)
	defaultTo(&c.MaxBackoff, 30*time.Second)
	c.Topics = slices.Compact(slices.Sorted(slices.Values(c.Topics)))
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func defaultTo[T int | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// maxTopics bounds the filters of one subscription.
const maxTopics = 1000

// Validate names what is wrong.
func (c Config) Validate() error {
	if err := c.broker().Validate(); err != nil {
		return fmt.Errorf("%w: %w: correct source.mqtt", ErrConfig, err)
	}
	switch {
	case len(c.Topics) == 0:
		return fmt.Errorf("%w: no topic is given: set source.mqtt.topics", ErrConfig)
	case len(c.Topics) > maxTopics:
		return fmt.Errorf("%w: %d topics: the limit is %d: use wildcards", ErrConfig, len(c.Topics), maxTopics)
	case c.QoS > 1:
		return fmt.Errorf("%w: qos is %d: expected 0 or 1", ErrConfig, c.QoS)
	}
	for _, t := range c.Topics {
		if err := checkFilter(t); err != nil {
			return err
		}
	}
	return nil
}

// checkFilter applies section 4.7 of MQTT 3.1.1.
func checkFilter(filter string) error {
	levels := strings.Split(filter, "/")
	for i, l := range levels {
		if strings.ContainsAny(l, "+#") && len(l) > 1 || l == "#" && i != len(levels)-1 {
			return fmt.Errorf("%w: topic %q: + and # stand for whole levels, # only for the last: correct source.mqtt.topics", ErrConfig, filter)
		}
	}
	if filter == "" || len(filter) > 65535 || strings.ContainsRune(filter, 0) {
		return fmt.Errorf("%w: topic %.40q is empty, too long or holds a zero byte: correct source.mqtt.topics", ErrConfig, filter)
	}
	return nil
}

// broker is the broker as the package that reaches it knows it.
func (c Config) broker() broker.Config {
	return broker.Config{
		URL: c.Broker, ClientID: c.ClientID, Username: c.Username, Password: c.Password,
		CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, InsecureSkipVerify: c.InsecureSkipVerify,
		ConnectTimeout: c.ConnectTimeout,
	}
}
