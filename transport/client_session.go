package transport

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

// clientPace is generous: an agent's link may be thin, and a dead one ends by
// the idle timeout.
var clientPace = pace{grace: 60 * time.Second, rate: 64}

// clientSession is one session, from the agent's side.
type clientSession struct {
	client  *Client
	conn    *quic.Conn
	control *streamIO
	wake    chan struct{} // there is something to send

	mu     sync.Mutex
	status *wire.Status // to be sent; guarded by mu
}

// dial connects to addr. release frees the socket; it is never nil.
func dial(ctx context.Context, addr string, listen func() (net.PacketConn, error), wait time.Duration,
	connect func(context.Context, *quic.Transport, net.Addr) (*quic.Conn, error)) (conn *quic.Conn, release func(), err error) {
	release = func() {}
	ua, err := resolve(ctx, addr, wait)
	if err != nil {
		return nil, release, err
	}
	pc, err := listen()
	if err != nil {
		return nil, release, fmt.Errorf("open a UDP socket: %w", err)
	}
	tr := &quic.Transport{Conn: pc}
	release = func() {
		_ = tr.Close() // closing a socket twice is the worst that fails here
		_ = pc.Close()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errDialTimeout)
	defer cancel()
	conn, err = connect(ctx, tr, ua)
	return conn, release, err
}

// resolve finds the address of a node. Of several, one by chance: agents
// spread over the nodes behind a name. IPv4 goes first, as gateways' IPv6 is more often broken.
func resolve(ctx context.Context, addr string, wait time.Duration) (*net.UDPAddr, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, fmt.Errorf("cloud node %s: %w", addr, err)
	}
	if host == "" {
		return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(ips) == 0 {
		return nil, fmt.Errorf("find the cloud node %s: %w; check its name and this machine's DNS", addr, err)
	}
	if four := slices.DeleteFunc(slices.Clone(ips), func(ip netip.Addr) bool { return !ip.Unmap().Is4() }); len(four) > 0 {
		ips = four
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ips[rand.N(len(ips))].Unmap(), uint16(port))), nil
}

// runSession runs one session to its end and returns why it ended.
func (c *Client) runSession(ctx context.Context, addr string) error {
	var verified error
	self := c.Identity()
	if leaf, err := self.Leaf(); err != nil {
		return err
	} else if err := identity.CheckTime(leaf, c.cfg.Now()); err != nil {
		return err
	}
	conn, release, err := dial(ctx, addr, c.cfg.Listen, c.cfg.DialTimeout, func(ctx context.Context, tr *quic.Transport, ua net.Addr) (*quic.Conn, error) {
		return tr.Dial(ctx, ua, clientTLS(self, c.cfg.Now, &verified), clientQUIC(c.cfg.DialTimeout, c.cfg.IdleTimeout, c.cfg.KeepAlive))
	})
	defer release()
	if err != nil {
		return explain(err, verified, addr, c.cfg.DialTimeout)
	}
	defer closeConn(conn, &Refusal{wire.CodeNone, ""})
	s := &clientSession{client: c, conn: conn, wake: make(chan struct{}, 1)}
	welcome, err := s.hello(ctx)
	if err != nil {
		return explain(connError(conn, err), nil, addr, 0)
	}
	skew := time.UnixMicro(welcome.CloudTimeMicros).Sub(c.cfg.Now())
	c.cfg.Log.Info("connected to the cloud", "addr", addr, "node", welcome.Node)
	c.setLink(Link{Connected: true, Addr: addr, Node: welcome.Node, Skew: skew})
	c.setSession(s)
	defer c.setSession(nil)
	return explain(s.run(ctx), nil, addr, 0)
}

// connError gives what ended the connection where that is why err came about.
func connError(conn *quic.Conn, err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		return err
	}
	// The end of a stream may be seen before the end of its connection.
	select {
	case <-conn.Context().Done():
	case <-time.After(100 * time.Millisecond):
	}
	if cause := context.Cause(conn.Context()); cause != nil {
		return cause
	}
	return err
}

func (s *clientSession) hello(ctx context.Context) (*wire.Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.cfg.DialTimeout)
	defer cancel()
	c := s.client
	c.calls.Lock()
	hello := c.handler.Hello()
	c.calls.Unlock()
	hello.Protocol = wire.Protocol
	hello.ClockMicros = c.cfg.Now().UnixMicro()
	var err error
	if s.control, err = openStream(ctx, s.conn, &wire.StreamStart{Kind: &wire.StreamStart_Hello{Hello: hello}}); err != nil {
		return nil, err
	}
	defer s.control.abortWith(ctx)()
	var m wire.ToAgent
	if err := s.control.message(&m, c.cfg.MaxMessageBytes, true); err != nil {
		return nil, err
	}
	w := m.GetWelcome()
	if w == nil || w.Protocol != wire.Protocol {
		return nil, Refuse(wire.CodeProtocol, "the cloud node does not answer Hello with Welcome of protocol %d", wire.Protocol)
	}
	return w, nil
}

