package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/cloud/sink/sqlite"
	"github.com/leatio/leat/engine/batch"
)

const all = "SELECT window_start, device, n, temp_avg, _revision FROM climate_10s ORDER BY window_start, device"

const second = 1_000_000

func TestUpsertOverALowerRevisionOnly(t *testing.T) {
	db := open(t)
	apply(t, db, window(2, []any{0, "a", 1, 1.5}, []any{0, nil, 2, nil}, []any{10 * second, "a", 3, 2.0}))
	first := [][]any{
		{"1970-01-01T00:00:00.000000Z", nil, int64(2), nil, int64(2)},
		{"1970-01-01T00:00:00.000000Z", "a", int64(1), 1.5, int64(2)},
		{"1970-01-01T00:00:10.000000Z", "a", int64(3), 2.0, int64(2)},
	}
	expect(t, db, all, first...)
	apply(t, db, window(2, []any{0, "a", 77, 77.0}, []any{0, nil, 77, 77.0})) // the same revision
	apply(t, db, window(1, []any{0, "a", 77, 77.0}, []any{0, nil, 77, 77.0})) // a lower one
	expect(t, db, all, first...)
	apply(t, db, window(3, []any{0, nil, 5, 0.5}))
	first[0] = []any{"1970-01-01T00:00:00.000000Z", nil, int64(5), 0.5, int64(3)}
	expect(t, db, all, first...)
	// Of several revisions in one write the highest stays, whatever their order.
	w := window(0, []any{0, "a", 6, 6.0}, []any{0, "a", 8, 8.0}, []any{0, "a", 7, 7.0})
	w.Revisions = []int64{6, 8, 7}
	apply(t, db, w)
	first[1] = []any{"1970-01-01T00:00:00.000000Z", "a", int64(8), 8.0, int64(8)}
	expect(t, db, all, first...)
}

func TestReplaysAreIdempotent(t *testing.T) {
	db := open(t)
	plain := sink.RejectsTable()
	var ws []sink.Write
	for i := range 40 { // more than one statement's rows, and a rest
		ws = append(ws, window(i%3+1, []any{i % 7 * second, fmt.Sprint(i % 5), i, float64(i)}))
		ws = append(ws, sink.Write{Table: plain, IDs: []string{fmt.Sprint(i)}, Rows: rows(plain.Schema, []any{i, "p", "a", "t", "r", "s", 1})})
	}
	state := func() string {
		return fmt.Sprint(query(t, db, all), query(t, db, "SELECT * FROM rejects ORDER BY _id"))
	}
	for i := range ws {
		apply(t, db, ws[i])
	}
	want := state()
	if !strings.Contains(want, "39") || len(query(t, db, "SELECT * FROM rejects")) != 40 {
		t.Fatal(want)
	}
	for from := range len(ws) { // as after a crash: from anywhere, in other groups
		apply(t, db, ws[from:]...)
		if got := state(); got != want {
			t.Fatalf("after a replay from %d:\n got %s\nwant %s", from, got, want)
		}
	}
}

func TestManyRowsInOneWrite(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 1000} {
		db := open(t)
		w := sink.Write{Table: climate(), Rows: batch.New(climateSchema)}
		for i := range n {
			w.Rows.AppendRows(rows(climateSchema, []any{i * second, "d", i, 0.25}))
			w.Revisions = append(w.Revisions, 1)
		}
		apply(t, db, w)
		var sum any
		if n > 0 {
			sum = int64(n * (n - 1) / 2)
		}
		expect(t, db, "SELECT count(*), sum(n) FROM climate_10s", []any{int64(n), sum})
	}
}

func TestOnlyCountingRowsAreWritten(t *testing.T) {
	db := open(t)
	w := window(1, []any{0, "a", 1, 1.0}, []any{0, "b", 2, 2.0}, []any{0, "c", 3, 3.0})
	w.Rows.Sel, w.Revisions = []uint32{0, 2}, []int64{4, 5}
	apply(t, db, w)
	expect(t, db, "SELECT device, _revision FROM climate_10s ORDER BY 1", []any{"a", int64(4)}, []any{"c", int64(5)})
}

