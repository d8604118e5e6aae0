package file

import "errors"

var (
	// ErrNoFiles says that the paths and globs match nothing.
	ErrNoFiles = errors.New("no file matches")
	// ErrPosition says that the committed position does not fit the files.
	ErrPosition = errors.New("the committed position does not fit the files")
)
