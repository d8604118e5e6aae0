// Command bench prints the figures of docs/benchmarks.md: the climate workload
// through `leat run` against a hand-written bound in the same run, bytes per
// row, the agent's size and its memory when idle.
//
//	go run ./test/bench [-rows 3000000] [-pairs 5] [-json figures.json]
//
// Time is CPU time, user and system, of whole processes; both sides of a ratio
// run in turn, and the medians are compared. A bar that is missed is shown as such; what
// cannot be measured ends the run with an error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
)

// figure is one line of the report.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Bar   string  `json:"bar,omitempty"` // what it is held against
	Met   *bool   `json:"met,omitempty"`
}

// report gathers figures.
type report struct {
	Machine string   `json:"machine"`
	Figures []figure `json:"figures"`
}

func (r *report) add(name string, value float64, unit string) {
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: unit})
}

// most adds a figure that should be at most bar.
func (r *report) most(name string, value float64, unit string, bar float64) {
	met := value <= bar
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: unit, Bar: fmt.Sprintf("at most %g", bar), Met: &met})
}

// bench is one run of everything.
type bench struct {
	ctx    context.Context
	root   string // of the repository
	dir    string // temporary
	rows   int
	pairs  int
	report *report
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "bound" {
		if err := bound(os.Args[2], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bound:", err)
			os.Exit(1)
		}
		return
	}
	rows := flag.Int("rows", 3_000_000, "rows of the climate workload")
	pairs := flag.Int("pairs", 5, "runs of each side")
	jsonFile := flag.String("json", "", "write the figures to this file too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rows, *pairs, *jsonFile); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rows, pairs int, jsonFile string) (err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("run it inside the repository: %w", err)
	}
	dir, err := os.MkdirTemp("", "leat-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{ctx: ctx, root: strings.TrimSpace(string(out)), dir: dir, rows: rows, pairs: pairs, report: &report{Machine: machine()}}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"building", b.build}, {"climate rows", b.generate}, {"leat run against the bound", b.climate},
		{"bytes per row", b.wire}, {"agent size", b.size}, {"agent memory", b.memory},
	} {
		fmt.Fprintln(os.Stderr, "bench:", step.name)
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	if jsonFile != "" {
		text, err := json.MarshalIndent(b.report, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(jsonFile, text, 0o644); err != nil {
			return err
		}
	}
	return b.report.print()
}

func (r *report) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n\nFIGURE\tVALUE\tUNIT\tBAR\t\n", r.Machine)
	for _, f := range r.Figures {
		verdict := ""
		if f.Met != nil {
			verdict = map[bool]string{true: "pass", false: "MISS"}[*f.Met]
		}
		fmt.Fprintf(w, "%s\t%.4g\t%s\t%s\t%s\n", f.Name, f.Value, f.Unit, f.Bar, verdict)
	}
	return w.Flush()
}

// machine names what the figures were measured on.
func machine() string {
	cpu := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.SplitSeq(string(b), "\n") {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				cpu = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), ":"))
				break
			}
		}
	}
	load := ""
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = ", load " + strings.SplitN(string(b), " ", 2)[0]
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s%s", cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), load)
}

// build builds the programs as the Makefile does.
func (b *bench) build() error {
	cmd := exec.CommandContext(b.ctx, "make", "-s", "build")
	cmd.Dir, cmd.Stderr = b.root, os.Stderr
	return cmd.Run()
}

func (b *bench) bin(name string) string { return filepath.Join(b.root, "bin", name) }
