package sink

import (
	"context"

	"github.com/leatio/leat/engine/batch"
)

// Names of the columns that a table has besides those of its schema.
const (
	RevisionColumn = "_revision" // of window tables: a whole number
	IDColumn       = "_id"       // of plain tables: text
)

// Table describes a result table.
type Table struct {
	Name   string
	Schema batch.Schema
	// Keys are the positions of the identifying columns; empty for a plain table.
	Keys []int
	// KeepMicros is how long rows are kept, in microseconds; 0 = for ever.
	KeepMicros int64
	// TimeColumn is the position of the timestamp column that KeepMicros is judged by; -1 = none, rows are kept for ever.
	TimeColumn int
}

// Plain tells whether the table has no identifying columns.
func (t *Table) Plain() bool { return len(t.Keys) == 0 }

// Write is a set of rows for one table.
type Write struct {
	Table Table
	// Rows is valid until Apply returns; its columns are those of Table.Schema. A row of a
	// window table that is marked as deleted takes its identity's row away.
	Rows *batch.Batch
	// Revisions has one revision for each counting row of a window table; nil for a plain table.
	Revisions []int64
	// IDs has one deterministic id for each counting row of a plain table; nil for a window table.
	IDs []string
}

// Tables is a store of result tables. All methods may be called by several goroutines at once.
type Tables interface {
	// Apply writes all writes in one transaction, in their order, and is
	// durable when it returns nil. It makes tables that do not exist yet. It is idempotent: see the package comment.
	Apply(ctx context.Context, writes []Write) error
	// Ensure makes a table, or adds the columns that an existing one lacks (they are null in the rows there are). It fails
	// with ErrTableChanged when a column has another type or the identifying columns differ.
	Ensure(ctx context.Context, t Table) error
	// Drop removes a table and its rows. Dropping one that does not exist is no error.
	Drop(ctx context.Context, name string) error
	// Expire removes the rows that are older than their table keeps them.
	Expire(ctx context.Context, nowMicros int64) error
}
