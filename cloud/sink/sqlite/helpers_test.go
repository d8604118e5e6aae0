package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/cloud/sink/sqlite"
	"github.com/leatio/leat/engine/batch"
)

// start opens a database and runs it until the end of the test or the call of stop.
func start(t testing.TB, cfg sqlite.Config) (db *sqlite.DB, stop func()) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- db.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return db, stop
}

func open(t testing.TB) *sqlite.DB {
	t.Helper()
	db, _ := start(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "results.db")})
	return db
}

var climateSchema = batch.Schema{
	{Name: "window_start", Type: batch.Timestamp},
	{Name: "device", Type: batch.String},
	{Name: "n", Type: batch.Int},
	{Name: "temp_avg", Type: batch.Double},
}

func climate() sink.Table {
	return sink.Table{Name: "climate_10s", Schema: climateSchema, Keys: []int{0, 1}, KeepMicros: 90 * 24 * 3600e6, TimeColumn: 0}
}

// rows makes a batch of values: nil, bool, int, float64, string, []byte; an int for a timestamp is microseconds.
func rows(s batch.Schema, values ...[]any) *batch.Batch {
	b := batch.New(s)
	for _, row := range values {
		for i, v := range row {
			c := &b.Cols[i]
			if v == nil {
				c.AppendNull()
				continue
			}
			switch v := v.(type) {
			case bool:
				c.Bools = append(c.Bools, v)
			case int:
				c.Ints = append(c.Ints, int64(v))
			case float64:
				c.Doubles = append(c.Doubles, v)
			case string:
				if c.Dict == nil {
					c.Dict = batch.NewDict()
				}
				c.Codes = append(c.Codes, c.Dict.CodeString(v))
			case []byte:
				c.AppendBlob(v)
			default:
				panic(fmt.Sprintf("BUG: %T", v))
			}
			if c.Valid != nil {
				c.Valid = c.Valid.Append(b.N, true)
			}
		}
		b.N++
	}
	return b
}

func window(revision int, values ...[]any) sink.Write {
	w := sink.Write{Table: climate(), Rows: rows(climateSchema, values...)}
	for range values {
		w.Revisions = append(w.Revisions, int64(revision))
	}
	return w
}

func apply(t testing.TB, db sink.Tables, writes ...sink.Write) {
	t.Helper()
	if err := db.Apply(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
}

func query(t testing.TB, db *sqlite.DB, text string) [][]any {
	t.Helper()
	res, err := db.Query(t.Context(), text, sqlite.QueryLimits{})
	if err != nil {
		t.Fatal(err)
	}
	if res.Truncated {
		t.Fatalf("the answer to %s is truncated", text)
	}
	return res.Rows
}

func expect(t testing.TB, db *sqlite.DB, text string, want ...[]any) {
	t.Helper()
	if want == nil {
		want = [][]any{}
	}
	if got := query(t, db, text); !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\n got %v\nwant %v", text, got, want)
	}
}
