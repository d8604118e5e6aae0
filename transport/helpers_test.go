package transport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

const patience = 20 * time.Second

// await waits until ok, which is asked again and again, holds.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// node is a cloud node: a Server with a Handler that keeps lanes in memory.
type node struct {
	t    testing.TB
	ca   *identity.CA
	srv  *Server
	stop func()

	mu       sync.Mutex
	tokens   map[string]identity.TokenRecord
	denied   map[string]bool
	objects  map[[32]byte][]byte
	lanes    map[StreamKey]*lane
	statuses []*wire.Status
	sessions []*ServerSession
	plans    *wire.Plans
	refuse   func(key StreamKey) error // refuses streams
	ackEvery int                       // acknowledges each so many frames; default 1
	holdAcks bool
	cutAt    uint64 // ends the session when it gets this frame, once
	agents   int
	forget   bool // keeps no bytes of frames
}

// lane is what a cloud keeps of a lane: frames in order, each once.
type lane struct {
	frames     [][]byte // nil where they are forgotten
	checksum   uint32
	duplicates int
}

func newNode(t testing.TB, mod func(*ServerConfig)) *node {
	t.Helper()
	ca, err := identity.OpenCA(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, ca: ca, tokens: map[string]identity.TokenRecord{}, denied: map[string]bool{}, objects: map[[32]byte][]byte{}, lanes: map[StreamKey]*lane{}}
	n.start("127.0.0.1:0", mod)
	t.Cleanup(func() { n.stop() })
	return n
}

func (n *node) start(addr string, mod func(*ServerConfig)) {
	n.t.Helper()
	cfg := ServerConfig{Addr: addr, Identity: identity.NewServer(n.ca, nil, nil), Node: "node-1", Log: quiet()}
	if mod != nil {
		mod(&cfg)
	}
	srv, err := NewServer(cfg, n)
	if err != nil {
		n.t.Fatal(err)
	}
	n.srv = srv
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				n.t.Errorf("Server.Run: %v", err)
			}
		case <-time.After(patience):
			n.t.Error("Server.Run does not end")
		}
	})
}

func (n *node) addr() string { return n.srv.Addr().String() }

func (n *node) token(o identity.TokenOptions, now time.Time) string {
	n.t.Helper()
	if o.Addrs == nil {
		o.Addrs = []string{n.addr()}
	}
	o.Pin = n.ca.Pin()
	s, rec, err := identity.MintToken(o, now)
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	n.tokens[rec.ID] = rec
	n.mu.Unlock()
	return s
}

// agent makes an identity without a join.
func (n *node) agent(id string) *identity.Agent { return n.agentAt(id, time.Now(), 0) }

func (n *node) agentAt(id string, now time.Time, life time.Duration) *identity.Agent {
	n.t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		n.t.Fatal(err)
	}
	csr, err := identity.NewCSR(key)
	if err != nil {
		n.t.Fatal(err)
	}
	cert, err := n.ca.IssueAgent(csr, id, now, life)
	if err != nil {
		n.t.Fatal(err)
	}
	return &identity.Agent{ID: id, Epoch: 1, Addrs: []string{n.addr()}, Chain: [][]byte{cert.Raw}, Key: key, CA: n.ca.Certificate()}
}

// Join redeems a token as a cloud node does.
func (n *node) Join(_ context.Context, req *wire.JoinRequest, _ net.Addr) (*wire.Joined, error) {
	t, err := identity.ParseToken(req.Token)
	if err != nil {
		return nil, Refuse(wire.CodeToken, "%s", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	rec, err := n.tokens[t.ID].Redeem(t, time.Now())
	if err != nil {
		return nil, Refuse(wire.CodeToken, "%s", err)
	}
	n.tokens[t.ID] = rec
	n.agents++
	return n.issue(fmt.Sprintf("agent-%d", n.agents), req.Csr)
}

func (n *node) issue(id string, csr []byte) (*wire.Joined, error) {
	cert, err := n.ca.IssueAgent(csr, id, time.Now(), 0)
	if err != nil {
		return nil, err
	}
	return &wire.Joined{AgentId: id, Chain: [][]byte{cert.Raw}, Ca: n.ca.Certificate().Raw, Epoch: 1}, nil
}

func (n *node) Renew(_ context.Context, agentID string, csr []byte) (*wire.Joined, error) {
	return n.issue(agentID, csr)
}

func (n *node) Authorize(agentID, _ string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.denied[agentID] {
		return Refuse(wire.CodeRevoked, "agent %s was revoked; ask its owner", agentID)
	}
	return nil
}

func (n *node) Fetch(_ context.Context, _ string, sum [32]byte) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	data, ok := n.objects[sum]
	if !ok {
		return nil, Refuse(wire.CodeUnknown, "no module %x", sum[:4])
	}
	return data, nil
}

func (n *node) Session(ctx context.Context, s *ServerSession) error {
	n.mu.Lock()
	n.sessions = append(n.sessions, s)
	if n.plans != nil {
		s.SendPlans(n.plans)
	}
	n.mu.Unlock()
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	wg.Go(func() {
		for {
			st, err := s.Status(ctx)
			if err != nil {
				return
			}
			n.mu.Lock()
			n.statuses = append(n.statuses, st)
			n.mu.Unlock()
		}
	})
	for {
		st, err := s.AcceptStream(ctx)
		if err != nil {
			return context.Cause(ctx)
		}
		wg.Go(func() {
			if err := n.data(ctx, st); err != nil {
				cancel(err)
			}
		})
	}
}

var errCut = errors.New("cut for the test")

func (n *node) data(ctx context.Context, st *ServerStream) error {
	n.mu.Lock()
	if n.refuse != nil {
		if err := n.refuse(st.Key()); err != nil {
			n.mu.Unlock()
			r := refusalFor(err)
			st.Refuse(r.Code, r.Reason)
			return nil
		}
	}
	l := n.lanes[st.Key()]
	if l == nil {
		l = &lane{}
		n.lanes[st.Key()] = l
	}
	durable, sum := uint64(len(l.frames)), l.checksum
	every := max(1, n.ackEvery)
	n.mu.Unlock()
	if err := st.Accept(durable, sum); err != nil {
		return nil // the session has ended
	}
	for i := 1; ; i++ {
		h, frame, _, err := st.Recv(ctx)
		if err != nil {
			return nil
		}
		n.mu.Lock()
		switch {
		case h.From <= uint64(len(l.frames)):
			l.duplicates++
		case h.From == uint64(len(l.frames))+1 && h.Previous == l.checksum:
			if n.forget {
				frame = nil
			}
			l.frames = append(l.frames, frame)
			l.checksum = h.Checksum
		default:
			n.t.Errorf("frame %d after %d", h.From, len(l.frames))
		}
		seq := uint64(len(l.frames))
		cut := n.cutAt != 0 && seq >= n.cutAt
		if cut {
			n.cutAt = 0
		}
		hold := n.holdAcks
		n.mu.Unlock()
		if cut {
			return errCut
		}
		if i%every == 0 && !hold {
			st.Ack(seq, h.Watermark)
		}
	}
}

func (n *node) lane(k StreamKey) (frames, duplicates int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.lanes[k]; l != nil {
		return len(l.frames), l.duplicates
	}
	return 0, 0
}

// source is a FrameSource in memory.
type source struct {
	mu       sync.Mutex
	key      StreamKey
	frames   [][]byte // all, from frame 1 on
	acked    uint64
	water    int64
	sum      uint32
	appended chan struct{}
	room     chan struct{} // an acknowledgement came
}

func newSource(key StreamKey) *source {
	return &source{key: key, appended: make(chan struct{}), room: make(chan struct{}, 1)}
}

func (s *source) inFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.frames) - int(s.acked)
}

