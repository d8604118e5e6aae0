package sink_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/engine/batch"
)

func TestSample(t *testing.T) {
	long := strings.Repeat("a", 255)
	for _, c := range []struct{ name, payload, want string }{
		{"empty", "", ""},
		{"text", "{\"a\": \"ü\"}", "{\"a\": \"ü\"}"},
		{"long text", long + "bcd", long + "b"},
		{"a character at the cut", long + "ü", long},
		{"a character before the cut", long[1:] + "üb", long[1:] + "ü"},
		{"broken at the end, not at the cut", "a\xc3", `\x61c3`},
		{"not text", "\xff\x00", `\xff00`},
		{"NUL", "a\x00", `\x6100`},
		{"long and not text", strings.Repeat("\xff", 300), `\x` + strings.Repeat("ff", 256)},
	} {
		if got := sink.Sample([]byte(c.payload)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRejectsTableIsValidAndPlain(t *testing.T) {
	r := sink.RejectsTable()
	if err := r.Validate(); err != nil || !r.Plain() || r.Expires() != 0 {
		t.Fatal(err, r)
	}
}

func TestTableValidate(t *testing.T) {
	good := func() sink.Table {
		return sink.Table{Name: "t", Schema: batch.Schema{{Name: "ts", Type: batch.Timestamp}, {Name: "v", Type: batch.Double}}, Keys: []int{0}, KeepMicros: 1}
	}
	table := good()
	if err := table.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*sink.Table){
		"no name":              func(t *sink.Table) { t.Name = "" },
		"long name":            func(t *sink.Table) { t.Name = strings.Repeat("x", 129) },
		"NUL in the name":      func(t *sink.Table) { t.Name = "a\x00" },
		"SQLite's name":        func(t *sink.Table) { t.Name = "SQLite_x" },
		"our name":             func(t *sink.Table) { t.Name = "_LEAT_tables" },
		"no columns":           func(t *sink.Table) { t.Schema, t.Keys = nil, nil },
		"many columns":         func(t *sink.Table) { t.Schema = make(batch.Schema, 251) },
		"a column twice":       func(t *sink.Table) { t.Schema[1].Name = "TS" },
		"reserved column":      func(t *sink.Table) { t.Schema[1].Name = "_Revision" },
		"unknown type":         func(t *sink.Table) { t.Schema[1].Type = 77 },
		"a key outside":        func(t *sink.Table) { t.Keys = []int{2} },
		"a key twice":          func(t *sink.Table) { t.Keys = []int{0, 0} },
		"negative keep":        func(t *sink.Table) { t.KeepMicros = -1 },
		"time is no timestamp": func(t *sink.Table) { t.TimeColumn = 1 },
		"time outside":         func(t *sink.Table) { t.TimeColumn = 2 },
	} {
		table := good()
		change(&table)
		if err := table.Validate(); !errors.Is(err, sink.ErrBadTable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWriteValidate(t *testing.T) {
	table := sink.Table{Name: "t", Schema: batch.Schema{{Name: "a", Type: batch.Int}}, Keys: []int{0}}
	plain := table
	plain.Keys = nil
	rows := batch.New(table.Schema)
	rows.Cols[0].Ints, rows.N = []int64{1, 2, 3}, 3
	other := batch.New(batch.Schema{{Name: "a", Type: batch.Double}})
	short := batch.New(table.Schema)
	short.N = 1
	selected := *rows
	selected.Sel = []uint32{1}
	for _, c := range []struct {
		name  string
		write sink.Write
		good  bool
	}{
		{"window", sink.Write{Table: table, Rows: rows, Revisions: make([]int64, 3)}, true},
		{"plain", sink.Write{Table: plain, Rows: rows, IDs: make([]string, 3)}, true},
		{"selection", sink.Write{Table: plain, Rows: &selected, IDs: make([]string, 1)}, true},
		{"no revisions", sink.Write{Table: table, Rows: rows}, false},
		{"ids for a window table", sink.Write{Table: table, Rows: rows, Revisions: make([]int64, 3), IDs: make([]string, 3)}, false},
		{"revisions for a plain table", sink.Write{Table: plain, Rows: rows, Revisions: make([]int64, 3)}, false},
		{"ids for all rows, not the selected", sink.Write{Table: plain, Rows: &selected, IDs: make([]string, 3)}, false},
		{"another type", sink.Write{Table: plain, Rows: other}, false},
		{"other columns", sink.Write{Table: plain, Rows: batch.New(nil)}, false},
		{"missing values", sink.Write{Table: plain, Rows: short, IDs: make([]string, 1)}, false},
	} {
		if err := c.write.Validate(); (err == nil) != c.good || err != nil && !errors.Is(err, sink.ErrBadWrite) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func FuzzSample(f *testing.F) {
	f.Add([]byte("ü\x00"))
	f.Fuzz(func(t *testing.T, p []byte) {
		s := sink.Sample(p)
		if len(s) > 2+2*sink.SampleBytes || strings.ContainsRune(s, 0) || strings.ToValidUTF8(s, "") != s {
			t.Fatalf("%q", s)
		}
		if !strings.HasPrefix(s, `\x`) && !bytes.HasPrefix(p, []byte(s)) {
			t.Fatalf("%q is no beginning of %q", s, p)
		}
	})
}
