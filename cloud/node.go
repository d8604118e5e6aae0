package cloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/cloud/gateway"
	"github.com/leatio/leat/cloud/log/jetstream"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/sink/sqlite"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/datadir"
	"github.com/leatio/leat/internal/modules"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/wasm"
)

// minFreeBytes is what a node asks of its disk at the start.
const minFreeBytes = 4 << 20

// Node is one cloud node with all roles. New opens what it needs, Run runs it.
type Node struct {
	cfg      Config
	store    *jetstream.Store
	tables   *sqlite.DB
	host     *wasm.Host
	registry *control.Registry
	fleet    *control.Fleet
	workers  workers
	gateway  *gateway.Gateway
	members  *members
	server   *transport.Server
	api      net.Listener
	agents   net.PacketConn // the server's
	started  time.Time
	aside    atomic.Int64 // bytes of frames set aside

	mu       sync.Mutex
	sessions map[string]*session // by agent id; guarded by mu
}

// New opens the node's stores and binds its ports.
func New(ctx context.Context, cfg Config) (_ *Node, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, sessions: map[string]*session{}, started: cfg.Clock()}
	if err := datadir.Make(cfg.DataDir, minFreeBytes); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := n.bind(); err != nil {
		return nil, err
	}
	if err := n.openStores(ctx); err != nil {
		return nil, err
	}
	return n, n.openServer()
}

// bind binds the ports: a taken one is told before anything is opened.
func (n *Node) bind() (err error) {
	if n.api = n.cfg.APIListener; n.api == nil {
		if n.api, err = net.Listen("tcp", n.cfg.API); err != nil {
			return fmt.Errorf("api: %w; stop what holds the address, or set `api` (--api) to a free one", err)
		}
	}
	if n.agents = n.cfg.Conn; n.agents == nil {
		if n.agents, err = net.ListenPacket("udp", n.cfg.Listen); err != nil {
			return fmt.Errorf("port for agents: %w; stop what holds the address, or set `listen` (--listen) to a free one", err)
		}
	}
	return nil
}

func (n *Node) openStores(ctx context.Context) (err error) {
	dir := n.cfg.DataDir
	n.store, err = jetstream.Open(ctx, jetstream.Config{
		Dir: filepath.Join(dir, "log"), Partitions: n.cfg.Partitions, PartitionBytes: n.cfg.LogBytes, Logger: n.cfg.Log,
	})
	if err != nil {
		return err
	}
	if err := checkLayout(ctx, n.store, n.cfg.Partitions); err != nil {
		return err
	}
	if n.tables, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "tables.db")}); err != nil {
		return err
	}
	fn := n.cfg.Functions
	if fn.CacheDir == "" {
		fn.CacheDir = filepath.Join(dir, "cache")
	}
	fn.Log = n.cfg.Log
	if n.host, err = wasm.NewHost(ctx, fn); err != nil {
		return err
	}
	n.registry = control.NewRegistry(n.store, n.store, func(ctx context.Context, code []byte) (*compile.ModuleInfo, error) {
		return modules.Inspect(ctx, n.host, code)
	}, n.boundary, n.tableRows, n.cfg.Clock)
	back := worker.Backend{Log: n.store, Keys: n.store, Objects: n.store, Tables: n.tables}
	for p := range n.cfg.Partitions {
		cfg := worker.Config{Partition: p, CheckpointEvery: n.cfg.CheckpointEvery, Log: n.cfg.Log}
		n.workers = append(n.workers, worker.New(back, n.registry, n.fragment, cfg))
	}
	n.gateway = gateway.New(n.store, n.workers, n.registry, gateway.Config{Partitions: n.cfg.Partitions, Log: n.cfg.Log, SetAside: n.setAside})
	n.members = newMembers(n)
	return nil
}

func (n *Node) openServer() error {
	ca, err := identity.OpenCA(filepath.Join(n.cfg.DataDir, "ca"), n.cfg.Clock())
	if err != nil {
		return err
	}
	names := append([]string{"leat-cloud", "localhost", "127.0.0.1", "::1"}, hostNames(n.cfg.Advertise)...)
	n.fleet = control.NewFleet(n.store, ca, n.addrs, n.cfg.Clock)
	n.server, err = transport.NewServer(transport.ServerConfig{
		Conn: n.agents, Identity: identity.NewServer(ca, names, n.cfg.Clock),
		Node: n.cfg.Node, Log: n.cfg.Log, Now: n.cfg.Clock,
	}, n)
	return err
}

func hostNames(addrs []string) []string {
	var out []string
	for _, a := range addrs {
		if host, _, err := net.SplitHostPort(a); err == nil {
			out = append(out, host)
		}
	}
	return out
}

// addrs are the addresses that join tokens name.
func (n *Node) addrs() []string {
	if len(n.cfg.Advertise) > 0 {
		return n.cfg.Advertise
	}
	bound, ok := n.server.Addr().(*net.UDPAddr)
	if !ok {
		return []string{n.server.Addr().String()}
	}
	port := strconv.Itoa(bound.Port)
	if !bound.IP.IsUnspecified() {
		return []string{net.JoinHostPort(bound.IP.String(), port)}
	}
	out := []string{net.JoinHostPort("127.0.0.1", port)}
	if host, err := os.Hostname(); err == nil {
		out = append([]string{net.JoinHostPort(host, port)}, out...)
	}
	return out
}

