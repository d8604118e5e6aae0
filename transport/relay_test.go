package transport

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// relay passes datagrams between one agent and a node, and can lose, repeat
// and reorder them, change the address that the node sees, or go deaf.
type relay struct {
	t    *testing.T
	down net.PacketConn // to the agent
	node net.Addr

	mu    sync.Mutex
	up    net.PacketConn // to the node
	agent net.Addr
	rng   *rand.Rand
	loss  float64
	dup   float64
	held  []byte // a datagram kept back, to be reordered
	swap  float64
	deaf  bool
	lost  int
}

func newRelay(t *testing.T, node net.Addr) *relay {
	r := &relay{t: t, node: node, rng: rand.New(rand.NewPCG(5, 6))}
	r.down = r.socket()
	r.up = r.socket()
	go r.pump(r.down, true)
	go r.pump(r.up, false)
	return r
}

func (r *relay) socket() net.PacketConn {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = pc.Close() })
	return pc
}

func (r *relay) addr() string { return r.down.LocalAddr().String() }

// rebind gives the agent another address as the node sees it, as a NAT does.
func (r *relay) rebind() {
	up := r.socket()
	r.mu.Lock()
	old := r.up
	r.up = up
	r.mu.Unlock()
	_ = old.Close()
	go r.pump(up, false)
}

func (r *relay) pump(from net.PacketConn, toNode bool) {
	buf := make([]byte, 2048)
	for {
		n, addr, err := from.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		r.mu.Lock()
		if toNode {
			r.agent = addr
		}
		r.pass(append([]byte(nil), buf[:n]...), toNode)
		r.mu.Unlock()
	}
}

// pass is called with mu held.
func (r *relay) pass(p []byte, toNode bool) {
	if r.deaf || r.rng.Float64() < r.loss {
		r.lost++
		return
	}
	send := func(p []byte) {
		if toNode {
			_, _ = r.up.WriteTo(p, r.node) // a lost datagram is what a relay may do
		} else if r.agent != nil {
			_, _ = r.down.WriteTo(p, r.agent)
		}
	}
	if toNode && r.held == nil && r.rng.Float64() < r.swap {
		r.held = p
		return
	}
	send(p)
	if r.rng.Float64() < r.dup {
		send(p)
	}
	if toNode && r.held != nil {
		send(r.held)
		r.held = nil
	}
}

func (r *relay) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// 5 % loss both ways, repeated and reordered datagrams: exact all the same.
func TestLossyLink(t *testing.T) {
	n := newNode(t, nil)
	r := newRelay(t, n.srv.Addr())
	r.set(func() { r.loss, r.dup, r.swap = 0.05, 0.05, 0.1 })
	id := n.agent("gw")
	id.Addrs = []string{r.addr()}
	a := startAgent(t, id, nil)
	src := newSource(climateKey)
	src.add(payloads(400, 1500)...)
	defer a.Feed(climateKey, src)()
	await(t, "all acknowledged", func() bool { return src.First() == 401 })
	frames, _ := n.lane(climateKey)
	r.mu.Lock()
	defer r.mu.Unlock()
	if frames != 400 || r.lost < 10 {
		t.Errorf("%d frames came, %d datagrams were lost", frames, r.lost)
	}
}

// The agent's address changes: the session goes on, or another is there in under 5 s.
func TestAddressChange(t *testing.T) {
	n := newNode(t, nil)
	r := newRelay(t, n.srv.Addr())
	id := n.agent("gw")
	id.Addrs = []string{r.addr()}
	a := startAgent(t, id, nil)
	src := newSource(climateKey)
	defer a.Feed(climateKey, src)()
	for i := range uint64(4) {
		src.add(payloads(20, 500)...)
		began := time.Now()
		await(t, "acknowledgements", func() bool { return src.First() == 20*i+21 })
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("after %d changes of the address it took %s", i, d)
		}
		r.rebind()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.sessions) != 1 {
		t.Logf("%d sessions: the connection did not migrate but came back", len(n.sessions))
	}
}

// A link that swallows everything ends the session by the idle timeout on both sides; frames that
// came while acknowledgements were lost are not counted twice.
func TestDeadLink(t *testing.T) {
	n := newNode(t, func(c *ServerConfig) { c.IdleTimeout = 500 * time.Millisecond })
	r := newRelay(t, n.srv.Addr())
	id := n.agent("gw")
	id.Addrs = []string{r.addr()}
	a := startAgent(t, id, func(c *ClientConfig) {
		c.IdleTimeout, c.KeepAlive, c.DialTimeout = 500*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond
	})
	src := newSource(climateKey)
	n.mu.Lock()
	n.holdAcks = true
	n.mu.Unlock()
	src.add(payloads(10, 10)...)
	defer a.Feed(climateKey, src)()
	await(t, "10 frames", func() bool { f, _ := n.lane(climateKey); return f == 10 })
	r.set(func() { r.deaf = true })
	await(t, "the end of the session", func() bool { now, _ := n.srv.Sessions(); return now == 0 && !a.Link().Connected })
	n.mu.Lock()
	n.holdAcks = false
	n.mu.Unlock()
	src.add(payloads(10, 10)...)
	r.set(func() { r.deaf = false })
	await(t, "all acknowledged", func() bool { return src.First() == 21 })
	if frames, _ := n.lane(climateKey); frames != 20 {
		t.Errorf("%d frames came", frames)
	}
}
