package lookup

import "errors"

// Errors that callers tell apart.
var (
	// ErrParse says that a file is not a table of the wanted columns.
	ErrParse = errors.New("lookup table")
	// ErrFormat says that bytes are not an encoded table.
	ErrFormat = errors.New("damaged lookup table")
	// ErrVersion says that a table was encoded by a newer Leat.
	ErrVersion = errors.New("lookup table of a newer format")
	// ErrDuplicate says that two rows have the same key.
	ErrDuplicate = errors.New("lookup table: two rows have the same key")
	// ErrColumn says that a table has no such column.
	ErrColumn = errors.New("lookup table: no such column")
)
