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

var errSkeleton = errors.New("columnar: being built")

// Append appends the counting rows of b, whose columns are of schema s.
func Append(dst []byte, s batch.Schema, b *batch.Batch) []byte { return dst }

// Decode appends the rows at the start of src to dst, whose columns are of
// schema s, and returns what follows them. On an error dst is as it was.
func Decode(src []byte, s batch.Schema, dst *batch.Batch, lim Limits) (rest []byte, err error) {
	return nil, errSkeleton
}

// AppendPayload appends a payload of the sections, compressed where that
// shrinks it. schemas gives the schema of a port.
func AppendPayload(dst []byte, sections []Section, schemas func(port uint32) batch.Schema) []byte {
	return dst
}

// DecodePayload is the inverse of AppendPayload. schemas returns nil for a port that the plan
// does not have. Every section gets a batch and Dicts of its own.
func DecodePayload(src []byte, schemas func(port uint32) batch.Schema, lim Limits) ([]Section, error) {
	return nil, errSkeleton
}
