package examples

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/leatio/leat/agent"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/cases"
	"github.com/leatio/leat/internal/local"
	"github.com/leatio/leat/internal/modules"
	"github.com/leatio/leat/internal/reference"
	"github.com/leatio/leat/wasm"
)

var update = flag.Bool("update", false, "write expected.jsonl anew")

// example is one of the directories with a pipeline.
type example struct {
	dir     string
	text    []byte
	host    *wasm.Host
	modules *modules.Disk
	lookups *reference.Disk
}

func open(t *testing.T, file string) *example {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	host, err := wasm.NewHost(context.Background(), wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Dir(file)
	return &example{dir, text, host, modules.NewDisk(context.Background(), host, dir), reference.NewDisk(dir)}
}

func (e *example) options() compile.Options {
	return compile.Options{File: filepath.Join(e.dir, "pipeline.yaml"), Modules: e.modules, Lookups: e.lookups, PipelineID: "example", Version: 1}
}

func (e *example) functions(p *plan.Plan) (*engine.Functions, error) {
	return engine.NewFunctions(context.Background(), e.host, p, e.modules.Load)
}

func pipelines(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*/pipeline.yaml")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	return files
}

// TestCases runs the test cases of all examples; each has some.
func TestCases(t *testing.T) {
	for _, file := range pipelines(t) {
		t.Run(filepath.Dir(file), func(t *testing.T) {
			e := open(t, file)
			cfg := cases.Config{Text: e.text, Options: e.options(), Dir: e.dir, Functions: e.functions, Lookups: e.lookups}
			beside := filepath.Join(e.dir, "pipeline.test.yaml")
			if text, err := os.ReadFile(beside); err == nil {
				cfg.Beside = &compile.CaseFile{Name: beside, Text: text}
			} else if !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			results, err := cases.Run(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if len(results) == 0 {
				t.Error("no test cases")
			}
			for _, r := range results {
				for _, f := range r.Failures {
					t.Errorf("%s:%d: %s: %s\n%s", r.File, f.Line, r.Name, f.What, f.Diff)
				}
			}
		})
	}
}

// TestRuns runs the examples that read a file, as leat run does, and compares
// what they print.
func TestRuns(t *testing.T) {
	for _, name := range []string{"climate", "energy", "sessions"} {
		t.Run(name, func(t *testing.T) {
			e := open(t, filepath.Join(name, "pipeline.yaml"))
			p, err := compile.Compile(e.text, e.options())
			if err != nil {
				t.Fatal(err)
			}
			if p, err = plan.Resolve(p, nil, nil); err != nil {
				t.Fatal(err)
			}
			src, err := agent.OpenSource(p, agent.SourceOptions{Dir: e.dir})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if _, err := local.Run(context.Background(), local.Config{Plan: p, Lookups: e.lookups, Source: src, Stdout: &out, Dir: t.TempDir()}); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join(name, "expected.jsonl")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%s differs from what the example prints:\n%s", golden, out.Bytes())
			}
		})
	}
}
