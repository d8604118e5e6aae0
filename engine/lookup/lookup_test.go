package lookup

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

var update = flag.Bool("update", false, "write the golden files")

var sites = []Column{
	{Name: "id", Type: batch.String}, {Name: "site", Type: batch.String}, {Name: "limit_c", Type: batch.Double},
	{Name: "floor", Type: batch.Int}, {Name: "live", Type: batch.Bool}, {Name: "since", Type: batch.Timestamp},
	{Name: "key", Type: batch.Bytes},
}

const sitesCSV = `site,id,limit_c,floor,live,since,other,key
north,dev-1,35.5,2,true,2024-01-02T03:04:05.000006Z,x,AAEC
"north, old",dev-2,,-1,FALSE,,y,
south,dev-3,1e3,9223372036854775807,1,1970-01-01T01:00:00+01:00,,/w==
,dev-4,NaN,,,,,
`

// text shows a table for comparisons.
func text(t *Table) string {
	var b strings.Builder
	for i := range t.Rows() {
		for k, f := range t.Schema() {
			c := &t.Columns()[k]
			if c.Null(i) {
				fmt.Fprintf(&b, "%s=null ", f.Name)
				continue
			}
			fmt.Fprintf(&b, "%s=%s ", f.Name, t.values([]int{k}, i))
		}
		b.WriteString("\n")
	}
	return b.String()
}

const sitesText = `id="dev-1" site="north" limit_c=35.5 floor=2 live=true since=1704164645000006 key=000102 
id="dev-2" site="north, old" limit_c=null floor=-1 live=false since=null key=null 
id="dev-3" site="south" limit_c=1000 floor=9223372036854775807 live=true since=0 key=ff 
id="dev-4" site=null limit_c=NaN floor=null live=null since=null key=null 
`

func parse(t testing.TB, name, data string, columns []Column) *Table {
	t.Helper()
	tab, err := Parse(name, []byte(data), columns)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestCSVAndJSONGiveTheSameTable(t *testing.T) {
	if got := text(parse(t, "sites.csv", sitesCSV, sites)); got != sitesText {
		t.Errorf("CSV:\n%swant\n%s", got, sitesText)
	}
	objects := []string{
		`{"id":"dev-1","site":"north","limit_c":35.5,"floor":2,"live":true,"since":"2024-01-02T03:04:05.000006Z","other":[1],"key":"AAEC"}`,
		`{"id":"dev-2","site":"north, old","limit_c":null,"floor":-1,"live":false}`,
		`{"id":"dev-3","site":"south","limit_c":1e3,"floor":9223372036854775807,"live":true,"since":"1970-01-01T01:00:00+01:00","key":"/w=="}`,
	}
	want := strings.Join(strings.SplitAfter(sitesText, "\n")[:3], "")
	for name, data := range map[string]string{
		"a.json":   "[" + strings.Join(objects, ",\n") + "]",
		"b.jsonl":  strings.Join(objects, "\n"),
		"c.JSON":   " \n" + strings.Join(objects, " ") + "\n\n",
		"d.ndjson": "\xef\xbb\xbf" + strings.Join(objects, "\n\n"),
	} {
		if got := text(parse(t, name, data, sites)); got != want {
			t.Errorf("%s:\n%swant\n%s", name, got, want)
		}
	}
}

func TestTimestampUnits(t *testing.T) {
	for unit, want := range map[plan.TimeUnit]string{
		plan.TimeUnit_TIME_UNIT_SECONDS: "-1001000000", plan.TimeUnit_TIME_UNIT_MILLIS: "-1001000",
		plan.TimeUnit_TIME_UNIT_MICROS: "-1001", plan.TimeUnit_TIME_UNIT_NANOS: "-2",
	} {
		cols := []Column{{Name: "t", Type: batch.Timestamp, Unit: unit}}
		if got := text(parse(t, "t.csv", "t\n-1001\n", cols)); got != "t="+want+" \n" {
			t.Errorf("unit %s: %q", unit, got)
		}
	}
	cols := []Column{{Name: "t", Type: batch.Timestamp, Unit: plan.TimeUnit_TIME_UNIT_MILLIS}}
	if got := text(parse(t, "t.json", `[{"t": 1700000000001}]`, cols)); got != "t=1700000000001000 \n" {
		t.Errorf("milliseconds: %q", got)
	}
	if _, err := Parse("t.csv", []byte("t\n9223372036854775807\n"), cols); err == nil {
		t.Error("a time beyond all times was taken")
	}
}

func TestMistakesNameTheLine(t *testing.T) {
	id := []Column{{Name: "id", Type: batch.String}, {Name: "n", Type: batch.Int}}
	for _, c := range []struct{ name, data, want string }{
		{"a.csv", "", "a.csv:1: the file is empty"},
		{"a.csv", "id\nx\n", `a.csv:1: the header has no column "n"; it has id`},
		{"a.csv", "id,n,id\nx,1,y\n", `a.csv:1: the header names "id" twice`},
		{"a.csv", "id,n\na,1\nb,2,3\n", "a.csv:3: malformed CSV: wrong number of fields"},
		{"a.csv", "id,n\n\"a\nb\",1\nc,x\n", `a.csv:4: column "n": "x" is no whole number of 64 bits`},
		{"a.csv", "id,n\na,1.5\n", `a.csv:2: column "n": "1.5" is no whole number`},
		{"a.json", "[\n{\"id\":\"a\",\"n\":1},\n{\"id\":\"b\",\"n\":\"2\"}]", `a.json:3: column "n": found a string, expected int`},
		{"a.json", "{\"id\":\"a\"}\n\n{\"id\":1}", `a.json:3: column "id": found a number, expected string`},
		{"a.json", "[1]", "a.json:1: expected an object, not number"},
		{"a.json", "[\n{}", "a.json:2: malformed JSON: it ends too early"},
		{"a.json", "[{}] {}", "a.json:1: something follows the list"},
		{"a.json", "{}\n{\"id\" \"x\"}", "a.json:2: malformed JSON"},
		{"a.json", "null", "a.json:1: expected an object, not null"},
		{"a.txt", "", "a.txt: expected a name that ends in .csv"},
	} {
		_, err := Parse(c.name, []byte(c.data), id)
		if !errors.Is(err, ErrParse) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v, want %q", c.name, c.data, err, c.want)
		}
	}
}

