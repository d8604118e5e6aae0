package identity

import "errors"

// Errors by which callers tell cases apart; their texts are meant for users.
var (
	// ErrTokenFormat: the string is no token.
	ErrTokenFormat = errors.New("this is not a whole join token; copy it again or make one with `leat fleet token`")
	// ErrTokenUnknown: no such token, or a wrong secret.
	ErrTokenUnknown = errors.New("the cloud node does not know this join token; make one with `leat fleet token`")
	// ErrTokenExpired: too late.
	ErrTokenExpired = errors.New("the join token has expired; make a new one with `leat fleet token`")
	// ErrTokenUsed: all its uses are spent.
	ErrTokenUsed = errors.New("the join token is used up; make a new one with `leat fleet token` (--uses for several agents)")
	// ErrClock: the machine's clock is not set, so certificates cannot be judged.
	ErrClock = errors.New("the clock of this machine is not set")
	// ErrCertificateExpired: the certificate's time is over.
	ErrCertificateExpired = errors.New("the certificate has expired")
	// ErrPin: the other side's CA is not the one that is trusted.
	ErrPin = errors.New("the cloud node's CA is not the one that this agent trusts")
	// ErrNoIdentity: the directory holds no identity yet.
	ErrNoIdentity = errors.New("no identity; the agent has to join with a token first")
	// ErrAgentID: no agent id, or a malformed one.
	ErrAgentID = errors.New("bad agent id")
	// ErrCSR: the certificate request cannot be granted.
	ErrCSR = errors.New("bad certificate request")
)
