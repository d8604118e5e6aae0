// Package broker reaches an MQTT broker: its URL, TLS, the connection. Sources
// and sinks speak over what it dials.
package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"
)

// Config says where a broker is and as whom to connect.
type Config struct {
	URL      string // tcp://host:port, or ssl://host:port for TLS (also mqtt, mqtts, tls); default ports 1883 and 8883
	ClientID string
	Username string
	Password string

	CAFile             string // PEM; empty = the system's
	CertFile, KeyFile  string // PEM; of this client
	InsecureSkipVerify bool

	ConnectTimeout time.Duration // 0 = 10 s
}

// Timeout is the time that a connection, and an answer, may take.
func (c Config) Timeout() time.Duration {
	if c.ConnectTimeout <= 0 {
		return 10 * time.Second
	}
	return c.ConnectTimeout
}

// Endpoint is where a broker listens.
type Endpoint struct {
	Address string // host:port
	Host    string
	Secure  bool
}

// Validate names what is wrong.
func (c Config) Validate() error {
	if _, err := c.Endpoint(); err != nil {
		return err
	}
	switch {
	case c.ClientID == "":
		return errors.New("no client id is given: the broker keeps the session under it")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("cert_file and key_file belong together: set both or none")
	}
	return nil
}

// Endpoint reads the URL.
func (c Config) Endpoint() (Endpoint, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" {
		return Endpoint{}, fmt.Errorf("broker %q: expected tcp://host:port or ssl://host:port", c.URL)
	}
	e := Endpoint{Host: u.Hostname()}
	port := u.Port()
	switch u.Scheme {
	case "tcp", "mqtt":
		port = firstOf(port, "1883")
	case "ssl", "tls", "mqtts":
		e.Secure = true
		port = firstOf(port, "8883")
	default:
		return Endpoint{}, fmt.Errorf("broker %q: scheme %q is not known (tcp, ssl)", c.URL, u.Scheme)
	}
	e.Address = net.JoinHostPort(e.Host, port)
	return e, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// Dial opens the connection, TLS included. The files are read for each
// connection, so that renewed ones are used.
func (c Config) Dial(ctx context.Context) (net.Conn, error) {
	at, err := c.Endpoint()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout())
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.Address)
	if err != nil || !at.Secure {
		return conn, err
	}
	t, err := c.tlsConfig(at.Host)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	secure := tls.Client(conn, t)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}

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
