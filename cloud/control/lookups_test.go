package control_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/cloud/log/memory"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
)

const lookupFile = `
name: sites
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts}
steps:
  - lookup: {SOURCE, on: {device: id}, add: [site], schema: {id: string, site: string}, refresh: 1m}
  - window: {by: [site], tumbling: 10s, emit: {n: count(*)}}
sinks:
  - table: {name: t}
`

func put(t *testing.T, r *control.Registry, data string) string {
	t.Helper()
	if err := r.PutLookup(t.Context(), []byte(data)); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

// A file of a reference table that changes makes a version that goes on with lanes and state.
func TestReferenceTablesFromFiles(t *testing.T) {
	r, _ := registry(t)
	a := control.Apply{FileName: "f.yaml", File: strings.ReplaceAll(lookupFile, "SOURCE", "file: sites.csv")}
	if _, _, err := r.Apply(t.Context(), a); !strings.Contains(err.Error(), `the file "sites.csv" was not sent`) {
		t.Errorf("without the file: %v", err)
	}
	for i, c := range []struct {
		csv     string
		changed bool
		version uint64
	}{
		{"id,site\nd1,north\n", true, 1},
		{"id,site\nd1,north\n", false, 1},
		{"id,site,more\nd1,north,x\n", false, 1}, // nothing that the pipeline takes
		{"id,site\nd1,north\nd2,south\n", true, 2},
	} {
		a.Lookups = map[string]string{"sites.csv": put(t, r, c.csv)}
		p, changed, err := r.Apply(t.Context(), a)
		if err != nil || changed != c.changed || p.Version != c.version || p.StateVersion != 1 {
			t.Fatalf("%d: %+v, %t, %v", i, p, changed, err)
		}
		pl, err := r.Plan(p.ID, p.Version)
		if err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			table, err := r.Lookup(pl.Lookups[0])
			if err != nil || table.Rows() != 2 {
				t.Errorf("%v, %v", table, err)
			}
		}
	}
	a.Lookups = map[string]string{"sites.csv": put(t, r, "id,site\nd1,north\nd1,south\n")}
	if _, _, err := r.Apply(t.Context(), a); !errors.As(err, new(compile.Mistakes)) {
		t.Errorf("two rows of one key: %v", err)
	}
}

// A result table is read anew when its refresh is due, and only a change makes a version.
func TestReferenceTablesFromResultTables(t *testing.T) {
	s := memory.New(memory.Config{Partitions: 1})
	content, asked := `[{"id":"d1","site":"north"}]`, ""
	r := control.NewRegistry(s, s, inspect, nil, func(_ context.Context, table string, columns []string) ([]byte, error) {
		asked = table + " " + strings.Join(columns, ",")
		return []byte(content), nil
	}, time.Now)
	p, _, err := r.Apply(t.Context(), control.Apply{FileName: "f.yaml", File: strings.ReplaceAll(lookupFile, "SOURCE", "table: places")})
	if err != nil || asked != "places id,site" {
		t.Fatalf("%v, asked for %q", err, asked)
	}
	refresh := func(due bool) uint64 {
		t.Helper()
		err := r.Refresh(t.Context(), func(pipeline string, l *plan.Lookup) bool {
			if pipeline != p.ID || l.Table != "places" || l.RefreshMicros != 60e6 {
				t.Errorf("asked whether %q %v is due", pipeline, l)
			}
			return due
		})
		if err != nil {
			t.Fatal(err)
		}
		now, err := r.Get(t.Context(), "sites")
		if err != nil {
			t.Fatal(err)
		}
		return now.Version
	}
	if v := refresh(true); v != 1 {
		t.Errorf("the same content made version %d", v)
	}
	content = `[{"id":"d1","site":"south"}]`
	if v := refresh(false); v != 1 {
		t.Errorf("a table that is not due made version %d", v)
	}
	if v := refresh(true); v != 2 {
		t.Errorf("new content gives version %d, want 2", v)
	}
}
