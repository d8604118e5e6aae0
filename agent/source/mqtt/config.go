package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
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
	if _, err := c.endpoint(); err != nil {
		return err
	}
	switch {
	case len(c.Topics) == 0:
		return fmt.Errorf("%w: no topic is given: set source.mqtt.topics", ErrConfig)
	case len(c.Topics) > maxTopics:
		return fmt.Errorf("%w: %d topics: the limit is %d: use wildcards", ErrConfig, len(c.Topics), maxTopics)
	case c.QoS > 1:
		return fmt.Errorf("%w: qos is %d: expected 0 or 1", ErrConfig, c.QoS)
	case c.ClientID == "":
		return fmt.Errorf("%w: no client id is given: the broker keeps the session under it", ErrConfig)
	case (c.CertFile == "") != (c.KeyFile == ""):
		return fmt.Errorf("%w: cert_file and key_file belong together: set both or none", ErrConfig)
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

// endpoint is where the broker listens.
type endpoint struct {
	address string // host:port
	host    string
	secure  bool
}

func (c Config) endpoint() (endpoint, error) {
	u, err := url.Parse(c.Broker)
	if err != nil || u.Hostname() == "" {
		return endpoint{}, fmt.Errorf("%w: broker %q: expected tcp://host:port or ssl://host:port: correct source.mqtt.broker", ErrConfig, c.Broker)
	}
	e := endpoint{host: u.Hostname()}
	port := u.Port()
	switch u.Scheme {
	case "tcp", "mqtt":
		port = firstOf(port, "1883")
	case "ssl", "tls", "mqtts":
		e.secure = true
		port = firstOf(port, "8883")
	default:
		return endpoint{}, fmt.Errorf("%w: broker %q: scheme %q is not known (tcp, ssl): correct source.mqtt.broker", ErrConfig, c.Broker, u.Scheme)
	}
	e.address = net.JoinHostPort(e.host, port)
	return e, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// tlsConfig reads the files. They are read for each connection, so that renewed ones are used.
func (c Config) tlsConfig(host string) (*tls.Config, error) {
	t := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.InsecureSkipVerify} //nolint:gosec // asked for by name
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s holds no certificate in PEM", c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file, key_file: %w", err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}
