package expr

import "errors"

// ErrInvalid says that an expression of a plan cannot be compiled: it names an
// unknown operation or column, its types do not fit, or it is too large.
var ErrInvalid = errors.New("invalid expression")

// ErrBatch says that a batch does not have the columns that a program was
// compiled for.
var ErrBatch = errors.New("batch does not fit the program's schema")

// ErrScalar says that a user-defined function broke the contract of Scalar.
var ErrScalar = errors.New("function result does not fit")

// Reasons why a row fails. They are PostgreSQL's words where it has any.
const (
	reasonIntRange      = "integer out of range"
	reasonDivision      = "division by zero"
	reasonOverflow      = "value out of range: overflow"
	reasonUnderflow     = "value out of range: underflow"
	reasonSqrt          = "cannot take square root of a negative number"
	reasonLnZero        = "cannot take logarithm of zero"
	reasonLnNegative    = "cannot take logarithm of a negative number"
	reasonZeroPower     = "zero raised to a negative power is undefined"
	reasonComplexPower  = "a negative number raised to a non-integer power yields a complex result"
	reasonSubstr        = "negative substring length not allowed"
	reasonSplitPart     = "field position must not be zero"
	reasonLikeEscape    = "LIKE pattern must not end with escape character"
	reasonEscape        = "invalid escape string"
	reasonTimestamp     = "timestamp out of range"
	reasonStringTooLong = "string longer than 1048576 bytes"
	reasonStringsFull   = "new strings of one batch take too much memory"
)
