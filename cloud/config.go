package cloud

import (
	"cmp"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/leatio/leat/internal/field"
	"github.com/leatio/leat/wasm"
)

// Bounds of the config.
const (
	maxPartitions = 4096 // the number of key groups
	minLogBytes   = 16 << 20
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

// Validate names every field that holds a wrong value, by its key in the config
// file. The zero value of a field is its default.
func (c Config) Validate() error {
	c = c.withDefaults()
	var m field.Mistakes
	m.Check(c.DataDir != "", "data_dir", "is empty: name a directory that the node may write")
	m.Check(c.Partitions >= 1 && c.Partitions <= maxPartitions, "partitions", "is %d, expected 1 to %d", c.Partitions, maxPartitions)
	m.Check(c.CheckpointEvery > 0, "checkpoint_every", "is %s, expected a duration above 0", c.CheckpointEvery)
	m.Check(c.LogBytes >= minLogBytes, "log_size", "is %d bytes, expected at least 16MiB", c.LogBytes)
	m.Check(c.Query.Rows > 0, "query.rows", "is %d, expected a number above 0", c.Query.Rows)
	m.Check(c.Query.Time > 0, "query.time", "is %s, expected a duration above 0", c.Query.Time)
	m.Check(c.Query.Bytes > 0, "query.size", "is %d bytes, expected a size above 0", c.Query.Bytes)
	if c.Conn == nil {
		checkAddr(&m, "listen", c.Listen)
	}
	for _, addr := range c.Advertise {
		checkAddr(&m, "advertise", addr)
	}
	if c.APIListener == nil && checkAddr(&m, "api", c.API) {
		m.Check(c.APIToken != "" || isLoopback(c.API), "api", "%q is not a loopback address and there is no api_token: set one, or listen on 127.0.0.1", c.API)
	}
	return errors.Join(m.Err(), c.Functions.Validate())
}

func checkAddr(m *field.Mistakes, key, addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	m.Check(err == nil, key, "%q is not of the form host:port", addr)
	return err == nil
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
