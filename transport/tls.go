package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/leatio/leat/transport/identity"
)

// The protocols, as ALPN names them.
const (
	alpnAgent = "leat/1"
	alpnJoin  = "leat-join/1"
)

// Flow-control windows. quic-go's own let a peer hold 15 MB per connection;
// these bound it to maxServerWindow, and an agent to maxClientWindow.
const (
	firstStreamWindow = 64 << 10
	firstConnWindow   = 128 << 10
	maxStreamWindow   = 1 << 20
	maxServerWindow   = 2 << 20
	maxClientWindow   = 1 << 20
)

func serverQUIC(cfg ServerConfig) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout: cfg.MessageGrace / 2, // quic-go ends a handshake after twice that

		MaxIdleTimeout:                 cfg.IdleTimeout,
		InitialStreamReceiveWindow:     firstStreamWindow,
		MaxStreamReceiveWindow:         maxStreamWindow,
		InitialConnectionReceiveWindow: firstConnWindow,
		MaxConnectionReceiveWindow:     maxServerWindow,
		MaxIncomingStreams:             int64(cfg.MaxStreams),
		MaxIncomingUniStreams:          -1,
		// Streams that are opened and reset at once must not get ahead of their handlers.
		RequireStreamCreditRelease: true,
	}
}

func clientQUIC(dial, idle, keepAlive time.Duration) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           dial,
		MaxIdleTimeout:                 idle,
		KeepAlivePeriod:                keepAlive,
		InitialStreamReceiveWindow:     firstStreamWindow,
		MaxStreamReceiveWindow:         maxClientWindow / 2,
		InitialConnectionReceiveWindow: firstConnWindow,
		MaxConnectionReceiveWindow:     maxClientWindow,
		MaxIncomingStreams:             -1,
		MaxIncomingUniStreams:          -1,
	}
}

// serverTLS chooses by ALPN: under leat/1 a certificate of the node's CA is
// asked for, under leat-join/1 none. There are no session tickets: each session shows its certificate.
func serverTLS(id *identity.Server) *tls.Config {
	base := func(alpn string) *tls.Config {
		return &tls.Config{
			MinVersion:             tls.VersionTLS13,
			NextProtos:             []string{alpn},
			SessionTicketsDisabled: true,
			GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return id.Certificate() },
		}
	}
	join := base(alpnJoin)
	agent := base(alpnAgent)
	agent.ClientAuth = tls.RequireAnyClientCert
	agent.VerifyConnection = func(cs tls.ConnectionState) error {
		_, err := identity.VerifyAgentChain(id.CA().Certificate(), cs.PeerCertificates)
		return err
	}
	both := base(alpnAgent)
	both.NextProtos = []string{alpnAgent, alpnJoin}
	both.ClientAuth = tls.RequireAnyClientCert // of no effect, GetConfigForClient always answers
	both.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		for _, p := range hello.SupportedProtos {
			switch p {
			case alpnAgent:
				return agent, nil
			case alpnJoin:
				return join, nil
			}
		}
		return agent, nil // and the handshake fails for want of a protocol
	}
	return both
}

// clientTLS is the configuration of an agent with an identity. verified gets the reason when the
// node's certificate is not good: what TLS reports of it is less clear.
func clientTLS(a *identity.Agent, now func() time.Time, verified *error) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{alpnAgent},
		ServerName:   identity.ServerName,
		Certificates: []tls.Certificate{a.TLS()},
		// The node is known by its CA and ServerName, checked below; the address proves nothing.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			*verified = identity.VerifyServer(cs.PeerCertificates, identity.PinOf(a.CA), now())
			return *verified
		},
	}
}

// joinTLS is the configuration of an agent that has a token alone. ca gets the CA that the token pins.
func joinTLS(pin identity.Pin, now func() time.Time, verified *error, ca **x509.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{alpnJoin},
		ServerName:         identity.ServerName,
		InsecureSkipVerify: true, // as above
		VerifyConnection: func(cs tls.ConnectionState) error {
			if *verified = identity.VerifyServer(cs.PeerCertificates, pin, now()); *verified != nil {
				return *verified
			}
			*ca = identity.FindPinned(cs.PeerCertificates, pin)
			return nil
		},
	}
}

// TLS alerts, as QUIC crypto errors carry them.
const (
	alertBadCertificate  = 42
	alertUnknownCA       = 48
	alertNoApplication   = 120
	alertCertRequired    = 116
	alertCertUnsupported = 43
	alertCertExpired     = 45
	alertCertUnknown     = 46
)

// explain makes one clear line, with the next step, of what went wrong between
// this agent and the node at addr.
func explain(err, verified error, addr string, wait time.Duration) error {
	var te *quic.TransportError
	var ae *quic.ApplicationError
	var timeout *quic.HandshakeTimeoutError
	var idle *quic.IdleTimeoutError
	var version *quic.VersionNegotiationError
	var reset *quic.StatelessResetError
	switch {
	case verified != nil:
		return fmt.Errorf("cloud node at %s: %w", addr, verified)
	case errors.As(err, &ae) && ae.Remote:
		return fmt.Errorf("cloud node at %s: %w", addr, refusalOf(ae))
	case errors.As(err, &timeout), errors.As(err, &idle) && wait > 0, errors.Is(err, errDialTimeout):
		return fmt.Errorf("nobody answers at %s (UDP) within %s: check the address and port, that leat-cloud runs there, and that UDP gets through", addr, wait)
	case errors.As(err, &idle):
		return fmt.Errorf("the cloud node at %s is silent: the link or the node is down", addr)
	case errors.As(err, &reset):
		return fmt.Errorf("the cloud node at %s was started anew", addr)
	case errors.As(err, &version):
		return fmt.Errorf("what answers at %s speaks another QUIC version: check the address and port", addr)
	case errors.As(err, &te) && te.Remote && te.ErrorCode.IsCryptoError():
		return explainAlert(uint8(te.ErrorCode), addr)
	case errors.As(err, &te) && te.ErrorCode == quic.ConnectionRefused:
		return fmt.Errorf("the cloud node at %s takes no connections now", addr)
	}
	return fmt.Errorf("cloud node at %s: %w", addr, err)
}

func explainAlert(alert uint8, addr string) error {
	switch alert {
	case alertNoApplication:
		return fmt.Errorf("what answers at %s is no cloud node of this version: check the address and port, and that leat-agent and leat-cloud have matching versions", addr)
	case alertBadCertificate, alertUnknownCA, alertCertRequired, alertCertUnsupported, alertCertExpired, alertCertUnknown:
		return fmt.Errorf("the cloud node at %s does not accept this agent's certificate: it belongs to another installation; "+
			"remove the agent's identity and join again with a token of this node (`leat fleet token`)", addr)
	}
	return fmt.Errorf("the cloud node at %s ended the handshake (TLS alert %d)", addr, alert)
}
