package sink

import "errors"

var (
	// ErrTableChanged says that a table exists with other types or other identifying columns.
	ErrTableChanged = errors.New("the table exists in another shape")
	// ErrBadWrite says that a write does not fit its table.
	ErrBadWrite = errors.New("bad write")
	// ErrBadTable says that a table's description cannot be right.
	ErrBadTable = errors.New("bad table")
	// ErrFull says that the store's limit is reached or the disk is full; nothing was written.
	ErrFull = errors.New("the result tables are full")
	// ErrClosed says that the store was closed or is no longer running.
	ErrClosed = errors.New("the result tables are closed")
	// ErrQuery says that a query cannot be answered because of what it asks.
	ErrQuery = errors.New("query refused")
	// ErrLimit says that a query was stopped at one of its limits.
	ErrLimit = errors.New("query stopped at its limit")
)
