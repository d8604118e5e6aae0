package cloud

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/leatio/leat/wasm"
)

// Config is what a cloud node is told. Only DataDir must be given; the zero
// value of every other field is its default.
type Config struct {
	DataDir string // log, tables, CA

	Listen    string   // UDP address for agents; default ":4750"
	Advertise []string // host:port that join tokens name; default: this host's names with Listen's port
	API       string   // HTTP address; default "127.0.0.1:4751"; on another address than loopback APIToken must be given
	APIToken  string   // bearer token that the HTTP API asks for; empty = none
	Node      string   // name told to agents; default: the host's name

	Partitions      int           // default 16; fixed once the log was made
	CheckpointEvery time.Duration // default 5 s
	AwayWait        time.Duration // an agent without a session counts as AWAY after it; default 30 s
	LogBytes        int64         // bound of each partition's log; default 1 GiB
	Functions       wasm.Config   // limits of functions that run here

	Query QueryLimits

	Version string
	Log     *slog.Logger     // default slog.Default()
	Clock   func() time.Time // default time.Now

	// APIListener is used instead of API where given; Conn instead of Listen.
	APIListener net.Listener
	Conn        net.PacketConn
}

// QueryLimits bound what a query may take.
type QueryLimits struct {
	Rows  int           // default 10,000
	Time  time.Duration // default 10 s
	Bytes int           // of the result; default 16 MiB
}

func (c Config) withDefaults() Config {
	c.Listen = cmp.Or(c.Listen, ":4750")
	c.API = cmp.Or(c.API, "127.0.0.1:4751")
	c.Partitions = cmp.Or(c.Partitions, 16)
	c.CheckpointEvery = cmp.Or(c.CheckpointEvery, 5*time.Second)
	c.AwayWait = cmp.Or(c.AwayWait, 30*time.Second)
	c.LogBytes = cmp.Or(c.LogBytes, 1<<30)
	c.Query.Rows = cmp.Or(c.Query.Rows, 10_000)
	c.Query.Time = cmp.Or(c.Query.Time, 10*time.Second)
	c.Query.Bytes = cmp.Or(c.Query.Bytes, 16<<20)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

// Validate names the first bad field.
func (c Config) Validate() error {
	if c.DataDir == "" {
		return fmt.Errorf("data_dir is empty: name a directory that the node may write")
	}
	if c.Partitions < 1 || c.Partitions > 4096 {
		return fmt.Errorf("partitions is %d: it must be 1 to 4096", c.Partitions)
	}
	if c.APIListener == nil && c.APIToken == "" {
		host, _, err := net.SplitHostPort(c.API)
		if err != nil {
			return fmt.Errorf("api %q: %w; write host:port", c.API, err)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("api %q is not a loopback address and there is no api_token: set one, or listen on 127.0.0.1", c.API)
		}
	}
	return c.Functions.Validate()
}
