package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/leatio/leat/cloud/sink"
)

const (
	rowsPerInsert = 16  // in one statement, as far as there are rows
	maxTargets    = 256 // shapes of tables with prepared statements
	maxVariables  = 32_000
)

// target is a table, as one write sees it, with prepared statements.
type target struct {
	many, one *sql.Stmt
	perMany   int       // rows of many
	gone      *sql.Stmt // deletes a row; nil for plain tables
}

// signature tells writes of different shape apart.
func signature(t *sink.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %d %d %v", t.Name, t.KeepMicros, t.TimeColumn, t.Keys)
	for _, f := range t.Schema {
		fmt.Fprintf(&b, " %q %d", f.Name, f.Type)
	}
	return b.String()
}

// target gives the statements for a table, which it makes where needed.
func (w *writer) target(t *sink.Table) (*target, error) {
	key := signature(t)
	if g := w.targets[key]; g != nil {
		return g, nil
	}
	if len(w.targets) >= maxTargets {
		w.forget()
	}
	if err := w.ensure(t); err != nil {
		return nil, err
	}
	g := &target{perMany: min(rowsPerInsert, maxVariables/(len(t.Schema)+1))}
	var err error
	if g.one, err = w.conn.PrepareContext(context.Background(), insertSQL(t, 1)); err != nil {
		return nil, err
	}
	if g.many, err = w.conn.PrepareContext(context.Background(), insertSQL(t, g.perMany)); err != nil {
		return nil, err
	}
	if !t.Plain() {
		if g.gone, err = w.conn.PrepareContext(context.Background(), deleteSQL(t)); err != nil {
			return nil, err
		}
	}
	if w.targets == nil {
		w.targets = map[string]*target{}
	}
	w.targets[key] = g
	return g, nil
}

// forget closes the prepared statements. Closing one that failed gives that failure again, which was reported already.
func (w *writer) forget() {
	for _, g := range w.targets {
		_ = g.one.Close()
		_ = g.many.Close()
		if g.gone != nil {
			_ = g.gone.Close()
		}
	}
	clear(w.targets)
}

func insertSQL(t *sink.Table, rows int) string {
	var columns, sets []string
	key := map[int]bool{}
	for _, k := range t.Keys {
		key[k] = true
	}
	for i, f := range t.Schema {
		columns = append(columns, quote(f.Name))
		if !key[i] {
			sets = append(sets, fmt.Sprintf("%[1]s = excluded.%[1]s", quote(f.Name)))
		}
	}
	extra := quote(sink.RevisionColumn)
	if t.Plain() {
		extra = quote(sink.IDColumn)
	}
	columns = append(columns, extra)
	sets = append(sets, fmt.Sprintf("%[1]s = excluded.%[1]s", extra))
	tuple := "(" + strings.Repeat("?, ", len(columns)-1) + "?)"
	into := fmt.Sprintf("INSERT INTO %s(%s) VALUES %s", quote(t.Name), strings.Join(columns, ", "), strings.Repeat(tuple+", ", rows-1)+tuple)
	if t.Plain() {
		return into + fmt.Sprintf(" ON CONFLICT(%s) DO NOTHING", extra)
	}
	return into + fmt.Sprintf(" ON CONFLICT(%s) DO UPDATE SET %s WHERE excluded.%s > %s.%s",
		identity(t.Schema, t.Keys), strings.Join(sets, ", "), extra, quote(t.Name), extra)
}

// deleteSQL removes the row of an identity, given as in identity, of a lower revision.
func deleteSQL(t *sink.Table) string {
	var terms []string
	for i := range t.Keys {
		terms = append(terms, identity(t.Schema, t.Keys[i:i+1])+" = "+orNull(t.Schema[t.Keys[i]].Type, "?"))
	}
	return fmt.Sprintf("DELETE FROM %s WHERE %s AND %s < ?", quote(t.Name), strings.Join(terms, " AND "), quote(sink.RevisionColumn))
}

// apply writes the rows of one write.
func (w *writer) apply(wr *sink.Write) error {
	g, err := w.target(&wr.Table)
	if err != nil {
		return err
	}
	n := wr.Rows.Len()
	for at := 0; at < n; {
		w.args = w.args[:0]
		if deleted(wr, at) {
			w.args = appendIdentity(w.args, wr, at)
			if _, err := g.gone.ExecContext(context.Background(), w.args...); err != nil {
				return err
			}
			at++
			continue
		}
		stmt, rows := g.one, 1
		if n-at >= g.perMany && !anyDeleted(wr, at, at+g.perMany) {
			stmt, rows = g.many, g.perMany
		}
		for i := at; i < at+rows; i++ {
			w.args = appendRow(w.args, wr, i)
		}
		if _, err := stmt.ExecContext(context.Background(), w.args...); err != nil {
			return err
		}
		at += rows
	}
	clear(w.args[:cap(w.args)]) // hold no values of the caller's
	return nil
}

func rowOf(wr *sink.Write, i int) int {
	if wr.Rows.Sel != nil {
		return int(wr.Rows.Sel[i])
	}
	return i
}

// deleted tells whether the i-th counting row takes a row away.
func deleted(wr *sink.Write, i int) bool {
	return wr.Rows.Deleted != nil && wr.Rows.Deleted.Get(rowOf(wr, i))
}

func anyDeleted(wr *sink.Write, from, to int) bool {
	for i := from; i < to && wr.Rows.Deleted != nil; i++ {
		if deleted(wr, i) {
			return true
		}
	}
	return false
}

// appendIdentity adds the arguments of deleteSQL for the i-th counting row.
func appendIdentity(args []any, wr *sink.Write, i int) []any {
	for _, k := range wr.Table.Keys {
		args = append(args, value(&wr.Rows.Cols[k], rowOf(wr, i)))
	}
	return append(args, wr.Revisions[i])
}

// appendRow adds the arguments of the i-th counting row.
func appendRow(args []any, wr *sink.Write, i int) []any {
	row := rowOf(wr, i)
	for c := range wr.Rows.Cols {
		args = append(args, value(&wr.Rows.Cols[c], row))
	}
	if wr.Table.Plain() {
		return append(args, wr.IDs[i])
	}
	return append(args, wr.Revisions[i])
}
