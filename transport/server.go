package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

// ServerConfig configures a Server. Identity must be given; the zero value of
// every other field is its default.
type ServerConfig struct {
	Addr     string           // UDP address to listen on; default ":7443"
	Conn     net.PacketConn   // used instead of Addr where given; the Server closes it
	Identity *identity.Server // certificate and CA of the node
	Node     string           // name told to agents; default the host's name
	Log      *slog.Logger     // default slog.Default()
	Now      func() time.Time // default time.Now; judges certificates

	MaxSessions     int           // default 100,000; more are refused as busy
	MaxStreams      int           // streams an agent may have open at once; default 64
	MaxFrameBytes   int           // largest payload of a frame; default wire.DefaultMaxPayload
	MaxMessageBytes int           // largest control message taken; default 1 MiB
	MessageGrace    time.Duration // a message that has begun may take this long, plus its length at MinRate; default 20 s
	MinRate         int           // bytes per second; default 256
	HandshakeRate   int           // new connections per second above which addresses are validated first; default 200
	IdleTimeout     time.Duration // default 30 s
}

func (c ServerConfig) withDefaults() ServerConfig {
	setDefault(&c.Addr, ":7443")
	setDefault(&c.Log, slog.Default())
	setDefault(&c.MaxSessions, 100_000)
	setDefault(&c.MaxStreams, 64)
	setDefault(&c.MaxFrameBytes, wire.DefaultMaxPayload)
	setDefault(&c.MaxMessageBytes, 1<<20)
	setDefault(&c.MessageGrace, 20*time.Second)
	setDefault(&c.MinRate, 256)
	setDefault(&c.HandshakeRate, 200)
	setDefault(&c.IdleTimeout, 30*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Node == "" {
		c.Node, _ = os.Hostname() // an empty name does no harm
	}
	return c
}

// setDefault sets *v to def where it is zero.
func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Validate names the field that is wrong.
func (c ServerConfig) Validate() error {
	switch {
	case c.Identity == nil:
		return errors.New("transport.ServerConfig: Identity is missing")
	case c.MaxSessions < 0, c.MaxStreams < 0, c.MaxFrameBytes < 0, c.MaxMessageBytes < 0, c.MinRate < 0, c.HandshakeRate < 0:
		return errors.New("transport.ServerConfig: MaxSessions, MaxStreams, MaxFrameBytes, MaxMessageBytes, MinRate and HandshakeRate must not be negative")
	case c.MessageGrace < 0, c.IdleTimeout < 0:
		return errors.New("transport.ServerConfig: MessageGrace and IdleTimeout must not be negative")
	}
	return nil
}

// Handler is what a cloud node does with sessions. Its methods are called from
// many goroutines at once. Where one returns a *Refusal, the agent is told its reason.
type Handler interface {
	// Join redeems a token. remote is the agent's address, for the audit log.
	Join(ctx context.Context, req *wire.JoinRequest, remote net.Addr) (*wire.Joined, error)
	// Renew issues a new certificate to a known agent.
	Renew(ctx context.Context, agentID string, csr []byte) (*wire.Joined, error)
	// Authorize says whether a certificate that the CA has signed may be used (deny list). It is
	// asked at the start of each session; Server.Cut ends those that run.
	Authorize(agentID, serial string) error
	// Session serves a session after Hello and Welcome and returns when it is over: an error
	// closes it with that reason, nil closes it plainly. ctx ends with the connection.
	Session(ctx context.Context, s *ServerSession) error
	// Fetch gives an object by its SHA-256.
	Fetch(ctx context.Context, agentID string, sha256 [32]byte) ([]byte, error)
}

// Server takes sessions of agents on one UDP port.
type Server struct {
	cfg     ServerConfig
	handler Handler
	conn    net.PacketConn

	logs *rate.Limiter // of lines about sessions that failed

	sessions atomic.Int64 // connections served now
	refused  atomic.Uint64

	mu   sync.Mutex
	live map[string]*ServerSession // by agent id; guarded by mu
}

// NewServer checks the configuration and binds the port. It serves nothing
// before Run; without Run, Close gives the port back.
func NewServer(cfg ServerConfig, h Handler) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, handler: h, conn: cfg.Conn, logs: rate.NewLimiter(10, 100), live: map[string]*ServerSession{}}
	if s.conn == nil {
		conn, err := net.ListenPacket("udp", cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("listen for agents on UDP %s: %w; choose another address or stop what holds it", cfg.Addr, err)
		}
		s.conn = conn
	}
	return s, nil
}

// Addr is the bound address.
func (s *Server) Addr() net.Addr { return s.conn.LocalAddr() }

// Close gives the port of a Server back that did not Run.
func (s *Server) Close() error { return s.conn.Close() }