func TestValuesComeBack(t *testing.T) {
	db := open(t)
	s := batch.Schema{{Name: "b", Type: batch.Bool}, {Name: "i", Type: batch.Int}, {Name: "d", Type: batch.Double}, {Name: "s", Type: batch.String}, {Name: "y", Type: batch.Bytes}, {Name: "t", Type: batch.Timestamp}}
	in := [][]any{
		{true, math.MaxInt64, 0.1, "ü\x00'\"", []byte{0, 255}, 1_700_000_000_123_456},
		{false, math.MinInt64, math.NaN(), "", []byte{}, -1},
		{nil, nil, nil, nil, nil, nil},
		{true, 0, math.Inf(1), "NaN", []byte("x"), math.MaxInt64},
		{true, 1, math.Inf(-1), "12", []byte("12"), math.MinInt64},
		{true, 2, 3.0, "\xff", []byte("y"), 253_402_300_800_000_000},
	}
	table := sink.Table{Name: `odd "name" é; DROP`, Schema: s, TimeColumn: -1}
	w := sink.Write{Table: table, Rows: rows(s, in...)}
	for i := range in {
		w.IDs = append(w.IDs, fmt.Sprint(i))
	}
	apply(t, db, w)
	expect(t, db, `SELECT * FROM "odd ""name"" é; DROP" ORDER BY _id`,
		[]any{true, int64(math.MaxInt64), 0.1, "ü\x00'\"", []byte{0, 255}, "2023-11-14T22:13:20.123456Z", "0"},
		[]any{false, int64(math.MinInt64), "NaN", "", []byte{}, "1969-12-31T23:59:59.999999Z", "1"},
		[]any{nil, nil, nil, nil, nil, nil, "2"},
		[]any{true, int64(0), "Infinity", "NaN", []byte("x"), "+294247-01-10T04:00:54.775807Z", "3"},
		[]any{true, int64(1), "-Infinity", "12", []byte("12"), "-290308-12-21T19:59:05.224192Z", "4"},
		[]any{true, int64(2), 3.0, "\xff", []byte("y"), "+010000-01-01T00:00:00.000000Z", "5"})
	res, err := db.Query(t.Context(), `SELECT b, i, d, s, y, t, i + 1 FROM "odd ""name"" é; DROP"`, sqlite.QueryLimits{})
	if err != nil || fmt.Sprint(res.Types) != "[bool int double string bytes timestamp ]" || fmt.Sprint(res.Columns) != "[b i d s y t i + 1]" {
		t.Fatal(res, err)
	}
	// NaN sorts after all numbers, as in PostgreSQL.
	expect(t, db, `SELECT _id FROM "odd ""name"" é; DROP" WHERE d IS NOT NULL ORDER BY d`, []any{"4"}, []any{"0"}, []any{"5"}, []any{"3"}, []any{"1"})
}

// TestEveryTypeIdentifies writes each value, and null, twice as an identity: the second write replaces the first.
func TestEveryTypeIdentifies(t *testing.T) {
	for typ, values := range map[batch.Type][]any{
		batch.Bool: {nil, true, false}, batch.Int: {nil, 0, 1}, batch.Double: {nil, 0.0, 1.5, math.NaN(), math.Inf(1)},
		batch.String: {nil, "", "0", "x''"}, batch.Bytes: {nil, []byte{}, []byte{0}, []byte("0")}, batch.Timestamp: {nil, 0, 1},
	} {
		t.Run(typ.String(), func(t *testing.T) {
			db := open(t)
			s := batch.Schema{{Name: "k", Type: typ}, {Name: "v", Type: batch.Int}}
			for revision := range 3 {
				w := sink.Write{Table: sink.Table{Name: "t", Schema: s, Keys: []int{0}}, Rows: batch.New(s)}
				for i, k := range values {
					w.Rows.AppendRows(rows(s, []any{k, 10*revision + i}))
					w.Revisions = append(w.Revisions, int64(revision))
				}
				apply(t, db, w)
			}
			var want [][]any
			for i := range values {
				want = append(want, []any{int64(20 + i)})
			}
			expect(t, db, "SELECT v FROM t ORDER BY v", want...)
		})
	}
}

func TestTimestampsSortAndCompare(t *testing.T) {
	db := open(t)
	for i, micros := range []int{0, 1, 500_000, 999_999, second, second + 1, -1} {
		apply(t, db, window(1, []any{micros, "a", i, 0.0}))
	}
	expect(t, db, "SELECT n FROM climate_10s ORDER BY window_start DESC LIMIT 3", []any{int64(5)}, []any{int64(4)}, []any{int64(3)})
	for where, want := range map[string]int64{
		"window_start >= '1970-01-01T00:00:01Z'":                                 2,
		"window_start > '1970-01-01T00:00:01Z'":                                  1,
		"window_start = '1970-01-01T00:00:01Z'":                                  1,
		"window_start = '1970-01-01T00:00:00.5Z'":                                1,
		"window_start < '1970-01-01T00:00:00Z'":                                  1,
		"window_start >= '1970-01-01'":                                           6,
		"unixepoch(window_start) = 1":                                            2,
		"window_start BETWEEN '1970-01-01T00:00:00Z' AND '1970-01-01T00:00:01Z'": 5,
	} {
		expect(t, db, "SELECT count(*) FROM climate_10s WHERE "+where, []any{want})
	}
}

