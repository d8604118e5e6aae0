// Command bench prints the figures of docs/benchmarks.md: the climate workload
// through `leat run` against a hand-written bound in the same run, bytes per
// row, the agent's size, its memory when idle and its CPU time per MQTT message against a
// bare subscriber.
//
//	go run ./test/bench [-rows 3000000] [-pairs 5] [-mqtt 20s] [-json figures.json]
//
// Time is CPU time, user and system, of whole processes; the two sides of a ratio
// run in turn or side by side, and the medians of turns are compared. A bar that is missed is
// shown as such; what cannot be measured ends the run with an error.
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
	"strings"
	"time"

	"github.com/leatio/leat/test/bench/bound"
)

// bench is one run of everything.
type bench struct {
	ctx    context.Context
	root   string // of the repository
	dir    string // temporary
	rows   int
	pairs  int
	mqtt   time.Duration // for each QoS; 0 = not measured
	report *report
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// command runs everything, or one of the programs that things are held against.
func command(ctx context.Context) error {
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "bound":
		_, err := bound.Run(args[1], os.Stdout)
		return err
	case len(args) == 4 && args[0] == "subscribe":
		return subscribe(ctx, args[1], args[2], args[3])
	}
	b := &bench{ctx: ctx}
	flag.IntVar(&b.rows, "rows", 3_000_000, "rows of the climate workload")
	flag.IntVar(&b.pairs, "pairs", 5, "runs of each side, at least 3")
	flag.DurationVar(&b.mqtt, "mqtt", 20*time.Second, "how long to send MQTT messages at each QoS; 0 leaves that out, and needs no mosquitto")
	jsonFile := flag.String("json", "", "write the figures to this file too")
	flag.Parse()
	if flag.NArg() > 0 || b.pairs < 3 || b.rows < 1 {
		return errors.New("see -help; -pairs is at least 3, -rows at least 1")
	}
	return b.run(*jsonFile)
}

func (b *bench) run(jsonFile string) (err error) {
	out, err := exec.CommandContext(b.ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("run it inside the repository: %w", err)
	}
	b.root = strings.TrimSpace(string(out))
	if b.dir, err = os.MkdirTemp("", "leat-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.report = &report{Machine: machine()}
	if b.mqtt > 0 {
		if _, err := findMosquitto(); err != nil { // say so before the long part
			return err
		}
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"building", b.build}, {"climate rows", b.generate}, {"leat run against the bound", b.climate},
		{"overlapping windows", b.hopping}, {"the engine on decoded batches", b.kernels},
		{"published benchmarks", b.queries}, {"bytes per row", b.wire}, {"the agent's size", b.size}, {"the agent's memory", b.memory}, {"MQTT", b.messages},
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
		if err := os.WriteFile(jsonFile, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return b.report.print(os.Stdout)
}

// build builds the programs as they are shipped.
func (b *bench) build() error {
	cmd := exec.CommandContext(b.ctx, "make", "-s", "build")
	cmd.Dir, cmd.Stderr = b.root, os.Stderr
	return cmd.Run()
}

func (b *bench) bin(name string) string { return filepath.Join(b.root, "bin", name) }
