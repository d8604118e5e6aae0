package step

import (
	"github.com/leatio/leat/engine/batch"
)

// TimerKind is the clock that a timer follows. The numbers stand in states and in the UDF ABI.
type TimerKind uint8

// The clocks.
const (
	EventTime      TimerKind = 0 // fires when the watermark has passed it
	ProcessingTime TimerKind = 1 // fires when the clock of AdvanceClock has passed it
)

// Timer is named by its key, kind and ID; setting it again replaces it.
type Timer struct {
	Kind TimerKind
	ID   uint32
	At   int64 // microseconds
}

// Functions finds keyed functions by the name in the plan.
type Functions interface {
	Keyed(name string) (Function, error)
}

// Function is a user's function with state and timers by key. What a Call
// does to a key must depend on what the Call says of the key alone.
type Function interface {
	// Bind tells which columns of the step's input it takes, and the columns
	// that it gives. An error says that it cannot work on such rows.
	Bind(in batch.Schema) (take []int, give batch.Schema, err error)
	// Call works on the groups of c. An error means that the whole function is unusable.
	Call(c *Call) error
}

// Call is one call of a Function: some groups, each the rows and due timers
// of one key. Within a group the rows come first, in order of arrival, then the timers
// by (At, ID). All of it is valid until Call returns.
type Call struct {
	EventTime int64 // the watermark, in full seconds (TimerResolution); microseconds, NoWatermark = none
	Clock     int64 // of the last AdvanceClock; 0 = none yet

	Groups     int
	Keys       []batch.Column // one row per group
	Rows       []batch.Column // the columns that Bind took; the rows of all groups, without gaps
	RowStart   []uint32       // group g has the rows [RowStart[g], RowStart[g+1])
	State      [][]byte       // per group; nil = none yet
	Timers     []Timer        // due now, of all groups; they are gone when the call succeeds
	TimerStart []uint32       // as RowStart

	// What the function gives.
	Out Answer
}

// Answer is what a Function makes of a Call. It is empty when Call begins.
type Answer struct {
	// Rows are the rows made, in the columns that Bind gave, in order within a group.
	// Group names the group of each, Row the input row (of Call.Rows) whose place and event time it takes; NoRow =
	// the group's last row or, where it has none, the time of its first timer.
	Rows  *batch.Batch
	Group []uint32
	Row   []uint32
	// States are the states that change; a later one of the same group counts.
	States []StateChange
	// Timers are set and deleted in order.
	Timers []TimerChange
	// Errors are the groups that failed. What else the answer says of them does not count.
	Errors []GroupError
}

// NoRow stands where a row was not made from a row.
const NoRow = 1<<32 - 1

// StateChange puts (or, with nil, deletes) the state of a group's key.
type StateChange struct {
	Group uint32
	State []byte
}

// TimerChange sets (or deletes) a timer of a group's key.
type TimerChange struct {
	Group  uint32
	Delete bool
	Timer  Timer
}

// GroupError says that a group failed and why.
type GroupError struct {
	Group  uint32
	Reason string
}
