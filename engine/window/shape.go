package window

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Bounds of times, far outside of what clocks give, that keep sums of times
// from overflowing.
const (
	maxTime  = int64(1) << 61 // 73,000 years
	maxSlice = int64(1) << 55
)

// pendingColumn tells in a snapshot whether a state changed since it fired.
const pendingColumn = "_pending"

// shape is a window of the plan, checked.
type shape struct {
	keys     batch.Schema
	slice    int64
	lateness int64
	accs     []accumulator
	results  []result
}

type accumulator struct {
	spec   aggregate.Spec
	column int // of the row batch; -1 = none
	states []batch.Type
	at     int // first state column of the partial batch
}

type result struct {
	field    batch.Field
	function string
	param    float64
	accs     []int
}

func newShape(w *plan.Window) (*shape, error) {
	if len(w.GetWindows()) != 1 || w.Windows[0].GetKind() != plan.WindowSpec_TUMBLING {
		return nil, fmt.Errorf("window: %w: it runs one tumbling window per step; upgrade to a version that has the others", ErrUnsupported)
	}
	s := &shape{slice: w.SliceMicros, lateness: w.AllowedLatenessMicros}
	if size := w.Windows[0].SizeMicros; size != s.slice || size <= 0 || size > maxSlice {
		return nil, fmt.Errorf("%w: a tumbling window of %d us with slices of %d us", ErrPlan, size, s.slice)
	}
	if s.lateness < 0 || s.lateness > maxTime {
		return nil, fmt.Errorf("%w: allowed lateness of %d us", ErrPlan, s.lateness)
	}
	s.keys = plan.SchemaOf(w.Keys)
	for _, k := range s.keys {
		if !k.Type.Valid() {
			return nil, fmt.Errorf("%w: key %q has type %d", ErrPlan, k.Name, k.Type)
		}
	}
	if err := s.accumulators(w); err != nil {
		return nil, err
	}
	return s, s.resultsOf(w)
}

func (s *shape) accumulators(w *plan.Window) error {
	at := len(s.keys) + 2
	for i, p := range w.Accumulators {
		a := accumulator{column: int(p.GetColumn()), at: at,
			spec: aggregate.Spec{Kind: p.GetKind(), In: batch.Type(p.GetType()), Param: p.GetParam()}}
		var err error
		if a.states, err = aggregate.StateTypes(a.spec); err != nil {
			return fmt.Errorf("%w: accumulator %d: %w", ErrPlan, i, err)
		}
		if a.column < 0 && a.spec.Kind != aggregate.Count {
			return fmt.Errorf("%w: accumulator %d (%s) has no column", ErrPlan, i, a.spec)
		}
		at += len(a.states)
		s.accs = append(s.accs, a)
	}
	return nil
}

func (s *shape) resultsOf(w *plan.Window) error {
	for _, p := range w.Results {
		r := result{field: batch.Field{Name: p.GetName(), Type: batch.Type(p.GetType())}, function: p.GetFunction(), param: p.GetParam()}
		var specs []aggregate.Spec
		arg, star := batch.Type(0), false
		for _, k := range p.GetAccumulators() {
			if int(k) >= len(s.accs) {
				return fmt.Errorf("%w: result %q takes accumulator %d of %d", ErrPlan, r.field.Name, k, len(s.accs))
			}
			r.accs = append(r.accs, int(k))
			specs = append(specs, s.accs[k].spec)
			arg, star = s.accs[k].spec.In, s.accs[k].spec.Kind == aggregate.Count
		}
		want, typ, err := aggregate.Resolve(r.function, star, arg, r.param)
		if err != nil {
			return fmt.Errorf("%w: result %q: %w", ErrPlan, r.field.Name, err)
		}
		if !slices.Equal(want, specs) || typ != r.field.Type {
			return fmt.Errorf("%w: result %q is %s of type %s over accumulators %v, want type %s over %v", ErrPlan, r.field.Name, r.function, r.field.Type, specs, typ, want)
		}
		s.results = append(s.results, r)
	}
	return nil
}

func (s *shape) partialSchema() batch.Schema {
	out := slices.Clone(s.keys)
	out = append(out, batch.Field{Name: plan.SliceStart, Type: batch.Timestamp}, batch.Field{Name: plan.SliceEnd, Type: batch.Timestamp})
	for i, a := range s.accs {
		for k, t := range a.states {
			out = append(out, batch.Field{Name: fmt.Sprintf("_state_%d_%d", i, k), Type: t})
		}
	}
	return out
}

func (s *shape) snapshotSchema() batch.Schema {
	return append(s.partialSchema(), batch.Field{Name: plan.Revision, Type: batch.Int}, batch.Field{Name: pendingColumn, Type: batch.Bool})
}

