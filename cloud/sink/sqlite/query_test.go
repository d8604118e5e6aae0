package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/cloud/sink/sqlite"
)

func TestQueryAnswers(t *testing.T) {
	db := open(t)
	apply(t, db, window(1, []any{0, "a", 1, 1.5}, []any{0, "b", 2, 2.5}))
	for text, want := range map[string]string{
		"SELECT 1":                     "[[1]]",
		" /* a ; b */ select 1 -- c ;": "[[1]]",
		"SELECT 'a;b', \"device\" FROM climate_10s ORDER BY 2 LIMIT 1;;  -- end": "[[a;b a]]",
		"VALUES (1), (2)": "[[1] [2]]",
		"WITH x AS (SELECT sum(n) AS s FROM climate_10s) SELECT s * 2 FROM x":                                  "[[6]]",
		"WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < 100) SELECT sum(i) FROM c": "[[5050]]",
		"SELECT device, rank() OVER (ORDER BY n DESC) FROM climate_10s ORDER BY 1":                             "[[a 2] [b 1]]",
		"SELECT group_concat(device, ',') FROM climate_10s":                                                    "[[a,b]]",
		"SELECT value FROM json_each('[1,2]')":                                                                 "[[1] [2]]",
		"SELECT x'00ff', NULL, 1e999, -1e999":                                                                  "[[[0 255] <nil> Infinity -Infinity]]",
		"SELECT '2026-01-31T08:15:00Z', 'at 2026-01-31T08:15:00Z'":                                             "[[2026-01-31T08:15:00.000000Z at 2026-01-31T08:15:00Z]]",
	} {
		if got := fmt.Sprint(query(t, db, text)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if got := query(t, db, "EXPLAIN QUERY PLAN SELECT device, window_start, n FROM climate_10s ORDER BY window_start DESC LIMIT 5"); !strings.Contains(fmt.Sprint(got), "USING INDEX _leat_time") {
		t.Errorf("the newest rows are not found by an index: %v", got)
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	db, _ := start(t, sqlite.Config{Path: filepath.Join(dir, "results.db")})
	apply(t, db, window(1, []any{0, "a", 1, 1.5}))
	before := fmt.Sprint(query(t, db, "SELECT * FROM climate_10s, sqlite_schema"))
	for _, text := range []string{
		"", ";", "-- only a comment",
		"DELETE FROM climate_10s", "INSERT INTO climate_10s(n) VALUES (1)", "UPDATE climate_10s SET n = 2", "REPLACE INTO climate_10s(n) VALUES (1)",
		"DROP TABLE climate_10s", "CREATE TABLE x(y)", "CREATE TEMP TABLE x(y)", "CREATE TEMP TABLE x AS SELECT 1", "CREATE TEMP VIEW x AS SELECT 1",
		"ALTER TABLE climate_10s ADD COLUMN x", "CREATE VIRTUAL TABLE x USING fts5(y)", "REINDEX", "ANALYZE", "VACUUM", "VACUUM INTO '" + dir + "/copy.db'",
		"ATTACH '" + dir + "/other.db' AS other", "DETACH main", "BEGIN", "BEGIN IMMEDIATE", "COMMIT", "SAVEPOINT x",
		"PRAGMA query_only = OFF", "PRAGMA writable_schema = ON", "PRAGMA user_version = 7", "PRAGMA table_info(climate_10s)", "PRAGMA hard_heap_limit = 1",
		"SELECT 1; DELETE FROM climate_10s", "SELECT 1; SELECT 2", "SELECT 1;/**/PRAGMA query_only = OFF",
		"EXPLAIN DELETE FROM climate_10s", "EXPLAIN PRAGMA query_only = OFF",
		"WITH x AS (SELECT 1) DELETE FROM climate_10s", "WITH x AS (SELECT 1) INSERT INTO climate_10s(n) SELECT * FROM x",
		"SELECT * FROM pragma_table_info('climate_10s')", "SELECT * FROM pragma_query_only", "SELECT * FROM pragma_database_list",
		"SELECT * FROM _leat_tables", "SELECT count(*) FROM _leat_tables", "SELECT * FROM \"_LEAT_tables\"", "SELECT * FROM sqlite_dbpage", "SELECT * FROM dbstat", "SELECT * FROM sqlite_stat1",
		"SELECT load_extension('x')", "SELECT zeroblob(1000000000)", "SELECT randomblob(1000000000)", "SELECT hex(zeroblob(1000))", "SELECT fts3_tokenizer('x')",
		"SELECT readfile('/etc/passwd')", "SELECT writefile('x', 'y')", "SELECT sqlite_version()", "SELECT * FROM generate_series(1, 10)",
		"SELECT printf('%.*c', 1000000000, 'x')", "SELECT replace(printf('%.*c', 100000, 'x'), 'x', printf('%.*c', 100000, 'y'))",
		"SELECT \"no such column\" FROM climate_10s", "SELECT ?", "SELECT 'unfinished", "SELECT /* unfinished", "SELEC 1",
		"SELECT 1" + strings.Repeat(" + 1", 2000),
		"SELECT 1" + strings.Repeat(" UNION SELECT 1", 1000),
		"SELECT 1" + strings.Repeat(", 1", 300),
		"SELECT 1 " + strings.Repeat(" ", 100_000),
		"SELECT 'a' LIKE '" + strings.Repeat("%a", 1000) + "'",
		"SELECT 1\x00; DELETE FROM climate_10s",
	} {
		res, err := db.Query(t.Context(), text, sqlite.QueryLimits{})
		if !errors.Is(err, sink.ErrQuery) && !errors.Is(err, sink.ErrLimit) {
			t.Errorf("%.80q: got %v, %v", text, res, err)
		}
	}
	if after := fmt.Sprint(query(t, db, "SELECT * FROM climate_10s, sqlite_schema")); after != before {
		t.Errorf("a query has changed the tables:\n got %s\nwant %s", after, before)
	}
	files, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasPrefix(filepath.Base(f), "results.db") {
			t.Errorf("a query has made %s", f)
		}
	}
}

func TestErrorsHelp(t *testing.T) {
	db := open(t)
	for _, c := range []struct{ text, want string }{
		{"SELECT * FROM climate", "there are no tables yet"},
		{"DELETE FROM x", `it begins with "DELETE", queries only read`},
		{"SELECT 1; SELECT 2", "the second begins at byte 10"},
	} {
		if _, err := db.Query(t.Context(), c.text, sqlite.QueryLimits{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	apply(t, db, window(1, []any{0, "a", 1, 1.5}))
	if err := db.Ensure(t.Context(), sink.RejectsTable()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{"SELECT * FROM climate", "no such table: climate"},
		{"SELECT * FROM climate", "there are climate_10s, rejects"},
		{"SELECT devise FROM climate_10s", "no such column: devise"},
		{"SELECT n FRM climate_10s", `near "climate_10s": syntax error`},
	} {
		if _, err := db.Query(t.Context(), c.text, sqlite.QueryLimits{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

func TestRowsAndBytesTruncate(t *testing.T) {
	db := open(t)
	const text = "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) SELECT i, printf('%1000d', i) FROM c" // without end
	res, err := db.Query(t.Context(), text, sqlite.QueryLimits{Rows: 5})
	if err != nil || len(res.Rows) != 5 || !res.Truncated || res.Rows[4][0] != int64(5) {
		t.Fatal(res, err)
	}
	res, err = db.Query(t.Context(), text, sqlite.QueryLimits{Bytes: 10_000})
	if err != nil || len(res.Rows) != 10 || !res.Truncated {
		t.Fatal(len(res.Rows), res.Truncated, err)
	}
	res, err = db.Query(t.Context(), "VALUES (1), (2)", sqlite.QueryLimits{Rows: 2})
	if err != nil || len(res.Rows) != 2 || res.Truncated {
		t.Fatal(res, err)
	}
}

// TestBombs asks for endless work: each ends soon after its time, or at another limit, and memory stays bounded.
func TestBombs(t *testing.T) {
	db, _ := start(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "results.db"), TempBytes: 32 << 20})
	apply(t, db, window(1, []any{0, "a", 1, 1.5}))
	const endless = "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) "
	const limit = 300 * time.Millisecond
	for _, text := range []string{
		endless + "SELECT count(*) FROM c",
		endless + "SELECT count(*) FROM c AS a, c AS b",
		endless + "SELECT i FROM c ORDER BY -i",
		endless + "SELECT printf('%1000d', i) AS p FROM c ORDER BY p DESC",
		endless + "SELECT DISTINCT i % 7 FROM c",
		endless + "SELECT count(DISTINCT i) FROM c",
		endless + "SELECT group_concat(i) FROM c",
		endless + "SELECT json_group_array(i) FROM c",
		endless + "SELECT i, max(i) OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM c",
		"WITH RECURSIVE c(i) AS (VALUES (1) UNION SELECT i + 1 FROM c) SELECT count(*) FROM c",
		"WITH RECURSIVE c(s) AS (VALUES ('x') UNION ALL SELECT s || s FROM c) SELECT max(length(s)) FROM c",
		"WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i FROM c UNION ALL SELECT i FROM c) SELECT count(*) FROM c",
		"WITH s AS (SELECT printf('%60000d', 1) AS s) SELECT instr(s, printf('%30000d', 2)) FROM s, (" + endless + "SELECT i FROM c)",
	} {
		began := time.Now()
		res, err := db.Query(t.Context(), text, sqlite.QueryLimits{Time: limit})
		took := time.Since(began)
		if !errors.Is(err, sink.ErrLimit) {
			t.Errorf("%s: got %v, %v", text, res, err)
		}
		if took > limit+3*time.Second {
			t.Errorf("%s: took %v", text, took)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if rss := residentBytes(t); rss > 512<<20 {
			t.Errorf("%s: %d MiB resident", text, rss>>20)
		}
		t.Logf("%v %d MiB %.70s", took.Round(time.Millisecond), residentBytes(t)>>20, text)
	}
	// The next query, and writing, go on.
	apply(t, db, window(2, []any{0, "a", 2, 1.5}))
	expect(t, db, "SELECT n FROM climate_10s", []any{int64(2)})
}

func residentBytes(t *testing.T) int64 {
	t.Helper()
	p, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("needs /proc")
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(p), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

func TestTempFilesAreBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("temporary files are bounded by time only here")
	}
	db, _ := start(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "results.db"), TempBytes: 8 << 20})
	began := time.Now()
	_, err := db.Query(t.Context(), "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) SELECT printf('%1000d', i) AS p FROM c ORDER BY p DESC", sqlite.QueryLimits{Time: time.Minute})
	if !errors.Is(err, sink.ErrLimit) || !strings.Contains(err.Error(), "temporary files") {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
}

func TestCancellingEndsAQuery(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := db.Query(ctx, "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c", sqlite.QueryLimits{Time: time.Hour})
		result <- err
	}()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestTooManyQueriesWaitWithinTheirTime(t *testing.T) {
	db, _ := start(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "results.db"), Queries: 1})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	const endless = "WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c"
	for range 2 { // at least one of the three meets a taken slot
		go func() {
			_, err := db.Query(ctx, endless, sqlite.QueryLimits{Time: time.Hour})
			result <- err
		}()
	}
	_, err := db.Query(t.Context(), endless, sqlite.QueryLimits{Time: 50 * time.Millisecond})
	if !errors.Is(err, sink.ErrLimit) {
		t.Fatal(err)
	}
	cancel()
	for range 2 {
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	expect(t, db, "SELECT 1", []any{int64(1)})
}

func FuzzQuery(f *testing.F) {
	db, _ := start(f, sqlite.Config{Path: filepath.Join(f.TempDir(), "results.db")})
	apply(f, db, window(1, []any{0, "a", 1, 1.5}))
	want := fmt.Sprint(query(f, db, "SELECT * FROM climate_10s, sqlite_schema"))
	for _, s := range []string{"SELECT 1", "SELECT 'a'';' FROM climate_10s; --", "/* */ DELETE FROM climate_10s", "SELECT '2026-01-31T08:15:00Z'", "[a;b]", "`"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := db.Query(t.Context(), text, sqlite.QueryLimits{Time: time.Second})
		if err != nil && !errors.Is(err, sink.ErrQuery) && !errors.Is(err, sink.ErrLimit) {
			t.Fatalf("%q: %v", text, err)
		}
		if got := fmt.Sprint(query(t, db, "SELECT * FROM climate_10s, sqlite_schema")); got != want {
			t.Fatalf("%q has changed the tables: %s", text, got)
		}
	})
}
