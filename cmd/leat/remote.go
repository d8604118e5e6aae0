package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatio/leat/cloud/api"
	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/internal/cli"
	"github.com/leatio/leat/internal/config"
	"github.com/leatio/leat/internal/demo"
)

const defaultAPI = "127.0.0.1:4751"

// remoteFlags say which node a command talks to.
type remoteFlags struct{ api, token string }

func (r *remoteFlags) client() (*api.Client, error) {
	addr := cmp.Or(r.api, os.Getenv("LEAT_API"))
	if addr == "" {
		addr = cmp.Or(demo.RunningAPI(), defaultAPI)
	}
	c, err := api.NewClient(addr, cmp.Or(r.token, os.Getenv("LEAT_API_TOKEN")))
	return c, cli.Mistake(err)
}

// call makes the body of a command that talks to the node.
func (r *remoteFlags) call(body func(c *cobra.Command, node *api.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		node, err := r.client()
		if err != nil {
			return err
		}
		return body(c, node, args)
	}
}

func applyCommand(r *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use: "apply FILE...", Short: "Apply pipelines on a cloud node; its agents get them at once", Args: cobra.MinimumNArgs(1),
		RunE: r.call(func(c *cobra.Command, node *api.Client, args []string) error {
			for _, name := range args {
				f, err := openFile(c.Context(), name)
				if err != nil {
					return err
				}
				a, err := node.Apply(c.Context(), name, string(f.text), f.modules.Code(), f.lookups.Files())
				if err := errors.Join(asMistake(err), f.close(c.Context())); err != nil {
					return err
				}
				what := "unchanged"
				if a.Changed {
					what = "applied"
				}
				if _, err := fmt.Fprintf(c.OutOrStdout(), "pipeline %s %s, version %d\n", a.Pipeline.Name, what, a.Pipeline.Version); err != nil {
					return err
				}
				if a.Changed {
					tellKept(c.ErrOrStderr(), a.Pipeline)
				}
			}
			return nil
		}),
	}
}

// tellKept says what becomes of the windows that are open.
func tellKept(w io.Writer, p *control.Pipeline) {
	if p.Version == 1 || p.StateVersion != p.Version {
		return // it is the first, or goes on with everything
	}
	text := "begins with no state"
	switch {
	case p.TakesOver != 0:
		text = fmt.Sprintf("goes on with the open windows of version %d", p.TakesOver)
	case p.StartsAt != nil:
		text = fmt.Sprintf("begins at the event time %s; older rows are finished under the version before", p.StartsAt.Format(time.RFC3339Nano))
	}
	fmt.Fprintf(w, "leat: version %d %s\n", p.Version, text)
}

// asMistake marks mistakes that the node found in a file.
func asMistake(err error) error {
	var m compile.Mistakes
	if errors.As(err, &m) {
		return cli.Mistake(err)
	}
	return err
}

func getCommand(r *remoteFlags) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "get [NAME]", Short: "List the pipelines of a cloud node, or show one pipeline's file", Args: cobra.MaximumNArgs(1),
		RunE: r.call(func(c *cobra.Command, node *api.Client, args []string) error {
			if len(args) == 1 {
				p, err := node.Pipeline(c.Context(), args[0])
				if err != nil {
					return err
				}
				if out == formatTable {
					_, err = fmt.Fprint(c.OutOrStdout(), p.File)
					return err
				}
				return out.print(c.OutOrStdout(), p, nil, nil)
			}
			list, err := node.Pipelines(c.Context())
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), list, []string{"NAME", "VERSION", "AGENTS", "APPLIED"}, pipelineRows(list))
		}),
	}
	addOutput(c, &out)
	return c
}

func pipelineRows(list []*control.Pipeline) [][]string {
	var rows [][]string
	for _, p := range list {
		rows = append(rows, []string{p.Name, fmt.Sprint(p.Version), cmp.Or(p.Agents, "all"), p.Applied.Format(time.RFC3339)})
	}
	return rows
}

func deleteCommand(r *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete a pipeline; its result tables stay", Args: cobra.ExactArgs(1),
		RunE: r.call(func(c *cobra.Command, node *api.Client, args []string) error {
			if err := node.DeletePipeline(c.Context(), args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "pipeline %s deleted; its result tables stay\n", args[0])
			return err
		}),
	}
}

func queryCommand(r *remoteFlags) *cobra.Command {
	var out output
	var rows int
	c := &cobra.Command{
		Use: "query SQL", Short: "Run a read-only SQL statement over the result tables",
		Example: `  leat query "SELECT device, window_start, n, temp_avg FROM climate_10s ORDER BY window_start DESC LIMIT 5"
  leat query "SELECT * FROM rejects"`,
		Args: cobra.ExactArgs(1),
		RunE: r.call(func(c *cobra.Command, node *api.Client, args []string) error {
			res, err := node.Query(c.Context(), api.Query{SQL: args[0], Rows: rows})
			if err != nil {
				return err
			}
			if res.Truncated {
				fmt.Fprintf(c.ErrOrStderr(), "leat: only the first %d rows are shown; narrow the statement or page with LIMIT and OFFSET\n", len(res.Rows))
			}
			return printResult(c, out, res)
		}),
	}
	addOutput(c, &out)
	c.Flags().IntVar(&rows, "rows", 0, "show at most so many rows (default: the node's limit)")
	return c
}

