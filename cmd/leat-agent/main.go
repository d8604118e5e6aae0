// Command leat-agent is the program on the gateway.
package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/spf13/pflag"

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
	Params         map[string]string `mapstructure:"params"`
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
	os.Exit(cli.Main("leat-agent", func(ctx context.Context) error {
		f := cli.NewFlags("leat-agent", "Runs pipelines on a gateway")
		f.String("data-dir", "", "directory of the store, the identity and the modules")
		f.String("token", "", "join token; used once")
		f.String("name", "", "name to join with (default: the host's)")
		f.String("log-level", "", "debug, info, warn or error")
		path, err := f.Parse(os.Args[1:], version.String())
		if err != nil || f.Done {
			return err
		}
		return run(ctx, f.FlagSet, path)
	}))
}

func run(ctx context.Context, flags *pflag.FlagSet, path string) error {
	f := file{DataDir: "/var/lib/leat-agent", LogLevel: "info"}
	if err := config.Load(&f, path, flags); err != nil {
		return cli.Mistake(err)
	}
	log, logErr := cli.Logger(os.Stderr, f.LogLevel)
	cfg := f.agent(log)
	if err := config.Place(path, flags, logErr, cfg.Validate()); err != nil {
		return cli.Mistake(err)
	}
	a, err := agent.New(ctx, cfg)
	if err != nil {
		return err
	}
	log.Info("agent running", "agent", a.ID(), "data_dir", f.DataDir, "version", version.String())
	return errors.Join(stopped(ctx, log, a.Run(ctx)), a.Close())
}

func stopped(ctx context.Context, log *slog.Logger, err error) error {
	if err == nil && ctx.Err() != nil {
		log.Info("agent stopped")
	}
	return err
}

func (f *file) agent(log *slog.Logger) agent.Config {
	return agent.Config{
		DataDir: f.DataDir, Token: f.Token, Name: f.Name, Labels: f.Labels, Params: f.Params, Cloud: f.Cloud,
		CommitInterval: f.CommitInterval, OutboxBytes: int64(f.OutboxSize), SecretsDir: f.SecretsDir, MetricsListen: f.MetricsListen,
		Version: version.String(), Log: log,
		Functions: wasm.Config{
			CallTimeout: f.Functions.CallTimeout, MaxMemoryPages: pages(f.Functions.MemorySize), MaxModuleBytes: int(f.Functions.ModuleSize),
			MaxGuiltyRows: f.Functions.MaxGuiltyRows, LogBytesPerSecond: f.Functions.LogBytes,
		},
	}
}

// pages is a size in pages of 64 KiB, rounded up; a size beyond 32 bits of pages is cut, and refused later.
func pages(b config.Bytes) uint32 { return uint32(min(b>>16+min(b&0xffff, 1), math.MaxUint32)) }
