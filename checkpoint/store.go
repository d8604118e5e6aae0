package checkpoint

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatio/leat/checkpoint/vfs"
)

// Store is the durable store of one directory. Its methods may be called
// concurrently.
type Store struct {
	// Constant after Open.
	cfg    Config
	fs     vfs.FS
	dir    string // of the segments
	lock   *os.File
	kv     kv
	id     storeID
	damage []Damage

	// Handed to the writer.
	requests chan *request
	acked    chan struct{} // a token: some stream's acknowledgement is not durable
	closing  chan struct{} // closed by Close
	ended    chan struct{} // closed when no request will be taken any more

	// Owned by the writer, by Open before it runs.
	meta meta
	out  appender
	plan plan

	count counters

	mu       sync.Mutex
	started  bool
	closed   bool
	failed   error
	streams  map[string]*Stream
	byID     map[uint32]*Stream   // those that are stored
	unsaved  map[*Stream]struct{} // those whose acknowledgement is not durable
	segments segmentSet
	room     chan struct{} // closed and renewed when a segment was deleted
}

type counters struct {
	commits, groups, appended, copied, full, corrupt, setAside atomic.Uint64

	busySince atomic.Int64 // UnixNano, 0 when the writer is idle
}

// Open opens the store in cfg.Dir, or makes one, and brings the outbox back to
// the last commit. It starts nothing: commits wait until Run is called. Records
// that were damaged while the store was closed are no reason to refuse: see
// Damage.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Store{
		cfg:      cfg,
		fs:       cfg.FS,
		dir:      path.Join(cfg.Dir, outboxName),
		requests: make(chan *request),
		acked:    make(chan struct{}, 1),
		closing:  make(chan struct{}),
		ended:    make(chan struct{}),
		streams:  map[string]*Stream{},
		byID:     map[uint32]*Stream{},
		unsaved:  map[*Stream]struct{}{},
		segments: newSegmentSet(),
		room:     make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(openError(cfg.Dir, err), s.release())
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	if s.lock, err = lockDir(s.cfg.Dir); err != nil {
		return err
	}
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return err
	}
	if err := s.checkNotOrphaned(); err != nil {
		return err
	}
	var notes []string
	if s.kv, s.meta, notes, err = openKV(s.cfg.Dir); err != nil {
		return err
	}
	for _, note := range notes {
		s.addDamage(Damage{File: path.Join(s.cfg.Dir, dbName), Reason: note})
	}
	s.id = s.meta.id
	s.out = appender{fs: s.fs, dir: s.dir, id: s.id, limit: s.cfg.SegmentBytes}
	return s.recover()
}

// Close ends Run, waits for it, and releases the directory. Commits under way
// are finished, commits that were not taken up yet return ErrClosed. A second
// call does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	started := s.started
	s.mu.Unlock()

	close(s.closing)
	if started {
		<-s.ended
	} else {
		close(s.ended)
	}
	s.wakeAll()
	return s.release()
}

func (s *Store) release() error {
	var errs []error
	errs = append(errs, s.out.close())
	if s.kv.db != nil {
		errs = append(errs, s.kv.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// ID identifies the store: 32 hex digits, drawn at random when it was made. A
// copy of the directory has the same.
func (s *Store) ID() string { return hex.EncodeToString(s.id[:]) }

// Damage lists what Open found wrong and went on without. The frames lost by it
// are those for which Read returns a CorruptError.
func (s *Store) Damage() []Damage { return slices.Clone(s.damage) }

// Commit stores the batch and returns when it is durable, together with the
// acknowledgements so far. It may be called by many goroutines: those that wait
// share fsyncs. It blocks until Run runs.
//
// On any error but ErrFailed nothing of the batch was stored, and later commits
// are not affected. After ErrFailed the outcome is unknown and every later
// commit fails: the process has to exit and open the store anew.
func (s *Store) Commit(b *Batch) error {
	if err := check(b); err != nil {
		return err
	}
	return s.do(&request{batch: b})
}

// DropStream forgets a stream and deletes its records, acknowledged or not.
// Handles to it return ErrDropped; a stream made under the same name later
// begins at 1 again. Dropping an unknown stream does nothing.
func (s *Store) DropStream(name string) error { return s.do(&request{batch: &Batch{}, drop: name}) }

func (s *Store) do(r *request) error {
	r.done = make(chan error, 1)
	select {
	case s.requests <- r:
		return <-r.done // the writer answers all that it takes
	case <-s.ended:
		return s.endError()
	case <-s.closing:
		return s.endError()
	}
}

func (s *Store) endError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	return ErrClosed
}

// Get returns the value of a committed entry, and nil without an error when
// there is none. A stored empty value is empty and not nil.
func (s *Store) Get(key string) ([]byte, error) {
	value, err := s.kv.get(key)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: get %q: %w", key, err)
	}
	return value, nil
}

// Range calls f for the committed entries whose keys begin with prefix, by key,
// until it returns an error. The values are copies of one moment; f may commit.
func (s *Store) Range(prefix string, f func(key string, value []byte) error) error {
	entries, err := s.kv.list(prefix)
	if err != nil {
		return fmt.Errorf("checkpoint: range %q: %w", prefix, err)
	}
	for _, e := range entries {
		if err := f(e.Key, e.Value); err != nil {
			return err
		}
	}
	return nil
}

// WaitRoom returns when there may be room again after ErrFull: when a segment
// was deleted, and after a second at the latest, as other programs free disks
// too.
func (s *Store) WaitRoom(ctx context.Context) error {
	s.mu.Lock()
	room := s.room
	s.mu.Unlock()
	again := time.NewTimer(time.Second)
	defer again.Stop()
	select {
	case <-room:
	case <-again.C:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return s.endError()
	}
	return nil
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	st := Stats{
		Commits: s.count.commits.Load(), Groups: s.count.groups.Load(),
		AppendedBytes: s.count.appended.Load(), CopiedBytes: s.count.copied.Load(),
		Full: s.count.full.Load(), Corrupt: s.count.corrupt.Load(), SetAside: s.count.setAside.Load(),
		LimitBytes: s.limit(),
	}
	if since := s.count.busySince.Load(); since != 0 {
		st.Busy = time.Since(time.Unix(0, since))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Segments = len(s.segments.order)
	st.UsedBytes = s.segments.size
	st.LiveBytes = s.segments.liveBytes()
	return st
}

// limit is what commits may use. The rest of MaxBytes is for copying live
// records out of segments, without which a full outbox could stay full.
func (s *Store) limit() int64 { return s.cfg.MaxBytes - s.cfg.SegmentBytes/2 }
