package wasm

import (
	"context"

	"github.com/leatio/leat/engine/batch"
)

// Host holds the engine.
type Host struct{ cfg Config }

// NewHost returns a host; close it after every Module and Function.
func NewHost(ctx context.Context, cfg Config) (*Host, error) { return nil, ErrClosed }

// Close frees the engine.
func (h *Host) Close(ctx context.Context) error { return nil }

// Engine is "compiler" or "interpreter".
func (h *Host) Engine() string { return "" }

// Load checks, compiles and describes a module.
func (h *Host) Load(ctx context.Context, module []byte) (*Module, error) { return nil, ErrClosed }

// Module is a loaded module, safe for use by several goroutines.
type Module struct{}

// Manifest is what the module says of itself.
func (m *Module) Manifest() *Manifest { return nil }

// SHA256 is the hash of the module's bytes.
func (m *Module) SHA256() [32]byte { return [32]byte{} }

// Close frees the compiled code.
func (m *Module) Close(ctx context.Context) error { return nil }

// Scalar makes an instance for one goroutine.
func (m *Module) Scalar(ctx context.Context, name string) (*Function, error) { return nil, ErrClosed }

// Function is an instance of a module for one scalar function, used by one goroutine.
type Function struct{}

// Spec gives the function's types.
func (f *Function) Spec() FunctionSpec { return FunctionSpec{} }

// Call appends rows values to out; rows in the result's errors are null.
func (f *Function) Call(eventTime int64, args []batch.Column, rows int, out *batch.Column) ([]batch.RowError, error) {
	return nil, ErrClosed
}

// Reset takes a fresh instance, as at a checkpoint.
func (f *Function) Reset() error { return ErrClosed }

// Close frees the instance.
func (f *Function) Close() error { return nil }
