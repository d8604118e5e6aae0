package agent

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/datadir"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
	"github.com/leatio/leat/wasm"
)

// Agent is one agent. New opens what it needs, Run runs it.
type Agent struct {
	cfg    Config
	id     *identity.Agent
	store  *checkpoint.Store
	host   *wasm.Host
	client *transport.Client

	skew     atomic.Int64 // the cloud's clock minus ours, microseconds
	skewAt   atomic.Bool  // the skew is known
	revision atomic.Uint64
	desired  chan *wire.Plans // newest set, not taken over yet
	finished map[string]bool  // old lanes whose last frame is in the store; owned by supervise

	mu      sync.Mutex
	labels  map[string]string   // of this agent; guarded by mu
	running map[string]*running // by pipeline id; guarded by mu
	feeds   map[string]func()   // stops the feed of a stream; guarded by mu
}

// running is a pipeline version that should run here.
type running struct {
	plan   *plan.Plan
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	pipe  *pipeline // nil until it started; guarded by mu
	state string    // starting | running | failed | stopped; guarded by mu
	why   string    // guarded by mu
}

// New opens the store and the identity in the data directory, joining the
// fleet first if there is none.
func New(ctx context.Context, cfg Config) (_ *Agent, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, running: map[string]*running{}, feeds: map[string]func(){}, finished: map[string]bool{}, desired: make(chan *wire.Plans, 1)}
	if err := datadir.Make(cfg.DataDir, 0); err != nil {
		return nil, err
	}
	a.store, err = checkpoint.Open(checkpoint.Config{
		Dir: filepath.Join(cfg.DataDir, "store"), MaxBytes: cfg.OutboxBytes, SegmentBytes: cfg.SegmentBytes, Logger: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.store.Close())
		}
	}()
	if a.id, err = a.identity(ctx); err != nil {
		return nil, err
	}
	if err := a.checkOwner(); err != nil {
		return nil, err
	}
	if a.host, err = wasm.NewHost(ctx, cfg.Functions); err != nil {
		return nil, err
	}
	addrs := cfg.Cloud
	if len(addrs) == 0 {
		addrs = a.id.Addrs
	}
	a.client, err = transport.NewClient(transport.ClientConfig{Addrs: addrs, Identity: a.id, Log: cfg.Log, Now: cfg.Clock}, a)
	return a, err
}

// identity loads the agent's identity, or joins with the token.
func (a *Agent) identity(ctx context.Context) (*identity.Agent, error) {
	dir := a.identityDir()
	id, err := identity.LoadAgent(dir)
	if err == nil {
		return id, nil
	}
	if !errors.Is(err, identity.ErrNoIdentity) {
		return nil, err
	}
	if a.cfg.Token == "" {
		return nil, errors.New("this agent has not joined a fleet and has no token; get one with `leat fleet token` and set it as `token` in the config or as LEAT_TOKEN")
	}
	id, err = transport.Join(ctx, a.cfg.Token, transport.JoinConfig{Name: a.cfg.Name, Labels: a.cfg.Labels, Now: a.cfg.Clock})
	if err != nil {
		return nil, err
	}
	a.cfg.Log.Info("joined the fleet", "agent", id.ID, "epoch", id.Epoch)
	return id, id.Save(dir)
}

// ID is the agent's id.
func (a *Agent) ID() string { return a.id.ID }

// Run runs until ctx ends, and returns when all has ended.
func (a *Agent) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	// The store goes last: pipelines commit until they have ended.
	storeCtx, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStore()
	g.Go(func() error { return a.store.Run(storeCtx) })
	g.Go(func() error {
		defer stopStore()
		w, ctx := errgroup.WithContext(ctx)
		w.Go(func() error { return a.client.Run(ctx) })
		w.Go(func() error { return a.supervise(ctx) })
		w.Go(func() error { return a.report(ctx) })
		w.Go(func() error { return a.keepCertificate(ctx) })
		if a.cfg.MetricsListen != "" {
			w.Go(func() error { return a.serveMetrics(ctx) })
		}
		return w.Wait()
	})
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

// Close frees what New opened.
func (a *Agent) Close() error {
	return errors.Join(a.host.Close(context.Background()), a.store.Close())
}

// Hello is what the agent says at the start of a session.
func (a *Agent) Hello() *wire.Hello {
	h := &wire.Hello{
		AgentVersion: a.cfg.Version, Protocol: wire.Protocol, StoreEpoch: a.id.Epoch, Labels: a.cfg.Labels,
		Os: runtime.GOOS, Arch: runtime.GOARCH, ClockMicros: a.cfg.Clock().UnixMicro(),
	}
	for _, prefix := range []string{planPrefix, oldPrefix} {
		err := a.store.Range(prefix, func(_ string, value []byte) error {
			if p, err := plan.Unmarshal(value); err == nil { // else it was reported when it was to run
				h.Plans = append(h.Plans, &wire.PlanRef{PipelineId: p.PipelineId, Version: p.Version, LaneVersion: p.LaneVersion()})
			}
			return nil
		})
		if err != nil {
			a.cfg.Log.Error("the plans in the store cannot be read", "error", err)
		}
	}
	slices.SortFunc(h.Plans, func(x, y *wire.PlanRef) int {
		return int(min(max(int64(x.Version)-int64(y.Version), -1), 1))
	})
	return h
}

// Plans takes the desired set; the supervisor takes it over.
func (a *Agent) Plans(p *wire.Plans) {
	select {
	case <-a.desired:
	default:
	}
	a.desired <- p
}

// LinkChanged notes the cloud's clock and tells the operator of the link.
func (a *Agent) LinkChanged(l transport.Link) {
	if l.Connected {
		a.skew.Store(l.Skew.Microseconds())
		a.skewAt.Store(true)
		a.tellPipelines()
		return
	}
	if l.Err != nil {
		a.cfg.Log.Warn("no session with the cloud; frames wait in the outbox", "addr", l.Addr, "error", l.Err, "retry_in", l.RetryIn.Round(time.Millisecond))
	}
}

// tellPipelines tells those that run of a new session.
func (a *Agent) tellPipelines() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.running {
		r.mu.Lock()
		if r.pipe != nil {
			r.pipe.reconnected.Store(true)
		}
		r.mu.Unlock()
	}
}

// cloudTime is the cloud's time in microseconds, or 0 while unknown.
func (a *Agent) cloudTime() int64 {
	if !a.skewAt.Load() {
		return 0
	}
	return a.cfg.Clock().UnixMicro() + a.skew.Load()
}
