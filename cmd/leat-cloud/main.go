// Command leat-cloud is a cloud node: the agents' port, the log, the workers, the
// result tables and the HTTP API.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/leatio/leat/cloud"
	"github.com/leatio/leat/internal/cli"
	"github.com/leatio/leat/internal/config"
	"github.com/leatio/leat/internal/version"
)

// file is the config of the daemon; configs/cloud.yaml explains it.
type file struct {
	DataDir         string        `mapstructure:"data_dir"`
	Node            string        `mapstructure:"node"`
	Listen          string        `mapstructure:"listen"`
	Advertise       []string      `mapstructure:"advertise"`
	API             string        `mapstructure:"api"`
	APIToken        string        `mapstructure:"api_token"`
	Partitions      int           `mapstructure:"partitions"`
	CheckpointEvery time.Duration `mapstructure:"checkpoint_every"`
	LogSize         config.Bytes  `mapstructure:"log_size"`
	LogLevel        string        `mapstructure:"log_level"`
	Query           query         `mapstructure:"query"`
}

type query struct {
	Rows int           `mapstructure:"rows"`
	Time time.Duration `mapstructure:"time"`
	Size config.Bytes  `mapstructure:"size"`
}

func main() {
	os.Exit(cli.Main("leat-cloud", func(ctx context.Context) error {
		f := cli.NewFlags("leat-cloud", "Runs a cloud node")
		f.String("data-dir", "", "directory of the log, the tables and the CA")
		f.String("listen", "", "UDP address for agents")
		f.String("api", "", "address of the HTTP API")
		f.String("log-level", "", "debug, info, warn or error")
		path, err := f.Parse(os.Args[1:], version.String())
		if err != nil || f.Done {
			return err
		}
		return run(ctx, f.FlagSet, path)
	}))
}

func run(ctx context.Context, flags *pflag.FlagSet, path string) error {
	f := file{DataDir: "/var/lib/leat-cloud", LogLevel: "info"}
	if err := config.Load(&f, path, flags); err != nil {
		return cli.Mistake(err)
	}
	log, logErr := cli.Logger(os.Stderr, f.LogLevel)
	cfg := f.cloud(log)
	if err := config.Place(path, flags, logErr, cfg.Validate()); err != nil {
		return cli.Mistake(err)
	}
	n, err := cloud.New(ctx, cfg)
	if err != nil {
		return err
	}
	log.Info("cloud node running", "agents", n.AgentAddr(), "api", n.API(), "data_dir", f.DataDir, "version", version.String())
	err = n.Run(ctx)
	if err == nil && ctx.Err() != nil {
		log.Info("cloud node stopped")
	}
	return errors.Join(err, n.Close())
}

func (f *file) cloud(log *slog.Logger) cloud.Config {
	return cloud.Config{
		DataDir: f.DataDir, Node: f.Node, Listen: f.Listen, Advertise: f.Advertise, API: f.API, APIToken: f.APIToken,
		Partitions: f.Partitions, CheckpointEvery: f.CheckpointEvery, LogBytes: int64(f.LogSize),
		Query:   cloud.QueryLimits{Rows: f.Query.Rows, Time: f.Query.Time, Bytes: int(f.Query.Size)},
		Version: version.String(), Log: log,
	}
}
