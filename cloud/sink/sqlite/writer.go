package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	sqlite3 "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/leatio/leat/cloud/sink"
)

// maxGroupRows bounds the rows of one transaction, beyond the first request's.
const maxGroupRows = 100_000

// request is a change that waits for a transaction.
type request struct {
	what  string
	rows  int
	do    func(*writer) error
	state atomic.Int32 // waiting, then taken or abandoned
	done  chan error   // receives the outcome of a taken request
}

const (
	waiting int32 = iota
	taken
	abandoned
)

// do hands a change to Run and waits for its commit. What do refers to is not
// touched after it has returned.
func (db *DB) do(ctx context.Context, what string, rows int, change func(*writer) error) error {
	r := &request{what: what, rows: rows, do: change, done: make(chan error, 1)}
	fail := func(err error) error { return fmt.Errorf("tables: %s: %w", what, err) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	select {
	case db.requests <- r:
	case <-ctx.Done():
		return fail(ctx.Err())
	case <-db.stopped:
		return fail(sink.ErrClosed)
	}
	select {
	case err := <-r.done:
		if err != nil {
			return fail(err)
		}
		return nil
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, abandoned) {
			return fail(ctx.Err())
		}
		if err := <-r.done; err != nil {
			return fail(err)
		}
		return nil
	}
}

// Run writes until ctx ends. It runs once.
func (db *DB) Run(ctx context.Context) error {
	if !db.running.CompareAndSwap(false, true) {
		panic("BUG: sqlite.DB.Run was called twice")
	}
	defer db.stop.Do(func() { close(db.stopped) })
	var group []*request
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-db.requests:
			group = db.gather(append(group[:0], r))
			db.writer.commit(group)
		}
	}
}

// gather adds all requests that wait at this moment.
func (db *DB) gather(group []*request) []*request {
	for rows := group[0].rows; rows < maxGroupRows; {
		select {
		case r := <-db.requests:
			group = append(group, r)
			rows += r.rows
		default:
			return group
		}
	}
	return group
}

// writer is what Run's goroutine owns.
type writer struct {
	conn    *sql.Conn
	targets map[string]*target // by signature of the table
	args    []any
}

func (w *writer) exec(query string, args ...any) error {
	_, err := w.conn.ExecContext(context.Background(), query, args...)
	return err
}

// commit runs a group in one transaction and tells each request its outcome.
func (w *writer) commit(group []*request) {
	live := group[:0]
	for _, r := range group {
		if r.state.CompareAndSwap(waiting, taken) {
			live = append(live, r)
		}
	}
	if len(live) == 0 {
		return
	}
	outcomes := make([]error, len(live))
	if err := w.transaction(live, outcomes); err != nil {
		w.forget() // tables that the transaction made are gone
		for i := range outcomes {
			if outcomes[i] == nil {
				outcomes[i] = err
			}
		}
	}
	for i, r := range live {
		r.done <- translate(outcomes[i])
	}
}

// transaction sets the outcome of each request that fails by itself. An error is the outcome of all others.
func (w *writer) transaction(group []*request, outcomes []error) error {
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for i, r := range group {
		if err := w.exec("SAVEPOINT request"); err != nil {
			return errors.Join(err, w.rollback())
		}
		if outcomes[i] = r.do(w); outcomes[i] != nil {
			w.forget()
			// Some failures end the transaction: then this fails, and so does the group.
			if err := w.exec("ROLLBACK TO request"); err != nil {
				return errors.Join(outcomes[i], w.rollback())
			}
		}
		if err := w.exec("RELEASE request"); err != nil {
			return errors.Join(err, w.rollback())
		}
	}
	if err := w.exec("COMMIT"); err != nil {
		return errors.Join(err, w.rollback())
	}
	return nil
}

// rollback ends the transaction, unless its failure has ended it.
func (w *writer) rollback() error {
	err := w.exec("ROLLBACK")
	var e *sqlite3.Error
	if errors.As(err, &e) && e.Code() == lib.SQLITE_ERROR { // no transaction is active
		return nil
	}
	return err
}

// translate gives the sentinels to SQLite's errors.
func translate(err error) error {
	var e *sqlite3.Error
	if errors.As(err, &e) && e.Code()&0xff == lib.SQLITE_FULL {
		return fmt.Errorf("%w: make room on the disk, or raise the limit or shorten keep: %w", sink.ErrFull, err)
	}
	return err
}
