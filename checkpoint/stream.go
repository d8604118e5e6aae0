package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Stream is a handle to one stream. All of a name's handles are the same one,
// until the stream is dropped. Its methods may be called concurrently.
type Stream struct {
	name  string
	store *Store

	// Guarded by store.mu, changed by the writer alone but for acked.
	row     row    // as committed
	acked   uint64 // first frame that is not acknowledged, >= row.first
	frames  run
	journal run
	dropped bool
	changed chan struct{} // made by a waiter, closed at the next change
}

// Stream returns the handle for a name. The stream need not exist: it is stored
// with its first record, and its first frame has number 1.
func (s *Store) Stream(name string) *Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[name]
	if st == nil {
		st = &Stream{name: name, store: s, row: newRow(), acked: 1}
		st.frames.reset(1, 1)
		st.journal.reset(1, 1)
		s.streams[name] = st
	}
	return st
}

// Streams returns the names of the streams that are stored, sorted.
func (s *Store) Streams() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.byID))
	for _, st := range s.byID {
		names = append(names, st.name)
	}
	slices.Sort(names)
	return names
}

func (s *Store) streamCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

// Name returns the stream's name.
func (st *Stream) Name() string { return st.name }

func (st *Stream) committed() row {
	st.store.mu.Lock()
	defer st.store.mu.Unlock()
	return st.row
}

// Next returns the number that the next frame has to carry. It moves when a
// commit is durable.
func (st *Stream) Next() uint64 { return st.committed().next }

// First returns the first frame that is not acknowledged; equal to Next when
// all are. After a restart it may be lower than it was: see Config.AckDelay.
func (st *Stream) First() uint64 {
	st.store.mu.Lock()
	defer st.store.mu.Unlock()
	return st.acked
}

// LastChecksum returns the Checksum of the last committed frame's data, also
// when that frame is gone; 0 before the first.
func (st *Stream) LastChecksum() uint32 { return st.committed().sum }

// JournalBytes returns the size of the stream's journal in the outbox. When it
// grows beyond what a restart should replay, or disk should hold, the caller
// commits a frame.
func (st *Stream) JournalBytes() int64 {
	st.store.mu.Lock()
	defer st.store.mu.Unlock()
	var n int64
	for seq := st.journal.first; seq < st.journal.next; seq++ {
		n += recordBytes(int(st.journal.at(seq).length))
	}
	return n
}

// Ack acknowledges all frames up to and including upTo: they are not read
// again and their space is freed. Lower than before is no error and does
// nothing. It returns at once; see the package comment for when it is durable.
func (st *Stream) Ack(upTo uint64) error {
	s := st.store
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case st.dropped:
		return fmt.Errorf("%w: %q", ErrDropped, st.name)
	case upTo >= st.row.next:
		return fmt.Errorf("%w: acknowledgement of frame %d of stream %q, whose last is %d", ErrSequence, upTo, st.name, st.row.next-1)
	case upTo < st.acked:
		return nil
	}
	st.acked = upTo + 1
	s.unsaved[st] = struct{}{}
	select {
	case s.acked <- struct{}{}:
	default:
	}
	return nil
}

// Wait returns nil once frame seq is committed.
func (st *Stream) Wait(ctx context.Context, seq uint64) error {
	for {
		changed, err := st.waiting(seq)
		if changed == nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waiting returns a channel that is closed at the next change, or nil and the
// outcome.
func (st *Stream) waiting(seq uint64) (<-chan struct{}, error) {
	s := st.store
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case st.dropped:
		return nil, fmt.Errorf("%w: %q", ErrDropped, st.name)
	case seq < st.row.next:
		return nil, nil
	case s.failed != nil:
		return nil, s.failed
	}
	select {
	case <-s.ended:
		return nil, ErrClosed
	default:
	}
	if st.changed == nil {
		st.changed = make(chan struct{})
	}
	return st.changed, nil
}

// wake is called with store.mu held.
func (st *Stream) wake() {
	if st.changed != nil {
		close(st.changed)
		st.changed = nil
	}
}

func (s *Store) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.streams {
		st.wake()
	}
}

// Read returns a frame's data in a buffer of its own. A frame that the disk has
// lost gives a CorruptError, and gives it again; its neighbours can be read. The
// caller sets it aside, and acknowledges it to be rid of it.
func (st *Stream) Read(seq uint64) ([]byte, error) {
	for {
		l, err := st.locate(seq)
		if err != nil {
			return nil, err
		}
		data, err := st.store.readRecord(st, Frame, seq, l)
		if err == nil {
			return data, nil
		}
		// The record may have been copied and its segment deleted meanwhile.
		if now, lerr := st.locate(seq); lerr == nil && now == l {
			return nil, st.store.met(err)
		}
	}
}

func (st *Stream) locate(seq uint64) (loc, error) {
	st.store.mu.Lock()
	defer st.store.mu.Unlock()
	switch {
	case st.dropped:
		return loc{}, fmt.Errorf("%w: %q", ErrDropped, st.name)
	case seq >= st.row.next:
		return loc{}, fmt.Errorf("%w: frame %d of stream %q, whose next is %d", ErrNotCommitted, seq, st.name, st.row.next)
	case seq < st.acked:
		return loc{}, fmt.Errorf("%w: frame %d of stream %q", ErrAcked, seq, st.name)
	}
	return st.frames.at(seq), nil
}

// State calls f for each record of the journal, in order: what changed since
// the stream's last frame. It is meant for the time before the stream commits
// again. A record that the disk has lost is passed over, and reported when the
// others are through: the error then joins CorruptErrors. An error of f ends it
// at once. The data may be kept.
func (st *Stream) State(f func(data []byte) error) error {
	s := st.store
	s.mu.Lock()
	if st.dropped {
		s.mu.Unlock()
		return fmt.Errorf("%w: %q", ErrDropped, st.name)
	}
	first := st.journal.first
	locs := slices.Clone(st.journal.locs[st.journal.head:])
	s.mu.Unlock()

	var lost []error
	for i, l := range locs {
		data, err := s.readRecord(st, State, first+uint64(i), l)
		switch {
		case err == nil:
			if err := f(data); err != nil {
				return err
			}
		case errors.Is(err, ErrCorrupt):
			lost = append(lost, s.met(err))
		default:
			return err
		}
	}
	return errors.Join(lost...)
}
