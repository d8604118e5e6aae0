// Command leat-agent is the program on the gateway.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatio/leat/agent"
	"github.com/leatio/leat/internal/cli"
	"github.com/leatio/leat/internal/config"
	"github.com/leatio/leat/internal/version"
	"github.com/leatio/leat/wasm"
)

// file is the config of the daemon; configs/agent.yaml explains it.
type file struct {
	DataDir        string            `mapstructure:"data_dir"`
	Token          string            `mapstructure:"token"`
	Name           string            `mapstructure:"name"`
	Labels         map[string]string `mapstructure:"labels"`
	Cloud          []string          `mapstructure:"cloud"`
	CommitInterval time.Duration     `mapstructure:"commit_interval"`
	OutboxSize     config.Bytes      `mapstructure:"outbox_size"`
	SecretsDir     string            `mapstructure:"secrets_dir"`
	MetricsListen  string            `mapstructure:"metrics_listen"`
	LogLevel       string            `mapstructure:"log_level"`
	Functions      functions         `mapstructure:"functions"`
}

type functions struct {
	CallTimeout   time.Duration `mapstructure:"call_timeout"`
	MemorySize    config.Bytes  `mapstructure:"memory_size"`
	ModuleSize    config.Bytes  `mapstructure:"module_size"`
	MaxGuiltyRows int           `mapstructure:"max_guilty_rows"`
	LogBytes      int           `mapstructure:"log_bytes_per_second"`
}

func main() {
	var path string
	c := &cobra.Command{
		Use: "leat-agent", Short: "Runs pipelines on a gateway", Args: cobra.NoArgs, Version: version.String(),
		RunE: func(c *cobra.Command, _ []string) error { return run(c, path) },
	}
	c.Flags().StringVar(&path, "config", "", "config file (configs/agent.yaml is a commented sample)")
	c.Flags().String("data-dir", "", "directory of the store, the identity and the modules")
	c.Flags().String("token", "", "join token; used once")
	c.Flags().String("name", "", "name to join with (default: the host's)")
	c.Flags().String("log-level", "", "debug, info, warn or error")
	os.Exit(cli.Main(c))
}

func run(c *cobra.Command, path string) error {
	f := file{DataDir: "/var/lib/leat-agent", LogLevel: "info"}
	if err := config.Load(&f, path, c.Flags()); err != nil {
		return cli.Mistake(err)
	}
	log, err := cli.Logger(c.ErrOrStderr(), f.LogLevel)
	if err != nil {
		return cli.Mistake(err)
	}
	cfg := f.agent(log)
	if err := cfg.Validate(); err != nil {
		return cli.Mistake(fmt.Errorf("config: %w", err))
	}
	a, err := agent.New(c.Context(), cfg)
	if err != nil {
		return err
	}
	log.Info("agent running", "agent", a.ID(), "data_dir", f.DataDir, "version", version.String())
	return errors.Join(stopped(c.Context(), log, a.Run(c.Context())), a.Close())
}

func stopped(ctx context.Context, log *slog.Logger, err error) error {
	if err == nil && ctx.Err() != nil {
		log.Info("agent stopped")
	}
	return err
}

func (f *file) agent(log *slog.Logger) agent.Config {
	return agent.Config{
		DataDir: f.DataDir, Token: f.Token, Name: f.Name, Labels: f.Labels, Cloud: f.Cloud,
		CommitInterval: f.CommitInterval, OutboxBytes: int64(f.OutboxSize), SecretsDir: f.SecretsDir, MetricsListen: f.MetricsListen,
		Version: version.String(), Log: log,
		Functions: wasm.Config{
			CallTimeout: f.Functions.CallTimeout, MaxMemoryPages: uint32(f.Functions.MemorySize >> 16), MaxModuleBytes: int(f.Functions.ModuleSize),
			MaxGuiltyRows: f.Functions.MaxGuiltyRows, LogBytesPerSecond: f.Functions.LogBytes,
		},
	}
}
