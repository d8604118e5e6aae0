package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/test/proc"
)

// examples are the pipelines with sample rows and expected results.
var examples = []string{"climate", "greenhouse"}

func example(name, file string) string {
	return filepath.Join(proc.Root(), "examples", name, file)
}

func TestRunGivesTheExpectedBytes(t *testing.T) {
	for _, name := range examples {
		want := read(t, example(name, "expected.jsonl"))
		pipeline, rows := example(name, "pipeline.yaml"), example(name, "rows.jsonl")
		check := func(how string, r proc.Result) {
			t.Helper()
			if r.Code != 0 || r.Out != want {
				t.Errorf("%s from %s: exit code %d, %d bytes instead of %d\n%s", name, how, r.Code, len(r.Out), len(want), r.Err)
			}
		}
		if name == "climate" {
			check("the file that it names", run(t, t.TempDir(), "leat", "run", pipeline))
		}
		check("a file", run(t, t.TempDir(), "leat", "run", pipeline, "--input", rows))
		cmd := command(t, t.TempDir(), "leat", "run", pipeline, "--input", "-")
		cmd.Stdin = strings.NewReader(read(t, rows))
		check("standard input", proc.Run(t, patience, cmd))
	}
}

// The comment at the top of the example says so.
func TestRunReadsStandardInputByThePipeline(t *testing.T) {
	dir := t.TempDir()
	text := strings.Replace(read(t, example("climate", "pipeline.yaml")), "path: rows.jsonl", `path: "-"`, 1)
	if err := os.WriteFile(filepath.Join(dir, "pipeline.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, dir, "leat", "run", "pipeline.yaml")
	cmd.Stdin = strings.NewReader(read(t, example("climate", "rows.jsonl")))
	if r := proc.Run(t, patience, cmd); r.Code != 0 || r.Out != read(t, example("climate", "expected.jsonl")) {
		t.Errorf("exit code %d, %d bytes\n%s", r.Code, len(r.Out), r.Err)
	}
}

func TestRunTellsRejectsAndCounts(t *testing.T) {
	cmd := command(t, t.TempDir(), "leat", "run", example("climate", "pipeline.yaml"), "--input", "-", "--stats")
	cmd.Stdin = strings.NewReader(`{"device":"a","ts":1000,"temp":1}
{"device":"a","ts":"x"}
{"device":"a","ts":20000,"temp":2}
{"device":"a","ts":2000,"temp":3}
`)
	r := proc.Run(t, patience, cmd)
	wantOut := `{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:10Z","device":"a","temp_avg":1,"temp_min":1,"temp_max":1,"n":1}
{"window_start":"1970-01-01T00:00:20Z","window_end":"1970-01-01T00:00:30Z","device":"a","temp_avg":2,"temp_min":2,"temp_max":2,"n":1}
`
	if r.Code != 0 || r.Out != wantOut {
		t.Errorf("exit code %d, got\n%s", r.Code, r.Out)
	}
	for _, want := range []string{
		"rejected: standard input: column \"ts\": expected a number, found a string: \"{\\\"device\\\":\\\"a\\\",\\\"ts\\\":\\\"x\\\"}\"\n",
		"rows          3\n", "rejects       1\n", "late rows     1\n", "results       2\n", "wall seconds  ", "cpu seconds   ", "rows/s        ",
	} {
		if !strings.Contains(r.Err, want) {
			t.Errorf("%q is not in\n%s", want, r.Err)
		}
	}
}

func TestValidate(t *testing.T) {
	args := []string{"validate"}
	var want strings.Builder
	for _, name := range examples {
		args = append(args, example(name, "pipeline.yaml"))
		want.WriteString(example(name, "pipeline.yaml") + ": ok\n")
	}
	if r := run(t, t.TempDir(), "leat", args...); r.Code != 0 || r.Out != want.String() || r.Err != "" {
		t.Errorf("exit code %d, got %q, %q", r.Code, r.Out, r.Err)
	}
}

// The pipeline that the README shows is one.
func TestPipelineOfTheREADME(t *testing.T) {
	_, rest, ok := strings.Cut(read(t, filepath.Join(proc.Root(), "README.md")), "\n```yaml\n")
	text, _, end := strings.Cut(rest, "\n```\n")
	if !ok || !end {
		t.Fatal("the README shows no pipeline")
	}
	text = strings.Replace(text, "[examples/", "["+proc.Root()+"/examples/", 1)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pipeline.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, dir, "leat", "run", "pipeline.yaml", "--input", example("greenhouse", "rows.jsonl"))
	if r.Code != 0 || r.Out != read(t, example("greenhouse", "expected.jsonl")) {
		t.Errorf("exit code %d, other results than the example\n%s%s", r.Code, r.Out, r.Err)
	}
}

// Every command that takes a pipeline file tells all its mistakes, in the same way.
func TestAllMistakesOfAPipeline(t *testing.T) {
	for _, command := range []string{"validate", "explain", "run", "apply"} {
		r := run(t, "testdata", "leat", command, "mistakes.yaml")
		if r.Code != 2 || r.Out != "" {
			t.Errorf("%s: exit code %d, wrote %q", command, r.Code, r.Out)
		}
		golden(t, "mistakes.txt", r.Err)
	}
}

// A good file among bad ones is still told, and the bad ones decide.
func TestValidateGoesOn(t *testing.T) {
	good := example("climate", "pipeline.yaml")
	r := run(t, "testdata", "leat", "validate", "mistakes.yaml", good, "missing.yaml")
	if r.Code != 2 || r.Out != good+": ok\n" || !strings.Contains(r.Err, "mistakes.yaml:") || !strings.Contains(r.Err, "missing.yaml: no such file") {
		t.Errorf("exit code %d, got %q, %q", r.Code, r.Out, r.Err)
	}
}
