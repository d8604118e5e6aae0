package lookup

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/keys"
)

// Bounds of a table.
const (
	MaxRows    = 1 << 20
	MaxColumns = 256
	MaxValues  = 1 << 24  // rows times columns
	MaxBytes   = 64 << 20 // of a file, and of an encoded table
)

// Table is a reference table. It never changes once made.
type Table struct {
	schema batch.Schema
	cols   []batch.Column
	rows   int
	lines  []int // of the file it was parsed from, by row; nil = unknown

	mu      sync.Mutex
	indexes map[string]*Index // guarded by mu
}

// Schema names and types the columns.
func (t *Table) Schema() batch.Schema { return t.schema }

// Rows is the number of rows.
func (t *Table) Rows() int { return t.rows }

// Columns are the values by column. Nobody may change them, nor take strings into their dictionaries.
func (t *Table) Columns() []batch.Column { return t.cols }

// SizeBytes estimates the memory held, without indexes.
func (t *Table) SizeBytes() int {
	n := (&batch.Batch{Cols: t.cols}).SizeBytes()
	for i := range t.cols {
		if d := t.cols[i].Dict; d != nil {
			n += d.SizeBytes()
		}
	}
	return n
}

// Index finds rows by the values of some columns. Many goroutines may use one.
type Index struct {
	table *Table
	by    []int
	keys  keys.Table
	rows  []uint32 // by slot
}

// Index gives the index over the columns on. It is an error if two rows are
// equal in them; rows with a null among them are never found.
func (t *Table) Index(on []string) (*Index, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := strings.Join(on, "\x00")
	if x := t.indexes[name]; x != nil {
		return x, nil
	}
	x := &Index{table: t}
	for _, n := range on {
		at := t.schema.Index(n)
		if at < 0 {
			return nil, fmt.Errorf("%w: %q; it has %s", ErrColumn, n, t.names())
		}
		x.by = append(x.by, at)
	}
	if err := x.fill(on); err != nil {
		return nil, err
	}
	if t.indexes == nil {
		t.indexes = map[string]*Index{}
	}
	t.indexes[name] = x
	return x, nil
}

func (x *Index) fill(on []string) error {
	t := x.table
	var key []byte
	for row := range t.rows {
		if slices.ContainsFunc(x.by, func(at int) bool { return t.cols[at].Null(row) }) {
			continue
		}
		key = batch.AppendKey(key[:0], t.cols, x.by, row)
		slot, fresh := x.keys.Insert(key)
		if !fresh {
			return fmt.Errorf("%w: %s and %s are equal in %s (%s): keep one of them, or add the column that tells them apart to `on`",
				ErrDuplicate, t.place(int(x.rows[slot])), t.place(row), strings.Join(on, ", "), t.values(x.by, row))
		}
		x.rows = append(x.rows, uint32(row))
	}
	return nil
}

// place names a row for people.
func (t *Table) place(row int) string {
	if t.lines != nil {
		return fmt.Sprintf("line %d", t.lines[row])
	}
	return fmt.Sprintf("row %d", row+1)
}

func (t *Table) names() string {
	var names []string
	for _, f := range t.schema {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

func (t *Table) values(by []int, row int) string {
	var out []string
	for _, at := range by {
		c := &t.cols[at]
		switch c.Type {
		case batch.String:
			out = append(out, fmt.Sprintf("%.64q", c.Str(row)))
		case batch.Bytes:
			out = append(out, fmt.Sprintf("%.32x", c.Blob(row)))
		case batch.Double:
			out = append(out, fmt.Sprint(c.Doubles[row]))
		case batch.Bool:
			out = append(out, fmt.Sprint(c.Bools[row]))
		default:
			out = append(out, fmt.Sprint(c.Ints[row]))
		}
	}
	return strings.Join(out, ", ")
}

// Table is the table that x finds the rows of.
func (x *Index) Table() *Table { return x.table }

// Types are the types of the columns that x finds rows by.
func (x *Index) Types() []batch.Type {
	out := make([]batch.Type, len(x.by))
	for i, at := range x.by {
		out[i] = x.table.schema[at].Type
	}
	return out
}

// Find is the row that has a key, in the bytes of batch.AppendKey.
func (x *Index) Find(key []byte) (row uint32, ok bool) {
	slot, ok := x.keys.Find(key)
	if !ok {
		return 0, false
	}
	return x.rows[slot], true
}
