package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/leatio/leat/internal/demo"
)

func upCommand() *cobra.Command {
	cfg := demo.Config{}
	c := &cobra.Command{
		Use: "up", Short: "A first look: broker, sensors, agent and cloud node in one process on loopback", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := filepath.Abs(cfg.DataDir)
			if err != nil {
				return err
			}
			cfg.DataDir, cfg.Out = dir, c.OutOrStdout()
			cfg.Program = os.Args[0]
			cfg.Width = func() int { return terminalWidth(c.OutOrStdout()) }
			return demo.Run(c.Context(), cfg)
		},
	}
	c.Flags().StringVar(&cfg.DataDir, "data-dir", "leat-data", "directory for everything that is kept")
	c.Flags().IntVar(&cfg.BrokerPort, "broker-port", 1883, "port of the broker; taken ports are stepped over")
	c.Flags().IntVar(&cfg.AgentPort, "agent-port", 4750, "UDP port for agents; taken ports are stepped over")
	c.Flags().IntVar(&cfg.APIPort, "api-port", 4751, "port of the HTTP API; taken ports are stepped over")
	return c
}
