package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/quic-go/quic-go"

	"github.com/leatio/leat/transport/wire"
)

// Errors of sessions and streams.
var (
	// ErrClosed says that the session or stream has ended.
	ErrClosed = errors.New("transport: closed")
	// ErrTooSlow says that a message did not arrive in time.
	ErrTooSlow = errors.New("transport: too slow")

	errNoSession   = fmt.Errorf("%w: there is no session with the cloud now", ErrClosed)
	errDialTimeout = errors.New("transport: no answer")
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

// maxReason bounds a reason so that it fits the packet that ends a connection.
const maxReason = 512

// message is the refusal as it is sent.
func (r *Refusal) message() *wire.Refusal {
	return &wire.Refusal{Code: uint32(r.Code), Reason: cut(r.Reason)}
}

func cut(reason string) string {
	if len(reason) > maxReason {
		return reason[:maxReason-3] + "..."
	}
	return reason
}

// received is a refusal that the other side sent.
func received(m *wire.Refusal) *Refusal { return &Refusal{wire.Code(m.GetCode()), m.GetReason()} }

func refusalOf(e *quic.ApplicationError) *Refusal {
	return &Refusal{wire.Code(e.ErrorCode), e.ErrorMessage}
}

// Ended tells whether an error says that the other side has ended the stream or the connection.
func Ended(err error) bool {
	var ended *quic.StreamError
	return errors.Is(err, ErrClosed) || errors.As(err, &ended) && ended.Remote
}

// refusalFor is what the other side is told about an error of ours.
func refusalFor(err error) *Refusal {
	var r *Refusal
	switch {
	case err == nil:
		return &Refusal{wire.CodeNone, ""}
	case errors.As(err, &r):
		return r
	case Ended(err), errors.Is(err, net.ErrClosed): // nobody hears it
		return &Refusal{wire.CodeNone, ""}
	case errors.Is(err, context.Canceled):
		return &Refusal{wire.CodeShutdown, "the node is going down"}
	case errors.Is(err, ErrTooSlow):
		return &Refusal{wire.CodeTooSlow, "too slow"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Refusal{wire.CodeBadMessage, "the stream ended inside a message"}
	}
	return &Refusal{wire.CodeInternal, "the node failed; its log says why"}
}
