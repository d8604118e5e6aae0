package aggregate

import "errors"

// Errors that callers tell apart.
var (
	// ErrKind says that a plan names an accumulator that this build does not have.
	ErrKind = errors.New("unknown accumulator (a newer Leat may have made the plan)")
	// ErrFunction says that there is no such aggregate function.
	ErrFunction = errors.New("unknown aggregate function")
	// ErrParam says that an aggregate does not take a parameter of the given value.
	ErrParam = errors.New("does not take this parameter")
	// ErrState says that bytes are not the encoded state of an accumulator.
	ErrState = errors.New("not a state of this accumulator")
	// ErrType says that an aggregate does not take arguments of the given type.
	ErrType = errors.New("does not take this type")
)
