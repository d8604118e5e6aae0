package step

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
)

// Join adds columns of a reference table to rows. A null in a key matches
// nothing. Where the key is one string column, the row of the table is remembered by
// dictionary code, so that a row costs a read of an array and one of the table's
// columns each.
//
// It remembers nothing but the table, which SetTable may replace between batches.
type Join struct {
	in      batch.Schema
	by      []int
	on      []string
	names   []string
	types   batch.Schema // of the columns added
	drop    bool
	str     int // the key column, where there is only one and it holds strings; else -1
	revises int // column of _revision, where rows are results of a window; else -1

	index   *lookup.Index
	from    []int // columns of the table
	dict    *batch.Dict
	codes   []uint32 // by code of dict: row+2, 1 = none; 0 = not known yet
	key     []byte
	rows    []uint32 // by row of the batch: row of the table + 1; 0 = none
	sel     []uint32
	deleted batch.Bitmap
	added   []batch.Column
	cols    []batch.Column // of out
	valid   []batch.Bitmap
	out     batch.Batch
	missing uint64
}

// NewJoin makes the step; out is the schema of its node. Rows that have a
// _revision above 1 and are dropped go on as deleted if afterWindow.
func NewJoin(l *plan.LookupJoin, in, out batch.Schema, table *lookup.Table, afterWindow bool) (*Join, error) {
	j := &Join{in: in, on: l.GetOn(), names: l.GetColumns(), drop: l.GetDropMissing(), str: -1, revises: -1, sel: make([]uint32, 0, 1)}
	if len(l.GetKeys()) == 0 || len(l.GetKeys()) != len(j.on) || len(out) != len(in)+len(j.names) {
		return nil, fmt.Errorf("%w: %d columns looked up in %d, %d columns added to %d give %d", ErrPlan, len(l.GetKeys()), len(j.on), len(j.names), len(in), len(out))
	}
	for _, k := range l.GetKeys() {
		if int64(k) >= int64(len(in)) {
			return nil, fmt.Errorf("%w: column %d of %d", ErrPlan, k, len(in))
		}
		j.by = append(j.by, int(k))
	}
	if !slices.Equal(out[:len(in)], in) {
		return nil, fmt.Errorf("%w: a lookup changes the columns of its rows", ErrPlan)
	}
	j.types = out[len(in):]
	if len(j.by) == 1 && in[j.by[0]].Type == batch.String {
		j.str = j.by[0]
	}
	if afterWindow {
		j.revises = in.Index(plan.Revision)
	}
	j.added, j.valid = make([]batch.Column, len(j.names)), make([]batch.Bitmap, len(j.names))
	return j, j.SetTable(table)
}

// SetTable replaces the table, whose columns must have the same types.
func (j *Join) SetTable(t *lookup.Table) error {
	x, err := t.Index(j.on)
	if err != nil {
		return err
	}
	for i, typ := range x.Types() {
		if have := j.in[j.by[i]].Type; have != typ {
			return fmt.Errorf("%w: column %q is %s, column %q of the table is %s", ErrPlan, j.in[j.by[i]].Name, have, j.on[i], typ)
		}
	}
	from := make([]int, len(j.names))
	for i, n := range j.names {
		if from[i] = t.Schema().Index(n); from[i] < 0 || t.Schema()[from[i]].Type != j.types[i].Type {
			return fmt.Errorf("%w: the table has no column %q of the type %s", ErrPlan, n, j.types[i].Type)
		}
	}
	j.index, j.from = x, from
	clear(j.codes)
	return nil
}

// Process adds the columns.
func (j *Join) Process(b *batch.Batch, watermarks []int64, emit Emit) error {
	if err := checkRows(b, j.in, watermarks); err != nil {
		return err
	}
	j.find(b)
	j.out = *b
	if j.drop {
		j.dropMissing(b)
		if j.out.Len() == 0 {
			return nil
		}
	}
	j.cols = append(append(j.cols[:0], b.Cols[:len(j.in)]...), j.gather(b.N)...)
	j.out.Cols = j.cols
	return emit(&j.out, watermarks)
}

// find fills rows for the rows that count.
func (j *Join) find(b *batch.Batch) {
	if cap(j.rows) < b.N {
		j.rows = make([]uint32, b.N, max(b.N, 4096))
	}
	j.rows = j.rows[:b.N]
	if b.Sel != nil {
		clear(j.rows)
	}
	if j.str >= 0 && b.Cols[j.str].Dict != j.dict {
		j.dict = b.Cols[j.str].Dict
		clear(j.codes)
	}
	for n := range b.Len() {
		i := rowOf(b, n)
		if j.str >= 0 && !b.Cols[j.str].Null(i) {
			if code := int(b.Cols[j.str].Codes[i]); code < len(j.codes) && j.codes[code] != 0 {
				j.rows[i] = j.codes[code] - 1
				continue
			}
		}
		j.rows[i] = j.findRow(b, i)
	}
}

