package expr

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/zone"
)

// RowError says that one row could not be worked on, and why.
type RowError = batch.RowError

// Scalar is a user-defined function of one instance. The rows of args are
// dense: there is no selection. Call appends exactly rows values to out; the
// rows named in the returned errors get null. An error means that the whole
// function is unusable. args and out are valid until Call returns.
type Scalar interface {
	Call(eventTime int64, args []batch.Column, rows int, out *batch.Column) ([]RowError, error)
}

// Typed is a Scalar that says which arguments it takes and what it gives.
// Compile refuses a plan that calls it otherwise; a Scalar that is not Typed
// must bear any arguments.
type Typed interface {
	Scalar
	Signature() (args []batch.Type, result batch.Type)
}

// Functions finds user-defined functions by the name that stands in the plan
// after "udf:".
type Functions interface {
	Scalar(name string) (Scalar, error)
}

// Env is what the expressions of a plan refer to besides the columns. The
// zero value has nothing.
type Env struct {
	Functions Functions             // nil where no user-defined functions are called
	Zones     map[string]*zone.Zone // rules of the time zones, by their names in the plan
}

// Program is a compiled expression. It owns the memory of its results, so one
// goroutine uses it at a time.
type Program struct {
	input input
	typ   batch.Type
	root  node
	run   run
	out   result // the root's column, when failed rows must be null in it
}

// input is what a program expects of a batch.
type input struct {
	schema batch.Schema
	used   []int // columns that are read
}

func (in *input) check(b *batch.Batch) error {
	if len(b.Cols) != len(in.schema) {
		return fmt.Errorf("%w: it has %d columns, expected %d", ErrBatch, len(b.Cols), len(in.schema))
	}
	for _, i := range in.used {
		if err := checkColumn(&b.Cols[i], in.schema[i], b.N); err != nil {
			return err
		}
	}
	return nil
}

// Type is the type of the program's value.
func (p *Program) Type() batch.Type { return p.typ }

// SetEventTime says which event time, in microseconds, user-defined functions
// see from the next Eval or Filter on.
func (p *Program) SetEventTime(micros int64) { p.run.eventTime = micros }

// Eval computes the value for the rows of b that count. The result has b.N
// rows and is valid at the rows of b.Sel, until the next Eval or Filter of p
// and as long as b. Each row that fails calls fail (which may be nil) once and
// is null in the result. An error means that nothing of the batch could be
// computed: a user-defined function is unusable, or b does not fit.
func (p *Program) Eval(b *batch.Batch, fail func(row int, reason string)) (*batch.Column, error) {
	if err := p.run.begin(&p.input, b, fail); err != nil {
		return nil, err
	}
	col := p.root.eval(&p.run, b.Sel)
	failed, err := p.run.end()
	if err != nil {
		return nil, err
	}
	if !failed {
		return col, nil
	}
	valid := resize(p.out.valid, len(p.run.failed))
	for w, bits := range p.run.failed {
		valid[w] = ^bits
		if col.Valid != nil {
			valid[w] &= col.Valid[w]
		}
	}
	p.out.valid, p.out.col = valid, *col
	p.out.col.Valid = valid
	return &p.out.col, nil
}

// Filter returns the rows of b, within b.Sel and in ascending order, for which
// the program, of type bool, is true. The memory of dst is used and its
// contents are overwritten; dst may be b.Sel. Rows that fail are reported as by Eval and left out. The
// sides of a top-level AND are computed only for rows where those before are
// true.
func (p *Program) Filter(b *batch.Batch, dst []uint32, fail func(row int, reason string)) ([]uint32, error) {
	if p.typ != batch.Bool {
		return nil, fmt.Errorf("%w: a filter must be bool, not %s", ErrInvalid, p.typ)
	}
	if err := p.run.begin(&p.input, b, fail); err != nil {
		return nil, err
	}
	dst = filterRows(p.root, &p.run, b.Sel, dst[:0])
	failed, err := p.run.end()
	if err != nil {
		return nil, err
	}
	if !failed {
		return dst, nil
	}
	k := 0
	for _, i := range dst {
		if !p.run.failed.Get(int(i)) {
			dst[k] = i
			k++
		}
	}
	return dst[:k], nil
}

// begin prepares for one batch.
func (r *run) begin(in *input, b *batch.Batch, fail func(row int, reason string)) error {
	if err := in.check(b); err != nil {
		return err
	}
	r.b, r.n, r.fail, r.err, r.anyFailed = b, b.N, fail, nil, false
	r.batch++
	if r.dict == nil || dictWorn(r.dict) {
		r.dict = batch.NewDict()
	}
	return nil
}

func checkColumn(c *batch.Column, f batch.Field, n int) error {
	switch {
	case c.Type != f.Type:
		return fmt.Errorf("%w: column %q is %s, expected %s", ErrBatch, f.Name, c.Type, f.Type)
	case c.Len() < n:
		return fmt.Errorf("%w: column %q has %d rows, expected %d", ErrBatch, f.Name, c.Len(), n)
	case c.Valid != nil && len(c.Valid)*64 < n:
		return fmt.Errorf("%w: the nulls of column %q cover %d rows, expected %d", ErrBatch, f.Name, len(c.Valid)*64, n)
	case c.Type == batch.String && c.Dict == nil && n > 0:
		return fmt.Errorf("%w: column %q has no dictionary", ErrBatch, f.Name)
	}
	return nil
}

// end forgets the batch, so that the program does not keep it alive.
func (r *run) end() (failed bool, err error) {
	r.b, r.fail = nil, nil
	return r.anyFailed, r.err
}
