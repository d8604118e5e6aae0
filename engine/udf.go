package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/wasm"
)

// Functions are the UDF instances of one fragment. They serve one goroutine.
type Functions struct {
	ctx     context.Context
	modules map[string]*wasm.Module // by function name as expressions call it
	open    []*wasm.Function
}

// Loader gives the bytes of a module by its plan entry.
type Loader func(m *plan.Module) ([]byte, error)

// NewFunctions loads and admits the modules of a plan. Close frees what it made.
func NewFunctions(ctx context.Context, host *wasm.Host, p *plan.Plan, load Loader) (*Functions, error) {
	f := &Functions{ctx: ctx, modules: map[string]*wasm.Module{}}
	for _, m := range p.Modules {
		if err := f.add(host, m, load); err != nil {
			return nil, errors.Join(fmt.Errorf("function module %s@%s: %w", m.Name, m.Version, err), f.Close())
		}
	}
	return f, nil
}

func (f *Functions) add(host *wasm.Host, m *plan.Module, load Loader) error {
	code, err := load(m)
	if err != nil {
		return err
	}
	module, err := host.Load(f.ctx, code)
	if err != nil {
		return err
	}
	for _, spec := range module.Manifest().Functions {
		f.modules[spec.Name] = module
	}
	return nil
}

// Scalar gives an instance of a scalar function.
func (f *Functions) Scalar(name string) (expr.Scalar, error) {
	name = strings.TrimPrefix(name, "udf:")
	m := f.modules[name]
	if m == nil {
		return nil, fmt.Errorf("no module of the plan has a function %q", name)
	}
	fn, err := m.Scalar(f.ctx, name)
	if err != nil {
		return nil, err
	}
	f.open = append(f.open, fn)
	return scalar{fn}, nil
}

// scalar lets a wasm function stand in an expression.
type scalar struct{ *wasm.Function }

func (s scalar) Call(eventTime int64, args []batch.Column, rows int, out *batch.Column) ([]expr.RowError, error) {
	return s.Function.Call(eventTime, args, rows, out)
}

// Reset gives every instance a fresh start, as after a checkpoint.
func (f *Functions) Reset() error {
	var errs []error
	for _, fn := range f.open {
		errs = append(errs, fn.Reset())
	}
	return errors.Join(errs...)
}

// Close frees the instances and modules.
func (f *Functions) Close() error {
	var errs []error
	for _, fn := range f.open {
		errs = append(errs, fn.Close())
	}
	seen := map[*wasm.Module]bool{}
	for _, m := range f.modules {
		if !seen[m] {
			seen[m] = true
			errs = append(errs, m.Close(f.ctx))
		}
	}
	f.open, f.modules = nil, nil
	return errors.Join(errs...)
}
