package checkpoint

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned once the store was closed or its Run has ended.
	ErrClosed = errors.New("checkpoint: the store is closed")

	// ErrFailed wraps the first write or fsync error. The store stays failed:
	// after a failed fsync nobody knows what the disk holds, so the process
	// has to exit and open the directory anew. What was committed can still
	// be read.
	ErrFailed = errors.New("checkpoint: the store has failed")

	// ErrFull says that the outbox is at Config.MaxBytes, or that the disk
	// has no room. Nothing of the batch was stored. The caller keeps its
	// input unacknowledged and commits again after WaitRoom.
	ErrFull = errors.New("checkpoint: the outbox is full")

	// ErrTooLarge refuses a record, key or value beyond its fixed bound.
	ErrTooLarge = errors.New("checkpoint: too large")

	// ErrSequence means that the caller has lost count: a frame that does not
	// carry its stream's next number, or an acknowledgement of a frame that
	// was never committed.
	ErrSequence = errors.New("checkpoint: BUG: wrong sequence number")

	// ErrAcked is returned by Read for a frame that was acknowledged.
	ErrAcked = errors.New("checkpoint: the frame was acknowledged")

	// ErrNotCommitted is returned by Read for a frame that is not committed yet.
	ErrNotCommitted = errors.New("checkpoint: the frame is not committed")

	// ErrDropped is returned for streams removed by DropStream.
	ErrDropped = errors.New("checkpoint: the stream was dropped")

	// ErrCorrupt is matched by every CorruptError.
	ErrCorrupt = errors.New("checkpoint: corrupt record")

	// ErrLocked says that another process (or another Store of this process)
	// has the directory open.
	ErrLocked = errors.New("checkpoint: the directory is in use")

	// ErrDamaged says that store.db cannot be trusted. The way out is
	// SetAside and a new store under a new epoch.
	ErrDamaged = errors.New("checkpoint: the store is damaged")

	// ErrRolledBack says that the outbox holds commits that store.db does not
	// know, so store.db was restored from a backup or the disk forgot what it
	// said was written. The way out is Config.AcceptRollback and a new epoch.
	ErrRolledBack = errors.New("checkpoint: the store went back in time")
)

// CorruptError describes a record that was committed and cannot be read any
// more: a bit flip, a truncated or a missing file. It matches ErrCorrupt. The
// record's neighbours are not touched by it; the caller sets the frame aside
// (Data, when the bytes could still be read) and goes on.
type CorruptError struct {
	Stream string
	Kind   Kind
	Seq    uint64
	File   string // segment file; empty when no trace of the record is left
	Offset int64  // of the record's header in File
	Reason string
	Data   []byte // the damaged bytes, when the header could still be read
}

func (e *CorruptError) Error() string {
	where := "no segment holds it"
	if e.File != "" {
		where = fmt.Sprintf("%s at offset %d", e.File, e.Offset)
	}
	return fmt.Sprintf("checkpoint: %s %d of stream %q is lost (%s): %s", e.Kind, e.Seq, e.Stream, where, e.Reason)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
