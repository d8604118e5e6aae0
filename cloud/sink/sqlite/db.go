package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	sqlite3 "modernc.org/sqlite"

	"github.com/leatio/leat/cloud/sink"
)

// DB is an open database of result tables. It implements sink.Tables.
type DB struct {
	// Constant after Open.
	cfg    Config
	writes *sql.DB
	reads  *sql.DB
	slots  chan struct{} // one for each running query

	requests chan *request // taken by Run
	stopped  chan struct{} // closed when Run has returned, or Close was called without it
	stop     sync.Once
	running  atomic.Bool
	closed   atomic.Bool

	writer writer // owned by Run
}

var _ sink.Tables = (*DB)(nil)

// Open opens, or makes, the database. Nothing can be written before Run runs; queries can be asked at once.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	db := &DB{
		cfg:      cfg,
		slots:    make(chan struct{}, cfg.Queries),
		requests: make(chan *request),
		stopped:  make(chan struct{}),
	}
	if err := db.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("tables: open %s: %w", path, err), db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, path string) error {
	writes := url.Values{"_pragma": {
		"busy_timeout(5000)",
		fmt.Sprintf("page_size(%d)", pageBytes),
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"journal_size_limit(67108864)",
		fmt.Sprintf("max_page_count(%d)", db.cfg.MaxBytes/pageBytes),
		"trusted_schema(OFF)",
	}, "_txlock": {"immediate"}, "_dqs": {"0"}}
	reads := url.Values{"mode": {"ro"}, "_pragma": {
		"busy_timeout(5000)",
		"query_only(ON)",
		"trusted_schema(OFF)",
		"temp_store(FILE)",
		"cache_size(-8192)",
		"mmap_size(0)",
	}, "_dqs": {"0"}}
	connector, err := sqlite3.NewConnector(dsn(path, writes))
	if err != nil {
		return err
	}
	db.writes = sql.OpenDB(connector)
	db.writes.SetMaxOpenConns(1)
	connector, err = sqlite3.NewConnector(dsn(path, reads))
	if err != nil {
		return err
	}
	db.reads = sql.OpenDB(guarded{connector})
	db.reads.SetMaxOpenConns(db.cfg.Queries)
	db.reads.SetMaxIdleConns(db.cfg.Queries)

	if db.writer.conn, err = db.writes.Conn(ctx); err != nil {
		return err
	}
	if _, err := db.writer.conn.ExecContext(ctx, createMeta); err != nil {
		return err
	}
	if _, err := db.query(ctx, "SELECT 1", QueryLimits{}.withDefaults()); err != nil {
		return fmt.Errorf("a first query: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func dsn(path string, options url.Values) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}).String()
}

// syncDir makes the entry of a new database file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close frees the database. Run must have returned.
func (db *DB) Close() error {
	if !db.closed.CompareAndSwap(false, true) {
		return fmt.Errorf("tables: close: %w already", sink.ErrClosed)
	}
	db.stop.Do(func() { close(db.stopped) })
	for range cap(db.slots) { // until the last query has ended
		db.slots <- struct{}{}
	}
	var errs []error
	if db.reads != nil {
		errs = append(errs, db.reads.Close())
	}
	if db.writer.conn != nil {
		errs = append(errs, db.writer.conn.Close())
	}
	if db.writes != nil {
		errs = append(errs, db.writes.Close())
	}
	return errors.Join(errs...)
}

// Apply writes in one transaction; see sink.Tables.
func (db *DB) Apply(ctx context.Context, writes []sink.Write) error {
	rows := 0
	for i := range writes {
		if err := writes[i].Validate(); err != nil {
			return fmt.Errorf("tables: apply: %w", err)
		}
		rows += writes[i].Rows.Len()
	}
	return db.do(ctx, "apply", rows, func(w *writer) error {
		for i := range writes {
			if err := w.apply(&writes[i]); err != nil {
				return fmt.Errorf("table %q: %w", writes[i].Table.Name, err)
			}
		}
		return nil
	})
}

// Ensure makes a table or adds columns; see sink.Tables.
func (db *DB) Ensure(ctx context.Context, t sink.Table) error {
	if err := t.Validate(); err != nil {
		return fmt.Errorf("tables: ensure: %w", err)
	}
	return db.do(ctx, "ensure", 1, func(w *writer) error { return w.ensure(&t) })
}

// Drop removes a table; see sink.Tables.
func (db *DB) Drop(ctx context.Context, name string) error {
	return db.do(ctx, "drop", 1, func(w *writer) error { return w.drop(name) })
}

// Expire removes old rows; see sink.Tables. Other writes pass between its steps.
func (db *DB) Expire(ctx context.Context, nowMicros int64) error {
	var specs []spec
	if err := db.do(ctx, "expire", 1, func(w *writer) (err error) {
		specs, err = w.specs()
		return err
	}); err != nil {
		return err
	}
	for _, s := range specs {
		for more := s.Keep > 0 && s.Time != ""; more; {
			if err := db.do(ctx, "expire", expireRows, func(w *writer) (err error) {
				more, err = w.expire(s.Name, nowMicros)
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