// openStream opens a stream and sends what it is for.
func openStream(ctx context.Context, conn *quic.Conn, start *wire.StreamStart) (*streamIO, error) {
	st, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	sio := newStreamIO(st, clientPace)
	if err := sio.send(start); err != nil {
		sio.abort(wire.CodeNone)
		return nil, err
	}
	return sio, nil
}

// run serves the control stream until the session ends.
func (s *clientSession) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer closeConn(s.conn, &Refusal{wire.CodeNone, ""}) // unblocks the writer
	defer s.control.abortWith(ctx)()
	wg.Go(func() { s.write(ctx) })
	for {
		var m wire.ToAgent
		if err := s.control.message(&m, s.client.cfg.MaxMessageBytes, false); err != nil {
			return connError(s.conn, err)
		}
		if p := m.GetPlans(); p != nil {
			s.client.calls.Lock()
			s.client.handler.Plans(p)
			s.client.calls.Unlock()
		}
	}
}

func (s *clientSession) setStatus(st *wire.Status) {
	s.mu.Lock()
	s.status = st
	s.mu.Unlock()
	wake(s.wake)
}

// write sends statuses.
func (s *clientSession) write(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		case <-s.conn.Context().Done():
			return
		}
		s.mu.Lock()
		st := s.status
		s.status = nil
		s.mu.Unlock()
		if st == nil {
			continue
		}
		if err := s.control.send(&wire.ToCloud{Kind: &wire.ToCloud_Status{Status: st}}); err != nil {
			s.control.abort(wire.CodeNone) // and run ends
			return
		}
	}
}

// request opens a stream of the current session and lets f use it.
func (c *Client) request(ctx context.Context, start *wire.StreamStart, f func(*streamIO) error) error {
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	if s == nil {
		return errNoSession
	}
	sio, err := openStream(ctx, s.conn, start)
	if err != nil {
		return err
	}
	defer sio.finish()
	defer sio.abortWith(ctx)()
	return f(sio)
}

// Fetch gets an object by its SHA-256 and checks it.
func (c *Client) Fetch(ctx context.Context, sum [32]byte) (data []byte, err error) {
	start := &wire.StreamStart{Kind: &wire.StreamStart_Fetch{Fetch: &wire.FetchRequest{Sha256: sum[:]}}}
	err = c.request(ctx, start, func(sio *streamIO) error {
		var reply wire.FetchReply
		if err := sio.message(&reply, c.cfg.MaxMessageBytes, true); err != nil {
			return err
		}
		if r := reply.GetRefused(); r != nil {
			return received(r)
		}
		if reply.GetSize() > uint64(c.cfg.MaxObjectBytes) {
			return Refuse(wire.CodeTooLarge, "the object has %d bytes, at most %d are taken", reply.GetSize(), c.cfg.MaxObjectBytes)
		}
		var err error
		if data, err = sio.body(nil, int(reply.GetSize())); err != nil {
			return err
		}
		if sha256.Sum256(data) != sum {
			return Refuse(wire.CodeBadMessage, "the cloud node sent other bytes than asked for")
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("fetch %x: %w", sum[:6], err)
	}
	return data, nil
}

// Renew asks for a new certificate, for a new key, and uses it from the next session on. The caller saves it.
func (c *Client) Renew(ctx context.Context) (*identity.Agent, error) {
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	csr, err := identity.NewCSR(key)
	if err != nil {
		return nil, err
	}
	old := c.Identity()
	var fresh *identity.Agent
	start := &wire.StreamStart{Kind: &wire.StreamStart_Renew{Renew: &wire.RenewRequest{Csr: csr}}}
	err = c.request(ctx, start, func(sio *streamIO) error {
		j, err := readJoined(sio, c.cfg.MaxMessageBytes)
		if err != nil {
			return err
		}
		if j.AgentId != old.ID {
			return Refuse(wire.CodeBadMessage, "the cloud node renewed agent %q, this is %q", j.AgentId, old.ID)
		}
		fresh = &identity.Agent{ID: old.ID, Epoch: old.Epoch, Addrs: old.Addrs, Chain: j.Chain, Key: key, CA: old.CA}
		return fresh.Check()
	})
	if err != nil {
		return nil, fmt.Errorf("renew certificate: %w", err)
	}
	c.mu.Lock()
	c.self = fresh
	c.mu.Unlock()
	return fresh, nil
}

func readJoined(sio *streamIO, maxBytes int) (*wire.Joined, error) {
	var reply wire.JoinReply
	if err := sio.message(&reply, maxBytes, true); err != nil {
		return nil, err
	}
	if r := reply.GetRefused(); r != nil {
		return nil, received(r)
	}
	if reply.GetJoined() == nil {
		return nil, Refuse(wire.CodeBadMessage, "the cloud node gave an empty answer")
	}
	return reply.GetJoined(), nil
}
