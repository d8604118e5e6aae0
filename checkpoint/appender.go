package checkpoint

import (
	"errors"
	"fmt"
	"path"
	"syscall"

	"github.com/leatio/leat/checkpoint/vfs"
)

const (
	outboxName = "outbox"

	// The appender gathers records up to this size before it writes.
	writeBytes = 256 << 10
)

// appender writes records at the tail of the outbox. It owns the one file that
// is open for writing. Nothing that it does counts until the tail that it
// reached is committed; rewind undoes it.
type appender struct {
	fs    vfs.FS
	dir   string
	id    storeID
	limit int64 // of a segment

	file   vfs.File // nil: the next record starts a segment
	number uint32   // of file, or of the last segment there was
	off    int64    // where the next record goes, buffered ones included
	seed   uint32
	buf    []byte // not written yet, ends at off

	dirty  bool     // file was written since its last sync
	fresh  []uint32 // segments begun since the last mark
	closed map[uint32]int64
}

// mark is a place to rewind to.
type mark struct {
	number uint32
	off    int64
	open   bool
}

func (a *appender) mark() mark {
	a.fresh, a.closed = a.fresh[:0], nil
	return mark{a.number, a.off, a.file != nil}
}

// add appends one record and returns its place.
func (a *appender) add(h recordHeader, data []byte) (loc, error) {
	size := recordBytes(len(data))
	if a.file == nil || a.off > segmentHeaderBytes && a.off+size > a.limit {
		if err := a.roll(); err != nil {
			return loc{}, err
		}
	}
	l := loc{a.number, uint32(a.off), uint32(len(data))}
	a.buf = appendRecordHeader(a.buf, h, a.seed, a.off)
	a.off += size
	if len(data) >= writeBytes {
		// Large data goes to the file as it is.
		if err := a.flushAt(a.off - size + recordHeaderBytes); err != nil {
			return loc{}, err
		}
		if _, err := a.file.WriteAt(data, a.off-size+recordHeaderBytes); err != nil {
			return loc{}, err
		}
	} else {
		a.buf = append(a.buf, data...)
	}
	var zero [recordAlign]byte
	a.buf = append(a.buf, zero[:size-recordHeaderBytes-int64(len(data))]...)
	if len(a.buf) >= writeBytes {
		return l, a.flushAt(a.off)
	}
	return l, nil
}

// flushAt writes the buffer so that it ends at off.
func (a *appender) flushAt(off int64) error {
	if len(a.buf) == 0 {
		return nil
	}
	a.dirty = true
	_, err := a.file.WriteAt(a.buf, off-int64(len(a.buf)))
	a.buf = a.buf[:0]
	return err
}

// roll syncs and closes the segment and starts the next one.
func (a *appender) roll() error {
	if err := a.finish(); err != nil {
		return err
	}
	name := path.Join(a.dir, segmentName(a.number+1))
	f, err := a.fs.Create(name)
	if err != nil {
		return err
	}
	a.file, a.number, a.off = f, a.number+1, segmentHeaderBytes
	a.fresh = append(a.fresh, a.number)
	a.seed = segmentSeed(a.id, a.number)
	a.buf = appendSegmentHeader(a.buf[:0], a.id, a.number)
	return nil
}

// finish makes the open segment durable and closes it.
func (a *appender) finish() error {
	if a.file == nil {
		return nil
	}
	if err := a.syncFile(); err != nil {
		return err
	}
	if a.closed == nil {
		a.closed = map[uint32]int64{}
	}
	a.closed[a.number] = a.off
	err := a.file.Close()
	a.file = nil
	return err
}

// syncError is an error of making bytes durable: unlike one of writing them, it
// cannot be undone, as nobody knows which of them the disk holds.
type syncError struct{ error }

func (e syncError) Unwrap() error { return e.error }

func (a *appender) syncFile() error {
	if err := a.flushAt(a.off); err != nil {
		return err
	}
	if !a.dirty {
		return nil
	}
	if err := a.file.Sync(); err != nil {
		return syncError{err}
	}
	a.dirty = false
	return nil
}

// sync makes all since the mark durable.
func (a *appender) sync() error {
	if a.file != nil {
		if err := a.syncFile(); err != nil {
			return err
		}
	}
	if len(a.fresh) > 0 {
		if err := a.fs.SyncDir(a.dir); err != nil {
			return syncError{err}
		}
	}
	if cap(a.buf) > writeBytes/4 {
		a.buf = nil // an idle agent keeps little
	}
	return nil
}

// sizes returns the size of each segment touched since the mark.
func (a *appender) sizes() map[uint32]int64 {
	out := map[uint32]int64{}
	for n, size := range a.closed {
		out[n] = size
	}
	if a.file != nil {
		out[a.number] = a.off
	}
	return out
}

// rewind undoes all since the mark, after a write that the disk had no room
// for.
func (a *appender) rewind(m mark) error {
	a.buf, a.dirty = a.buf[:0], false
	if a.file != nil && a.number != m.number {
		if err := a.file.Close(); err != nil {
			return err
		}
		a.file = nil
	}
	for _, n := range a.fresh {
		if err := a.fs.Remove(path.Join(a.dir, segmentName(n))); err != nil {
			return err
		}
	}
	a.fresh, a.closed = a.fresh[:0], nil
	a.number, a.off = m.number, m.off
	if !m.open {
		return nil
	}
	return a.reopen(m.number, m.off)
}

// reopen makes a segment the one that is appended to, cut to size.
func (a *appender) reopen(number uint32, size int64) (err error) {
	if a.file == nil {
		if a.file, err = a.fs.Open(path.Join(a.dir, segmentName(number))); err != nil {
			return err
		}
	}
	if err := a.file.Truncate(size); err != nil {
		return err
	}
	a.number, a.off, a.seed, a.dirty = number, size, segmentSeed(a.id, number), true
	return nil
}

func (a *appender) close() error {
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return err
}

// isNoRoom tells a disk without room, which passes, from one that fails.
func isNoRoom(err error) bool {
	var se syncError
	return !errors.As(err, &se) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT))
}

func noRoom(err error) error { return fmt.Errorf("%w: %w", ErrFull, err) }
