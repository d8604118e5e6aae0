package wire

import "fmt"

// Protocol is the version of the session protocol.
const Protocol = 1

// Code says why a session, stream or request is refused or ended. The numbers
// stand on the wire and never change.
type Code uint32

// The codes.
const (
	CodeNone         Code = 0  // a plain end
	CodeInternal     Code = 1  // the node failed; try again
	CodeBadMessage   Code = 2  // bytes that break the protocol
	CodeBusy         Code = 3  // a limit is reached; try again later
	CodeRevoked      Code = 4  // the certificate is on the deny list
	CodeToken        Code = 5  // join token unknown, expired or used up
	CodeProtocol     Code = 6  // protocol versions do not meet
	CodeEpoch        Code = 7  // the store's epoch is not the one the cloud knows
	CodeDiverged     Code = 8  // numbers or checksums do not continue the lane
	CodeUnknown      Code = 9  // unknown pipeline, version or object
	CodeResend       Code = 10 // a gap: open the stream again
	CodeShutdown     Code = 11 // the node is going away; connect again
	CodeReplaced     Code = 12 // the agent has a newer session
	CodeTooLarge     Code = 13 // larger than the node takes
	CodeTooSlow      Code = 14 // a message did not arrive in time
	CodeNotSupported Code = 15 // the node does not offer this
	CodeCertificate  Code = 16 // the certificate is not valid now
)

var codeNames = [...]string{"none", "internal", "bad_message", "busy", "revoked", "token", "protocol", "epoch", "diverged",
	"unknown", "resend", "shutdown", "replaced", "too_large", "too_slow", "not_supported", "certificate"}

// String gives the code's name.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code(%d)", uint32(c))
}

// Permanent tells whether trying again without a change is useless.
func (c Code) Permanent() bool {
	switch c {
	case CodeRevoked, CodeToken, CodeProtocol, CodeEpoch, CodeDiverged, CodeTooLarge, CodeCertificate, CodeReplaced:
		return true
	}
	return false
}
