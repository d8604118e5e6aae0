package wire

import "errors"

// Errors of the parsers; what is wrong stands in the text around them.
var (
	// ErrShort says that the bytes end inside a frame or message.
	ErrShort = errors.New("wire: cut short")
	// ErrCorrupt says that a checksum, magic or length is wrong.
	ErrCorrupt = errors.New("wire: corrupt")
	// ErrTooLarge says that a stated length is above the reader's limit.
	ErrTooLarge = errors.New("wire: too large")
	// ErrVersion says that the bytes are of a format this reader does not know.
	ErrVersion = errors.New("wire: unknown format version")
)
