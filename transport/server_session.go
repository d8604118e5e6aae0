package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/quic-go/quic-go"

	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

// ServerSession is one session of an agent, as the Handler sees it. Its
// methods may be called from several goroutines.
type ServerSession struct {
	srv     *Server
	conn    *quic.Conn
	agentID string
	serial  string
	hello   *wire.Hello
	control *streamIO

	streams chan *ServerStream // accepted by the Handler
	status  chan *wire.Status  // the latest that nobody took
	wake    chan struct{}      // there is something to send

	writers sync.WaitGroup

	mu     sync.Mutex
	plans  *wire.Plans // to be sent; guarded by mu
	closed bool        // no writer may start; guarded by mu
}

// startWriter starts the writer of a stream; false where the session has ended.
func (n *ServerSession) startWriter(write func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.writers.Go(write)
	}
	return !n.closed
}

// serveAgent serves the session of an agent.
func (s *Server) serveAgent(ctx context.Context, conn *quic.Conn) error {
	n, err := s.welcome(ctx, conn)
	if err != nil {
		return err
	}
	s.enter(n)
	defer s.leave(n)
	// A revocation between Authorize and enter would miss the session.
	if err := s.handler.Authorize(n.agentID, n.serial); err != nil {
		return err
	}
	s.cfg.Log.Debug("session begins", "agent", n.agentID, "remote", conn.RemoteAddr().String())

	sctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(conn.Context(), func() { cancel(context.Cause(conn.Context())) })
	defer stop()
	defer n.control.abortWith(sctx)()
	var wg sync.WaitGroup
	run := func(f func(context.Context) error) {
		wg.Go(func() {
			if err := f(sctx); err != nil {
				cancel(err)
			}
		})
	}
	run(n.readControl)
	run(n.writeControl)
	run(n.acceptStreams)
	err = s.handler.Session(sctx, n)
	if cause := context.Cause(sctx); cause != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = cause // of what ended the session the first counts
	}
	cancel(ErrClosed)
	closeConn(conn, refusalFor(err)) // unblocks what still reads or writes
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.writers.Wait()
	wg.Wait()
	n.dropStreams()
	return err
}

// welcome authenticates the agent, reads Hello and answers Welcome.
func (s *Server) welcome(ctx context.Context, conn *quic.Conn) (*ServerSession, error) {
	id, serial, err := s.authenticate(conn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.MessageGrace)
	defer cancel()
	st, err := conn.AcceptStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("agent %s: %w: no Hello came", id, ErrTooSlow)
	}
	sio := newStreamIO(st, s.pace())
	defer sio.abortWith(ctx)()
	var start wire.StreamStart
	if err := sio.message(&start, s.cfg.MaxMessageBytes, true); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: no Hello came", ErrTooSlow)
		}
		return nil, fmt.Errorf("agent %s: %w", id, err)
	}
	hello := start.GetHello()
	if hello == nil {
		return nil, Refuse(wire.CodeBadMessage, "the first stream must begin with Hello")
	}
	if hello.Protocol != wire.Protocol {
		return nil, Refuse(wire.CodeProtocol, "this node speaks protocol %d, the agent (version %s) %d: bring both to matching versions",
			wire.Protocol, hello.AgentVersion, hello.Protocol)
	}
	err = sio.send(&wire.ToAgent{Kind: &wire.ToAgent_Welcome{Welcome: &wire.Welcome{
		Node: s.cfg.Node, Protocol: wire.Protocol, CloudTimeMicros: s.cfg.Now().UnixMicro(), AgentId: id, MaxFrameBytes: uint32(s.cfg.MaxFrameBytes),
	}}})
	if err != nil {
		return nil, err
	}
	return &ServerSession{srv: s, conn: conn, agentID: id, serial: serial, hello: hello, control: sio,
		streams: make(chan *ServerStream, s.cfg.MaxStreams), status: make(chan *wire.Status, 1), wake: make(chan struct{}, 1)}, nil
}

// authenticate gives the agent's id. The handshake has proved that the agent
// holds the certificate's key; nothing is read from the connection before this.
func (s *Server) authenticate(conn *quic.Conn) (id, serial string, err error) {
	chain := conn.ConnectionState().TLS.PeerCertificates
	id, err = identity.VerifyAgentChain(s.cfg.Identity.CA().Certificate(), chain)
	if err != nil {
		return "", "", Refuse(wire.CodeCertificate, "%s", err)
	}
	if err := identity.CheckTime(chain[0], s.cfg.Now()); err != nil {
		return "", "", Refuse(wire.CodeCertificate, "%s", err)
	}
	serial = identity.Serial(chain[0])
	return id, serial, s.handler.Authorize(id, serial)
}

