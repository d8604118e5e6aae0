package transport

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

var errSkeleton = errors.New("transport: being built")

// ServerConfig configures a Server. Identity must be given; the zero value of
// every other field is its default.
type ServerConfig struct {
	Addr     string           // UDP address to listen on; default ":7443"
	Conn     net.PacketConn   // used instead of Addr where given; Run closes it
	Identity *identity.Server // certificate and CA of the node
	Node     string           // name told to agents; default the host's name
	Log      *slog.Logger     // default slog.Default()
	Now      func() time.Time // default time.Now

	MaxSessions     int           // default 100,000; more are refused as busy
	MaxStreams      int           // streams an agent may have open at once; default 64
	MaxFrameBytes   int           // default wire.DefaultMaxPayload
	MaxMessageBytes int           // control messages; default 1 MiB
	MaxObjectBytes  int           // objects served by Fetch; default 32 MiB
	MessageGrace    time.Duration // a message that has begun may take this long, plus its length at MinRate; default 20 s
	MinRate         int           // bytes per second; default 256
	HandshakeRate   int           // new connections per second above which addresses are validated first; default 200
	IdleTimeout     time.Duration // default 30 s
}

// Handler is what a cloud node does with sessions. Its methods are called from
// many goroutines at once.
type Handler interface {
	// Join redeems a token. remote is the agent's address, for the audit log. A *Refusal reaches the user.
	Join(ctx context.Context, req *wire.JoinRequest, remote net.Addr) (*wire.Joined, error)
	// Renew issues a new certificate to a known agent.
	Renew(ctx context.Context, agentID string, csr []byte) (*wire.Joined, error)
	// Authorize says whether a certificate that the CA has signed may be used (deny list). It is
	// asked at the start of each session; Server.Cut ends those that run.
	Authorize(agentID, serial string) error
	// Session serves a session after Hello and Welcome and returns when it is over: an error
	// (Refusal or not) closes it with that reason, nil closes it plainly. ctx ends with the connection.
	Session(ctx context.Context, s *ServerSession) error
	// Fetch gives an object by its SHA-256.
	Fetch(ctx context.Context, agentID string, sha256 [32]byte) ([]byte, error)
}

// Server takes sessions of agents on one UDP port.
type Server struct{}

// NewServer checks the configuration and binds the port. It serves nothing
// before Run.
func NewServer(cfg ServerConfig, h Handler) (*Server, error) { return nil, errSkeleton }

// Addr is the bound address.
func (s *Server) Addr() net.Addr { return nil }

// Run serves until ctx ends and returns when all sessions have ended.
func (s *Server) Run(ctx context.Context) error { return errSkeleton }

// Cut ends the sessions of an agent with a reason, as its revocation asks, and returns how many.
func (s *Server) Cut(agentID string, code wire.Code, reason string) int { return 0 }

// ServerSession is one session of an agent, as the Handler sees it.
type ServerSession struct{}

// AgentID is the agent's id, from its certificate.
func (s *ServerSession) AgentID() string { return "" }

// Serial is the serial number of the agent's certificate.
func (s *ServerSession) Serial() string { return "" }

// Hello is what the agent said first.
func (s *ServerSession) Hello() *wire.Hello { return nil }

// Remote is the agent's current address.
func (s *ServerSession) Remote() net.Addr { return nil }

// SendPlans sends the full desired set.
func (s *ServerSession) SendPlans(p *wire.Plans) error { return errSkeleton }

// Status waits for the agent's next status; a newer one replaces one that nobody took.
func (s *ServerSession) Status(ctx context.Context) (*wire.Status, error) { return nil, errSkeleton }

// AcceptStream waits for the next data stream.
func (s *ServerSession) AcceptStream(ctx context.Context) (*ServerStream, error) {
	return nil, errSkeleton
}

// ServerStream is the cloud's end of a data stream. First Accept or Refuse, then Recv in one
// goroutine and Ack in any.
type ServerStream struct{}

// Open is what the agent asked for.
func (s *ServerStream) Open() *wire.StreamOpen { return nil }

// Accept tells the agent how far its lane is durable (0, 0: nothing is).
func (s *ServerStream) Accept(durable uint64, checksum uint32) error { return errSkeleton }

// Refuse ends the stream with a reason, before or after Accept.
func (s *ServerStream) Refuse(code wire.Code, reason string) error { return errSkeleton }

// Recv waits for the next frame. Its header is checked against the stream's key and the frame's checksums; numbers
// may repeat. frame is the whole frame and payload a part of it; both are the caller's to keep.
// io.EOF: the agent has ended the stream.
func (s *ServerStream) Recv(ctx context.Context) (h wire.Header, frame, payload []byte, err error) {
	return wire.Header{}, nil, nil, errSkeleton
}

// Ack acknowledges frames up to and with seq. watermark: see wire.Ack.
func (s *ServerStream) Ack(seq uint64, watermark int64) error { return errSkeleton }
