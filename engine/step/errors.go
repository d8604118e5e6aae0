package step

import "errors"

// Errors that callers tell apart.
var (
	// ErrPlan says that the step of a plan contradicts itself or the batch it reads.
	ErrPlan = errors.New("inconsistent step in the plan")
	// ErrState says that a batch is not a state of the step. Nothing of it was applied.
	ErrState = errors.New("batch does not fit the state of the step")
	// ErrFunction says that a keyed function gave something that it must not.
	ErrFunction = errors.New("the function broke its contract")
)
