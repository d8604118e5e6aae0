package cases

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/compile"
)

const head = `
name: t
params: {limit: {type: double, default: 35}, cut: {type: int, default: 1}}
source:
  file: {path: never.jsonl}
  format: csv
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts}
branches:
  hot:
    steps: [where: "temp > param('limit')", add: {site: label('site'), from: _topic}]
    sinks: [mqtt: {topic: x, broker: "tcp://nowhere:1"}, table: {name: hot}]
  avg:
    steps: [window: {by: [device], tumbling: 10s, emit: {n: count(*), t: avg(temp)}}, where: "n >= param('cut')"]
    sinks: [table: {name: avg}]
`

const passing = `
  - name: all is well
    params: {limit: 30, cut: 2}
    labels: {site: north}
    late: 1
    rejects: 1
    input:
      - {device: a, ts: "2026-01-01T00:00:00Z", temp: 31, _topic: x/y}
      - {device: a, ts: "2026-01-01T00:00:05.5Z", temp: 29}
      - {device: b, ts: 1767225630000, temp: 29}
      - {device: a, ts: "2026-01-01T00:00:05Z", temp: 29}
      - {device: a, ts: "2026-01-01T00:00:31Z", temp: nonsense}
    expect:
      hot: [{device: a, temp: 31, site: north, from: x/y}]
      avg: [{device: a, n: 2, t: 30, window_start: "2026-01-01T00:00:00Z", window_end: "2026-01-01T00:00:10+00:00"}]
`

func run(t *testing.T, cfg Config) []Result {
	t.Helper()
	cfg.Options.File = "t.yaml"
	out, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCasePasses(t *testing.T) {
	out := run(t, Config{Text: []byte(head + "tests:" + passing)})
	if len(out) != 1 || !out[0].Passed || out[0].Line != 17 {
		t.Errorf("%+v", out)
	}
}

func TestCasesBeside(t *testing.T) {
	out := run(t, Config{Text: []byte(head), Beside: &compile.CaseFile{Name: "t.test.yaml", Text: []byte("tests:" + passing)}})
	if len(out) != 1 || !out[0].Passed || out[0].File != "t.test.yaml" {
		t.Errorf("%+v", out)
	}
	_, err := Run(context.Background(), Config{Text: []byte(head), Beside: &compile.CaseFile{Name: "t.test.yaml", Text: []byte("tests:\n  - name: x\ntest: 1")}})
	var m compile.Mistakes
	if !errors.As(err, &m) || !strings.HasPrefix(err.Error(), "t.test.yaml:2:5: ") {
		t.Errorf("mistakes: %v", err)
	}
}

func TestCaseFails(t *testing.T) {
	for what, change := range map[string][2]string{
		"1 rows were late, expected 0":                                        {"late: 1", "late: 0"},
		"1 rows were rejected, expected 2":                                    {"rejects: 1", "rejects: 2"},
		`+{device: "a", temp: 31, site: "north", from: "x/y"}`:                {"temp: 31, site", "temp: 32, site"},
		"the results of avg differ: 1 rows, expected 2":                       {"      avg: [", "      avg: [{device: a}, "},
		"the results of hot differ: 1 rows, expected 0":                       {"hot: [{device: a, temp: 31, site: north, from: x/y}]", "hot: []"},
		"the results of avg differ: 2 rows, expected 1":                       {"cut: 2", "cut: 1"},
		`-{device: "a", temp: 31, site: "south", from: "x/y"}` + "\n+{device": {"temp: 31, site: north,", "temp: 31, site: south,"},
	} {
		text := strings.Replace(passing, change[0], change[1], 1)
		if text == passing {
			t.Fatalf("%q changes nothing", change)
		}
		out := run(t, Config{Text: []byte(head + "tests:" + text)})
		if out[0].Passed {
			t.Errorf("%s: passed", what)
			continue
		}
		all := ""
		for _, f := range out[0].Failures {
			all += f.What + "\n" + f.Diff
		}
		if !strings.Contains(all, what) {
			t.Errorf("%s\nlacks %s", all, what)
		}
	}
}

func TestCaseOfFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"in.csv":   "device,ts,temp\na,1767225600000,40\nb,1767225601000,41\n",
		"out.json": `{"device":"a","ts":"2026-01-01T00:00:00Z","temp":40,"site":null,"from":"` + filepath.Join(dir, "in.csv") + `"}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := head + "tests:\n  - {name: files, input: {file: in.csv}, expect: {hot: {file: out.json}}}\n"
	out := run(t, Config{Text: []byte(text), Dir: dir})
	if out[0].Passed || !strings.Contains(out[0].Failures[0].Diff, "\n+{device: \"b\"") || strings.Contains(out[0].Failures[0].Diff, "-{") {
		t.Errorf("%+v, want one row more", out[0])
	}
	main := `{name: m, source: {file: {path: x}, format: csv, schema: {device: string}}, sinks: [table: {name: x}],
tests: [{name: main, input: [{device: a}], expect: {file: main.json}}]}`
	if err := os.WriteFile(filepath.Join(dir, "main.json"), []byte(`{"device":"a"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(t, Config{Text: []byte(main), Dir: dir}); !out[0].Passed {
		t.Errorf("%+v", out[0])
	}
	text = strings.Replace(text, "out.json", "missing.json", 1)
	if out = run(t, Config{Text: []byte(text), Dir: dir}); out[0].Passed || !strings.Contains(out[0].Failures[0].What, "missing.json") {
		t.Errorf("%+v, want a file that is missing", out[0])
	}
}

// TestCellsOfAllTypes holds what a case expects against what results print.
func TestCellsOfAllTypes(t *testing.T) {
	text := `
name: t
source: {file: {path: x}, format: json, schema: {b: bool, i: int, d: double, s: string, y: bytes, at: timestamp, from: timestamp_us}}
steps: [add: {nan: CAST('NaN' AS double), big: CAST('-Infinity' AS double)}]
sinks: [table: {name: t}]
tests:
  - name: all
    input:
      - {b: true, i: -7, d: 1.50, s: "a\"b", y: AQID, at: "2026-01-01T01:00:00.5+01:00", from: "2026-01-01T00:00:00.000001Z"}
      - {b: false}
    expect:
      - {b: true, i: -7, d: 1.5, s: "a\"b", y: AQID, at: "2026-01-01T00:00:00.5Z", from: 2026-01-01T00:00:00.000001Z, nan: NaN, big: -Infinity}
      - {b: false, i: null, d: null, s: null, y: null, at: null, from: null}
`
	if out := run(t, Config{Text: []byte(text)}); !out[0].Passed {
		t.Errorf("%+v", out[0].Failures)
	}
}
