package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"
)

// Bounds of one group.
const (
	groupBytes    = 8 << 20
	groupRequests = 1024
)

// Run writes what is committed until ctx ends or Close is called, and then
// returns nil, or until a write or an fsync fails, and then returns that error,
// which wraps ErrFailed. It runs once; after Close it does nothing.
func (s *Store) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.started || s.closed {
		again := s.started
		s.mu.Unlock()
		if again {
			return errors.New("checkpoint: BUG: Run was called a second time")
		}
		return nil
	}
	s.started = true
	s.mu.Unlock()
	defer s.wakeAll()
	defer close(s.ended)

	var flushAcks <-chan time.Time
	for {
		var err error
		select {
		case r := <-s.requests:
			err = s.busy(func() error { return s.serve(r) })
		case <-s.acked:
			if flushAcks == nil {
				flushAcks = time.After(s.cfg.AckDelay)
			}
		case <-flushAcks:
			flushAcks = nil
			err = s.busy(s.persistAcks)
		case <-ctx.Done():
			return s.busy(s.persistAcks)
		case <-s.closing:
			return s.busy(s.persistAcks)
		}
		if err != nil {
			return err
		}
	}
}

// busy marks the time at the disk for the watchdog.
func (s *Store) busy(f func() error) error {
	s.count.busySince.Store(time.Now().UnixNano())
	defer s.count.busySince.Store(0)
	return f()
}

// serve takes all requests that wait and writes them as one group. It answers
// each request exactly once. It returns only errors after which the store has
// failed.
func (s *Store) serve(r *request) error {
	group := []*request{r}
	size := need(r.batch, s.cfg.SegmentBytes)
	for size < groupBytes && len(group) < groupRequests {
		select {
		case r := <-s.requests:
			group = append(group, r)
			size += need(r.batch, s.cfg.SegmentBytes)
			continue
		default:
		}
		break
	}
	s.plan.reset(s.meta.lastStream)
	for i, r := range group {
		if err := s.take(r); err != nil {
			for _, r := range group[i+1:] {
				r.done <- err
			}
			return err
		}
	}
	return s.flush()
}

// take stages one request, flushing first where it must not share a group.
func (s *Store) take(r *request) error {
	if r.drop != "" {
		return s.takeDrop(r)
	}
	n := need(r.batch, s.cfg.SegmentBytes)
	if n > s.limit() {
		r.done <- fmt.Errorf("%w: the batch takes %d bytes, the outbox holds at most %d; commit smaller batches or raise Config.MaxBytes", ErrTooLarge, n, s.limit())
		return nil
	}
	if n > 0 && !s.fits(s.plan.bytes+n) {
		err := s.flush()
		room := false
		if err == nil {
			room, err = s.makeRoom(n)
		}
		if err != nil {
			r.done <- err
			return err
		}
		if !room {
			s.count.full.Add(1)
			r.done <- fmt.Errorf("%w: %d of %d bytes are used, the batch takes %d", ErrFull, s.used(), s.limit(), n)
			return nil
		}
	}
	if err := s.stage(r); err != nil {
		r.done <- err
	}
	return nil
}

func (s *Store) takeDrop(r *request) error {
	if err := s.flush(); err != nil {
		r.done <- err
		return err
	}
	st := s.Stream(r.drop)
	if st.committed().id == 0 {
		r.done <- nil
		return nil
	}
	s.plan.dropped = st
	s.plan.requests = append(s.plan.requests, r)
	return s.flush()
}

// persistAcks makes the acknowledgements durable.
func (s *Store) persistAcks() error {
	s.plan.reset(s.meta.lastStream)
	return s.flush()
}

// flush writes what is staged, answers its requests, and leaves the plan empty.
func (s *Store) flush() error {
	p := &s.plan
	s.stageAcks()
	if len(p.requests) == 0 && len(p.records) == 0 && len(p.rows) == 0 {
		return nil
	}
	mark := s.out.mark()
	err := s.write()
	if isNoRoom(err) {
		return s.flushWithoutRecords(mark, err)
	}
	if err == nil {
		err = s.decide()
	}
	return s.finish(err)
}

// flushWithoutRecords is flush on a full disk: batches without records need no
// room in the outbox, and acknowledgements are what makes room.
func (s *Store) flushWithoutRecords(m mark, cause error) error {
	if err := s.out.rewind(m); err != nil {
		return s.finish(errors.Join(err, cause))
	}
	rest := make([]*request, 0, len(s.plan.requests))
	for _, r := range s.plan.requests {
		if len(r.batch.Records) == 0 {
			rest = append(rest, r)
			continue
		}
		s.count.full.Add(1)
		r.done <- noRoom(cause)
	}
	s.plan.reset(s.meta.lastStream)
	for _, r := range rest {
		if err := s.stage(r); err != nil {
			panic("BUG: checkpoint: a batch without records was refused")
		}
	}
	return s.flush()
}

