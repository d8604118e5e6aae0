package expr

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// node is one operation of a program. There is one interface call per node
// and batch; the loops over rows are in the kernels.
//
// rows are the rows to compute, ascending; nil means all rows of the batch. The column that
// is returned is r.n rows long, valid at rows only, and belongs to the node
// (or the batch): it holds until the node's next eval.
type node interface {
	eval(r *run, rows []uint32) *batch.Column
}

// filterer is a bool node that can list the rows where it is true without
// making a column first. dst is overwritten; it may be the memory of rows.
type filterer interface {
	node
	filter(r *run, rows, dst []uint32) []uint32
}

// run is what the nodes of a program share during one Eval.
type run struct {
	b         *batch.Batch
	batch     uint64 // counts batches, from 1 on
	n         int
	eventTime int64
	fail      func(row int, reason string)
	err       error       // a UDF is unusable
	dict      *batch.Dict // of the strings that the program makes
	failed    batch.Bitmap
	anyFailed bool
	identity  []uint32 // 0, 1, 2, ...
}

// all gives rows, or the list of all rows when rows is nil.
func (r *run) all(rows []uint32) []uint32 {
	if rows != nil {
		return rows
	}
	for i := len(r.identity); i < r.n; i++ {
		r.identity = append(r.identity, uint32(i))
	}
	return r.identity[:r.n:r.n]
}

// failRow makes row i of out null and reports the row, once per run.
func (r *run) failRow(out *result, i int, reason string) {
	out.setNull(r.n, i)
	if !r.anyFailed {
		r.anyFailed = true
		r.failed = resize(r.failed, (r.n+63)/64)
		clear(r.failed)
	}
	if r.failed.Get(i) {
		return
	}
	r.failed.Set(i)
	if r.fail != nil {
		r.fail(i, reason)
	}
}

// appendBlob adds row i to a column of bytes whose rows before it are there. A
// column holds less than 4 GiB; the row fails where it would hold more.
func (r *run) appendBlob(out *result, i int, v []byte) {
	if uint64(len(out.col.Data))+uint64(len(v)) > math.MaxUint32 {
		v = nil
		r.failRow(out, i, reasonStringsFull)
	}
	out.col.AppendBlob(v)
}

// failWhere fails the rows that are not null and for which bad is true. It is
// the second pass of kernels whose first pass saw trouble.
func (r *run) failWhere(out *result, rows []uint32, reason string, bad func(i int) bool) {
	for _, i := range r.all(rows) {
		if !out.col.Null(int(i)) && bad(int(i)) {
			r.failRow(out, int(i), reason)
		}
	}
}

// result is the column that a node owns, and its reusable memory.
type result struct {
	col   batch.Column
	valid batch.Bitmap // memory for col.Valid
}

// resize gives a slice of n values, reusing memory. The values are unspecified.
func resize[S ~[]T, T any](s S, n int) S {
	if cap(s) < n {
		return make(S, n)
	}
	return s[:n]
}

// reset makes the column n rows long, of unspecified values and without nulls.
func (o *result) reset(t batch.Type, n int) {
	o.col.Type, o.col.Valid = t, nil
	switch t {
	case batch.Bool:
		o.col.Bools = resize(o.col.Bools, n)
	case batch.Double:
		o.col.Doubles = resize(o.col.Doubles, n)
	case batch.String:
		o.col.Codes = resize(o.col.Codes, n)
	case batch.Bytes:
		o.col.Offsets, o.col.Data = append(o.col.Offsets[:0], 0), o.col.Data[:0]
	default:
		o.col.Ints = resize(o.col.Ints, n)
	}
}

// fill makes the validity bitmap exist, all bits equal to v.
func (o *result) fill(n int, v bool) {
	o.valid = resize(o.valid, (n+63)/64)
	w := uint64(0)
	if v {
		w = ^uint64(0)
	}
	for i := range o.valid {
		o.valid[i] = w
	}
	o.col.Valid = o.valid
}

func (o *result) setNull(n, i int) {
	if o.col.Valid == nil {
		o.fill(n, true)
	}
	o.col.Valid.Clear(i)
}

// validFrom makes a row null where any of the arguments is.
func (o *result) validFrom(n int, args ...*batch.Column) {
	o.col.Valid = nil
	words := (n + 63) / 64
	for _, c := range args {
		if c.Valid == nil {
			continue
		}
		if o.col.Valid == nil {
			o.valid = resize(o.valid, words)
			copy(o.valid, c.Valid[:words])
			o.col.Valid = o.valid
			continue
		}
		for w, bits := range c.Valid[:words] {
			o.valid[w] &= bits
		}
	}
}

// column is a column of the batch.
type column struct{ index int }

func (c *column) eval(r *run, _ []uint32) *batch.Column { return &r.b.Cols[c.index] }

// truth collects the rows where a bool column is true. dst may be rows.
func truth(c *batch.Column, n int, rows, dst []uint32) []uint32 {
	k := 0
	if rows == nil {
		dst = resize(dst, n)
		for i, v := range c.Bools[:n] {
			dst[k] = uint32(i)
			k += b2i(v)
		}
	} else {
		dst = resize(dst, len(rows))
		for _, i := range rows {
			dst[k] = i
			k += b2i(c.Bools[i])
		}
	}
	return present(c, dst[:k])
}

// present drops the rows where c is null, in place.
func present(c *batch.Column, rows []uint32) []uint32 {
	if c.Valid == nil {
		return rows
	}
	k := 0
	for _, i := range rows {
		rows[k] = i
		k += int(c.Valid[i>>6] >> (i & 63) & 1)
	}
	return rows[:k]
}

func b2i(v bool) int {
	if v {
		return 1
	}
	return 0
}

// filterRows lists the rows, of rows, where the bool node is true.
func filterRows(nd node, r *run, rows, dst []uint32) []uint32 {
	if f, ok := nd.(filterer); ok {
		return f.filter(r, rows, dst)
	}
	return truth(nd.eval(r, rows), r.n, rows, dst)
}
