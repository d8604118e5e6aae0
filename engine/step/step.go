package step

import (
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
)

// NoWatermark is the watermark before the first row.
const NoWatermark = math.MinInt64

// GoneColumn is the last column of every state: true marks a key that was forgotten.
const GoneColumn = "_gone"

// Emit takes rows that a step lets through or makes, valid until it returns.
// watermarks[i] is the watermark that stood before row i, as in Process; nil = it did not move.
type Emit func(b *batch.Batch, watermarks []int64) error

// Step is one stateful step of a fragment.
type Step interface {
	// Process takes the counting rows of b, in order of arrival, and emits
	// what they make. watermarks[i] is the watermark that stood before row i (of b.N) and
	// never falls; nil = it has not moved since the last Advance. b is valid until Process returns.
	Process(b *batch.Batch, watermarks []int64, emit Emit) error
	// Advance moves the watermark and emits what that sets off.
	Advance(watermark int64, emit Emit) error
	// StateSchema is the schema of the state: the keys, what is remembered, _gone.
	// A step without a state has none.
	StateSchema() batch.Schema
	// StateKeys is how many columns at the front of StateSchema are the key.
	StateKeys() int
	// Changes appends the states that changed since the last Changes, or all of
	// them, to dst, a batch of StateSchema.
	Changes(full bool, dst *batch.Batch)
	// Restore takes a batch of Changes back in. On an error nothing was taken.
	Restore(b *batch.Batch) error
	// Resume sets the watermark after the last Restore; nothing is emitted.
	Resume(watermark int64)
	// Stats gives the counters since the step was made.
	Stats() Stats
}

// Stats are the counters of a step.
type Stats struct {
	Keys      int    // held now
	SizeBytes int    // estimate of the memory held
	Forgotten uint64 // keys that were forgotten because MaxKeys was reached
	Refused   uint64 // rows that were rejected because MaxKeys was reached
	Late      uint64 // rows that were dropped because what they would be compared with is forgotten
}

// Config is what steps need beside their plan. The zero value is the default.
type Config struct {
	MaxKeys int        // keys held; 0 = DefaultMaxKeys
	Reject  RejectFunc // nil = dropped unseen
	Env     expr.Env   // of the expressions
	// EventTime is what user-defined functions in expressions see; nil = 0.
	EventTime func() int64
}

// RejectFunc takes a row of b that cannot be worked on.
type RejectFunc func(b *batch.Batch, row int, reason string)

// DefaultMaxKeys is the number of keys that a step holds unless it is told otherwise.
const DefaultMaxKeys = 1_000_000

// EndOfTime is the watermark from which on a source has ended: timers fire, but
// nobody is silent for it.
const EndOfTime = 253402300799_999999 + 1 + 366*24*3600*1_000_000