// AgentID is the agent's id, from its certificate.
func (n *ServerSession) AgentID() string { return n.agentID }

// Serial is the serial number of the agent's certificate.
func (n *ServerSession) Serial() string { return n.serial }

// Hello is what the agent said first.
func (n *ServerSession) Hello() *wire.Hello { return n.hello }

// Remote is the agent's current address.
func (n *ServerSession) Remote() net.Addr { return n.conn.RemoteAddr() }

// SendPlans sends the full desired set. It does not wait; a set that is not on
// its way yet is replaced.
func (n *ServerSession) SendPlans(p *wire.Plans) {
	n.mu.Lock()
	n.plans = pb.Clone(p)
	n.mu.Unlock()
	wake(n.wake)
}

// Status waits for the agent's next status; a newer one replaces one that nobody took.
func (n *ServerSession) Status(ctx context.Context) (*wire.Status, error) {
	select {
	case st := <-n.status:
		return st, nil
	case <-n.conn.Context().Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// AcceptStream waits for the next data stream.
func (n *ServerSession) AcceptStream(ctx context.Context) (*ServerStream, error) {
	select {
	case st := <-n.streams:
		return st, nil
	case <-n.conn.Context().Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (n *ServerSession) readControl(context.Context) error {
	for {
		var m wire.ToCloud
		if err := n.control.message(&m, n.srv.cfg.MaxMessageBytes, false); err != nil {
			if errors.Is(err, io.EOF) {
				return ErrClosed
			}
			return err
		}
		if st := m.GetStatus(); st != nil {
			select {
			case <-n.status:
			default:
			}
			n.status <- st // this goroutine alone sends, so there is room
		}
	}
}

func (n *ServerSession) writeControl(ctx context.Context) error {
	for {
		select {
		case <-n.wake:
		case <-ctx.Done():
			return nil
		}
		n.mu.Lock()
		p := n.plans
		n.plans = nil
		n.mu.Unlock()
		if p == nil {
			continue
		}
		if err := n.control.send(&wire.ToAgent{Kind: &wire.ToAgent_Plans{Plans: p}}); err != nil {
			return err
		}
	}
}

// acceptStreams starts a goroutine for each stream until it is known what the
// stream wants; they are bounded by MaxStreams, as a stream's credit is given back at its end.
func (n *ServerSession) acceptStreams(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		st, err := n.conn.AcceptStream(ctx)
		if err != nil {
			return nil // the session has ended
		}
		wg.Go(func() { n.startStream(ctx, st) })
	}
}

func (n *ServerSession) startStream(ctx context.Context, st *quic.Stream) {
	sio := newStreamIO(st, n.srv.pace())
	stop := sio.abortWith(ctx)
	end := func() {
		stop()
		sio.finish()
		st.ReleaseStreamCredit()
	}
	var start wire.StreamStart
	if err := sio.message(&start, n.srv.cfg.MaxMessageBytes, true); err != nil {
		sio.abort(refusalFor(err).Code)
		end()
		return
	}
	switch k := start.Kind.(type) {
	case *wire.StreamStart_Data:
		n.streams <- newServerStream(n, sio, k.Data, end) // there is room: it holds as many as may be open
		return
	case *wire.StreamStart_Fetch:
		n.fetch(ctx, sio, k.Fetch)
	case *wire.StreamStart_Renew:
		n.renew(ctx, sio, k.Renew)
	default:
		sio.abort(wire.CodeBadMessage)
	}
	end()
}

func (n *ServerSession) fetch(ctx context.Context, sio *streamIO, req *wire.FetchRequest) {
	var data []byte
	err := error(&Refusal{wire.CodeBadMessage, "a SHA-256 has 32 bytes"})
	if len(req.Sha256) == 32 {
		data, err = n.srv.handler.Fetch(ctx, n.agentID, [32]byte(req.Sha256))
	}
	reply := &wire.FetchReply{Kind: &wire.FetchReply_Size{Size: uint64(len(data))}}
	if err != nil {
		reply.Kind = &wire.FetchReply_Refused{Refused: refusalFor(err).message()}
		data = nil
	}
	if err = sio.send(reply); err == nil {
		err = sio.write(data)
	}
	if err != nil {
		sio.abort(wire.CodeInternal)
	}
}

func (n *ServerSession) renew(ctx context.Context, sio *streamIO, req *wire.RenewRequest) {
	joined, err := n.srv.handler.Renew(ctx, n.agentID, req.Csr)
	if err := sio.send(joinReply(joined, err)); err != nil {
		sio.abort(wire.CodeInternal)
	}
}

// dropStreams ends the streams that the Handler did not take.
func (n *ServerSession) dropStreams() {
	for {
		select {
		case st := <-n.streams:
			st.end()
		default:
			return
		}
	}
}
