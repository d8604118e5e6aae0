package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatio/leat/agent"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/cli"
	"github.com/leatio/leat/internal/local"
)

// shownRejects is how many rejects a run shows; the rest is counted.
const shownRejects = 5

func runCommand() *cobra.Command {
	var stats, count bool
	var input []string
	var params, labels map[string]string
	c := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a pipeline here: edge and cloud fragments joined in one process",
		Long: `Run reads the pipeline's source to its end, or until Ctrl-C, and writes results
as JSON lines: to standard output, or to the file of a file sink. Rows for
tables and brokers go to standard output too: nothing is published. Paths in the file are relative to it.
A broker is read with a session that ends with the run.`,
		Example: `  leat run examples/climate/pipeline.yaml
  leat run examples/climate/pipeline.yaml --input - < rows.jsonl`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := openFile(c.Context(), args[0])
			if err != nil {
				return err
			}
			if f.plan, err = plan.Resolve(f.plan, labels, params); err != nil {
				return errors.Join(cli.Mistake(err), f.close(c.Context()))
			}
			if len(input) > 0 {
				f.plan.Source.Kind = &plan.Source_File{File: &plan.FileSource{Paths: input}}
			}
			err = runFile(c, f, len(input) > 0, stats, count)
			return errors.Join(err, f.close(c.Context()))
		},
	}
	c.Flags().BoolVar(&stats, "stats", false, "print rows, rejects, late rows, wall and CPU seconds, rows/s on standard error")
	c.Flags().BoolVar(&count, "count", false, "count results and write none, to see with --stats what the work itself takes")
	c.Flags().StringToStringVar(&params, "param", nil, "set parameters of the pipeline, as name=value")
	c.Flags().StringToStringVar(&labels, "label", nil, "labels that this run has, as name=value: for label() and for parameters set by selector")
	c.Flags().StringSliceVar(&input, "input", nil, "read these files instead of the pipeline's source; - is standard input; relative to the current directory")
	return c
}

func runFile(c *cobra.Command, f *pipelineFile, given, stats, count bool) error {
	dir := filepath.Dir(f.name)
	sourceDir := dir
	if given {
		sourceDir = ""
	}
	functions, err := engine.NewFunctions(c.Context(), f.host, f.plan, f.modules.Load)
	if err != nil {
		return err
	}
	src, err := agent.OpenSource(f.plan, agent.SourceOptions{Dir: sourceDir, Stdin: c.InOrStdin(), ClientID: sessionName(), Clean: true, Log: cli.Talk(c.ErrOrStderr(), "leat")})
	if err != nil {
		return errors.Join(cli.Mistake(err), functions.Close())
	}
	rejects := &rejectPrinter{w: c.ErrOrStderr()}
	began, cpu := time.Now(), cpuTime()
	cfg := local.Config{Plan: f.plan, Functions: functions, Lookups: f.lookups, Source: src, Stdout: c.OutOrStdout(), Dir: dir, Reject: rejects.reject}
	if count {
		cfg.Sink = func(*plan.Node, batch.Schema, *batch.Batch) error { return nil }
	}
	st, err := local.Run(c.Context(), cfg)
	rejects.more()
	if stats {
		printStats(c.ErrOrStderr(), st, time.Since(began), cpuTime()-cpu)
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted before the end of the source: results are not complete")
	}
	return errors.Join(err, functions.Close())
}

// sessionName is the run's own at a broker: a name in use would take the session of whoever uses it.
func sessionName() string { return "leat-run-" + strconv.FormatUint(rand.Uint64(), 36) }

// printStats prints what a run counted, a line each.
func printStats(w io.Writer, s local.Stats, wall, cpu time.Duration) {
	rate := float64(s.Rows) / max(wall.Seconds(), 1e-9)
	perRow := cpu.Seconds() * 1e6 / float64(max(s.Rows, 1))
	fmt.Fprintf(w, "rows          %d\nrejects       %d\nlate rows     %d\nresults       %d\ninput bytes   %d\nwall seconds  %.3f\ncpu seconds   %.3f\nrows/s        %.0f\ncpu us/row    %.4f\n",
		s.Rows, s.Rejects, s.Late, s.Results, s.Bytes, wall.Seconds(), cpu.Seconds(), rate, perRow)
}

// cpuTime is the user and system time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rejectPrinter shows the first rejects of a run.
type rejectPrinter struct {
	w io.Writer
	n int
}

func (p *rejectPrinter) reject(topic string, payload []byte, reason string) {
	if topic == "-" {
		topic = "standard input"
	}
	if p.n++; p.n <= shownRejects {
		fmt.Fprintf(p.w, "rejected: %s: %s: %.100q\n", topic, reason, payload)
	}
}

func (p *rejectPrinter) more() {
	if p.n > shownRejects {
		fmt.Fprintf(p.w, "rejected: %d more\n", p.n-shownRejects)
	}
}
