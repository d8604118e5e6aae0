package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leatio/leat/internal/cli"
)

// checkArguments makes wrong arguments mistakes of the user's that say how the
// command is called, in c and all commands below it.
func checkArguments(c *cobra.Command) {
	if valid := c.Args; valid != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := valid(c, args); err != nil {
				return cli.Mistake(fmt.Errorf("got %d arguments, expected `%s`; see `%s --help`", len(args), c.UseLine(), c.CommandPath()))
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.RunE == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return cli.Mistake(fmt.Errorf("unknown command %q; see `%s --help`", args[0], c.CommandPath()))
		}
	}
	for _, sub := range c.Commands() {
		checkArguments(sub)
	}
}