func TestApplyIsOneTransaction(t *testing.T) {
	db := open(t)
	other := climate()
	other.Schema = append(batch.Schema{}, climateSchema...)
	other.Schema[2].Type = batch.String
	bad := sink.Write{Table: other, Rows: rows(other.Schema, []any{0, "b", "text", 0.0}), Revisions: []int64{1}}
	apply(t, db, window(1, []any{0, "a", 1, 0.0}))
	err := db.Apply(t.Context(), []sink.Write{window(2, []any{0, "a", 2, 0.0}), {Table: sink.RejectsTable(), Rows: batch.New(sink.RejectsTable().Schema)}, bad})
	if !errors.Is(err, sink.ErrTableChanged) {
		t.Fatal(err)
	}
	expect(t, db, "SELECT n FROM climate_10s", []any{int64(1)})
	expect(t, db, "SELECT count(*) FROM sqlite_schema WHERE name = 'rejects'", []any{int64(0)})
	// What the failed transaction had made is made again.
	apply(t, db, sink.Write{Table: sink.RejectsTable(), Rows: batch.New(sink.RejectsTable().Schema)})
	expect(t, db, "SELECT count(*) FROM rejects", []any{int64(0)})
}

// TestOneFailureInAGroup lets writes wait while nothing runs, so that they share a transaction: only the bad one fails.
func TestOneFailureInAGroup(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "results.db")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	changed := climate()
	changed.Keys = []int{0}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			w := window(1, []any{i * second, "a", i, 0.0})
			if i%5 == 2 {
				w.Table = changed
			}
			if err := db.Apply(ctx, []sink.Write{window(1, []any{i * second, "first", i, 0.0}), w}); (i%5 == 2) != errors.Is(err, sink.ErrTableChanged) {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	ran := make(chan error)
	if err := db.Ensure(expired(), climate()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	go func() { ran <- db.Run(ctx) }()
	wg.Wait()
	expect(t, db, "SELECT count(*), sum(n % 5 = 2) FROM climate_10s", []any{int64(32), int64(0)})
	cancel()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	if err := db.Apply(t.Context(), nil); !errors.Is(err, sink.ErrClosed) {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); !errors.Is(err, sink.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := db.Query(t.Context(), "SELECT 1", sqlite.QueryLimits{}); !errors.Is(err, sink.ErrClosed) {
		t.Fatal(err)
	}
}

func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestAFullDatabaseSaysSo(t *testing.T) {
	db, _ := start(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "results.db"), MaxBytes: 1 << 20})
	apply(t, db, window(1, []any{0, "a", 1, 0.0}))
	big := strings.Repeat("x", 100_000)
	n := 0
	var err error
	for ; err == nil && n < 20; n++ {
		err = db.Apply(t.Context(), []sink.Write{window(1, []any{n * second, "before" + big, n, 0.0}, []any{n * second, big, n, 0.0})})
	}
	if !errors.Is(err, sink.ErrFull) {
		t.Fatalf("after %d writes: %v", n, err)
	}
	// The failed write left nothing, and what was written before stands.
	expect(t, db, "SELECT count(*) FROM climate_10s", []any{int64(2*n - 1)})
	// Room is made by expiry, and writing goes on.
	if err := db.Expire(t.Context(), 91*24*3600*second); err != nil {
		t.Fatal(err)
	}
	apply(t, db, window(1, []any{100 * 24 * 3600 * second, big, n, 0.0}))
	expect(t, db, "SELECT count(*) FROM climate_10s", []any{int64(1)})
}

