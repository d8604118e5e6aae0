package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"golang.org/x/sync/errgroup"

	"github.com/leatio/leat/agent"
	"github.com/leatio/leat/cloud"
	"github.com/leatio/leat/cloud/api"
	"github.com/leatio/leat/examples"
	"github.com/leatio/leat/internal/datadir"
	"github.com/leatio/leat/internal/version"
	"github.com/leatio/leat/transport/identity"
)

// minFreeBytes is what is asked of the disk at the start.
const minFreeBytes = 16 << 20

// Config is what `leat up` is told.
type Config struct {
	DataDir    string
	BrokerPort int // ports are stepped over when taken
	AgentPort  int
	APIPort    int
	Program    string // how the user calls leat, for the commands to try next
	Out        io.Writer
	Width      func() int // columns of the terminal that Out is, 0 = no terminal: nothing is redrawn; nil = 0
}

// Demo is everything that `leat up` runs.
type Demo struct {
	cfg    Config
	log    *slog.Logger
	file   *os.File
	broker *mochi.Server
	addr   string // of the broker
	node   *cloud.Node
	agent  *agent.Agent
}

// Run starts everything, shows it until ctx ends, and stops it in order.
func Run(ctx context.Context, cfg Config) (err error) {
	d := &Demo{cfg: cfg}
	if err := datadir.Make(cfg.DataDir, minFreeBytes); err != nil {
		return err
	}
	unlock, err := lock(cfg.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	d.file, err = os.OpenFile(filepath.Join(cfg.DataDir, "leat.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	d.log = slog.New(slog.NewTextHandler(d.file, nil))
	defer func() { err = errors.Join(err, d.file.Close()) }()
	if err := d.startBroker(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.broker.Close()) }()
	if err := d.startNode(ctx); err != nil {
		return err
	}
	return d.run(ctx)
}

func (d *Demo) say(text string) { fmt.Fprintln(d.cfg.Out, text) }

func (d *Demo) startBroker() error {
	l, err := listenTCP("broker", d.cfg.BrokerPort, d.say)
	if err != nil {
		return err
	}
	d.addr = l.Addr().String()
	d.broker = mochi.New(&mochi.Options{Logger: d.log})
	if err := d.broker.AddHook(new(auth.AllowHook), nil); err != nil {
		return err
	}
	if err := d.broker.AddListener(listeners.NewNet("loopback", l)); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	return d.broker.Serve()
}

func (d *Demo) startNode(ctx context.Context) error {
	l, err := listenTCP("API", d.cfg.APIPort, d.say)
	if err != nil {
		return err
	}
	conn, err := listenUDP("port for agents", d.cfg.AgentPort, d.say)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	d.node, err = cloud.New(ctx, cloud.Config{
		DataDir: filepath.Join(d.cfg.DataDir, "cloud"), APIListener: l, Conn: conn, Node: "up",
		Advertise: []string{conn.LocalAddr().String()}, Version: version.String(), Log: d.log,
	})
	return err
}

// run runs the node, the agent, the sensors and the view. They end in the
// opposite order, so that nothing is cut off while it still has somewhere to go.
func (d *Demo) run(ctx context.Context) error {
	nodeCtx, stopNode := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNode()
	g, failed := errgroup.WithContext(nodeCtx)
	g.Go(func() error { return d.node.Run(nodeCtx) })
	g.Go(func() error {
		defer stopNode()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		context.AfterFunc(failed, cancel)
		return d.runAgent(ctx)
	})
	return errors.Join(g.Wait(), d.node.Close())
}

func (d *Demo) runAgent(ctx context.Context) (err error) {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	takeBack, err := announce(d.node.API().String())
	if err != nil {
		return err
	}
	defer takeBack()
	defer func() { err = errors.Join(err, d.agent.Close()) }()
	d.greet()
	agentCtx, stopAgent := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAgent()
	g, failed := errgroup.WithContext(agentCtx)
	g.Go(func() error { return d.agent.Run(agentCtx) })
	g.Go(func() error {
		defer stopAgent()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		context.AfterFunc(failed, cancel)
		s, ctx := errgroup.WithContext(ctx)
		s.Go(func() error { return sense(ctx, "tcp://"+d.addr) })
		s.Go(func() error { return d.show(ctx) })
		return s.Wait()
	})
	return g.Wait()
}

// prepare opens the agent, which joins at the first start, and applies the pipeline.
func (d *Demo) prepare(ctx context.Context) error {
	dir := filepath.Join(d.cfg.DataDir, "agent")
	var token string
	if _, err := identity.LoadAgent(filepath.Join(dir, "identity")); errors.Is(err, identity.ErrNoIdentity) {
		t, err := d.node.Token(ctx, api.TokenRequest{Name: "gateway-1"})
		if err != nil {
			return err
		}
		token = t.Token
	}
	var err error
	d.agent, err = agent.New(ctx, agent.Config{
		DataDir: dir, Token: token, Labels: map[string]string{"role": "greenhouse"},
		Cloud: []string{d.node.AgentAddr().String()}, Version: version.String(), Log: d.log,
	})
	if err != nil {
		return err
	}
	return d.apply(ctx)
}

// apply applies the greenhouse example with the broker's real address.
func (d *Demo) apply(ctx context.Context) error {
	const ref = "../udf/dewpoint-c.wasm"
	file, err := examples.Files.ReadFile("greenhouse/pipeline.yaml")
	if err != nil {
		return err
	}
	code, err := examples.Files.ReadFile("udf/dewpoint-c.wasm")
	if err != nil {
		return err
	}
	file = bytes.ReplaceAll(file, []byte("tcp://127.0.0.1:1883"), []byte("tcp://"+d.addr))
	client, err := api.NewClient(d.node.API().String(), "")
	if err != nil {
		return err
	}
	_, err = client.Apply(ctx, "greenhouse/pipeline.yaml", string(file), map[string][]byte{ref: code}, nil)
	return err
}

func (d *Demo) greet() {
	_, port, _ := net.SplitHostPort(d.addr)
	d.say(strings.NewReplacer("LEAT", d.cfg.Program, "PORT", port).Replace(fmt.Sprintf(`Leat is up: %d simulated sensors -> MQTT broker %s -> agent gateway-1
-> cloud node (API http://%s).
Everything is under %s; the log is leat.log there.
Started again, it goes on from where it was.

Try in a second terminal:
  LEAT query "SELECT device, window_start, n, temp_avg FROM climate_10s ORDER BY window_start DESC LIMIT 5"
  LEAT query "SELECT * FROM rejects"
  LEAT fleet ls
  mosquitto_pub -p PORT -q 1 -t greenhouse/9/climate -m '{"device":"mine","ts":'$(date +%%s%%3N)',"temp":21.5,"humidity":40}'

The first windows of ten seconds close about 15 seconds after the first reading. Ctrl-C stops everything.
`, devices, d.addr, d.node.API(), d.cfg.DataDir)))
}
