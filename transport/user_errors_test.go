package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

type ticketCache struct{ puts atomic.Int64 }

func (c *ticketCache) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (c *ticketCache) Put(string, *tls.ClientSessionState)        { c.puts.Add(1) }

func mustMention(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not mentioned in: %v", w, err)
		}
	}
}

// linkError waits for the first reason why an agent has no session.
func linkError(t *testing.T, a *agentSide) error {
	t.Helper()
	await(t, "an error", func() bool { return a.lastError() != "" })
	return errors.New(a.lastError())
}

func TestJoinErrors(t *testing.T) {
	n, other := newNode(t, nil), newNode(t, nil)
	now := time.Now()
	join := func(token string, mod func(*JoinConfig)) error {
		cfg := JoinConfig{Timeout: 500 * time.Millisecond}
		if mod != nil {
			mod(&cfg)
		}
		_, err := Join(t.Context(), token, cfg)
		return err
	}
	once := n.token(identity.TokenOptions{}, now)
	if err := join(once, nil); err != nil {
		t.Fatal(err)
	}
	mustMention(t, join(once, nil), "used up", "leat fleet token")
	mustMention(t, join(n.token(identity.TokenOptions{Life: time.Minute}, now.Add(-time.Hour)), nil), "expired", "leat fleet token")
	mustMention(t, join(once[:len(once)-7], nil), "whole join token")
	mustMention(t, join("", nil), "whole join token")
	mustMention(t, join(n.token(identity.TokenOptions{}, now), func(c *JoinConfig) {
		c.Now = func() time.Time { return time.Unix(1000, 0) }
	}), "clock", "1970-01-01", "NTP")
	mustMention(t, join(n.token(identity.TokenOptions{Addrs: []string{other.addr()}}, now), nil), "not the one that this agent trusts")
	mustMention(t, join(n.token(identity.TokenOptions{Addrs: []string{nobody(t)}}, now), nil), "nobody answers", "UDP", "leat-cloud")
	mustMention(t, join(n.token(identity.TokenOptions{Addrs: []string{"no-such-host.invalid:7443"}}, now), nil), "no-such-host.invalid", "DNS")
	forged := identity.Token{ID: "0123456789ab", Pin: n.ca.Pin(), Addrs: []string{n.addr()}}
	mustMention(t, join(forged.String(), nil), "does not know this join token")
	// The second address counts where the first is dead.
	if err := join(n.token(identity.TokenOptions{Addrs: []string{nobody(t), n.addr()}}, now), nil); err != nil {
		t.Error(err)
	}
}

// nobody is an address at which nothing answers.
func nobody(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return pc.LocalAddr().String()
}

func TestSessionErrors(t *testing.T) {
	n, other := newNode(t, nil), newNode(t, nil)
	now := time.Now()
	quick := func(c *ClientConfig) { c.DialTimeout = 500 * time.Millisecond }
	for _, tc := range []struct {
		name  string
		id    *identity.Agent
		mod   func(*ClientConfig)
		words []string
	}{
		{"nobody answers", n.agent("a"), func(c *ClientConfig) { quick(c); c.Addrs = []string{nobody(t)} }, []string{"nobody answers", "UDP"}},
		{"another node's CA", n.agent("a"), func(c *ClientConfig) { c.Addrs = []string{other.addr()} }, []string{"not the one that this agent trusts", "join again"}},
		{"expired", n.agentAt("a", now.Add(-48*time.Hour), time.Hour), nil, []string{"expired", "join again"}},
		{"clock not set", n.agent("a"), func(c *ClientConfig) { c.Now = func() time.Time { return time.Unix(0, 0) } }, []string{"clock", "NTP", "1970-01-01"}},
		{"clock behind", n.agent("a"), func(c *ClientConfig) { c.Now = func() time.Time { return now.Add(-30 * 24 * time.Hour) } }, []string{"clock", "valid from", "NTP"}},
		{"clock ahead", n.agent("a"), func(c *ClientConfig) { c.Now = func() time.Time { return now.Add(365 * 24 * time.Hour) } }, []string{"valid until", "if the clock is right"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := startAgent(t, tc.id, tc.mod)
			mustMention(t, linkError(t, a), tc.words...)
		})
	}
}

// An agent whose clock lies cannot make the node take an expired certificate, and one of another CA gets nowhere.
func TestNodeJudgesCertificates(t *testing.T) {
	n, other := newNode(t, nil), newNode(t, nil)
	now := time.Now()
	conn := rawConn(t, n, n.agentAt("a", now.Add(-40*time.Minute), 10*time.Minute))
	if got := closedWith(t, conn); got != wire.CodeCertificate {
		t.Errorf("an expired certificate ended with %s", got)
	}
	stranger := other.agent("a")
	stranger.CA, stranger.Addrs = n.ca.Certificate(), []string{n.addr()}
	a := startAgent(t, stranger, nil)
	mustMention(t, linkError(t, a), "does not accept this agent's certificate", "leat fleet token")
	if len(n.sessions) > 0 {
		t.Error("a session began")
	}
}

func TestConfigIsValidated(t *testing.T) {
	if _, err := NewServer(ServerConfig{}, nil); err == nil || !strings.Contains(err.Error(), "Identity") {
		t.Errorf("a server without identity: %v", err)
	}
	n := newNode(t, nil)
	if _, err := NewServer(ServerConfig{Identity: identity.NewServer(n.ca, nil, nil), Addr: n.addr()}, n); err == nil || !strings.Contains(err.Error(), n.addr()) {
		t.Errorf("a taken port: %v", err)
	}
	if _, err := NewClient(ClientConfig{Identity: n.agent("a")}, nil); err == nil || !strings.Contains(err.Error(), "Addrs") {
		t.Errorf("a client without addresses: %v", err)
	}
	if _, err := NewClient(ClientConfig{Identity: n.agent("a"), Addrs: []string{"host"}}, nil); err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("a client with half an address: %v", err)
	}
}