func TestConcurrentApplyAndQuery(t *testing.T) {
	db := open(t)
	const workers, each = 8, 40
	apply(t, db, window(1, []any{0, "z", 0, 0.0}, []any{1, "z", 0, 0.0}))
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		readers.Go(func() {
			last := int64(0)
			for {
				// Each write puts two rows of equal n: a reader sees both or none.
				got := query(t, db, "SELECT count(*), count(*) FILTER (WHERE window_start < '1970-01-01T00:00:01Z'), total(n * iif(temp_avg > 0, 1, -1)) FROM climate_10s")[0]
				count := got[0].(int64)
				if count%2 != 0 || got[1] != count/2+1 || got[2] != 0.0 || count < last {
					t.Errorf("saw half a write, or went back: %v after %d rows", got, last)
					return
				}
				last = count
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for worker := range workers {
		writers.Go(func() {
			for i := range each {
				d := fmt.Sprintf("%d/%d", worker, i)
				if err := db.Apply(t.Context(), []sink.Write{window(1, []any{0, d, i, 1.0}), window(1, []any{second, d, i, -1.0})}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	expect(t, db, "SELECT count(*) FROM climate_10s", []any{int64(2*workers*each + 2)})
}

// deleteRow marks row i of a write as one that takes its identity's row away.
func deleteRow(w sink.Write, i int) sink.Write {
	if w.Rows.Deleted == nil {
		w.Rows.Deleted = batch.NewBitmap(w.Rows.N, false)
	}
	w.Rows.Deleted.Set(i)
	return w
}

func TestDeletedRows(t *testing.T) {
	db := open(t)
	devices := "SELECT device, n FROM climate_10s ORDER BY n"
	apply(t, db, window(2, []any{0, "a", 1, 1.5}, []any{0, nil, 2, nil}, []any{10 * second, "a", 3, 2.0}, []any{0, "b", 4, 0.0}))
	apply(t, db, deleteRow(window(2, []any{0, "a", 0, 0.0}), 0)) // not a higher revision
	expect(t, db, devices, []any{"a", int64(1)}, []any{nil, int64(2)}, []any{"a", int64(3)}, []any{"b", int64(4)})
	// Nulls are equal to each other; a deleted row among others, and one that is not there.
	w := window(3, []any{0, nil, 0, nil}, []any{0, "c", 5, 1.0}, []any{0, "a", 0, nil}, []any{77, "zz", 0, nil})
	for _, i := range []int{0, 2, 3} {
		w = deleteRow(w, i)
	}
	apply(t, db, w)
	left := [][]any{{"a", int64(3)}, {"b", int64(4)}, {"c", int64(5)}}
	expect(t, db, devices, left...)
	// Rows that do not count delete nothing.
	w = deleteRow(window(9, []any{0, "b", 0, 0.0}, []any{0, "c", 0, 0.0}), 0)
	w.Rows.Sel, w.Revisions = []uint32{1}, []int64{2}
	apply(t, db, w)
	expect(t, db, devices, left...)
}

// Written, taken back and written again in one write: the order counts. A replay of any part gives the same in the end.
func TestReplaysOfDeletedRows(t *testing.T) {
	db := open(t)
	var ws []sink.Write
	for i := range 200 {
		w := window(i/20+1, []any{i % 5 * second, fmt.Sprint(i % 4), i, 0.5}, []any{0, "x", i, 0.5}, []any{0, "x", 0, 0.0})
		w.Revisions[2] = int64(i) + 2
		w.Revisions[1] = int64(i) + 1
		w = deleteRow(w, 2)
		if i%3 == 0 {
			w = deleteRow(w, 0)
		}
		ws = append(ws, w)
	}
	for i := range ws {
		apply(t, db, ws[i])
	}
	state := func() string { return fmt.Sprint(query(t, db, all)) }
	want := state()
	if n := len(query(t, db, all)); n < 5 || n > 15 || strings.Contains(want, " x ") {
		t.Fatalf("%d rows: %s", n, want)
	}
	for from := 0; from < len(ws); from += 13 {
		apply(t, db, ws[from:]...)
		if got := state(); got != want {
			t.Fatalf("after a replay from %d:\n got %s\nwant %s", from, got, want)
		}
	}
}

func TestKeysOfEveryTypeAreDeleted(t *testing.T) {
	db := open(t)
	s := batch.Schema{{Name: "b", Type: batch.Bool}, {Name: "i", Type: batch.Int}, {Name: "d", Type: batch.Double}, {Name: "s", Type: batch.String}, {Name: "y", Type: batch.Bytes}, {Name: "t", Type: batch.Timestamp}}
	table := sink.Table{Name: "typed", Schema: s, Keys: []int{0, 1, 2, 3, 4, 5}, TimeColumn: -1}
	in := [][]any{
		{true, math.MaxInt64, 0.1, "ü'", []byte{0, 255}, 1}, {nil, nil, nil, nil, nil, nil}, {false, 0, math.NaN(), "", []byte{}, -1}, {false, 1, 3.0, "12", []byte("12"), 0},
	}
	revisions := []int64{1, 1, 1, 1}
	apply(t, db, sink.Write{Table: table, Rows: rows(s, in...), Revisions: revisions})
	expect(t, db, "SELECT count(*) FROM typed", []any{int64(len(in))})
	for i := range in {
		w := deleteRow(sink.Write{Table: table, Rows: rows(s, in[i]), Revisions: []int64{2}}, 0)
		apply(t, db, w)
		expect(t, db, "SELECT count(*) FROM typed", []any{int64(len(in) - i - 1)})
	}
}
