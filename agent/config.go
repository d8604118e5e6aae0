package agent

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/leatio/leat/wasm"
)

// Config is what an agent is told. Only DataDir must be given, and Token until it has joined;
// the zero value of every other field is its default.
type Config struct {
	DataDir string            // store, identity, modules, compiled code
	Token   string            // join token; used once, when there is no identity yet
	Name    string            // wished for when joining; default: the host's name
	Labels  map[string]string // told to the cloud; those of the token win
	Cloud   []string          // host:port of cloud nodes; default: those of the token

	CommitInterval time.Duration // longest time that input waits for a commit while more keeps coming; default 100 ms
	OutboxBytes    int64         // bound of the outbox; default 1 GiB
	SegmentBytes   int64         // of the outbox's files; default 16 MiB
	SecretsDir     string        // files that ${secret.name} reads; the environment LEAT_SECRET_NAME wins
	MetricsListen  string        // host:port of /metrics in Prometheus' text format; empty = none
	Functions      wasm.Config   // limits of functions

	Version string           // of the build, told to the cloud
	Log     *slog.Logger     // default slog.Default()
	Clock   func() time.Time // default time.Now
}

func (c Config) withDefaults() Config {
	c.CommitInterval = cmp.Or(c.CommitInterval, 100*time.Millisecond)
	if c.Name == "" {
		c.Name, _ = os.Hostname()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Functions.CacheDir == "" {
		c.Functions.CacheDir = filepath.Join(c.DataDir, "cache")
	}
	if c.Functions.Log == nil {
		c.Functions.Log = c.Log
	}
	return c
}

// Validate names the first bad field.
func (c Config) Validate() error {
	switch {
	case c.DataDir == "":
		return fmt.Errorf("data_dir is empty: name a directory that the agent may write")
	case c.CommitInterval < 0:
		return fmt.Errorf("commit_interval is %s: it must be above 0", c.CommitInterval)
	}
	return c.Functions.Validate()
}