func printResult(c *cobra.Command, out output, res *api.Result) error {
	if out != formatTable {
		objects := make([]map[string]any, len(res.Rows))
		for i, row := range res.Rows {
			objects[i] = map[string]any{}
			for k, v := range row {
				objects[i][res.Columns[k]] = v
			}
		}
		return out.print(c.OutOrStdout(), objects, nil, nil)
	}
	cells := make([][]string, len(res.Rows))
	for i, row := range res.Rows {
		for _, v := range row {
			if v == nil {
				v = "null"
			}
			cells[i] = append(cells[i], fmt.Sprint(v))
		}
	}
	return out.print(c.OutOrStdout(), nil, res.Columns, cells)
}

func fleetCommand(r *remoteFlags) *cobra.Command {
	c := &cobra.Command{Use: "fleet", Short: "The agents of a cloud node"}
	c.AddCommand(fleetTokenCommand(r), fleetListCommand(r))
	return c
}

func fleetTokenCommand(r *remoteFlags) *cobra.Command {
	var req api.TokenRequest
	var life time.Duration
	var labels string
	var out output
	c := &cobra.Command{
		Use: "token", Short: "Mint a join token for agents", Args: cobra.NoArgs,
		Long: `Mint a join token. It names the cloud node's addresses and pins its CA; an agent
that starts with it (token in agent.yaml, or LEAT_TOKEN) becomes a member of the fleet.`,
		RunE: r.call(func(c *cobra.Command, node *api.Client, _ []string) error {
			var err error
			if req.Labels, err = config.ParsePairs(labels); err != nil {
				return cli.Mistake(fmt.Errorf("--labels: %w", err))
			}
			if life < time.Second || req.Uses < 1 {
				return cli.Mistake(fmt.Errorf("--life is %s and --uses is %d, expected at least 1s and 1", life, req.Uses))
			}
			req.LifeSeconds = int64(life / time.Second)
			t, err := node.Token(c.Context(), req)
			if err != nil {
				return err
			}
			if out != formatTable {
				return out.print(c.OutOrStdout(), t, nil, nil)
			}
			fmt.Fprintf(c.ErrOrStderr(), "leat: good for %d agent(s) until %s; agents will connect to %s\n", t.Uses, t.Expires.Format(time.RFC3339), strings.Join(t.Addrs, ", "))
			_, err = fmt.Fprintln(c.OutOrStdout(), t.Token)
			return err
		}),
	}
	c.Flags().DurationVar(&life, "life", time.Hour, "how long the token is good for")
	c.Flags().IntVar(&req.Uses, "uses", 1, "how many agents may join with it")
	c.Flags().StringVar(&labels, "labels", "", "labels of the agents that join with it: role=greenhouse,site=north")
	c.Flags().StringVar(&req.Name, "name", "", "id of the agent that joins with it (default: as the agent wishes)")
	addOutput(c, &out)
	return c
}

func fleetListCommand(r *remoteFlags) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "ls", Short: "List the agents and how they fare", Args: cobra.NoArgs,
		RunE: r.call(func(c *cobra.Command, node *api.Client, _ []string) error {
			list, err := node.Agents(c.Context())
			if err != nil {
				return err
			}
			var rows [][]string
			for _, a := range list {
				rows = append(rows, agentRow(a))
			}
			return out.print(c.OutOrStdout(), list, []string{"AGENT", "STATE", "LABELS", "PIPELINES", "ROWS", "REJECTS", "LATE", "OUTBOX BYTES", "CERTIFICATE UNTIL"}, rows)
		}),
	}
	addOutput(c, &out)
	return c
}

func agentRow(a api.Agent) []string {
	var labels, pipelines []string
	for k, v := range a.Labels {
		labels = append(labels, k+"="+v)
	}
	slices.Sort(labels)
	var rows, rejects, late uint64
	for _, p := range a.Pipelines {
		pipelines = append(pipelines, p.Name+": "+pipelineState(p))
		rows, rejects, late = rows+p.Rows, rejects+p.Rejects, late+p.Late
	}
	return []string{
		a.ID, a.State, strings.Join(labels, ","), cmp.Or(strings.Join(pipelines, "; "), "none"),
		fmt.Sprint(rows), fmt.Sprint(rejects), fmt.Sprint(late), fmt.Sprint(a.Outbox), a.Expires.Format(time.DateOnly),
	}
}

// pipelineState says how a pipeline fares on an agent, and what is in its way.
func pipelineState(p api.AgentPipeline) string {
	switch {
	case p.Reason != "":
		return p.State + " (" + p.Reason + ")"
	case p.State == "running" && !p.SourceConnected:
		return "running, source: " + cmp.Or(p.Source, "not connected")
	default:
		return p.State
	}
}
