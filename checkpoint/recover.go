package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/leatio/leat/checkpoint/vfs"
)

const (
	damagedSuffix = ".damaged"

	// At most this many damaged segments are kept for inspection.
	maxSetAside = 4
)

// recover brings the outbox back to the tail that store.db knows and finds
// every live record in it.
func (s *Store) recover() error {
	if err := s.loadStreams(); err != nil {
		return err
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	numbers := segmentNumbers(names)
	if err := s.checkNotRolledBack(numbers); err != nil {
		return err
	}
	var cut bool
	for _, n := range numbers {
		if n > s.meta.tail {
			if err := s.fs.Remove(path.Join(s.dir, segmentName(n))); err != nil {
				return err
			}
			cut = true
			continue
		}
		if err := s.indexSegment(n); err != nil {
			return err
		}
	}
	if cut {
		if err := s.fs.SyncDir(s.dir); err != nil {
			return err
		}
	}
	if err := s.openTail(); err != nil {
		return err
	}
	s.reportLost()
	return s.trim()
}

// checkNotOrphaned refuses an outbox whose store.db is gone: a new one would
// take its segments for leftovers.
func (s *Store) checkNotOrphaned() error {
	name := path.Join(s.cfg.Dir, dbName)
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	if n := len(segmentNumbers(names)); n > 0 {
		return damaged(name, fmt.Errorf("the file is missing and %s holds %d segments", s.dir, n))
	}
	return nil
}

func segmentNumbers(names []string) []uint32 {
	var numbers []uint32
	for _, name := range names {
		if n, ok := parseSegmentName(name); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func (s *Store) loadStreams() error {
	return s.kv.rows(func(name string, r row) error {
		st := &Stream{name: name, store: s, row: r, acked: r.first}
		st.frames.reset(r.first, r.next)
		st.journal.reset(r.stateFirst, r.stateNext)
		s.streams[name], s.byID[r.id] = st, st
		return nil
	})
}

// checkNotRolledBack looks beyond the tail. A crash leaves there at most the
// one group that was not decided; a record of a later group proves that the
// transaction before it is missing in store.db.
func (s *Store) checkNotRolledBack(numbers []uint32) error {
	for _, n := range numbers {
		if n < s.meta.tail {
			continue
		}
		from := int64(segmentHeaderBytes)
		if n == s.meta.tail {
			from = s.meta.tailOffset
		}
		err := s.scan(n, from, -1, func(h recordHeader, at int64) error {
			if h.commit <= s.meta.commit+1 {
				return nil
			}
			if s.cfg.AcceptRollback {
				s.addDamage(Damage{Reason: fmt.Sprintf("commit %d was cut off (%s at offset %d), %s knows only commit %d", h.commit, segmentName(n), at, dbName, s.meta.commit)})
				return errStop
			}
			return fmt.Errorf("%w: %s holds commit %d, %s knows only commit %d: it was restored from a backup or lost by the disk; accept the rollback (Config.AcceptRollback) and start with a new epoch",
				ErrRolledBack, path.Join(s.dir, segmentName(n)), h.commit, path.Join(s.cfg.Dir, dbName), s.meta.commit)
		}, func(int64, int64) {})
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var errStop = errors.New("enough was scanned")

// scan walks the records of a segment from one offset to another, -1 for the
// file's end.
func (s *Store) scan(number uint32, from, to int64, f func(recordHeader, int64) error, skipped func(from, to int64)) (err error) {
	file, err := s.fs.Open(path.Join(s.dir, segmentName(number)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Size()
	if err != nil {
		return err
	}
	if to < 0 || to > size {
		to = size
	}
	sc := newScanner(file, segmentSeed(s.id, number), from, max(from, to), skipped)
	for {
		h, at, ok, err := sc.next()
		if err != nil || !ok {
			return err
		}
		if err := f(h, at); err != nil {
			return err
		}
	}
}

// indexSegment takes a segment into the index, up to the tail.
func (s *Store) indexSegment(n uint32) error {
	name := path.Join(s.dir, segmentName(n))
	size, foreign, err := s.inspect(n, name)
	if err != nil {
		return err
	}
	if foreign {
		return s.setAside(name)
	}
	end := size
	if n == s.meta.tail {
		end = min(size, s.meta.tailOffset)
		if size < s.meta.tailOffset {
			s.report(n, size, fmt.Sprintf("the file has %d bytes, %d were committed: the disk lost what it had said was written", size, s.meta.tailOffset))
		}
	}
	seg := &segment{number: n, size: end}
	s.segments.add(seg)
	for _, d := range s.damage {
		seg.damaged = seg.damaged || d.File == name
	}
	return s.scan(n, segmentHeaderBytes, end, func(h recordHeader, at int64) error {
		s.index(h, loc{n, uint32(at), h.length})
		return nil
	}, func(from, to int64) {
		seg.damaged = true
		s.report(n, from, fmt.Sprintf("%d bytes are no records", to-from))
	})
}

// inspect reads a segment's size and header. A header that is damaged is only
// reported, because each record says by its own checksum that it belongs here.
func (s *Store) inspect(n uint32, name string) (size int64, foreign bool, err error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if size, err = f.Size(); err != nil {
		return 0, false, err
	}
	b := make([]byte, min(size, segmentHeaderBytes))
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, false, err
	}
	id, number, herr := parseSegmentHeader(b)
	switch {
	case herr != nil:
		s.report(n, 0, herr.Error())
	case id != s.id || number != n:
		s.report(n, 0, fmt.Sprintf("the file is segment %d of store %x", number, id))
		return size, true, nil
	}
	return size, false, nil
}

// index notes where a live record stands. Of two copies the later one counts.
func (s *Store) index(h recordHeader, l loc) {
	st := s.byID[h.stream]
	if st == nil {
		return
	}
	run := &st.frames
	if h.kind == State {
		run = &st.journal
	}
	if !run.has(h.seq) {
		return
	}
	if old := run.at(h.seq); old.segment != 0 {
		s.segments.lost(old)
	}
	run.set(h.seq, l)
	s.segments.gained(l)
}

// openTail cuts the tail segment to what counts, for good: once it is not the
// tail any more, all that it holds counts. A segment that is whole is continued,
// after any other the next commit starts a new one.
func (s *Store) openTail() error {
	s.out.number, s.out.off = s.meta.tail, s.meta.tailOffset
	seg := s.segments.byNumber[s.meta.tail]
	if seg == nil {
		return nil
	}
	if err := s.out.reopen(seg.number, seg.size); err != nil {
		return err
	}
	if err := s.out.syncFile(); err != nil {
		return err
	}
	if seg.size == s.meta.tailOffset && !seg.damaged {
		return nil
	}
	s.out.off = s.meta.tailOffset
	return s.out.close()
}

// reportLost names the records that should be live and are nowhere.
func (s *Store) reportLost() {
	for _, st := range s.byID {
		for _, r := range []struct {
			kind Kind
			run  *run
		}{{Frame, &st.frames}, {State, &st.journal}} {
			lost, first := 0, uint64(0)
			for seq := r.run.first; seq < r.run.next; seq++ {
				if r.run.at(seq).segment == 0 {
					if lost == 0 {
						first = seq
					}
					lost++
				}
			}
			if lost > 0 {
				s.addDamage(Damage{Reason: fmt.Sprintf("stream %q: %d of %d %ss are lost, the first is %d", st.name, lost, r.run.len(), r.kind, first)})
			}
		}
	}
}

func (s *Store) report(segment uint32, offset int64, reason string) {
	s.addDamage(Damage{File: path.Join(s.dir, segmentName(segment)), Offset: offset, Reason: reason})
}

const maxDamage = 1000 // entries kept; all are logged

func (s *Store) addDamage(d Damage) {
	s.cfg.Logger.Warn("the store is damaged", "file", d.File, "offset", d.Offset, "reason", d.Reason)
	if len(s.damage) < maxDamage {
		s.damage = append(s.damage, d)
	}
}

// setAside takes a segment out of the outbox for inspection, and deletes the
// oldest of those when they become too many.
func (s *Store) setAside(name string) error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	var kept []string
	for _, n := range names {
		if strings.HasSuffix(n, damagedSuffix) && n != path.Base(name)+damagedSuffix {
			kept = append(kept, n)
		}
	}
	for i := 0; i <= len(kept)-maxSetAside; i++ {
		if err := s.fs.Remove(path.Join(s.dir, kept[i])); err != nil {
			return err
		}
	}
	s.count.setAside.Add(1)
	s.cfg.Logger.Warn("a damaged segment is set aside", "file", name+damagedSuffix)
	return s.fs.Rename(name, name+damagedSuffix)
}

// SetAside moves what is in a store's directory into a new subdirectory, whose
// name it returns, so that a store that is damaged can be examined, and Open
// makes a new one. The new one needs a new epoch: it counts from 1 again.
func SetAside(dir string) (moved string, err error) {
	lock, err := lockDir(dir)
	if err != nil {
		return "", openError(dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return moveAside(vfs.OS{}, dir)
}

func moveAside(fsys vfs.FS, dir string) (string, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return "", openError(dir, err)
	}
	moved := ""
	for i := 1; moved == ""; i++ {
		if name := fmt.Sprintf("damaged-%d", i); !slices.Contains(names, name) {
			moved = path.Join(dir, name)
		}
	}
	if err := fsys.MkdirAll(moved); err != nil {
		return "", openError(dir, err)
	}
	for _, name := range []string{outboxName, dbName} {
		if !slices.Contains(names, name) {
			continue
		}
		if err := fsys.Rename(path.Join(dir, name), path.Join(moved, name)); err != nil {
			return "", openError(dir, err)
		}
	}
	return moved, errors.Join(fsys.SyncDir(moved), fsys.SyncDir(dir))
}
