package sqlite_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/cloud/sink/sqlite"
	"github.com/leatio/leat/engine/batch"
)

func TestEnsureAddsColumns(t *testing.T) {
	db := open(t)
	apply(t, db, window(1, []any{0, "a", 1, 1.5}))
	wide := climate()
	wide.Schema = batch.Schema{climateSchema[0], climateSchema[1], {Name: "new", Type: batch.String}, climateSchema[3]}
	if err := db.Ensure(t.Context(), wide); err != nil {
		t.Fatal(err)
	}
	apply(t, db, sink.Write{Table: wide, Rows: rows(wide.Schema, []any{0, "b", "x", 2.5}), Revisions: []int64{1}})
	apply(t, db, window(1, []any{0, "c", 3, 3.5})) // the older shape goes on
	expect(t, db, "SELECT window_start, device, n, temp_avg, _revision, new FROM climate_10s ORDER BY device",
		[]any{"1970-01-01T00:00:00.000000Z", "a", int64(1), 1.5, int64(1), nil},
		[]any{"1970-01-01T00:00:00.000000Z", "b", nil, 2.5, int64(1), "x"},
		[]any{"1970-01-01T00:00:00.000000Z", "c", int64(3), 3.5, int64(1), nil})
}

func TestEnsureRefusesAnotherShape(t *testing.T) {
	db := open(t)
	if err := db.Ensure(t.Context(), climate()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*sink.Table)
		want   string
	}{
		"type":          {func(t *sink.Table) { t.Schema[2].Type = batch.Double }, `column "n" of table "climate_10s" is int and cannot become double`},
		"type, in caps": {func(t *sink.Table) { t.Schema[2] = batch.Field{Name: "N", Type: batch.Bool} }, `is int and cannot become bool`},
		"fewer keys":    {func(t *sink.Table) { t.Keys = []int{0} }, "identifying columns window_start, device, now they are window_start"},
		"plain":         {func(t *sink.Table) { t.Keys = nil }, "now they are none"},
	} {
		changed := climate()
		changed.Schema = append(batch.Schema{}, climateSchema...)
		c.change(&changed)
		err := db.Ensure(t.Context(), changed)
		if !errors.Is(err, sink.ErrTableChanged) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheShapeOutlivesAReopening(t *testing.T) {
	cfg := sqlite.Config{Path: filepath.Join(t.TempDir(), "a ?#%20dir.db")}
	db, stop := start(t, cfg)
	apply(t, db, window(1, []any{0, "a", 1, 1.5}))
	stop()
	db, _ = start(t, cfg)
	expect(t, db, "SELECT device FROM climate_10s", []any{"a"})
	changed := climate()
	changed.Keys = []int{0}
	if err := db.Ensure(t.Context(), changed); !errors.Is(err, sink.ErrTableChanged) {
		t.Fatal(err)
	}
	// Expiry knows how long the rows are kept.
	if err := db.Expire(t.Context(), climate().KeepMicros); err != nil {
		t.Fatal(err)
	}
	expect(t, db, "SELECT count(*) FROM climate_10s", []any{int64(1)})
	if err := db.Expire(t.Context(), climate().KeepMicros+1); err != nil {
		t.Fatal(err)
	}
	expect(t, db, "SELECT count(*) FROM climate_10s", []any{int64(0)})
}

func TestExpireInSteps(t *testing.T) {
	db := open(t)
	w := sink.Write{Table: climate(), Rows: batch.New(climateSchema)}
	for i := range 25_000 { // more than two steps
		c := w.Rows.Cols
		c[0].Ints = append(c[0].Ints, int64(i))
		c[2].Ints = append(c[2].Ints, int64(i))
		c[3].Doubles = append(c[3].Doubles, 0)
		w.Revisions = append(w.Revisions, 1)
	}
	w.Rows.Cols[1] = batch.Column{Type: batch.String, Dict: batch.NewDict(), Codes: make([]uint32, 25_000)}
	w.Rows.Cols[1].Dict.CodeString("d")
	w.Rows.N = 25_000
	keepAll := sink.Table{Name: "kept", Schema: climateSchema, Keys: []int{0, 1}, TimeColumn: -1}
	apply(t, db, w, sink.Write{Table: keepAll, Rows: w.Rows, Revisions: w.Revisions})
	if err := db.Expire(t.Context(), climate().KeepMicros+24_000); err != nil {
		t.Fatal(err)
	}
	expect(t, db, "SELECT count(*), min(n) FROM climate_10s", []any{int64(1000), int64(24_000)})
	expect(t, db, "SELECT count(*) FROM kept", []any{int64(25_000)})
}

func TestDrop(t *testing.T) {
	db := open(t)
	apply(t, db, window(1, []any{0, "a", 1, 1.5}))
	for range 2 {
		if err := db.Drop(t.Context(), "CLIMATE_10s"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"_leat_tables", "sqlite_schema", "", `x"; DROP TABLE y`} {
		if err := db.Drop(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	// Made anew, in any shape, by statements that were prepared before.
	apply(t, db, window(1, []any{0, "b", 1, 1.5}))
	expect(t, db, "SELECT device FROM climate_10s", []any{"b"})
}

func TestOpenWhereNothingCanBeMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "results.db")
	if _, err := sqlite.Open(t.Context(), sqlite.Config{Path: path}); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatal(err)
	}
}

func TestConfigNamesTheField(t *testing.T) {
	for field, cfg := range map[string]sqlite.Config{"Path": {}, "MaxBytes": {Path: "x", MaxBytes: 1}, "Queries": {Path: "x", Queries: -1}, "TempBytes": {Path: "x", TempBytes: -1}} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
