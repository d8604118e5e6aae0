package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/cli"
	"github.com/leatio/leat/internal/modules"
	"github.com/leatio/leat/internal/reference"
	"github.com/leatio/leat/wasm"
)

// pipelineFile is a pipeline file that was read and compiled here.
type pipelineFile struct {
	name    string
	text    []byte
	plan    *plan.Plan
	host    *wasm.Host
	modules *modules.Disk
	lookups *reference.Disk
}

// openFile reads and compiles a file; mistakes in it are the user's. Close frees the host.
func openFile(ctx context.Context, name string) (f *pipelineFile, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, cli.Mistake(fmt.Errorf("pipeline file: %w", err))
	}
	f = &pipelineFile{name: name, text: text}
	cache, err := os.UserCacheDir()
	if err == nil {
		cache = filepath.Join(cache, "leat")
	}
	if f.host, err = wasm.NewHost(ctx, wasm.Config{CacheDir: cache}); err != nil {
		return nil, err
	}
	f.modules = modules.NewDisk(ctx, f.host, filepath.Dir(name))
	f.lookups = reference.NewDisk(filepath.Dir(name))
	f.plan, err = compile.Compile(text, f.options())
	if err != nil {
		return nil, errors.Join(cli.Mistake(err), f.close(ctx))
	}
	return f, nil
}

// options are how the file is compiled here.
func (f *pipelineFile) options() compile.Options {
	return compile.Options{File: f.name, Modules: f.modules, Lookups: f.lookups, PipelineID: "local", Version: 1}
}

func (f *pipelineFile) close(ctx context.Context) error { return f.host.Close(ctx) }

func validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate FILE...", Short: "Check pipeline files; every mistake at once, exit code 2", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var errs []error
			for _, name := range args {
				f, err := openFile(c.Context(), name)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if _, err := fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", name); err != nil {
					return err
				}
				errs = append(errs, f.close(c.Context()))
			}
			return errors.Join(errs...)
		},
	}
}

func explainCommand() *cobra.Command {
	var out output
	var rate, keys, agents float64
	c := &cobra.Command{
		Use: "explain FILE", Short: "Show what runs on the gateway and what in the cloud", Args: cobra.ExactArgs(1),
		Long: `Explain shows the plan of a pipeline file: what runs on the agents and what in the
cloud, the columns after each step, how windows cut time, and what travels between the two. With --rate
it estimates the bytes a second that an agent sends, and states the formula.`,
		Example: `  leat explain examples/greenhouse/pipeline.yaml
  leat explain --rate 1000 --keys 100 --agents 500 examples/greenhouse/pipeline.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			if rate < 0 || keys < 1 || agents < 0 {
				return cli.Mistake(fmt.Errorf("--rate is %g, --keys %g and --agents %g, expected at least 0, 1 and 0", rate, keys, agents))
			}
			f, err := openFile(c.Context(), args[0])
			if err != nil {
				return err
			}
			e := compile.Explain(f.plan)
			if rate > 0 {
				e.WithLoad(f.plan, rate, keys, agents)
			}
			if out == formatTable {
				_, err = fmt.Fprint(c.OutOrStdout(), e.Text())
			} else {
				err = out.print(c.OutOrStdout(), e, nil, nil)
			}
			return errors.Join(err, f.close(c.Context()))
		},
	}
	addOutput(c, &out)
	c.Flags().Float64Var(&rate, "rate", 0, "rows a second that one agent takes; 0: no estimate")
	c.Flags().Float64Var(&keys, "keys", 100, "different keys that one agent sees")
	c.Flags().Float64Var(&agents, "agents", 1, "how many agents there are")
	return c
}
