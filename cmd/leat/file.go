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
	return &cobra.Command{
		Use: "explain FILE", Short: "Show what runs on the gateway and what in the cloud", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := openFile(c.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.OutOrStdout(), compile.Explain(f.plan))
			return errors.Join(err, f.close(c.Context()))
		},
	}
}
