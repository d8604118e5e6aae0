package frame

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// Magic is "LTF1" in the order of the bytes.
const Magic = 0x3146544C

// Sizes of the fixed parts, and the bound of a frame's length: an address and
// length in guest memory are positive i32.
const (
	HeaderBytes     = 40
	DescriptorBytes = 24
	MaxBytes        = 1<<31 - 8
)

// Operations of the header.
const OpScalar = 0

// Flags of a column.
const (
	flagNullable   = 1
	flagConstant   = 2
	flagDictionary = 4
)

// Error says what is wrong with a frame.
type Error struct{ Reason string }

func (e *Error) Error() string { return "malformed frame: " + e.Reason }

func malformed(format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...)}
}

func align(n uint64) uint64 { return (n + 7) &^ 7 }

// width is the size of one value, 0 for types of variable length.
func width(t batch.Type) uint64 {
	switch t {
	case batch.Bool:
		return 1
	case batch.Int, batch.Double, batch.Timestamp:
		return 8
	default:
		return 0
	}
}
