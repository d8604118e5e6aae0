package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/cli"
	"github.com/leatio/leat/internal/textdiff"
)

// difference is what leat diff prints.
type difference struct {
	*compile.ChangeReport
	Pipeline string `json:"pipeline"`
	Old      string `json:"old"`
	New      string `json:"new"`
	Diff     string `json:"diff,omitempty"` // of the explanations
}

func diffCommand(r *remoteFlags) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "diff [OLD] FILE", Short: "Tell what a new version of a pipeline keeps, and what in its plan changes", Args: cobra.RangeArgs(1, 2),
		Long: `Diff compares a pipeline file with the version that a cloud node runs, or with
another file, without applying anything. It says whether lanes and states are
kept or the new version starts at a boundary of its windows, and why, and shows what differs between
the plans, in the words of leat explain.`,
		Example: `  leat diff pipeline.yaml
  leat diff old.yaml new.yaml`,
		RunE: func(c *cobra.Command, args []string) (err error) {
			next, err := openFile(c.Context(), args[len(args)-1])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, next.close(c.Context())) }()
			var d *difference
			if len(args) == 2 {
				d, err = diffFiles(c, args[0], next)
			} else {
				d, err = diffNode(c, r, next)
			}
			if err != nil {
				return err
			}
			if out != formatTable {
				return out.print(c.OutOrStdout(), d, nil, nil)
			}
			return d.print(c.OutOrStdout())
		},
	}
	addOutput(c, &out)
	return c
}

func diffFiles(c *cobra.Command, name string, next *pipelineFile) (*difference, error) {
	old, err := openFile(c.Context(), name)
	if err != nil {
		return nil, err
	}
	d, err := differenceOf(old.plan, next.plan, old.name, next.name)
	return d, errors.Join(err, old.close(c.Context()))
}

// diffNode compares with what the node runs. The old file is compiled here, with the
// functions and reference tables that stand beside the new one.
func diffNode(c *cobra.Command, r *remoteFlags, next *pipelineFile) (*difference, error) {
	node, err := r.client()
	if err != nil {
		return nil, err
	}
	list, err := node.Pipelines(c.Context())
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list, func(p *control.Pipeline) bool { return p.Name == next.plan.Pipeline })
	if at < 0 {
		return nil, fmt.Errorf("the node has no pipeline %q: `leat apply %s` makes its first version", next.plan.Pipeline, next.name)
	}
	p := list[at]
	label := fmt.Sprintf("version %d", p.Version)
	o := next.options()
	o.File = label
	old, err := compile.Compile([]byte(p.File), o)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be compiled here: %w", label, err)
	}
	return differenceOf(old, next.plan, label, next.name)
}

func differenceOf(old, next *plan.Plan, oldName, newName string) (*difference, error) {
	if old.Pipeline != next.Pipeline {
		return nil, cli.Mistake(fmt.Errorf("%s is the pipeline %q and %s the pipeline %q: versions have one name", oldName, old.Pipeline, newName, next.Pipeline))
	}
	lines := func(p *plan.Plan) []string { return strings.Split(compile.Explain(p).Text(), "\n") }
	return &difference{
		ChangeReport: compile.Change(old, next), Pipeline: next.Pipeline, Old: oldName, New: newName,
		Diff: textdiff.Unified(oldName, newName, lines(old), lines(next)),
	}, nil
}

func (d *difference) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %s, %s -> %s\n\n%s\n", d.Pipeline, d.Old, d.New, d.Summary)
	for _, reason := range d.Reasons {
		fmt.Fprintf(&b, "  because %s\n", reason)
	}
	for _, line := range append(d.Windows, d.Tables...) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	if d.Diff == "" {
		b.WriteString("\nthe plans do not differ\n")
	} else {
		b.WriteString("\n" + d.Diff)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
