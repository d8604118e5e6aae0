package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
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
	MaxMessageBytes int // largest control message taken; default 4 MiB
	MaxObjectBytes  int // largest object fetched; default 32 MiB
}

func (c ClientConfig) withDefaults() ClientConfig {
	setDefault(&c.Log, slog.Default())
	setDefault(&c.BackoffMin, 500*time.Millisecond)
	setDefault(&c.BackoffMax, 60*time.Second)
	setDefault(&c.DialTimeout, 10*time.Second)
	setDefault(&c.IdleTimeout, 30*time.Second)
	setDefault(&c.KeepAlive, 10*time.Second)
	setDefault(&c.WindowFrames, 256)
	setDefault(&c.WindowBytes, 1<<20)
	setDefault(&c.MaxMessageBytes, 4<<20)
	setDefault(&c.MaxObjectBytes, 32<<20)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Listen == nil {
		c.Listen = listenAny
	}
	return c
}

func listenAny() (net.PacketConn, error) { return net.ListenPacket("udp", ":0") }

// Validate names the field that is wrong.
func (c ClientConfig) Validate() error {
	if c.Identity == nil {
		return errors.New("transport.ClientConfig: Identity is missing")
	}
	if len(c.Addrs) == 0 {
		return errors.New("transport.ClientConfig: Addrs is empty")
	}
	for _, a := range c.Addrs {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return fmt.Errorf("transport.ClientConfig: Addrs: %q is not host:port", a)
		}
	}
	if c.BackoffMin < 0 || c.BackoffMax < 0 || c.WindowFrames < 0 || c.WindowBytes < 0 {
		return errors.New("transport.ClientConfig: BackoffMin, BackoffMax, WindowFrames and WindowBytes must not be negative")
	}
	return nil
}

// ClientHandler is what an agent does with its session. Its methods are called
// one at a time and must not wait for the network.
type ClientHandler interface {
	// Hello is asked at the start of every session. Protocol and the clock are filled in.
	Hello() *wire.Hello
	// Plans gives the full desired set of plans.
	Plans(p *wire.Plans)
	// LinkChanged tells that the session began, ended or could not begin.
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
	Sent      uint64 // last frame sent
	Bytes     uint64 // sent, repetitions included
	Resent    uint64 // frames sent more than once
	Found     uint64 // frames without an acknowledgement that a node had already when a stream began
	Watermark int64  // of the pipeline in the cloud; wire.NoWatermark = none
}

// Client keeps an agent's session with the cloud. Its methods may be called
// from several goroutines.
type Client struct {
	cfg     ClientConfig
	handler ClientHandler
	calls   sync.Mutex // held while a method of handler runs

	feeds sync.WaitGroup

	mu      sync.Mutex
	self    *identity.Agent     // guarded by mu
	link    Link                // guarded by mu
	session *clientSession      // nil between sessions; guarded by mu
	change  chan struct{}       // closed when session changes; guarded by mu
	streams map[StreamKey]*feed // guarded by mu
}

// NewClient checks the configuration. It connects nothing before Run.
func NewClient(cfg ClientConfig, h ClientHandler) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Client{cfg: cfg, handler: h, self: cfg.Identity, change: make(chan struct{}), streams: map[StreamKey]*feed{},
		link: Link{Addr: cfg.Addrs[0]}}, nil
}

// longSession is how long a session must have lasted for the pauses to begin anew with short ones.
const longSession = 10 * time.Second

// Run keeps the session until ctx ends and returns when all sessions have ended. Feeds
// go on waiting until they are stopped.
func (c *Client) Run(ctx context.Context) error {
	pause := newBackoff(c.cfg.BackoffMin, c.cfg.BackoffMax)
	for at := 0; ctx.Err() == nil; at++ {
		addr := c.cfg.Addrs[at%len(c.cfg.Addrs)]
		began := time.Now()
		err := c.runSession(ctx, addr)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > longSession {
			pause.reset()
		}
		wait := pause.next()
		var r *Refusal
		if errors.As(err, &r) && r.Code.Permanent() {
			wait = pause.longest()
		}
		c.setLink(Link{Addr: addr, Err: err, RetryIn: wait})
		sleep(ctx, wait)
	}
	return nil
}

// sleep waits and tells whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Client) setLink(l Link) {
	c.mu.Lock()
	c.link = l
	c.mu.Unlock()
	c.calls.Lock()
	defer c.calls.Unlock()
	c.handler.LinkChanged(l)
}

// setSession makes s the current session, or none, and wakes who waits for a change.
func (c *Client) setSession(s *clientSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
	close(c.change)
	c.change = make(chan struct{})
}

// current waits for a session other than not.
func (c *Client) current(ctx context.Context, not *clientSession) (*clientSession, error) {
	for {
		c.mu.Lock()
		s, change := c.session, c.change
		c.mu.Unlock()
		if s != nil && s != not {
			return s, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Link gives the state of the session.
func (c *Client) Link() Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link
}

// Identity is the identity that the next session uses.
func (c *Client) Identity() *identity.Agent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self
}

// SendStatus sends a status on the current session, or replaces the one that
// is not on its way yet. Without a session it is dropped: the next status says it anew.
func (c *Client) SendStatus(s *wire.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.session.setStatus(s)
	}
}

// Streams gives the states of all data streams.
func (c *Client) Streams() []StreamStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]StreamStatus, 0, len(c.streams))
	for _, f := range c.streams {
		out = append(out, f.status())
	}
	return out
}

// Feed sends the frames of src, now and after each reconnection, until stop is
// called, which returns when src is no longer used. A key is fed once at a time.
func (c *Client) Feed(key StreamKey, src FrameSource) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	f := newFeed(c, key, src)
	c.mu.Lock()
	if c.streams[key] != nil {
		c.mu.Unlock()
		cancel()
		panic(fmt.Sprintf("BUG: stream %+v fed twice", key))
	}
	c.streams[key] = f
	c.mu.Unlock()
	done := make(chan struct{})
	c.feeds.Go(func() {
		defer close(done)
		f.run(ctx)
	})
	return sync.OnceFunc(func() {
		cancel()
		<-done
		c.mu.Lock()
		delete(c.streams, key)
		c.mu.Unlock()
	})
}
