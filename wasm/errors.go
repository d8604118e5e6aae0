package wasm

import "errors"

var (
	// ErrRefused is wrapped by every error that says why a module may not be loaded.
	ErrRefused = errors.New("module refused")
	// ErrNoFunction is wrapped when a module has no function of the asked name.
	ErrNoFunction = errors.New("no such function")
	// ErrKind is wrapped when a function is of a kind that cannot be used where it was asked for.
	ErrKind = errors.New("wrong kind of function")
	// ErrClosed is returned by what was closed.
	ErrClosed = errors.New("wasm: closed")
)
