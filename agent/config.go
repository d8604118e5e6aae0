package agent

import (
	"cmp"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/leatio/leat/internal/field"
	"github.com/leatio/leat/internal/labels"
	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/wasm"
)

// segmentBytes is the default size of the outbox's files.
const segmentBytes = 16 << 20

// Config is what an agent is told. Only DataDir must be given, and Token until it has joined;
// the zero value of every other field is its default.
type Config struct {
	DataDir string            // store, identity, modules, compiled code
	Token   string            // join token; used once, when there is no identity yet
	Name    string            // wished for when joining; default: the host's name
	Labels  map[string]string // told to the cloud; those of the token win
	Params  map[string]string // values of pipelines' parameters on this agent; they win over those in the file
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

// Validate names every field that holds a wrong value, by its key in the config
// file. The zero value of a field is its default.
func (c Config) Validate() error {
	name := c.Name // the host's name is judged where it is used: at the join
	c = c.withDefaults()
	var m field.Mistakes
	m.Check(c.DataDir != "", "data_dir", "is empty: name a directory that the agent may write")
	if err := identity.CheckAgentID(name); name != "" && err != nil {
		m.Add("name", "%v, expected letters, digits, - _ and .", err)
	}
	for _, err := range labels.Check(c.Labels) {
		m.Add("labels", "%v", err)
	}
	for _, addr := range c.Cloud {
		checkAddr(&m, "cloud", addr)
	}
	if c.MetricsListen != "" {
		checkAddr(&m, "metrics_listen", c.MetricsListen)
	}
	m.Check(c.CommitInterval > 0, "commit_interval", "is %s, expected a duration above 0", c.CommitInterval)
	m.Check(c.OutboxBytes == 0 || c.OutboxBytes >= 2*cmp.Or(c.SegmentBytes, segmentBytes), "outbox_size", "is %d bytes, expected at least 32MiB", c.OutboxBytes)
	f := c.Functions
	m.Check(f.MaxModuleBytes >= 0, "functions.module_size", "is %d bytes, expected a size above 0", f.MaxModuleBytes)
	m.Check(f.MaxMemoryPages < 1<<15, "functions.memory_size", "is %d pages of 64KiB, expected less than 2GiB", f.MaxMemoryPages)
	m.Check(f.CallTimeout >= 0, "functions.call_timeout", "is %s, expected a duration above 0", f.CallTimeout)
	m.Check(f.MaxGuiltyRows >= 0, "functions.max_guilty_rows", "is %d, expected a number above 0", f.MaxGuiltyRows)
	m.Check(f.LogBytesPerSecond >= 0, "functions.log_bytes_per_second", "is %d, expected a number above 0", f.LogBytesPerSecond)
	if err := m.Err(); err != nil {
		return err
	}
	return f.Validate()
}

func checkAddr(m *field.Mistakes, key, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	m.Check(err == nil, key, "%q is not of the form host:port", addr)
}
