package log

import (
	"context"
	"fmt"
)

// Log is a set of partitions, numbered from 0, each an ordered sequence of records.
// All methods may be called by several goroutines at once.
type Log interface {
	// Append adds a record of 0 or more bytes and gives its offset.
	Append(ctx context.Context, partition int, record []byte) (offset uint64, err error)
	// Read opens a reader whose first record is the one at from. It fails
	// with ErrTrimmed when from is below the first offset and with ErrBeyond when
	// from is above the next offset, which tells that the log was shortened.
	Read(ctx context.Context, partition int, from uint64) (Reader, error)
	// Trim removes the records below the offset below, except the newest record of the partition.
	Trim(ctx context.Context, partition int, below uint64) error
	// Bounds gives the offset of the first record and the offset that the
	// next record will get. They are equal when nothing was appended yet.
	Bounds(ctx context.Context, partition int) (first, next uint64, err error)
}

// Reader reads one partition in order. One goroutine uses it at a time, except for Close.
type Reader interface {
	// Next blocks until there is a record. It fails with the context's error
	// when ctx ends, after which it may be called again; with ErrTrimmed
	// when the record that follows was trimmed; and with ErrClosed after Close.
	Next(ctx context.Context) (offset uint64, record []byte, err error)
	// Close frees the reader and wakes a blocked Next.
	Close() error
}

// Keys holds small values that change by compare-and-set.
type Keys interface {
	// Get gives a key's value and revision, or ErrNotFound. What it gives may be stale.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put writes a value if the key's revision is expect (0: the key must not
	// exist) and gives the new revision; otherwise it fails with ErrConflict.
	Put(ctx context.Context, key string, value []byte, expect uint64) (revision uint64, err error)
	// Delete removes a key if its revision is expect, which must not be 0; otherwise it fails with ErrConflict.
	Delete(ctx context.Context, key string, expect uint64) error
	// List gives the keys that begin with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
}

// Objects holds large values that are replaced as a whole.
type Objects interface {
	// PutObject writes an object, replacing the one with the same name.
	PutObject(ctx context.Context, name string, data []byte) error
	// GetObject reads an object, or fails with ErrNotFound.
	GetObject(ctx context.Context, name string) ([]byte, error)
	// DeleteObject removes an object. Deleting one that does not exist is no error.
	DeleteObject(ctx context.Context, name string) error
	// ListObjects gives the names that begin with prefix, sorted.
	ListObjects(ctx context.Context, prefix string) ([]string, error)
}

// MaxNameBytes bounds the names of keys and objects.
const MaxNameBytes = 512

// CheckName tells whether name may be the name of a key or an object.
func CheckName(name string) error {
	if name == "" {
		return fmt.Errorf("%w: it is empty", ErrBadName)
	}
	if len(name) > MaxNameBytes {
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed: it begins with %.40q", ErrBadName, len(name), MaxNameBytes, name)
	}
	return nil
}
