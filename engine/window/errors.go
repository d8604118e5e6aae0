package window

import "errors"

// Errors that callers tell apart.
var (
	// ErrUnsupported says that the plan asks for a window that this build does not have.
	ErrUnsupported = errors.New("this kind of window is not supported by this version")
	// ErrPlan says that the window of a plan contradicts itself or the batch it reads.
	ErrPlan = errors.New("inconsistent window in the plan")
	// ErrBatch says that a batch does not fit the schema or the slices of the window. Nothing of it was applied.
	ErrBatch = errors.New("batch does not fit the window")
	// ErrVersion says that a snapshot was written by a build whose snapshots differ.
	ErrVersion = errors.New("a snapshot of another version")
	// ErrFull says that a batch would bring more states than the limit allows. Nothing of it was applied.
	ErrFull = errors.New("too many window states")
)
