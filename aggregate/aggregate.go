package aggregate

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// Accumulator keeps the states of one aggregate for many groups, by slot.
// Slots given to it lie below the last Grow. The columns and slices handed in
// are only used during the call.
type Accumulator interface {
	// Grow makes slots [0,n) usable; new ones hold the identity. It never shrinks.
	Grow(slots int)
	// Add takes row rows[i] (rows nil: row i) of col into slot slots[i]. Nulls are
	// skipped. Count takes no column: col may be nil. times holds the event time by
	// row for first and last, and may be nil for the others.
	Add(slots []uint32, col *batch.Column, times []int64, rows []uint32)
	// Merge takes the state in row rows[i] (rows nil: row i) of the state columns into slot slots[i].
	Merge(slots []uint32, state []batch.Column, rows []uint32)
	// AppendState appends the states of the slots to the state columns.
	AppendState(dst []batch.Column, slots []uint32)
	// Clear sets the slots back to the identity.
	Clear(slots []uint32)
	// SizeBytes estimates the memory held.
	SizeBytes() int
}

// The kinds of accumulators, as they stand in plans.
const (
	Count      = "count"       // count(*)
	CountValue = "count_value" // count(x)
	Sum        = "sum"
	Min        = "min"
	Max        = "max"
	First      = "first"
	Last       = "last"
	Moments    = "moments" // var_pop, var_samp, stddev_pop, stddev_samp
)

// New returns an empty accumulator of a kind over a column of type in (which count ignores).
func New(kind string, in batch.Type) (Accumulator, error) {
	if _, err := StateTypes(kind, in); err != nil {
		return nil, err
	}
	return build(kind, in), nil
}

// StateTypes gives the types of the state columns of a kind.
func StateTypes(kind string, in batch.Type) ([]batch.Type, error) {
	number := in == batch.Int || in == batch.Double
	switch kind {
	case Count:
		return []batch.Type{batch.Int}, nil
	case CountValue:
		if in.Valid() {
			return []batch.Type{batch.Int}, nil
		}
	case Sum:
		if number {
			return []batch.Type{in, in}, nil
		}
	case Min, Max:
		if in.Valid() && in != batch.Bytes {
			return []batch.Type{in}, nil
		}
	case First, Last:
		if in.Valid() {
			return []batch.Type{batch.Timestamp, in}, nil
		}
	case Moments:
		if number {
			return []batch.Type{batch.Int, batch.Double, batch.Double, batch.Double, batch.Double, batch.Double, batch.Double}, nil
		}
	default:
		return nil, fmt.Errorf("accumulator %q: %w", kind, ErrKind)
	}
	return nil, fmt.Errorf("accumulator %s of %s: %w", kind, in, ErrType)
}