func TestIndex(t *testing.T) {
	tab := parse(t, "sites.csv", sitesCSV, sites)
	x, err := tab.Index([]string{"site", "floor"})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := tab.Index([]string{"site", "floor"}); again != x {
		t.Error("an index was made twice")
	}
	by := []int{1, 3}
	for row := range tab.Rows() {
		got, ok := x.Find(batch.AppendKey(nil, tab.Columns(), by, row))
		null := tab.Columns()[1].Null(row)
		if ok == null || ok && int(got) != row {
			t.Errorf("row %d is found at %d, %t", row, got, ok)
		}
	}
	if _, err := tab.Index([]string{"nope"}); !errors.Is(err, ErrColumn) {
		t.Errorf("an unknown column: %v", err)
	}
	dup := parse(t, "d.csv", "id,n\na,1\nb,\"2\"\na,3\n", []Column{{Name: "id", Type: batch.String}})
	if _, err = dup.Index([]string{"id"}); !errors.Is(err, ErrDuplicate) || !strings.Contains(err.Error(), `line 2 and line 4 are equal in id ("a")`) {
		t.Errorf("duplicates: %v", err)
	}
	again, err := ParseTable(dup.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = again.Index([]string{"id"}); err == nil || !strings.Contains(err.Error(), "row 1 and row 3") {
		t.Errorf("duplicates after encoding: %v", err)
	}
}

func TestGolden(t *testing.T) {
	path := filepath.Join("testdata", "sites.lookup")
	got := parse(t, "sites.csv", sitesCSV, sites).Append(nil)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the encoding differs from %s; if the format changed, give it a new version", path)
	}
	tab, err := ParseTable(want)
	if err != nil {
		t.Fatal(err)
	}
	if text(tab) != sitesText {
		t.Errorf("decoded:\n%s", text(tab))
	}
	if !bytes.Equal(tab.Append([]byte("x"))[1:], want) {
		t.Error("encoding what was decoded gives other bytes")
	}
}

func TestEveryDamageIsNoticed(t *testing.T) {
	good := parse(t, "sites.csv", sitesCSV, sites).Append(nil)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if _, err := ParseTable(bad); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrVersion) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := ParseTable(good[:i]); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	newer := bytes.Clone(good)
	newer[8] = Format + 1
	if _, err := ParseTable(newer); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer format: %v", err)
	}
}

// FuzzParseTable seals the bytes with a right checksum: what is taken is the
// same when it is written again.
func FuzzParseTable(f *testing.F) {
	f.Add(parse(f, "sites.csv", sitesCSV, sites).Append(nil))
	f.Add(parse(f, "e.csv", "id\n", sites[:1]).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= headerBytes {
			sum := checksum(b)
			b[16], b[17], b[18], b[19] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		}
		tab, err := ParseTable(b)
		if err != nil {
			return
		}
		if !bytes.Equal(tab.Append(nil), b) {
			t.Fatalf("%x is written as %x", b, tab.Append(nil))
		}
		var on []string
		for _, s := range tab.Schema() {
			on = append(on, s.Name)
		}
		if _, err := tab.Index(on); err != nil && !errors.Is(err, ErrDuplicate) {
			t.Fatal(err)
		}
	})
}

// FuzzParse reads files as people write them.
func FuzzParse(f *testing.F) {
	f.Add("a.csv", []byte(sitesCSV))
	f.Add("a.json", []byte(`[{"id":"a","limit_c":1.5}]`))
	f.Add("a.json", []byte(`{"id":"a"} {"since":"2024-01-02T03:04:05Z"}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		tab, err := Parse(name, data, sites)
		if err != nil {
			return
		}
		again, err := ParseTable(tab.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if text(again) != text(tab) {
			t.Fatalf("encoded and decoded:\n%swant\n%s", text(again), text(tab))
		}
	})
}
