package transport

import (
	"fmt"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/leatio/leat/transport/wire"
)

// An agent that stopped in order stood in the node's log as an internal failure: "stream 0 canceled".
func TestStreamsThatTheOtherSideEndsAreNoFailures(t *testing.T) {
	for remote, want := range map[bool]wire.Code{true: wire.CodeNone, false: wire.CodeInternal} {
		err := fmt.Errorf("control stream: %w", &quic.StreamError{Remote: remote})
		if got := refusalFor(err); got.Code != want {
			t.Errorf("ended by the other side %t: %v, want %v", remote, got.Code, want)
		}
	}
}