func (s *shape) resultSchema() batch.Schema {
	out := batch.Schema{{Name: plan.WindowStart, Type: batch.Timestamp}, {Name: plan.WindowEnd, Type: batch.Timestamp}}
	out = append(out, s.keys...)
	for _, r := range s.results {
		out = append(out, r.field)
	}
	return append(out, batch.Field{Name: plan.Revision, Type: batch.Int})
}

// PartialSchema is the schema of partial batches: the keys, slice_start and
// slice_end, then the state columns of each accumulator.
func PartialSchema(w *plan.Window) (batch.Schema, error) {
	s, err := newShape(w)
	if err != nil {
		return nil, err
	}
	return s.partialSchema(), nil
}

// ResultSchema is the schema of result batches: window_start, window_end, the
// keys, the results and _revision.
func ResultSchema(w *plan.Window) (batch.Schema, error) {
	s, err := newShape(w)
	if err != nil {
		return nil, err
	}
	return s.resultSchema(), nil
}

// SnapshotSchema is the schema of snapshot batches: that of partial batches, then
// _revision (of the last firing; 0 = none) and _pending (changed since).
func SnapshotSchema(w *plan.Window) (batch.Schema, error) {
	s, err := newShape(w)
	if err != nil {
		return nil, err
	}
	return s.snapshotSchema(), nil
}

// span is a slice's start and end.
type span struct{ start, end int64 }

func (a span) compare(b span) int {
	switch {
	case a.end != b.end:
		return compareInts(a.end, b.end)
	default:
		return compareInts(a.start, b.start)
	}
}

// sliceOf is the slice that a time falls into; ok is false for absurd times.
func (s *shape) sliceOf(t int64) (sl span, ok bool) {
	if t < -maxTime || t > maxTime {
		return span{}, false
	}
	r := t % s.slice
	if r < 0 {
		r += s.slice
	}
	return span{t - r, t - r + s.slice}, true
}

// valid tells whether a span is one that sliceOf gives.
func (s *shape) valid(sl span) bool {
	want, ok := s.sliceOf(sl.start)
	return ok && sl == want
}

// lastWatermark is the watermark at which nothing can change the window that ends at
// end any more: rows are late for it from there on.
func (s *shape) lastWatermark(end int64) int64 { return end + s.lateness }

// checkSlices tells whether b has the columns of schema and slices of this
// window in every row that counts.
func (s *shape) checkSlices(b *batch.Batch, schema batch.Schema) error {
	if len(b.Cols) != len(schema) {
		return fmt.Errorf("%w: %d columns, want %d", ErrBatch, len(b.Cols), len(schema))
	}
	for i := range b.Cols {
		c := &b.Cols[i]
		if c.Type != schema[i].Type || c.Len() != b.N {
			return fmt.Errorf("%w: column %d (%s) is %s with %d rows, want %s with %d", ErrBatch, i, schema[i].Name, c.Type, c.Len(), schema[i].Type, b.N)
		}
		if err := checkColumn(c, b); err != nil {
			return fmt.Errorf("%w: column %d (%s): %w", ErrBatch, i, schema[i].Name, err)
		}
	}
	start, end := &b.Cols[len(s.keys)], &b.Cols[len(s.keys)+1]
	for k := range b.Len() {
		r := rowOf(b, k)
		if start.Null(r) || end.Null(r) {
			return fmt.Errorf("%w: row %d has no slice", ErrBatch, r)
		}
		if sl := (span{start.Ints[r], end.Ints[r]}); !s.valid(sl) {
			return fmt.Errorf("%w: row %d: [%d, %d) is not a slice of %d us", ErrBatch, r, sl.start, sl.end, s.slice)
		}
	}
	return nil
}

// checkColumn tells whether the rows of b that count can be read from c.
func checkColumn(c *batch.Column, b *batch.Batch) error {
	if c.Valid != nil && 64*len(c.Valid) < b.N {
		return fmt.Errorf("%d rows with %d words of null bits", b.N, len(c.Valid))
	}
	if c.Type == batch.Bytes {
		for i := range c.Len() {
			if c.Offsets[i] > c.Offsets[i+1] || int(c.Offsets[i+1]) > len(c.Data) {
				return fmt.Errorf("row %d has bytes [%d, %d) of %d", i, c.Offsets[i], c.Offsets[i+1], len(c.Data))
			}
		}
	}
	if c.Type == batch.String {
		known := uint32(0)
		if c.Dict != nil {
			known = uint32(c.Dict.Len())
		}
		for k := range b.Len() {
			if r := rowOf(b, k); !c.Null(r) && c.Codes[r] >= known {
				return fmt.Errorf("row %d has string %d of %d", r, c.Codes[r], known)
			}
		}
	}
	return nil
}

// rowOf is the k-th row of b that counts.
func rowOf(b *batch.Batch, k int) int {
	if b.Sel != nil {
		return int(b.Sel[k])
	}
	return k
}
