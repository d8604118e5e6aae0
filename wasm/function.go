package wasm

import (
	"fmt"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/wasm/frame"
)

// Function is a scalar function with its own instance. One goroutine uses it.
type Function struct {
	module *Module
	spec   *FunctionSpec
	name   string // of the function, with the module's version
	out    *guestOutput
	stats  Stats

	instance *instance // nil after a replacement that failed
	closed   bool

	// Of the Call that is under way; kept for their memory.
	input  frame.Input
	rows   []uint32 // the rows without nulls of a chunk that has some
	dense  batch.Column
	errs   []batch.RowError
	limits retryLimits
}

// Stats counts what a function has done.
type Stats struct {
	Calls, Rows uint64
	// Guilty rows failed by themselves; Rejected ones failed together with others because
	// a bound of Config was reached.
	Guilty, Rejected uint64
	// Replaced counts the instances that failures used up.
	Replaced uint64
	Dropped  Dropped
}

func (m *Module) newFunction(spec *FunctionSpec) (*Function, error) {
	name := fmt.Sprintf("%s@%s", spec.Name, m.manifest.Version)
	f := &Function{module: m, spec: spec, name: name, out: newGuestOutput(name, &m.host.cfg)}
	f.dense.Type = spec.Result
	if err := f.Reset(); err != nil {
		return nil, err
	}
	return f, nil
}

// Spec gives the function's types.
func (f *Function) Spec() *FunctionSpec { return f.spec }

// Stats gives the counters.
func (f *Function) Stats() Stats {
	s := f.stats
	s.Dropped = f.out.dropped
	return s
}

// MemoryBytes is the size of the guest's memory; what it never touched of it
// takes none of the machine's.
func (f *Function) MemoryBytes() int {
	if f.instance == nil {
		return 0
	}
	return int(f.instance.mod.Memory().Size())
}

// Reset takes a fresh instance. What a call does depends on the calls that the
// instance had before, so the owner resets at every checkpoint; a replay from there
// then does the same.
func (f *Function) Reset() error {
	if f.closed {
		return ErrClosed
	}
	f.drop()
	in, err := f.module.instantiate(f.out, f.module.host.cfg.CallTimeout)
	if err != nil {
		return fmt.Errorf("wasm: starting function %s: %w", f.name, err)
	}
	f.instance = in
	return nil
}

// Close frees the instance. It is safe to call again.
func (f *Function) Close() error {
	f.drop()
	f.closed = true
	return nil
}

func (f *Function) drop() {
	if f.instance != nil {
		f.instance.close()
		f.instance = nil
	}
}

// Call calls the guest on rows rows and appends exactly as many values to out.
// Rows on which the guest fails are null and stand, in ascending order, in the result, which is
// valid until the next Call. An error says that the function is unusable; what
// was appended to out then has no meaning.
func (f *Function) Call(eventTime int64, args []batch.Column, rows int, out *batch.Column) ([]batch.RowError, error) {
	if err := f.check(args, rows, out); err != nil {
		return nil, err
	}
	f.stats.Calls++
	f.stats.Rows += uint64(rows)
	f.errs = f.errs[:0]
	f.limits = retryLimits{}
	f.input = frame.Input{EventTime: eventTime, Args: args, Nullable: f.spec.CallNulls}
	for lo := 0; lo < rows; lo += MaxRows {
		if err := f.chunk(lo, min(MaxRows, rows-lo), out); err != nil {
			return nil, err
		}
	}
	f.input.Args = nil
	return f.errs, nil
}

func (f *Function) check(args []batch.Column, rows int, out *batch.Column) error {
	if f.closed {
		return ErrClosed
	}
	if len(args) != len(f.spec.Args) {
		return fmt.Errorf("wasm: function %s takes %d arguments, not %d", f.name, len(f.spec.Args), len(args))
	}
	for i := range args {
		if args[i].Type != f.spec.Args[i].Type {
			return fmt.Errorf("wasm: argument %s of function %s has type %v, not %v", f.spec.Args[i].Name, f.name, f.spec.Args[i].Type, args[i].Type)
		}
		if args[i].Len() < rows {
			return fmt.Errorf("wasm: argument %s of function %s has %d rows, not %d", f.spec.Args[i].Name, f.name, args[i].Len(), rows)
		}
	}
	if out.Type != f.spec.Result {
		return fmt.Errorf("wasm: the result of function %s has type %v, not %v", f.name, f.spec.Result, out.Type)
	}
	if out.Type == batch.String && out.Len() == 0 && (out.Dict == nil || out.Dict.Full()) {
		out.Dict = batch.NewDict()
	}
	if f.instance == nil {
		return f.Reset()
	}
	return nil
}

// chunk works on n rows from lo on. Rows with a null argument stay away from
// the guest unless the function asked for them.
func (f *Function) chunk(lo, n int, out *batch.Column) error {
	f.input.Rows = nil
	if f.spec.CallNulls || !f.findNulls(lo, n) {
		return f.run(lo, n, n, out)
	}
	f.dense.Reset()
	f.dense.Dict = out.Dict
	f.input.Rows = f.rows
	if err := f.run(0, len(f.rows), len(f.rows), &f.dense); err != nil {
		return err
	}
	next := 0
	for i := lo; i < lo+n; i++ {
		if next < len(f.rows) && f.rows[next] == uint32(i) {
			out.AppendFrom(&f.dense, next)
			next++
		} else {
			out.AppendNull()
		}
	}
	return nil
}

// findNulls lists the rows without a null argument in f.rows, and tells whether there is any
// other.
func (f *Function) findNulls(lo, n int) bool {
	bitmaps := false
	for i := range f.input.Args {
		bitmaps = bitmaps || f.input.Args[i].Valid != nil
	}
	if !bitmaps {
		return false
	}
	f.rows = f.rows[:0]
rows:
	for i := lo; i < lo+n; i++ {
		for k := range f.input.Args {
			if f.input.Args[k].Null(i) {
				continue rows
			}
		}
		f.rows = append(f.rows, uint32(i))
	}
	return len(f.rows) < n
}

// retryLimits is what a Call has used of its bounds.
type retryLimits struct {
	guilty  int
	failing time.Duration
}
