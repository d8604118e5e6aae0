package expr

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// udf calls a user-defined scalar function. The function sees the selected rows only,
// without gaps; its results are scattered back.
type udf struct {
	name string
	typ  batch.Type
	fn   Scalar
	args []node

	dense  []batch.Column // arguments without gaps
	copies []batch.Column // the memory of those that had gaps
	answer batch.Column   // appended to by the function
	out    result
}

func (x *udf) eval(r *run, rows []uint32) *batch.Column {
	if x.dense == nil {
		x.dense, x.copies = make([]batch.Column, len(x.args)), make([]batch.Column, len(x.args))
	}
	n := r.n
	if rows != nil {
		n = len(rows)
	}
	for k, a := range x.args {
		c := a.eval(r, rows)
		if rows == nil {
			x.dense[k] = *c
		} else {
			compact(&x.copies[k], c, rows)
			x.dense[k] = x.copies[k]
		}
	}
	x.out.reset(x.typ, r.n)
	if n == 0 || r.err != nil {
		return x.blank(r)
	}
	x.answer.Reset()
	x.answer.Type = x.typ
	if x.typ == batch.String && (x.answer.Dict == nil || x.answer.Dict.Full()) {
		x.answer.Dict = batch.NewDict()
	}
	failed, err := x.fn.Call(r.eventTime, x.dense, n, &x.answer)
	if err != nil {
		r.err = fmt.Errorf("function %s: %w", x.name, err)
		return x.blank(r)
	}
	if err := x.check(n, failed); err != nil {
		r.err = fmt.Errorf("function %s: %w", x.name, err)
		return x.blank(r)
	}
	return x.scatter(r, rows, failed)
}

// blank is a column of nulls.
func (x *udf) blank(r *run) *batch.Column {
	x.out.reset(x.typ, r.n)
	x.out.fill(r.n, false)
	if x.typ == batch.String {
		x.out.col.Dict = r.dict
	}
	for x.typ == batch.Bytes && len(x.out.col.Offsets) <= r.n {
		x.out.col.AppendBlob(nil)
	}
	return &x.out.col
}

func (x *udf) check(n int, failed []RowError) error {
	if x.answer.Type != x.typ || x.answer.Len() != n {
		return fmt.Errorf("%w: it returned %d values of type %s, expected %d of type %s",
			ErrScalar, x.answer.Len(), x.answer.Type, n, x.typ)
	}
	if x.answer.Valid != nil && 64*len(x.answer.Valid) < n {
		return fmt.Errorf("%w: its nulls cover %d of %d rows", ErrScalar, 64*len(x.answer.Valid), n)
	}
	for _, f := range failed {
		if f.Row < 0 || f.Row >= n {
			return fmt.Errorf("%w: it reported row %d of %d", ErrScalar, f.Row, n)
		}
	}
	return nil
}

// scatter spreads the answer over the rows it belongs to and fails rows.
func (x *udf) scatter(r *run, rows []uint32, failed []RowError) *batch.Column {
	a, o := &x.answer, &x.out
	rows = r.all(rows)
	if a.Valid != nil {
		o.fill(r.n, true)
		for k, i := range rows {
			if !a.Valid.Get(k) {
				o.valid.Clear(int(i))
			}
		}
	}
	switch x.typ {
	case batch.Bool:
		spread(o.col.Bools, a.Bools, rows)
	case batch.Double:
		spread(o.col.Doubles, a.Doubles, rows)
		for _, i := range rows {
			o.col.Doubles[i] = canon(o.col.Doubles[i])
		}
	case batch.String:
		o.col.Dict = a.Dict
		spread(o.col.Codes, a.Codes, rows)
	case batch.Bytes:
		k := 0
		for i := range r.n {
			if k < len(rows) && int(rows[k]) == i {
				o.col.AppendBlob(a.Blob(k))
				k++
				continue
			}
			o.col.AppendBlob(nil)
		}
	default:
		spread(o.col.Ints, a.Ints, rows)
	}
	for _, f := range failed {
		r.failRow(o, int(rows[f.Row]), f.Reason)
	}
	return &o.col
}

func spread[T any](dst, src []T, rows []uint32) {
	for k, i := range rows {
		dst[i] = src[k]
	}
}

// compact copies the rows of src to dst, without gaps.
func compact(dst, src *batch.Column, rows []uint32) {
	dst.Reset()
	dst.Type, dst.Dict = src.Type, src.Dict
	if src.Type == batch.Bytes {
		dst.Offsets = append(dst.Offsets, 0)
	}
	for _, i := range rows {
		switch src.Type {
		case batch.Bool:
			dst.Bools = append(dst.Bools, src.Bools[i])
		case batch.Double:
			dst.Doubles = append(dst.Doubles, src.Doubles[i])
		case batch.String:
			dst.Codes = append(dst.Codes, src.Codes[i])
		case batch.Bytes:
			dst.AppendBlob(src.Blob(int(i)))
		default:
			dst.Ints = append(dst.Ints, src.Ints[i])
		}
	}
	if src.Valid == nil {
		return
	}
	dst.Valid = batch.NewBitmap(len(rows), true)
	for k, i := range rows {
		if !src.Valid.Get(int(i)) {
			dst.Valid.Clear(k)
		}
	}
}
