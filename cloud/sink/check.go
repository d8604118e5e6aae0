package sink

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/leatio/leat/engine/batch"
)

// Bounds of a table.
const (
	MaxColumns   = 250
	MaxNameBytes = 128
)

// Validate tells what is wrong with the description of a table. Names are compared as
// SQL does, without regard to upper and lower case.
func (t *Table) Validate() error {
	if err := checkName(t.Name); err != nil {
		return fmt.Errorf("%w: the name %.40q %w", ErrBadTable, t.Name, err)
	}
	if lower := strings.ToLower(t.Name); strings.HasPrefix(lower, "sqlite_") || strings.HasPrefix(lower, "_leat") {
		return fmt.Errorf("%w: %q begins with sqlite_ or _leat, which are reserved", ErrBadTable, t.Name)
	}
	if err := t.validateColumns(); err != nil {
		return fmt.Errorf("%w %q: %w", ErrBadTable, t.Name, err)
	}
	if t.KeepMicros < 0 {
		return fmt.Errorf("%w %q: KeepMicros is negative", ErrBadTable, t.Name)
	}
	if t.KeepMicros > 0 && t.TimeColumn != -1 && !t.isTime(t.TimeColumn) {
		return fmt.Errorf("%w %q: TimeColumn is %d, which is no timestamp column", ErrBadTable, t.Name, t.TimeColumn)
	}
	return nil
}

// Expires gives the position of the column that the table's rows expire by, or -1 when they are kept for ever.
func (t *Table) Expires() int {
	if t.KeepMicros > 0 && t.isTime(t.TimeColumn) {
		return t.TimeColumn
	}
	return -1
}

func (t *Table) isTime(column int) bool {
	return column >= 0 && column < len(t.Schema) && t.Schema[column].Type == batch.Timestamp
}

func (t *Table) validateColumns() error {
	if len(t.Schema) == 0 || len(t.Schema) > MaxColumns {
		return fmt.Errorf("it has %d columns, it must have 1 to %d", len(t.Schema), MaxColumns)
	}
	seen := map[string]bool{RevisionColumn: true, IDColumn: true}
	for _, f := range t.Schema {
		if err := checkName(f.Name); err != nil {
			return fmt.Errorf("the column name %.40q %w", f.Name, err)
		}
		if !f.Type.Valid() {
			return fmt.Errorf("column %q has the unknown type %d", f.Name, f.Type)
		}
		lower := strings.ToLower(f.Name)
		if seen[lower] {
			return fmt.Errorf("the column name %q is used twice, or reserved (%s, %s)", f.Name, RevisionColumn, IDColumn)
		}
		seen[lower] = true
	}
	keys := map[int]bool{}
	for _, k := range t.Keys {
		if k < 0 || k >= len(t.Schema) || keys[k] {
			return fmt.Errorf("the identifying columns %v are not different columns of the schema", t.Keys)
		}
		keys[k] = true
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("is empty")
	case len(name) > MaxNameBytes:
		return fmt.Errorf("has %d bytes, at most %d are allowed", len(name), MaxNameBytes)
	case strings.ContainsRune(name, 0) || !utf8.ValidString(name):
		return fmt.Errorf("is not text")
	}
	return nil
}

// Validate tells in what a write does not fit its table.
func (w *Write) Validate() error {
	if err := w.Table.Validate(); err != nil {
		return err
	}
	if len(w.Rows.Cols) != len(w.Table.Schema) {
		return fmt.Errorf("%w: table %q has %d columns, the rows have %d", ErrBadWrite, w.Table.Name, len(w.Table.Schema), len(w.Rows.Cols))
	}
	for i, f := range w.Table.Schema {
		c := &w.Rows.Cols[i]
		if c.Type != f.Type {
			return fmt.Errorf("%w: column %q of table %q is %v, the rows have %v", ErrBadWrite, f.Name, w.Table.Name, f.Type, c.Type)
		}
		if c.Len() < w.Rows.N {
			return fmt.Errorf("%w: column %q of table %q has %d of %d values", ErrBadWrite, f.Name, w.Table.Name, c.Len(), w.Rows.N)
		}
	}
	if w.Table.Plain() && w.Rows.Deleted != nil {
		return fmt.Errorf("%w: table %q has no identifying columns, so that no row of it can be deleted", ErrBadWrite, w.Table.Name)
	}
	n, revisions, ids := w.Rows.Len(), w.Rows.Len(), 0
	if w.Table.Plain() {
		revisions, ids = 0, n
	}
	if len(w.Revisions) != revisions || len(w.IDs) != ids {
		return fmt.Errorf("%w: %d rows for table %q need %d revisions and %d ids, there are %d and %d",
			ErrBadWrite, n, w.Table.Name, revisions, ids, len(w.Revisions), len(w.IDs))
	}
	return nil
}