// fragment makes the cloud fragment of a plan with its functions.
func (n *Node) fragment(p *plan.Plan, cfg engine.CloudConfig) (*engine.Cloud, error) {
	functions, err := engine.NewFunctions(context.Background(), n.host, p, func(m *plan.Module) ([]byte, error) {
		return n.registry.Module(context.Background(), [32]byte(m.Sha256))
	})
	if err != nil {
		return nil, err
	}
	cfg.Functions, cfg.Lookups = functions, n.registry
	c, err := engine.NewCloud(p, cfg)
	if err != nil {
		return nil, errors.Join(err, functions.Close())
	}
	return c, nil
}

// API is the bound HTTP address.
func (n *Node) API() net.Addr { return n.api.Addr() }

// AgentAddr is the bound address for agents.
func (n *Node) AgentAddr() net.Addr { return n.server.Addr() }

// Run runs until ctx ends, and returns when all has ended.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	// Tables go last: workers write to them until they have ended.
	tablesCtx, stopTables := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTables()
	g.Go(func() error { return n.tables.Run(tablesCtx) })
	g.Go(func() error {
		defer stopTables()
		w, ctx := errgroup.WithContext(ctx)
		for _, wk := range n.workers {
			w.Go(func() error { return n.runWorker(ctx, wk) })
		}
		w.Go(func() error { return n.ensureOwn(ctx) })
		w.Go(func() error { return n.gateway.Run(ctx) })
		w.Go(func() error { return n.server.Run(ctx) })
		w.Go(func() error { return n.members.run(ctx) })
		w.Go(func() error { return n.expire(ctx) })
		w.Go(func() error { return n.refreshLookups(ctx) })
		w.Go(func() error { return n.serveAPI(ctx) })
		return w.Wait()
	})
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// runWorker runs a partition's worker, and again after failures that may pass.
// A log that does not continue the checkpoint stops the partition, and it alone.
func (n *Node) runWorker(ctx context.Context, w *worker.Worker) error {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := w.Run(ctx)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, worker.ErrLogReplaced) {
			n.cfg.Log.Error("partition stopped: acknowledged data is missing from the log; restore the log's directory, or remove the data directory and start anew", "error", err)
			<-ctx.Done()
			return ctx.Err()
		}
		n.cfg.Log.Error("worker failed; it starts again from its checkpoint", "error", err, "retry_in", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close frees what New opened.
func (n *Node) Close() error {
	var errs []error
	if n.api != nil {
		if err := n.api.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if n.agents != nil {
		if err := n.agents.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if n.host != nil {
		errs = append(errs, n.host.Close(context.Background()))
	}
	if n.tables != nil {
		errs = append(errs, n.tables.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(errs...)
}

// expire removes old rows from the tables, now and then.
func (n *Node) expire(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := n.tables.Expire(ctx, n.cfg.Clock().UnixMicro()); err != nil && ctx.Err() == nil {
				n.cfg.Log.Warn("old rows were not removed; trying again", "error", err)
			}
		}
	}
}

// boundaryMargin is how far beyond what agents have seen a version begins: they must
// have its plan before rows of that time come.
const boundaryMargin = 10 * time.Second

// boundary chooses where a version that can keep no state begins.
func (n *Node) boundary(before, next *plan.Plan) (int64, error) {
	if !before.Source.GetHasEventTime() || !next.Source.GetHasEventTime() {
		return 0, nil
	}
	newest := n.newest(before.PipelineId, before.LaneVersion())
	if newest == record.NoWatermark {
		return 0, nil // no row was seen
	}
	after := max(newest+before.Source.MaxDisorderMicros, before.StartsAtMicros) + boundaryMargin.Microseconds()
	return engine.Boundary(after, next, before)
}

// newest is the highest watermark that an agent is known to have reached, of those that are times.
func (n *Node) newest(pipeline string, version uint64) int64 {
	newest := int64(record.NoWatermark)
	see := func(w int64) {
		if w < engine.EndOfTime {
			newest = max(newest, w)
		}
	}
	for _, w := range n.workers {
		see(w.Newest(pipeline, version))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, se := range n.sessions {
		for _, p := range se.status.GetPipelines() {
			if p.PipelineId == pipeline {
				see(p.Watermark)
			}
		}
	}
	return newest
}

// watermark is the lowest watermark at which a pipeline's windows have fired,
// over its partitions, and how many results they gave.
func (n *Node) watermark(p *control.Pipeline) (watermark, fired, tooLate int64) {
	watermark = record.NoWatermark
	for _, w := range n.workers {
		for _, v := range w.View().Pipelines {
			if v.ID != p.ID || v.Version != p.StateVersion {
				continue
			}
			if v.Watermark != record.NoWatermark && (watermark == record.NoWatermark || v.Watermark < watermark) {
				watermark = v.Watermark
			}
			fired, tooLate = fired+v.Fired, tooLate+v.TooLate
		}
	}
	return watermark, fired, tooLate
}
