package transport

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

// ClientConfig configures a Client. Addrs and Identity must be given; the zero
// value of every other field is its default.
type ClientConfig struct {
	Addrs    []string                       // host:port of cloud nodes, tried in turn
	Identity *identity.Agent                // replaced by Client.Renew
	Listen   func() (net.PacketConn, error) // makes the socket of a connection; default a UDP socket on any port
	Log      *slog.Logger                   // default slog.Default()
	Now      func() time.Time               // default time.Now; judges certificates

	BackoffMin  time.Duration // default 500 ms
	BackoffMax  time.Duration // default 60 s
	DialTimeout time.Duration // default 10 s
	IdleTimeout time.Duration // default 30 s
	KeepAlive   time.Duration // default 10 s

	WindowFrames    int // frames in flight per stream; default 256
	WindowBytes     int // bytes in flight per stream; default 1 MiB
	MaxMessageBytes int // control messages taken; default 4 MiB
	MaxObjectBytes  int // objects fetched; default 32 MiB
}

// ClientHandler is what an agent does with its session. Its methods are called
// one at a time, from Run's goroutines, and must not wait for the network.
type ClientHandler interface {
	// Hello is asked at the start of every session.
	Hello() *wire.Hello
	// Plans gives the full desired set of plans.
	Plans(p *wire.Plans)
	// LinkChanged tells of a change of the session's or a stream's state.
	LinkChanged(l Link)
}

// Link is the state of the session.
type Link struct {
	Connected bool
	Addr      string        // of the node, or the one last tried
	Node      string        // its name
	Err       error         // why there is no session; one line for the user
	RetryIn   time.Duration // pause before the next attempt
	Skew      time.Duration // the node's clock minus ours, as seen at Welcome
}

// StreamStatus is the state of a data stream.
type StreamStatus struct {
	Key       StreamKey
	Sending   bool
	Err       error  // why not; a *Refusal where the cloud said no
	Acked     uint64 // last acknowledged frame
	Sent      uint64 // last frame sent in this session
	Bytes     uint64 // sent, with repetitions
	Resent    uint64 // frames sent more than once
	Watermark int64  // of the pipeline in the cloud; wire.NoWatermark = none
}

// Client keeps an agent's session with the cloud.
type Client struct{}

// NewClient checks the configuration. It connects nothing before Run.
func NewClient(cfg ClientConfig, h ClientHandler) (*Client, error) { return nil, errSkeleton }

// Run keeps the session until ctx ends and returns when all it started has ended.
func (c *Client) Run(ctx context.Context) error { return errSkeleton }

// Feed sends the frames of src, now and after each reconnection, until stop is
// called, which returns when src is no longer used.
func (c *Client) Feed(key StreamKey, src FrameSource) (stop func()) { return func() {} }

// Streams gives the states of all data streams.
func (c *Client) Streams() []StreamStatus { return nil }

// Link gives the state of the session.
func (c *Client) Link() Link { return Link{} }

// SendStatus sends a status on the current session; without one it is dropped.
func (c *Client) SendStatus(s *wire.Status) {}

// Fetch gets an object by its SHA-256 and checks it.
func (c *Client) Fetch(ctx context.Context, sha256 [32]byte) ([]byte, error) { return nil, errSkeleton }

// Renew asks for a new certificate, for a new key, and uses it from the next session on. The caller saves it.
func (c *Client) Renew(ctx context.Context) (*identity.Agent, error) { return nil, errSkeleton }

// JoinConfig configures Join; its zero value is the default.
type JoinConfig struct {
	Name    string            // wished for
	Labels  map[string]string // added to the token's
	Listen  func() (net.PacketConn, error)
	Now     func() time.Time
	Timeout time.Duration // per address; default 10 s
}

// Join redeems a join token: makes a key, and returns the identity that the cloud
// node gave. The caller saves it.
func Join(ctx context.Context, token string, cfg JoinConfig) (*identity.Agent, error) {
	return nil, errSkeleton
}