// addForgetful adds a frame and forgets those that are acknowledged.
func (s *source) addForgetful(p []byte) {
	s.add(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := int(s.acked) - 1; i >= 0 && s.frames[i] != nil; i-- {
		s.frames[i] = nil
	}
}

func (s *source) add(payloads ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range payloads {
		seq := uint64(len(s.frames)) + 1
		f := wire.AppendFrame(nil, wire.Header{Epoch: s.key.Epoch, Pipeline: s.key.Pipeline, Version: s.key.Version, Lane: s.key.Lane,
			From: seq, To: seq, Watermark: int64(seq) * 10, Rows: 1, Previous: s.sum}, p)
		s.frames = append(s.frames, f)
		s.sum = wire.Checksum(f)
	}
	close(s.appended)
	s.appended = make(chan struct{})
}

func (s *source) First() uint64 { s.mu.Lock(); defer s.mu.Unlock(); return s.acked + 1 }
func (s *source) Next() uint64  { s.mu.Lock(); defer s.mu.Unlock(); return uint64(len(s.frames)) + 1 }

func (s *source) Last(context.Context) (uint64, uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(len(s.frames)), s.sum, nil
}

func (s *source) Read(seq uint64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq <= s.acked || seq > uint64(len(s.frames)) {
		return nil, fmt.Errorf("no frame %d between %d and %d", seq, s.acked+1, len(s.frames))
	}
	return s.frames[seq-1], nil
}

func (s *source) Ack(upTo uint64, watermark int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked, s.water = max(s.acked, upTo), watermark
	wake(s.room)
	return nil
}

func (s *source) Wait(ctx context.Context, seq uint64) error {
	for {
		s.mu.Lock()
		there, appended := seq <= uint64(len(s.frames)), s.appended
		s.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-appended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// agentSide is a Client with a handler that remembers what it was told.
type agentSide struct {
	*Client
	stop func()

	mu    sync.Mutex
	plans []*wire.Plans
	links []Link
}

func (a *agentSide) Hello() *wire.Hello {
	return &wire.Hello{AgentVersion: "test", StoreEpoch: 1, Labels: map[string]string{"role": "greenhouse"}}
}

func (a *agentSide) Plans(p *wire.Plans) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.plans = append(a.plans, p)
}

func (a *agentSide) LinkChanged(l Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.links = append(a.links, l)
}

// lastError is the text of the newest reason why there is no session.
func (a *agentSide) lastError() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.links) - 1; i >= 0; i-- {
		if a.links[i].Err != nil {
			return a.links[i].Err.Error()
		}
	}
	return ""
}

func startAgent(t testing.TB, id *identity.Agent, mod func(*ClientConfig)) *agentSide {
	t.Helper()
	cfg := ClientConfig{Addrs: id.Addrs, Identity: id, Log: quiet(), BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond, DialTimeout: 5 * time.Second}
	if mod != nil {
		mod(&cfg)
	}
	a := &agentSide{}
	c, err := NewClient(cfg, a)
	if err != nil {
		t.Fatal(err)
	}
	a.Client = c
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	a.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Client.Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Client.Run does not end")
		}
	})
	t.Cleanup(a.stop)
	return a
}

func payloads(n, size int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = bytes.Repeat([]byte{byte(i)}, size)
	}
	return out
}

func (n *node) object(data []byte) [32]byte {
	sum := sha256.Sum256(data)
	n.mu.Lock()
	n.objects[sum] = data
	n.mu.Unlock()
	return sum
}
