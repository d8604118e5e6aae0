package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

// issuer is a cloud that renews certificates, each for three hours.
type issuer struct {
	ca  *identity.CA
	now func() time.Time
}

func (i *issuer) Join(context.Context, *wire.JoinRequest, net.Addr) (*wire.Joined, error) {
	return nil, errors.New("no")
}
func (i *issuer) Renew(_ context.Context, id string, csr []byte) (*wire.Joined, error) {
	cert, err := i.ca.IssueAgent(csr, id, i.now(), 3*time.Hour)
	if err != nil {
		return nil, err
	}
	return &wire.Joined{AgentId: id, Chain: [][]byte{cert.Raw}, Ca: i.ca.Certificate().Raw, Epoch: 1}, nil
}
func (i *issuer) Authorize(string, string) error { return nil }
func (i *issuer) Fetch(context.Context, string, [32]byte) ([]byte, error) {
	return nil, errors.New("no")
}

func (i *issuer) Session(ctx context.Context, _ *transport.ServerSession) error {
	<-ctx.Done()
	return ctx.Err()
}

// Nothing asked for a new certificate: an agent was shut out for good a month after it had joined.
func TestCertificateIsRenewedInGoodTime(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	ca, err := identity.OpenCA(t.TempDir(), now())
	if err != nil {
		t.Fatal(err)
	}
	cloud := &issuer{ca, now}
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := identity.NewCSR(key)
	if err != nil {
		t.Fatal(err)
	}
	first, err := cloud.Renew(t.Context(), "a", csr)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	server, err := transport.NewServer(transport.ServerConfig{Addr: "127.0.0.1:0", Identity: identity.NewServer(ca, []string{"127.0.0.1"}, now), Now: now, Log: log}, cloud)
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{cfg: Config{DataDir: t.TempDir(), Log: log, Clock: now}.withDefaults()}
	if a.store, err = checkpoint.Open(checkpoint.Config{Dir: t.TempDir(), SegmentBytes: 64 << 10}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.store.Close(); err != nil {
			t.Error(err)
		}
	})
	a.id = &identity.Agent{ID: "a", Epoch: 1, Chain: first.Chain, Key: key, CA: ca.Certificate()}
	if a.client, err = transport.NewClient(transport.ClientConfig{Addrs: []string{server.Addr().String()}, Identity: a.id, Now: now, Log: log}, a); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, run := range []func(context.Context) error{server.Run, a.client.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	for ok := false; !ok; { // until there is a session
		_, err := a.client.Fetch(ctx, [32]byte{})
		var answer *transport.Refusal
		if ok = errors.As(err, &answer); ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	until := func() time.Time {
		leaf, err := x509.ParseCertificate(a.client.Identity().Chain[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.NotAfter
	}
	before := until()
	if err := a.renewDue(ctx); err != nil || !until().Equal(before) {
		t.Fatalf("renewed at once: %v", err)
	}
	clock.Add(int64(2*time.Hour/time.Second) + 1)
	if err := a.renewDue(ctx); err != nil {
		t.Fatal(err)
	}
	if got := until().Sub(before); got < time.Hour {
		t.Errorf("the certificate is good for %s longer", got)
	}
	kept, err := identity.LoadAgent(a.identityDir())
	if err != nil || kept.ID != "a" || kept.Epoch != 1 || kept.Key.Equal(key) {
		t.Errorf("saved %+v, %v", kept, err)
	}
}
