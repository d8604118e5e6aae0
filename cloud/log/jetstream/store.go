package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/leatio/leat/cloud/log"
)

// Store is an open store. It implements log.Log, log.Keys and log.Objects.
type Store struct {
	// Constant after Open.
	cfg     Config
	lock    *os.File
	server  *server.Server
	writes  *nats.Conn // appends, keys, objects
	reads   *nats.Conn // readers, so that large reads do not delay the answers to appends
	js      js.JetStream
	parts   []js.Stream
	keys    js.Stream
	objects js.Stream

	closed atomic.Bool
	done   chan struct{} // closed by Close
}

var (
	_ log.Log     = (*Store)(nil)
	_ log.Keys    = (*Store)(nil)
	_ log.Objects = (*Store)(nil)
)

const startTimeout = 60 * time.Second

// Open starts the server and opens, or makes, the store in cfg.Dir.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg.withDefaults(), done: make(chan struct{})}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("log: open %s: %w", s.cfg.Dir, err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if s.lock, err = lockDir(s.cfg.Dir); err != nil {
		return err
	}
	if err := s.startServer(ctx); err != nil {
		return err
	}
	if s.writes, err = s.connect("writes"); err != nil {
		return err
	}
	if s.reads, err = s.connect("reads"); err != nil {
		return err
	}
	if s.js, err = js.New(s.writes); err != nil {
		return err
	}
	if err := s.openStreams(ctx); err != nil {
		return err
	}
	return s.collectChunks(ctx)
}

func (s *Store) startServer(ctx context.Context) error {
	logger := &serverLog{out: s.cfg.Logger}
	payload := int32(s.cfg.MaxRecordBytes + overheadBytes)
	srv, err := server.NewServer(&server.Options{
		ServerName:             "leat",
		DontListen:             true,
		NoSigs:                 true,
		NoLog:                  true,
		NoSystemAccount:        true,
		MaxPayload:             payload,
		MaxPending:             int64(payload) + int64(s.cfg.Partitions+4)*int64(s.cfg.ReadAheadBytes),
		JetStream:              true,
		StoreDir:               s.cfg.Dir,
		SyncAlways:             true,
		JetStreamMaxMemory:     64 << 20, // states of ephemeral consumers
		JetStreamMaxStore:      1 << 60,  // each stream has its own limit
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return err
	}
	srv.SetLoggerV2(logger, false, false, false)
	s.server = srv
	srv.Start()
	ready := make(chan bool, 1)
	go func() { ready <- srv.ReadyForConnections(startTimeout) }()
	select {
	case ok := <-ready:
		if msg := logger.fatalMessage(); msg != "" {
			return errors.New(msg)
		}
		if !ok || !srv.JetStreamEnabled() {
			return errors.New("the JetStream server did not start: see the log; is the disk full or the directory not writable?")
		}
		return nil
	case <-ctx.Done():
		srv.Shutdown()
		<-ready
		return ctx.Err()
	}
}

func (s *Store) connect(name string) (*nats.Conn, error) {
	return nats.Connect("", nats.InProcessServer(s.server), nats.Name("leat-"+name), nats.MaxReconnects(-1),
		nats.ReconnectWait(50*time.Millisecond), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			s.cfg.Logger.Warn("jetstream: connection in the process", "connection", name, "error", err)
		}))
}

// Close ends the store and waits for the server's end. Whoever blocks in a
// Reader gets log.ErrClosed.
func (s *Store) Close() error {
	if !s.closed.CompareAndSwap(false, true) {
		return fmt.Errorf("log: close: %w already", log.ErrClosed)
	}
	close(s.done)
	for _, c := range []*nats.Conn{s.reads, s.writes} {
		if c != nil {
			c.Close()
		}
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	if s.lock != nil {
		return s.lock.Close()
	}
	return nil
}

// bounded gives ctx the store's timeout if it has no deadline.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, s.cfg.Timeout)
}

func (s *Store) partition(n int) (js.Stream, error) {
	if s.closed.Load() {
		return nil, log.ErrClosed
	}
	if n < 0 || n >= len(s.parts) {
		return nil, fmt.Errorf("%w: %d, there are 0 to %d", log.ErrNoPartition, n, len(s.parts)-1)
	}
	return s.parts[n], nil
}

// codeStoreFailed is the server's error code when a stream's limit is reached.
const codeStoreFailed js.ErrorCode = 10077

// translate gives the sentinels to the server's errors.
func (s *Store) translate(err error) error {
	var api *js.APIError
	switch {
	case err == nil:
		return nil
	case s.closed.Load():
		return fmt.Errorf("%w: %w", log.ErrClosed, err)
	case errors.As(err, &api) && api.ErrorCode == codeStoreFailed && (api.Description == server.ErrMaxBytes.Error() || api.Description == server.ErrMaxMsgs.Error()):
		return fmt.Errorf("%w: %w", log.ErrFull, err)
	case errors.As(err, &api) && (api.ErrorCode == js.JSErrCodeStreamWrongLastSequence || api.ErrorCode == js.JSErrCodeStreamWrongLastSequenceConstant):
		return fmt.Errorf("%w: %w", log.ErrConflict, err)
	case errors.Is(err, js.ErrMsgNotFound):
		return log.ErrNotFound
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", log.ErrTooLarge, err)
	}
	return err
}
