package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

// JoinConfig configures Join; its zero value is the default.
type JoinConfig struct {
	Name    string                         // wished for; default: the cloud node gives one
	Labels  map[string]string              // added to the token's
	Listen  func() (net.PacketConn, error) // makes the socket; default a UDP socket on any port
	Now     func() time.Time               // default time.Now; judges certificates
	Timeout time.Duration                  // for each address; default 10 s
}

// Join redeems a join token: makes a key, and returns the identity that the cloud
// node gave. The caller saves it. The addresses of the token are tried in turn until a node answers.
func Join(ctx context.Context, token string, cfg JoinConfig) (*identity.Agent, error) {
	setDefault(&cfg.Timeout, 10*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Listen == nil {
		cfg.Listen = listenAny
	}
	t, err := identity.ParseToken(token)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	if now := cfg.Now(); !identity.ClockSet(now) {
		return nil, fmt.Errorf("join: %w: it shows %s; set it (NTP) first", identity.ErrClock, now.UTC().Format(time.DateOnly))
	}
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	csr, err := identity.NewCSR(key)
	if err != nil {
		return nil, err
	}
	req := &wire.JoinRequest{Token: t.String(), Csr: csr, Name: cfg.Name, Labels: cfg.Labels}
	var errs []error
	for _, addr := range t.Addrs {
		joined, ca, err := joinAt(ctx, addr, t.Pin, req, cfg)
		if err == nil {
			a := &identity.Agent{ID: joined.AgentId, Epoch: joined.Epoch, Addrs: t.Addrs, Chain: joined.Chain, Key: key, CA: ca}
			return a, a.Check()
		}
		var r *Refusal
		if errors.As(err, &r) && r.Code.Permanent() || ctx.Err() != nil {
			return nil, fmt.Errorf("join: %w", err)
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("join: %w", errors.Join(errs...))
}

func joinAt(ctx context.Context, addr string, pin identity.Pin, req *wire.JoinRequest, cfg JoinConfig) (*wire.Joined, *x509.Certificate, error) {
	var verified error
	var ca *x509.Certificate
	conn, release, err := dial(ctx, addr, cfg.Listen, cfg.Timeout, func(ctx context.Context, tr *quic.Transport, ua net.Addr) (*quic.Conn, error) {
		return tr.Dial(ctx, ua, joinTLS(pin, cfg.Now, &verified, &ca), clientQUIC(cfg.Timeout, 3*cfg.Timeout, 0))
	})
	defer release()
	if err != nil {
		return nil, nil, explain(err, verified, addr, cfg.Timeout)
	}
	defer closeConn(conn, &Refusal{wire.CodeNone, ""})
	ctx, cancel := context.WithTimeout(ctx, 2*cfg.Timeout)
	defer cancel()
	sio, err := openStream(ctx, conn, &wire.StreamStart{Kind: &wire.StreamStart_Join{Join: req}})
	if err != nil {
		return nil, nil, explain(err, nil, addr, 0)
	}
	defer sio.abortWith(ctx)()
	joined, err := readJoined(sio, wire.MaxMessageBytes)
	if err != nil {
		return nil, nil, explain(connError(conn, err), nil, addr, 0)
	}
	return joined, ca, nil
}
