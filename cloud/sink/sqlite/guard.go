package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// guarded opens connections that can do nothing but read result tables.
type guarded struct{ driver.Connector }

// Connect opens a connection with the authorizer.
func (g guarded) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := g.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	r, ok := c.(sqlite3.AuthorizerRegisterer)
	if !ok {
		return nil, errors.Join(errors.New("BUG: the driver takes no authorizer"), c.Close())
	}
	if err := r.RegisterAuthorizer(authorize); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// authorize is asked for each thing that a statement would do.
func authorize(action sqlite3.AuthorizerActionCode, arg1, arg2, _, _ string) sqlite3.AuthorizerReturnCode {
	switch action {
	case sqlite3.AuthSelect, sqlite3.AuthRecursive:
		return sqlite3.AuthorizerOK
	case sqlite3.AuthRead:
		if readable(arg1) {
			return sqlite3.AuthorizerOK
		}
	case sqlite3.AuthFunction:
		if strings.Contains(functions, " "+strings.ToLower(arg2)+" ") {
			return sqlite3.AuthorizerOK
		}
	}
	return sqlite3.AuthorizerDeny
}

// readable tells whether queries may read a table: all but ours, and those through which SQLite shows its insides.
func readable(table string) bool {
	switch t := strings.ToLower(table); {
	case t == "sqlite_schema" || t == "sqlite_master":
		return true
	case strings.HasPrefix(t, "sqlite_"), strings.HasPrefix(t, "_leat"), strings.HasPrefix(t, "pragma_"):
		return false
	case t == "dbstat" || t == "bytecode" || t == "tables_used":
		return false
	}
	return true
}

// handle gives SQLite's handle of a connection. The driver interrupts a
// statement only until its first row and has no call to interrupt it later, so the handle is read
// from the driver's connection. Open fails if a version of the driver keeps it elsewhere.
func handle(c *sql.Conn) (db uintptr, err error) {
	err = c.Raw(func(driverConn any) error {
		v := reflect.ValueOf(driverConn)
		if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
			if f := v.Elem().FieldByName("db"); f.IsValid() && f.Kind() == reflect.Uintptr && f.Uint() != 0 {
				db = uintptr(f.Uint())
				return nil
			}
		}
		return fmt.Errorf("BUG: the driver's connection %T has no field db with the handle", driverConn)
	})
	return db, err
}

// interruptEvery repeats the interrupt: SQLite forgets one that comes just before a statement begins.
const interruptEvery = 10 * time.Millisecond

// interruptOnDone interrupts what runs on the connection from ctx's end on, until stop is called. The
// connection must not be given back before.
func interruptOnDone(ctx context.Context, db uintptr) (stop func()) {
	finished, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
		case <-finished:
			return
		}
		tls := libc.NewTLS() // the statement runs on the connection's own
		defer tls.Close()
		tick := time.NewTicker(interruptEvery)
		defer tick.Stop()
		for {
			lib.Xsqlite3_interrupt(tls, db)
			select {
			case <-finished:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(finished)
		<-ended
	}
}

// functions lists what queries may call. Not there: what makes large values
// out of nothing, loads code, or tells about the machine.
const functions = " abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling changes char coalesce concat concat_ws cos cosh count cume_dist " +
	"current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor format glob group_concat hex if ifnull iif instr " +
	"json json_array json_array_length json_extract json_group_array json_group_object json_object json_patch json_quote json_remove json_replace json_set " +
	"json_type json_valid -> ->> julianday lag last_value lead length like ln log log10 log2 lower ltrim max median min mod nth_value ntile nullif " +
	"octet_length percent_rank percentile percentile_cont percentile_disc pi pow power printf quote radians rank replace round row_number rtrim sign sin sinh sqrt " +
	"string_agg strftime substr substring subtype sum tan tanh time timediff total trim trunc typeof unhex unicode unixepoch unlikely upper "

// SQLite's limits for a query's connection.
const (
	limitValueBytes = 128 << 10
	limitSQLBytes   = 100_000
)

// limit sets SQLite's own limits; it keeps them for the life of the connection.
func limit(c *sql.Conn) error {
	for _, l := range [][2]int{
		{lib.SQLITE_LIMIT_LENGTH, limitValueBytes},
		{lib.SQLITE_LIMIT_SQL_LENGTH, limitSQLBytes},
		{lib.SQLITE_LIMIT_COLUMN, 256}, // more than sink.MaxColumns and our own
		{lib.SQLITE_LIMIT_EXPR_DEPTH, 100},
		{lib.SQLITE_LIMIT_COMPOUND_SELECT, 50},
		{lib.SQLITE_LIMIT_VDBE_OP, 250_000},
		{lib.SQLITE_LIMIT_FUNCTION_ARG, 100},
		{lib.SQLITE_LIMIT_ATTACHED, 0},
		{lib.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 128},
		{lib.SQLITE_LIMIT_VARIABLE_NUMBER, 0},
		{lib.SQLITE_LIMIT_TRIGGER_DEPTH, 0},
		{lib.SQLITE_LIMIT_WORKER_THREADS, 0},
	} {
		if _, err := sqlite3.Limit(c, l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}
