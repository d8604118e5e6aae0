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
	// MergeFrom takes the states of slots fromSlots[i] of from, which was made with the same Spec, into the
	// slots slots[i], one after the other. from may be the receiver itself; otherwise it does not change.
	MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32)
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

	DDSketch    = "ddsketch"     // quantile; Param is the relative accuracy
	HyperLogLog = "hll"          // approx_count_distinct; Param is the number of bits that choose a register
	SpaceSaving = "space_saving" // top_k; Param is the capacity
	Increase    = "increase"
)

// Spec says which accumulator: its kind, the type of the column that it takes (which Count ignores) and a
// parameter of the kind; 0 for the kinds that take none.
type Spec struct {
	Kind  string
	In    batch.Type
	Param float64
}

func (s Spec) String() string {
	out := s.Kind
	if s.In != 0 {
		out += "(" + s.In.String() + ")"
	}
	if s.Param != 0 {
		out += fmt.Sprintf("[%v]", s.Param)
	}
	return out
}

// New returns an empty accumulator.
func New(s Spec) (Accumulator, error) {
	if _, err := StateTypes(s); err != nil {
		return nil, err
	}
	return build(s), nil
}

// StateTypes gives the types of the state columns.
func StateTypes(s Spec) ([]batch.Type, error) {
	number := s.In == batch.Int || s.In == batch.Double
	if err := checkParam(s); err != nil {
		return nil, err
	}
	switch s.Kind {
	case Count:
		return []batch.Type{batch.Int}, nil
	case CountValue:
		if s.In.Valid() {
			return []batch.Type{batch.Int}, nil
		}
	case Sum:
		if s.In == batch.Double {
			return []batch.Type{batch.Double, batch.Double, batch.Bytes}, nil
		}
		if number {
			return []batch.Type{batch.Int, batch.Int}, nil
		}
	case Min, Max:
		if s.In.Valid() && s.In != batch.Bytes {
			return []batch.Type{s.In}, nil
		}
	case First, Last:
		if s.In.Valid() {
			return []batch.Type{batch.Timestamp, s.In}, nil
		}
	case Moments:
		if number {
			return []batch.Type{batch.Int, batch.Double, batch.Double, batch.Double, batch.Double, batch.Double, batch.Double,
				batch.Bytes}, nil
		}
	case DDSketch, Increase:
		if number {
			return []batch.Type{batch.Bytes}, nil
		}
	case HyperLogLog, SpaceSaving:
		if s.In.Valid() {
			return []batch.Type{batch.Bytes}, nil
		}
	default:
		return nil, fmt.Errorf("accumulator %q: %w", s.Kind, ErrKind)
	}
	return nil, fmt.Errorf("accumulator %s of %s: %w", s.Kind, s.In, ErrType)
}

func checkParam(s Spec) error {
	switch s.Kind {
	case DDSketch:
		if s.Param != ddAccuracy {
			return fmt.Errorf("accumulator %s: %w: this build knows an accuracy of %v only", s, ErrParam, ddAccuracy)
		}
	case HyperLogLog:
		if s.Param != hllBits {
			return fmt.Errorf("accumulator %s: %w: this build knows %d bits only", s, ErrParam, hllBits)
		}
	case SpaceSaving:
		if n := int(s.Param); float64(n) != s.Param || n < 1 || n > maxTopCapacity {
			return fmt.Errorf("accumulator %s: %w: a capacity is a whole number from 1 to %d", s, ErrParam, maxTopCapacity)
		}
	default:
		if s.Param != 0 {
			return fmt.Errorf("accumulator %s: %w: this kind takes none", s, ErrParam)
		}
	}
	return nil
}
