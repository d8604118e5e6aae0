package transport

import (
	"errors"
	"fmt"

	"github.com/leatio/leat/transport/wire"
)

// Errors of sessions and streams.
var (
	// ErrClosed says that the session or stream has ended.
	ErrClosed = errors.New("transport: closed")
	// ErrTooSlow says that a message did not arrive in time.
	ErrTooSlow = errors.New("transport: too slow")
)

// Refusal is an answer of the other side that says no. Handlers return one to
// choose what the agent is told; other errors reach it as CodeInternal without their text.
type Refusal struct {
	Code   wire.Code
	Reason string // one line for the user: what, why, the next step
}

// Error gives the reason.
func (r *Refusal) Error() string { return fmt.Sprintf("refused (%s): %s", r.Code, r.Reason) }

// Refuse makes a Refusal.
func Refuse(code wire.Code, format string, args ...any) error {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}
