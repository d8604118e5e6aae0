package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/cases"
	"github.com/leatio/leat/internal/cli"
)

func testCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "test FILE...", Short: "Run the pipelines' own test cases", Args: cobra.MinimumNArgs(1),
		Long: `Test runs the cases of pipeline files, those under the key tests and those of a
file beside it (pipeline.test.yaml beside pipeline.yaml), in this process: no
broker, no node. A case gives rows and says what should come out of them.
The exit code is 0 when all passed, 1 when some failed, and 2 when a file has mistakes.`,
		Example: `  leat test examples/greenhouse/pipeline.yaml
  leat test -o json pipelines/*.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			var all []cases.Result
			for _, name := range args {
				results, err := testFile(c.Context(), name)
				if err != nil {
					return err
				}
				all = append(all, results...)
			}
			return reportCases(c.OutOrStdout(), out, all)
		},
	}
	addOutput(c, &out)
	return c
}

// testFile runs the cases of one pipeline file.
func testFile(ctx context.Context, name string) (results []cases.Result, err error) {
	f, err := openFile(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close(ctx)) }()
	beside, err := casesBeside(name)
	if err != nil {
		return nil, err
	}
	results, err = cases.Run(ctx, cases.Config{
		Text: f.text, Options: f.options(), Beside: beside, Dir: filepath.Dir(name), Lookups: f.lookups,
		Functions: func(p *plan.Plan) (*engine.Functions, error) {
			return engine.NewFunctions(ctx, f.host, p, f.modules.Load)
		},
	})
	var m compile.Mistakes
	if errors.As(err, &m) {
		return nil, cli.Mistake(err)
	}
	if err == nil && len(results) == 0 {
		err = cli.Mistake(fmt.Errorf("%s has no test cases: write them under the key tests, or into %s", name, besideName(name)))
	}
	return results, err
}

// besideName is the file of cases beside a pipeline file.
func besideName(name string) string {
	ext := filepath.Ext(name)
	return strings.TrimSuffix(name, ext) + ".test" + ext
}

func casesBeside(name string) (*compile.CaseFile, error) {
	beside := besideName(name)
	text, err := os.ReadFile(beside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &compile.CaseFile{Name: beside, Text: text}, nil
}

func reportCases(w io.Writer, out output, all []cases.Result) error {
	failed := 0
	for _, r := range all {
		if !r.Passed {
			failed++
		}
	}
	if out == formatTable {
		for _, r := range all {
			if err := printCase(w, r); err != nil {
				return err
			}
		}
	} else if err := out.print(w, all, nil, nil); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d cases failed", failed, len(all))
	}
	return nil
}

func printCase(w io.Writer, r cases.Result) error {
	word := "ok  "
	if !r.Passed {
		word = "FAIL"
	}
	if _, err := fmt.Fprintf(w, "%s  %s:%d: %s\n", word, r.File, r.Line, r.Name); err != nil {
		return err
	}
	for _, f := range r.Failures {
		if _, err := fmt.Fprintf(w, "      %s:%d: %s\n", r.File, f.Line, f.What); err != nil {
			return err
		}
		for _, l := range strings.Split(strings.TrimSuffix(f.Diff, "\n"), "\n") {
			if l == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "      %s\n", l); err != nil {
				return err
			}
		}
	}
	return nil
}
