package checkpoint

import "errors"

func (s *Store) used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.segments.size
}

// fits says whether n more bytes are within the bound. The segment headers that
// they need are part of n.
func (s *Store) fits(n int64) bool { return s.used()+n <= s.limit() }

// makeRoom tries to get room for n bytes: acknowledgements are made durable, so
// that their segments go; a tail segment without live records is left; and
// segments that a few live records pin are emptied by copying these to the
// tail. The plan is empty before and after.
func (s *Store) makeRoom(n int64) (bool, error) {
	for _, step := range []func() (bool, error){s.flushed, s.leaveTail} {
		if _, err := step(); err != nil || s.fits(n) {
			return err == nil, err
		}
	}
	for {
		moved, err := s.empty(s.leastLive())
		if err != nil || !moved {
			return false, err
		}
		if s.fits(n) {
			return true, nil
		}
	}
}

func (s *Store) flushed() (bool, error) { return true, s.flush() }

// leaveTail starts a new segment when nothing in the tail segment is live.
func (s *Store) leaveTail() (bool, error) {
	s.mu.Lock()
	seg := s.segments.byNumber[s.out.number]
	s.mu.Unlock()
	if seg == nil || seg.live > 0 || seg.size <= segmentHeaderBytes {
		return false, nil
	}
	return s.alone(s.out.roll)
}

// alone writes a group of the writer's own: what is staged, after prepare.
func (s *Store) alone(prepare func() error) (bool, error) {
	mark := s.out.mark()
	err := prepare()
	if err == nil {
		err = s.write()
	}
	if isNoRoom(err) {
		s.plan.reset(s.meta.lastStream)
		if err := s.out.rewind(mark); err != nil {
			return false, s.fail(err)
		}
		return false, nil
	}
	if err == nil {
		err = s.decide()
	}
	return err == nil, s.finish(err)
}

// leastLive finds the segment that is emptied at the least cost, if that frees
// at least half of it. MaxBytes bounds the copies, too.
func (s *Store) leastLive() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *segment
	for _, seg := range s.segments.order {
		if seg.number >= s.meta.tail || seg.damaged || seg.liveBytes > seg.size/2 {
			continue
		}
		if s.segments.size+seg.liveBytes+2*segmentHeaderBytes > s.cfg.MaxBytes {
			continue
		}
		if best == nil || seg.liveBytes < best.liveBytes {
			best = seg
		}
	}
	return best
}

// empty copies a segment's live records to the tail, after which trim deletes
// it.
func (s *Store) empty(seg *segment) (bool, error) {
	if seg == nil {
		return false, nil
	}
	records := s.liveIn(seg)
	if len(records) != seg.live || seg.live == 0 {
		panic("BUG: checkpoint: a segment's live records are miscounted")
	}
	for i := range records {
		r := &records[i]
		data, err := s.readRecord(r.stream, r.kind, r.seq, r.loc)
		if errors.Is(err, ErrCorrupt) {
			s.markDamaged(seg.number)
			return true, nil // another segment may do
		}
		if err != nil {
			return false, s.fail(err)
		}
		r.data, r.sum = data, Checksum(data)
	}
	s.plan.reset(s.meta.lastStream)
	s.plan.records = append(s.plan.records, records...)
	before := s.count.appended.Load()
	ok, err := s.alone(func() error { return nil })
	s.count.copied.Add(s.count.appended.Load() - before)
	return ok, err
}

func (s *Store) liveIn(seg *segment) []placed {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []placed
	for _, st := range s.byID {
		for seq := st.frames.first; seq < st.frames.next; seq++ {
			if l := st.frames.at(seq); l.segment == seg.number {
				out = append(out, placed{stream: st, kind: Frame, seq: seq, loc: l, moved: true})
			}
		}
		for seq := st.journal.first; seq < st.journal.next; seq++ {
			if l := st.journal.at(seq); l.segment == seg.number {
				out = append(out, placed{stream: st, kind: State, seq: seq, loc: l, moved: true})
			}
		}
	}
	return out
}

func (s *Store) markDamaged(number uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seg := s.segments.byNumber[number]; seg != nil {
		seg.damaged = true
	}
}
