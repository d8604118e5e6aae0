package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/engine/batch"
)

const (
	metaTable  = "_leat_tables"
	createMeta = `CREATE TABLE IF NOT EXISTS "` + metaTable + `"(name TEXT PRIMARY KEY COLLATE NOCASE, format INTEGER NOT NULL, spec TEXT NOT NULL) WITHOUT ROWID`
	metaFormat = 1
	expireRows = 10_000 // removed in one step
)

// spec is the stored shape of a table.
type spec struct {
	Name    string       `json:"name"`
	Columns []specColumn `json:"columns"`
	Keys    []string     `json:"keys,omitempty"`
	Keep    int64        `json:"keep_micros,omitempty"`
	Time    string       `json:"time_column,omitempty"` // that keep is judged by; empty = rows are kept for ever
}

type specColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func specOf(t *sink.Table) spec {
	s := spec{Name: t.Name, Keep: t.KeepMicros}
	for _, f := range t.Schema {
		s.Columns = append(s.Columns, specColumn{f.Name, f.Type.String()})
	}
	for _, k := range t.Keys {
		s.Keys = append(s.Keys, t.Schema[k].Name)
	}
	if c := t.Expires(); c >= 0 {
		s.Time = t.Schema[c].Name
	}
	return s
}

// quote makes an identifier of any text.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// identity gives the expressions of the unique index: nulls become a value that the column cannot hold.
func identity(schema batch.Schema, keys []int) string {
	terms := make([]string, len(keys))
	for i, k := range keys {
		terms[i] = orNull(schema[k].Type, quote(schema[k].Name))
	}
	return strings.Join(terms, ", ")
}

func orNull(t batch.Type, expr string) string {
	null := "x''"
	if t == batch.Bytes {
		null = "0"
	}
	return fmt.Sprintf("ifnull(%s, %s)", expr, null)
}

func columnDef(f batch.Field) string { return quote(f.Name) + " " + sqlTypes[f.Type] }

// ensure makes a table or adds what it lacks.
func (w *writer) ensure(t *sink.Table) error {
	old, found, err := w.spec(t.Name)
	if err != nil {
		return err
	}
	want := specOf(t)
	if !found {
		return w.create(t, want)
	}
	if err := sameKeys(&old, &want); err != nil {
		return err
	}
	types := map[string]string{}
	for _, c := range old.Columns {
		types[strings.ToLower(c.Name)] = c.Type
	}
	for _, f := range t.Schema {
		typ, ok := types[strings.ToLower(f.Name)]
		if ok && typ != f.Type.String() {
			return fmt.Errorf("%w: column %q of table %q is %s and cannot become %s: use another column or table name",
				sink.ErrTableChanged, f.Name, t.Name, typ, f.Type)
		}
		if ok {
			continue
		}
		if len(old.Columns) == sink.MaxColumns {
			return fmt.Errorf("%w: table %q would have more than %d columns", sink.ErrTableChanged, t.Name, sink.MaxColumns)
		}
		if err := w.exec(fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", quote(t.Name), columnDef(f))); err != nil {
			return err
		}
		old.Columns = append(old.Columns, specColumn{f.Name, f.Type.String()})
	}
	old.Keep, old.Time = want.Keep, want.Time
	if err := w.indexTime(&old); err != nil {
		return err
	}
	return w.putSpec(&old)
}

func sameKeys(old, want *spec) error {
	same := len(old.Keys) == len(want.Keys)
	for i := 0; same && i < len(old.Keys); i++ {
		same = strings.EqualFold(old.Keys[i], want.Keys[i])
	}
	if same {
		return nil
	}
	describe := func(keys []string) string {
		if len(keys) == 0 {
			return "none"
		}
		return strings.Join(keys, ", ")
	}
	return fmt.Errorf("%w: table %q has the identifying columns %s, now they are %s: use another table name",
		sink.ErrTableChanged, old.Name, describe(old.Keys), describe(want.Keys))
}

func (w *writer) create(t *sink.Table, s spec) error {
	var defs []string
	for _, f := range t.Schema {
		defs = append(defs, columnDef(f))
	}
	if t.Plain() {
		defs = append(defs, quote(sink.IDColumn)+" TEXT NOT NULL UNIQUE")
	} else {
		defs = append(defs, quote(sink.RevisionColumn)+" INTEGER NOT NULL")
	}
	if err := w.exec(fmt.Sprintf("CREATE TABLE %s(%s)", quote(t.Name), strings.Join(defs, ", "))); err != nil {
		return err
	}
	if !t.Plain() {
		index := fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s(%s)", quote("_leat_key_"+t.Name), quote(t.Name), identity(t.Schema, t.Keys))
		if err := w.exec(index); err != nil {
			return err
		}
	}
	if err := w.indexTime(&s); err != nil {
		return err
	}
	return w.putSpec(&s)
}

// indexTime makes expiry, and queries for the newest rows, quick.
func (w *writer) indexTime(s *spec) error {
	if s.Time == "" {
		return nil
	}
	return w.exec(fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON %s(%s)", quote("_leat_time_"+s.Name+"_"+s.Time), quote(s.Name), quote(s.Time)))
}

func (w *writer) spec(name string) (s spec, found bool, err error) {
	var format int
	var text string
	row := w.conn.QueryRowContext(context.Background(), `SELECT format, spec FROM "`+metaTable+`" WHERE name = ?`, name)
	if err := row.Scan(&format, &text); errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	} else if err != nil {
		return s, false, err
	}
	s, err = parseSpec(name, format, text)
	return s, true, err
}

func parseSpec(name string, format int, text string) (s spec, err error) {
	if format != metaFormat {
		return s, fmt.Errorf("the shape of table %q is stored in format %d, this program knows %d: use the program that wrote it", name, format, metaFormat)
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("the stored shape of table %q: %w", name, err)
	}
	return s, nil
}

// specs gives the shapes of all tables.
func (w *writer) specs() (all []spec, err error) {
	rows, err := w.conn.QueryContext(context.Background(), `SELECT name, format, spec FROM "`+metaTable+`" ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name, text string
		var format int
		if err := rows.Scan(&name, &format, &text); err != nil {
			return nil, err
		}
		s, err := parseSpec(name, format, text)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

func (w *writer) putSpec(s *spec) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return w.exec(`INSERT OR REPLACE INTO "`+metaTable+`"(name, format, spec) VALUES(?, ?, ?)`, s.Name, metaFormat, string(text))
}

// drop removes one of our tables; it does not touch others.
func (w *writer) drop(name string) error {
	_, found, err := w.spec(name)
	if err != nil || !found {
		return err
	}
	w.forget()
	if err := w.exec("DROP TABLE " + quote(name)); err != nil {
		return err
	}
	return w.exec(`DELETE FROM "`+metaTable+`" WHERE name = ?`, name)
}

// expire removes up to expireRows old rows and tells whether there may be more.
func (w *writer) expire(name string, nowMicros int64) (more bool, err error) {
	s, found, err := w.spec(name) // again: it may have changed since
	if err != nil || !found || s.Keep == 0 || s.Time == "" {
		return false, err
	}
	before := formatTime(nowMicros - s.Keep)
	res, err := w.conn.ExecContext(context.Background(), fmt.Sprintf(
		"DELETE FROM %[1]s WHERE rowid IN (SELECT rowid FROM %[1]s WHERE %[2]s < ? LIMIT %[3]d)", quote(name), quote(s.Time), expireRows), before)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == expireRows, err
}