// Sessions is the number of connections served now; refused counts those that
// came above MaxSessions.
func (s *Server) Sessions() (now int, refused uint64) {
	return int(s.sessions.Load()), s.refused.Load()
}

// Run serves until ctx ends and returns when all sessions have ended.
func (s *Server) Run(ctx context.Context) (err error) {
	limit := rate.NewLimiter(rate.Limit(s.cfg.HandshakeRate), s.cfg.HandshakeRate)
	resetKey := quic.StatelessResetKey(s.cfg.Identity.ResetKey())
	tr := &quic.Transport{
		Conn: s.conn,
		// Lets agents notice at once that the node was started anew.
		StatelessResetKey:   &resetKey,
		VerifySourceAddress: func(net.Addr) bool { return !limit.Allow() },
	}
	defer func() { err = errors.Join(err, tr.Close(), s.conn.Close()) }()
	ln, err := tr.Listen(serverTLS(s.cfg.Identity), serverQUIC(s.cfg))
	if err != nil {
		return fmt.Errorf("listen for agents: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for {
		conn, err := ln.Accept(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("listen for agents: %w", err)
		}
		if s.sessions.Add(1) > int64(s.cfg.MaxSessions) {
			s.sessions.Add(-1)
			s.refused.Add(1)
			closeConn(conn, &Refusal{wire.CodeBusy, "the node serves as many agents as it may; try again later"})
			continue
		}
		wg.Go(func() {
			defer s.sessions.Add(-1)
			s.serve(ctx, conn)
		})
	}
}

// serve serves one connection to its end.
func (s *Server) serve(ctx context.Context, conn *quic.Conn) {
	serve := s.serveAgent
	if conn.ConnectionState().TLS.NegotiatedProtocol == alpnJoin {
		serve = s.serveJoin
	}
	err := serve(ctx, conn)
	if ctx.Err() != nil && err == nil {
		err = context.Canceled
	}
	r := refusalFor(err)
	closeConn(conn, r)
	if r.Code != wire.CodeNone && r.Code != wire.CodeShutdown && s.logs.Allow() {
		s.cfg.Log.Info("session ended", "remote", conn.RemoteAddr().String(), "code", r.Code.String(), "err", err)
	}
}

func closeConn(conn *quic.Conn, r *Refusal) {
	_ = conn.CloseWithError(quic.ApplicationErrorCode(r.Code), cut(r.Reason)) // fails only when closed already
}

// serveJoin serves one join request.
func (s *Server) serveJoin(ctx context.Context, conn *quic.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.cfg.MessageGrace)
	defer cancel()
	st, err := conn.AcceptStream(ctx)
	if err != nil {
		return fmt.Errorf("join: %w: no request came", ErrTooSlow)
	}
	sio := newStreamIO(st, s.pace())
	defer sio.abortWith(ctx)()
	var start wire.StreamStart
	if err := sio.message(&start, s.cfg.MaxMessageBytes, true); err != nil {
		return err
	}
	if start.GetJoin() == nil {
		return Refuse(wire.CodeBadMessage, "a join session takes join requests alone")
	}
	joined, err := s.handler.Join(ctx, start.GetJoin(), conn.RemoteAddr())
	if err := sio.send(joinReply(joined, err)); err != nil {
		return err
	}
	sio.finish()
	select { // the agent closes the connection when it has the answer
	case <-conn.Context().Done():
	case <-ctx.Done():
	}
	return nil
}

func joinReply(joined *wire.Joined, err error) *wire.JoinReply {
	if err != nil {
		return &wire.JoinReply{Kind: &wire.JoinReply_Refused{Refused: refusalFor(err).message()}}
	}
	return &wire.JoinReply{Kind: &wire.JoinReply_Joined{Joined: joined}}
}

func (s *Server) pace() pace { return pace{s.cfg.MessageGrace, s.cfg.MinRate} }

// Cut ends the session of an agent with a reason, as its revocation asks, and
// tells whether there was one. The agent's connections are gone when it returns.
func (s *Server) Cut(agentID string, code wire.Code, reason string) bool {
	s.mu.Lock()
	old := s.live[agentID]
	s.mu.Unlock()
	if old == nil {
		return false
	}
	closeConn(old.conn, &Refusal{code, reason})
	return true
}

// enter makes a session the one of its agent; an older one, perhaps of a connection that is dead, ends.
func (s *Server) enter(n *ServerSession) {
	s.mu.Lock()
	old := s.live[n.agentID]
	s.live[n.agentID] = n
	s.mu.Unlock()
	if old != nil {
		closeConn(old.conn, &Refusal{wire.CodeReplaced, "a newer session of the same agent has begun; if that is another machine, " +
			"its identity was copied: remove it there and join with a token of its own"})
	}
}

func (s *Server) leave(n *ServerSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[n.agentID] == n {
		delete(s.live, n.agentID)
	}
}