// write appends the group's records and makes them durable.
func (s *Store) write() error {
	p := &s.plan
	for i := range p.records {
		r := &p.records[i]
		row, ok := p.rows[r.stream]
		if !ok {
			row = r.stream.committed()
		}
		h := recordHeader{dataSum: r.sum, length: uint32(len(r.data)), stream: row.id, kind: r.kind, seq: r.seq, commit: s.meta.commit + 1}
		var err error
		if r.loc, err = s.out.add(h, r.data); err != nil {
			return err
		}
		s.count.appended.Add(uint64(recordBytes(len(r.data))))
	}
	return s.out.sync()
}

// decide runs the transaction that makes the group count.
func (s *Store) decide() error {
	p := &s.plan
	next := s.meta
	next.commit++
	next.lastStream = p.lastStream
	next.tail, next.tailOffset = s.out.number, s.out.off
	err := s.kv.update(&next, func(c *change) error {
		for st, row := range p.rows {
			if err := c.putRow(st.name, row); err != nil {
				return err
			}
		}
		if p.dropped != nil {
			if err := c.deleteRow(p.dropped.name); err != nil {
				return err
			}
		}
		for _, r := range p.requests {
			for _, e := range r.batch.Puts {
				if err := c.putEntry(e); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("commit to %s: %w", dbName, err)
	}
	s.meta = next
	return nil
}

// finish publishes a group that was decided, or fails the store, and answers
// the requests either way. Then it deletes what nobody needs any more.
func (s *Store) finish(err error) error {
	p := &s.plan
	if err != nil {
		err = s.fail(err)
	} else {
		s.publish()
		s.count.groups.Add(1)
		s.count.commits.Add(uint64(len(p.requests)))
	}
	for _, r := range p.requests {
		r.done <- err
	}
	p.reset(s.meta.lastStream)
	if err != nil {
		return err
	}
	if err := s.trim(); err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *Store) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = fmt.Errorf("%w: %w; nothing more is committed, restart to continue from the last commit", ErrFailed, err)
		s.cfg.Logger.Error("the store has failed", "dir", s.cfg.Dir, "error", err)
	}
	return s.failed
}

// publish shows the group to readers.
func (s *Store) publish() {
	p := &s.plan
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishSizes()
	for st, row := range p.rows {
		if st.row.id == 0 {
			s.byID[row.id] = st
		}
		st.row = row
	}
	for i := range p.records {
		r := &p.records[i]
		run := &r.stream.frames
		if r.kind == State {
			run = &r.stream.journal
		}
		switch {
		case !r.moved:
			run.push(r.loc)
		case run.has(r.seq):
			s.segments.lost(run.at(r.seq))
			run.set(r.seq, r.loc)
		default:
			continue
		}
		s.segments.gained(r.loc)
	}
	for st, row := range p.rows {
		st.frames.dropTo(row.first, s.segments.lost)
		st.journal.dropTo(row.stateFirst, s.segments.lost)
		if st.acked == row.first {
			delete(s.unsaved, st)
		}
		st.wake()
	}
	if st := p.dropped; st != nil {
		st.frames.dropTo(st.frames.next, s.segments.lost)
		st.journal.dropTo(st.journal.next, s.segments.lost)
		st.dropped = true
		delete(s.streams, st.name)
		delete(s.byID, st.row.id)
		delete(s.unsaved, st)
		st.wake()
	}
}

func (s *Store) publishSizes() {
	sizes := s.out.sizes()
	for _, n := range slices.Sorted(maps.Keys(sizes)) {
		if seg := s.segments.byNumber[n]; seg != nil {
			s.segments.size += sizes[n] - seg.size
			seg.size = sizes[n]
		} else {
			s.segments.add(&segment{number: n, size: sizes[n]})
		}
	}
}

// trim deletes the segments before the tail in which nothing is live.
func (s *Store) trim() error {
	s.mu.Lock()
	var dead []*segment
	for _, seg := range s.segments.order {
		if seg.live == 0 && seg.number < s.meta.tail {
			dead = append(dead, seg)
		}
	}
	s.mu.Unlock()
	if len(dead) == 0 {
		return nil
	}
	for _, seg := range dead {
		name := path.Join(s.dir, segmentName(seg.number))
		var err error
		if seg.damaged {
			err = s.setAside(name)
		} else {
			err = s.fs.Remove(name)
		}
		if err != nil {
			return fmt.Errorf("trim the outbox: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range dead {
		s.segments.remove(seg)
	}
	close(s.room)
	s.room = make(chan struct{})
	return nil
}