// findRow gives the row of the table + 1, or 0.
func (j *Join) findRow(b *batch.Batch, i int) uint32 {
	for _, at := range j.by {
		if b.Cols[at].Null(i) {
			return 0
		}
	}
	j.key = batch.AppendKey(j.key[:0], b.Cols, j.by, i)
	at := uint32(0)
	if row, ok := j.index.Find(j.key); ok {
		at = row + 1
	}
	if j.str >= 0 {
		code := int(b.Cols[j.str].Codes[i])
		if code >= len(j.codes) {
			j.codes = append(j.codes, make([]uint32, max(256, code+1, 2*len(j.codes))-len(j.codes))...)
		}
		j.codes[code] = at + 1
	}
	return at
}

// dropMissing leaves out the rows that the table does not have. What was said of
// a window before is taken back.
func (j *Join) dropMissing(b *batch.Batch) {
	j.sel = j.sel[:0]
	copied := false
	for n := range b.Len() {
		i := rowOf(b, n)
		gone := b.Deleted != nil && b.Deleted.Get(i)
		if j.rows[i] == 0 && !gone {
			j.missing++
			if j.revises < 0 || b.Cols[j.revises].Ints[i] <= 1 {
				continue
			}
			if !copied {
				j.deleted = CopyDeleted(j.deleted, b)
				j.out.Deleted, copied = j.deleted, true
			}
			j.deleted.Set(i)
		}
		j.sel = append(j.sel, uint32(i))
	}
	if len(j.sel) < b.N {
		j.out.Sel = j.sel
	}
}

// CopyDeleted makes dst the marks of b's deleted rows, all clear where it has none.
func CopyDeleted(dst batch.Bitmap, b *batch.Batch) batch.Bitmap {
	words := (b.N + 63) / 64
	if cap(dst) < words {
		dst = make(batch.Bitmap, words)
	}
	dst = dst[:words]
	clear(dst)
	copy(dst, b.Deleted)
	return dst
}

// gather makes the added columns, n rows long.
func (j *Join) gather(n int) []batch.Column {
	for k, at := range j.from {
		from, to := &j.index.Table().Columns()[at], &j.added[k]
		to.Type, to.Dict, to.Valid = from.Type, from.Dict, nil
		if from.Type == batch.String && to.Dict == nil {
			to.Dict = batch.NewDict() // an empty table has none
		}
		nulls := pick(to, from, j.rows[:n])
		if !nulls {
			continue
		}
		words := (n + 63) / 64
		if cap(j.valid[k]) < words {
			j.valid[k] = make(batch.Bitmap, words)
		}
		to.Valid = j.valid[k][:words]
		clear(to.Valid)
		for i, row := range j.rows[:n] {
			if row != 0 && !from.Null(int(row-1)) {
				to.Valid.Set(i)
			}
		}
	}
	return j.added
}

// pick copies the values of rows (each + 1; 0 = none); nulls may be among them.
func pick(to, from *batch.Column, rows []uint32) (nulls bool) {
	switch from.Type {
	case batch.Bool:
		to.Bools, nulls = pickValues(to.Bools, from.Bools, rows)
	case batch.Double:
		to.Doubles, nulls = pickValues(to.Doubles, from.Doubles, rows)
	case batch.String:
		to.Codes, nulls = pickValues(to.Codes, from.Codes, rows)
	case batch.Bytes:
		to.Offsets, to.Data = append(to.Offsets[:0], 0), to.Data[:0]
		for _, row := range rows {
			if nulls = nulls || row == 0; row != 0 {
				to.Data = append(to.Data, from.Blob(int(row-1))...)
			}
			to.Offsets = append(to.Offsets, uint32(len(to.Data)))
		}
	default:
		to.Ints, nulls = pickValues(to.Ints, from.Ints, rows)
	}
	return nulls || from.Valid != nil
}

func pickValues[T any](to, from []T, rows []uint32) (out []T, nulls bool) {
	if cap(to) < len(rows) {
		to = make([]T, len(rows), max(len(rows), 4096))
	}
	to = to[:len(rows)]
	var zero T
	for i, row := range rows {
		if row == 0 {
			to[i], nulls = zero, true
			continue
		}
		to[i] = from[row-1]
	}
	return to, nulls
}

// Missing counts the rows that were dropped because the table does not have them.
func (j *Join) Missing() uint64 { return j.missing }

// Advance does nothing.
func (j *Join) Advance(int64, Emit) error { return nil }

// StateSchema is empty: there is no state.
func (j *Join) StateSchema() batch.Schema { return nil }

// StateKeys is 0.
func (j *Join) StateKeys() int { return 0 }

// Changes gives nothing.
func (j *Join) Changes(bool, *batch.Batch) {}

// Restore refuses what comes, since Changes gives nothing.
func (j *Join) Restore(b *batch.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	return fmt.Errorf("%w: a lookup has none", ErrState)
}

// Resume does nothing.
func (j *Join) Resume(int64) {}

// Stats gives the counters.
func (j *Join) Stats() Stats {
	s := Stats{SizeBytes: 4 * (cap(j.codes) + cap(j.rows) + cap(j.sel))}
	return s
}
