package columnar

import (
	"errors"

	"github.com/leatio/leat/engine/batch"
)

// Errors of the decoder; what is wrong stands in the text around them.
var (
	// ErrCorrupt says that the bytes are no payload or an inconsistent one.
	ErrCorrupt = errors.New("columnar: corrupt payload")
	// ErrLimit says that decoding would pass one of the Limits.
	ErrLimit = errors.New("columnar: payload above a limit")
	// ErrSchema says that the payload's columns are not those of the schema.
	ErrSchema = errors.New("columnar: payload does not fit the schema")
)

// Limits bound what a decoder takes. The zero value of a field is its default.
type Limits struct {
	MaxRows     int // of a payload, all sections together; default 1<<20
	MaxBytes    int // of a payload once decompressed, and of the values decoded from it; default 64 MiB
	MaxSections int // default 1024
}

func (l Limits) withDefaults() Limits {
	if l.MaxRows == 0 {
		l.MaxRows = 1 << 20
	}
	if l.MaxBytes == 0 {
		l.MaxBytes = 64 << 20
	}
	if l.MaxSections == 0 {
		l.MaxSections = 1024
	}
	return l
}

// Section is the rows that a payload holds for one port of the plan.
type Section struct {
	Port  uint32
	Batch *batch.Batch
}
