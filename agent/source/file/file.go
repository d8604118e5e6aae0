package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/leatio/leat/agent/source"
)

// Stdin is the path that means standard input.
const Stdin = "-"

// Blocks is the most blocks that exist at a time.
const Blocks = 6

// takeBlocks is the most blocks that a chunk holds on to. It leaves the reader the one it
// fills, the next, and one for Take's current block, so that it can always wake Take.
const takeBlocks = Blocks - 3

// Config of a Source.
type Config struct {
	// Paths are files and globs; Stdin is standard input.
	Paths []string
	// CSV cuts CSV records and gives each file's first as a Header; otherwise records are lines.
	CSV bool
	// Stdin is read for the path "-"; nil = os.Stdin.
	Stdin io.Reader
	// Prefix goes before the keys in Puts and Store.
	Prefix string
	// MaxRecordBytes bounds a record; 0 = 1 MiB.
	MaxRecordBytes int
	// BlockBytes is how much is read at once; 0 = 256 KiB.
	BlockBytes int
	// Now is the clock of Message.ReceivedMicros; nil = time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Stdin == nil {
		c.Stdin = os.Stdin
	}
	if c.MaxRecordBytes <= 0 {
		c.MaxRecordBytes = 1 << 20
	}
	if c.BlockBytes <= 0 {
		c.BlockBytes = 256 << 10
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate names what is wrong.
func (c Config) Validate() error {
	if len(c.Paths) == 0 {
		return errors.New("file source: no path is given: set source.file.path")
	}
	for _, p := range c.Paths {
		if _, err := filepath.Match(p, ""); err != nil {
			return fmt.Errorf("file source: %s: %w: correct source.file.path", p, err)
		}
	}
	return nil
}

// Source reads files to their end. It is a source.Source.
type Source struct {
	cfg   Config
	store source.Store // may be nil

	ready  chan struct{}
	blocks chan *block // to Take; closed when Run ends
	free   chan *block // back from Take

	// Owned by Take.
	current *block
	used    []*block
	place   place // after the last record taken
	header  bool  // the next record that is not blank is a CSV header

	finished atomic.Bool // Run has read everything
	running  atomic.Bool
	received atomic.Uint64
	detail   atomic.Pointer[string]
	lastErr  atomic.Pointer[string]
}

// New returns a source; store may be nil for one that always begins at the start.
func New(cfg Config, store source.Store) (*Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Source{
		cfg: cfg.withDefaults(), store: store,
		ready: make(chan struct{}, 1), blocks: make(chan *block, Blocks), free: make(chan *block, Blocks),
	}
	for range Blocks {
		s.free <- &block{}
	}
	s.say("waiting to start")
	return s, nil
}

// Run implements source.Source.
func (s *Source) Run(ctx context.Context) error {
	s.running.Store(true)
	defer s.running.Store(false)
	err := s.readAll(ctx)
	switch {
	case err == nil:
		s.finished.Store(true)
		s.say("read to the end")
	case ctx.Err() != nil:
		s.say("stopped")
		err = nil
	default:
		text := err.Error()
		s.lastErr.Store(&text)
		s.say(text)
	}
	close(s.blocks)
	s.wake()
	return err
}

func (s *Source) readAll(ctx context.Context) error {
	paths, err := s.resolve()
	if err != nil {
		return err
	}
	from, err := loadPlace(s.store, s.cfg.Prefix)
	if err != nil {
		return fmt.Errorf("file source: %w", err)
	}
	if from.path != "" {
		at := slices.Index(paths, from.path)
		if at < 0 {
			return fmt.Errorf("file source: %w: reading stopped in %s, which is not among them now: put it back, or apply the pipeline under a new name to start over", ErrPosition, from.path)
		}
		paths = paths[at:]
	}
	for i, p := range paths {
		offset := int64(0)
		if i == 0 {
			offset = from.offset
		}
		s.say(fmt.Sprintf("reading %s (%d more)", p, len(paths)-1-i))
		if err := s.readFile(ctx, p, offset); err != nil {
			return err
		}
	}
	return nil
}

// resolve lists the files in name order.
func (s *Source) resolve() ([]string, error) {
	var all []string
	for _, p := range s.cfg.Paths {
		if p == Stdin {
			all = append(all, p)
			continue
		}
		if _, err := os.Lstat(p); err == nil { // also names that look like a glob
			all = append(all, p)
			continue
		}
		found, err := filepath.Glob(p)
		if err == nil && len(found) == 0 {
			err = ErrNoFiles
		}
		if err != nil {
			return nil, fmt.Errorf("file source: %s: %w: correct source.file.path", p, err)
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func (s *Source) readFile(ctx context.Context, path string, offset int64) error {
	if path == Stdin {
		return s.read(ctx, path, s.cfg.Stdin, 0)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("file source: %w: check source.file.path and the file's permissions", err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("file source: %w", err)
	}
	if info.IsDir() {
		return fmt.Errorf("file source: %s is a directory: name its files, such as %s", path, filepath.Join(path, "*.jsonl"))
	}
	if info.Mode().IsRegular() && info.Size() < offset {
		return fmt.Errorf("file source: %w: reading stopped at byte %d of %s, which has %d: put the file back, or apply the pipeline under a new name to start over", ErrPosition, offset, path, info.Size())
	}
	return s.read(ctx, path, f, offset)
}

// wake gives a Ready token.
func (s *Source) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Ready implements source.Source.
func (s *Source) Ready() <-chan struct{} { return s.ready }

// Connected implements source.Source: a file that is read is never silent.
func (s *Source) Connected() bool { return s.running.Load() }

// Status implements source.Source.
func (s *Source) Status() source.Status {
	st := source.Status{Connected: s.Connected(), Detail: *s.detail.Load(), Received: s.received.Load()}
	if e := s.lastErr.Load(); e != nil {
		st.LastError = *e
	}
	return st
}

func (s *Source) say(detail string) { s.detail.Store(&detail) }
