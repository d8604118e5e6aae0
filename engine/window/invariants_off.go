//go:build !invariants

package window

// invariants turns mistakes of the caller that production counts into panics.
const invariants = false
