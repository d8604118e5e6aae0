package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/leatio/leat/cloud/sink"
)

// Result is the answer to a query.
type Result struct {
	Columns []string
	// Types are the pipeline types of the columns ("timestamp", "double", ...); "" for expressions, whose values have any type.
	Types []string
	// Rows hold nil, bool, int64, finite float64, string or []byte. NaN and
	// the infinities are the texts NaN, Infinity and -Infinity; timestamps are text.
	Rows [][]any
	// Truncated tells that there were more rows than the limits let through.
	Truncated bool
}

// Query answers one statement that reads. It fails with sink.ErrQuery when the statement is at fault and with
// sink.ErrLimit when a limit of time or of SQLite stopped it; a limit of rows or bytes truncates the result instead.
func (db *DB) Query(ctx context.Context, text string, lim QueryLimits) (*Result, error) {
	lim = lim.withDefaults()
	if db.closed.Load() {
		return nil, fmt.Errorf("query: %w", sink.ErrClosed)
	}
	if len(text) > limitSQLBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", sink.ErrQuery, len(text), limitSQLBytes)
	}
	query, err := statement(text)
	if err != nil {
		return nil, err
	}
	timed, cancel := context.WithTimeoutCause(ctx, lim.Time, fmt.Errorf("%w of %v: ask for less, or raise the limit", sink.ErrLimit, lim.Time))
	defer cancel()
	select {
	case db.slots <- struct{}{}:
		defer func() { <-db.slots }()
	case <-timed.Done():
		return nil, fmt.Errorf("query: %d others are running: %w", cap(db.slots), context.Cause(timed))
	}
	if db.closed.Load() {
		return nil, fmt.Errorf("query: %w", sink.ErrClosed)
	}
	timed, stop := db.watchTemp(timed)
	defer stop()
	res, err := db.query(timed, query, lim)
	if err != nil {
		if timed.Err() != nil {
			return nil, fmt.Errorf("query: %w", context.Cause(timed))
		}
		if err = db.explain(ctx, err); errors.Is(err, sink.ErrQuery) {
			return nil, err // it says that it is the query
		}
		return nil, fmt.Errorf("query: %w", err)
	}
	return res, nil
}

func (db *DB) query(ctx context.Context, query string, lim QueryLimits) (res *Result, err error) {
	c, err := db.reads.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := limit(c); err != nil {
		return nil, err
	}
	conn, err := handle(c)
	if err != nil {
		return nil, err
	}
	defer interruptOnDone(ctx, conn)()
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	return collect(rows, lim)
}

// collect reads rows up to the limits.
func collect(rows *sql.Rows, lim QueryLimits) (*Result, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	res := &Result{Columns: make([]string, len(types)), Types: make([]string, len(types)), Rows: [][]any{}}
	bools := make([]bool, len(types))
	for i, t := range types {
		res.Columns[i] = t.Name()
		if p := typeOf(t.DatabaseTypeName()); p != 0 {
			res.Types[i] = p.String()
			bools[i] = res.Types[i] == "bool"
		}
	}
	size := 0
	for rows.Next() {
		if len(res.Rows) == lim.Rows || size >= lim.Bytes {
			res.Truncated = true
			return res, nil
		}
		row := make([]any, len(types))
		into := make([]any, len(types))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i := range row {
			row[i] = shown(row[i], bools[i])
			size += sizeOf(row[i])
		}
		res.Rows = append(res.Rows, row)
	}
	return res, rows.Err()
}

// shown gives the value as Result promises it.
func shown(v any, boolean bool) any {
	switch v := v.(type) {
	case int64:
		if boolean && (v == 0 || v == 1) {
			return v == 1
		}
	case float64:
		switch {
		case math.IsInf(v, 1):
			return "Infinity"
		case math.IsInf(v, -1):
			return "-Infinity"
		}
	case []byte:
		if v == nil { // the driver's form of an empty one
			return []byte{}
		}
	}
	return v
}

func sizeOf(v any) int {
	const header = 16
	switch v := v.(type) {
	case string:
		return header + len(v)
	case []byte:
		return header + len(v)
	}
	return header
}

// explain turns SQLite's error into one that helps.
func (db *DB) explain(ctx context.Context, err error) error {
	var e *sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	msg := e.Error()
	switch e.Code() & 0xff {
	case lib.SQLITE_AUTH:
		return fmt.Errorf("%w: queries only read result tables, with harmless functions: %s", sink.ErrQuery, msg)
	case lib.SQLITE_READONLY:
		return fmt.Errorf("%w: queries only read: %s", sink.ErrQuery, msg)
	case lib.SQLITE_TOOBIG:
		return fmt.Errorf("%w: a value of more than %d bytes: %s", sink.ErrLimit, limitValueBytes, msg)
	case lib.SQLITE_NOMEM, lib.SQLITE_FULL:
		return fmt.Errorf("%w of memory or disk: %s", sink.ErrLimit, msg)
	case lib.SQLITE_ERROR:
		if strings.Contains(msg, "no such table") {
			return fmt.Errorf("%w: %s; %s", sink.ErrQuery, msg, db.tableList(ctx))
		}
		return fmt.Errorf("%w: %s", sink.ErrQuery, msg)
	}
	return err
}

// tableList says what tables there are, for an error.
func (db *DB) tableList(ctx context.Context) string {
	const most = 100
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	res, err := db.query(ctx, `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE '\_leat%' ESCAPE '\' ORDER BY name`,
		QueryLimits{Rows: most}.withDefaults())
	if err != nil {
		return "the list of tables cannot be read: " + err.Error()
	}
	if len(res.Rows) == 0 {
		return "there are no tables yet"
	}
	var names []string
	for _, r := range res.Rows {
		names = append(names, fmt.Sprint(r[0]))
	}
	if res.Truncated {
		names = append(names, "...")
	}
	return "there are " + strings.Join(names, ", ")
}
