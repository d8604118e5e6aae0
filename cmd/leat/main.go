// Command leat is the tool on the desk: it runs pipelines locally, and applies
// and queries them on a cloud node.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/leatio/leat/internal/cli"
	"github.com/leatio/leat/internal/version"
)

func main() {
	os.Exit(cli.Main("leat", func(ctx context.Context) error {
		c := root()
		c.SilenceErrors, c.SilenceUsage = true, true
		c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
			return cli.Mistake(fmt.Errorf("%w; see `%s --help`", err, c.CommandPath()))
		})
		return c.ExecuteContext(ctx)
	}))
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "leat",
		Short: "Brings data from gateways to results, and does the work on the way",
		Long: `Leat runs one pipeline file in two places: the part that shrinks data on the
gateway, the part that combines gateways in the cloud.

  leat up                    a first look: everything in one process, simulated sensors
  leat run pipeline.yaml     a pipeline over a file, a broker or a simulator, here
  leat apply pipeline.yaml   a pipeline on a cloud node and its agents`,
	}
	var remote remoteFlags
	c.PersistentFlags().StringVar(&remote.api, "api", "", "`address` of the cloud node's API (default: LEAT_API, else that of a running leat up, else 127.0.0.1:4751)")
	c.PersistentFlags().StringVar(&remote.token, "api-token", "", "`token` that the API asks for (default: LEAT_API_TOKEN)")
	c.AddCommand(upCommand(), runCommand(), validateCommand(), explainCommand(), testCommand(),
		applyCommand(&remote), diffCommand(&remote), getCommand(&remote), deleteCommand(&remote), queryCommand(&remote), fleetCommand(&remote), versionCommand())
	checkArguments(c)
	return c
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "leat", version.String())
			return err
		},
	}
}
