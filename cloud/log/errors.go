package log

import "errors"

var (
	// ErrNotFound says that there is no such key or object.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that a key does not have the expected revision.
	ErrConflict = errors.New("the key was changed meanwhile")
	// ErrClosed says that the store or the reader was closed.
	ErrClosed = errors.New("the log is closed")
	// ErrFull says that a size limit is reached; nothing was written.
	ErrFull = errors.New("the log is full")
	// ErrTrimmed says that the records asked for were trimmed.
	ErrTrimmed = errors.New("the record was trimmed from the log")
	// ErrBeyond says that the records asked for come after the end of the log: it was shortened, or is another log.
	ErrBeyond = errors.New("the offset is beyond the end of the log")
	// ErrTooLarge says that a record or value is larger than the store takes; nothing was written.
	ErrTooLarge = errors.New("larger than the limit")
	// ErrNoPartition says that there is no partition of that number.
	ErrNoPartition = errors.New("no such partition")
	// ErrBadName says that a key or object cannot have that name.
	ErrBadName = errors.New("bad name of a key or object")
	// ErrCorrupt says that what was read is not what was written.
	ErrCorrupt = errors.New("the stored bytes are damaged")
)
