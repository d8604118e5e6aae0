package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"

	"github.com/leatio/leat/cloud/api"
	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/cloud/sink/sqlite"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/identity"
)

// serveAPI serves the HTTP API until ctx ends.
func (n *Node) serveAPI(ctx context.Context) error {
	srv := &http.Server{
		Handler:           api.Handler(n, n.cfg.APIToken, n.cfg.Log),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10,
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(n.api); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			return srv.Close()
		}
		return nil
	})
	return g.Wait()
}

// ensureOwn makes the tables of rejects and of late partials, so that they can be asked before the first one.
func (n *Node) ensureOwn(ctx context.Context) error {
	return errors.Join(n.tables.Ensure(ctx, sink.RejectsTable()), n.tables.Ensure(ctx, sink.LateTable()))
}

// Apply makes a file the newest version of its pipeline.
func (n *Node) Apply(ctx context.Context, a control.Apply) (*control.Pipeline, bool, error) {
	draft, err := n.registry.Compile(ctx, a, "draft", 0)
	if err != nil {
		return nil, false, err
	}
	if err := checkSinks(draft); err != nil {
		return nil, false, err
	}
	// Tables first: one that exists in another shape is told now, and a query
	// before the first result finds an empty table.
	for _, t := range worker.Tables(draft) {
		if err := n.tables.Ensure(ctx, t); err != nil {
			return nil, false, fmt.Errorf("pipeline %s: %w", draft.Pipeline, err)
		}
	}
	p, changed, err := n.registry.Apply(ctx, a)
	if err == nil && changed {
		n.cfg.Log.Info("pipeline applied", "pipeline", p.Name, "version", p.Version)
	}
	return p, changed, err
}

// checkSinks refuses sinks that a cloud node does not have: a worker could not go on.
func checkSinks(p *plan.Plan) error {
	for _, n := range p.Cloud.GetNodes() {
		s := n.GetSink()
		if s == nil || s.GetTable() != nil {
			continue
		}
		kind := "stdout"
		if s.GetFile() != nil {
			kind = "file"
		}
		return fmt.Errorf("pipeline %s: %w: the sink %s is for `leat run`; on a cloud node use a table, which `leat query` reads, or place: edge for a file on the gateway",
			p.Pipeline, control.ErrRequest, kind)
	}
	return nil
}

// Pipelines lists all pipelines.
func (n *Node) Pipelines(ctx context.Context) ([]*control.Pipeline, error) {
	return n.registry.List(ctx)
}

// Pipeline gives one pipeline.
func (n *Node) Pipeline(ctx context.Context, name string) (*control.Pipeline, error) {
	return n.registry.Get(ctx, name)
}

// DeletePipeline deletes a pipeline; its tables stay.
func (n *Node) DeletePipeline(ctx context.Context, name string) error {
	err := n.registry.Delete(ctx, name)
	if err == nil {
		n.cfg.Log.Info("pipeline deleted", "pipeline", name)
	}
	return err
}

// PutModule keeps a function module.
func (n *Node) PutModule(ctx context.Context, code []byte) (string, *compile.ModuleInfo, error) {
	return n.registry.PutModule(ctx, code)
}

// PutLookup keeps a file of a reference table.
func (n *Node) PutLookup(ctx context.Context, data []byte) error {
	return n.registry.PutLookup(ctx, data)
}

// Query runs a read-only statement over the result tables.
func (n *Node) Query(ctx context.Context, q api.Query) (*api.Result, error) {
	rows := n.cfg.Query.Rows
	if q.Rows > 0 {
		rows = min(rows, q.Rows)
	}
	r, err := n.tables.Query(ctx, q.SQL, sqlite.QueryLimits{Rows: rows, Time: n.cfg.Query.Time, Bytes: n.cfg.Query.Bytes})
	if err != nil {
		return nil, err
	}
	if r.Rows == nil {
		r.Rows = [][]any{}
	}
	return &api.Result{Columns: r.Columns, Rows: r.Rows, Truncated: r.Truncated}, nil
}

// Token mints a join token.
func (n *Node) Token(ctx context.Context, r api.TokenRequest) (*api.Token, error) {
	o := identity.TokenOptions{Life: time.Duration(r.LifeSeconds) * time.Second, Uses: r.Uses, Labels: r.Labels, Name: r.Name, Addrs: n.addrs()}
	token, record, err := n.fleet.Token(ctx, o)
	if err != nil {
		return nil, err
	}
	return &api.Token{Token: token, ID: record.ID, Expires: record.Expires, Uses: record.UsesLeft, Addrs: o.Addrs}, nil
}

// Agents lists the fleet.
func (n *Node) Agents(ctx context.Context) ([]api.Agent, error) {
	members, err := n.fleet.Agents(ctx)
	if err != nil {
		return nil, err
	}
	pipelines, err := n.registry.List(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, p := range pipelines {
		names[p.ID] = p.Name
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []api.Agent
	for _, m := range members {
		a := api.Agent{ID: m.ID, State: "away", Labels: m.Labels, Epoch: m.Epoch, Joined: m.Joined, Expires: m.Expires}
		if se := n.sessions[m.ID]; se != nil {
			se.describe(&a, names)
		}
		addPending(&a, pipelines)
		out = append(out, a)
	}
	return out, nil
}

// describe adds what a live session knows. Node.mu is held.
func (se *session) describe(a *api.Agent, names map[string]string) {
	a.State, a.Remote, a.Version = "connected", se.wire.Remote().String(), se.wire.Hello().AgentVersion
	if se.status == nil {
		return
	}
	a.Outbox = se.status.OutboxBytes
	for _, p := range se.status.Pipelines {
		a.Pipelines = append(a.Pipelines, api.AgentPipeline{
			Name: cmp.Or(names[p.PipelineId], p.PipelineId), Version: p.Version, State: p.State, Reason: p.Reason, Source: p.SourceError,
			Rows: p.Rows, Rejects: p.Rejects, Late: p.LateRows, RawBytes: p.BytesRaw, SentBytes: p.BytesSent, SourceConnected: p.SourceConnected,
		})
	}
}

// addPending adds the pipelines that the agent's labels choose and that it has not told of yet.
func addPending(a *api.Agent, pipelines []*control.Pipeline) {
	for _, p := range pipelines {
		chosen, err := plan.Matches(p.Agents, a.Labels)
		told := slices.ContainsFunc(a.Pipelines, func(t api.AgentPipeline) bool { return t.Name == p.Name })
		if err == nil && chosen && !told {
			a.Pipelines = append(a.Pipelines, api.AgentPipeline{Name: p.Name, Version: p.Version, State: "pending"})
		}
	}
}

// Status tells how the node fares.
func (n *Node) Status(ctx context.Context) (*api.Status, error) {
	g := n.gateway.Counters()
	s := &api.Status{
		Node: n.cfg.Node, Version: n.cfg.Version, Started: n.started.UTC(), AgentAddr: n.AgentAddr().String(), DataDir: n.cfg.DataDir,
		Partitions: n.cfg.Partitions, Frames: g.Frames, FrameBytes: g.FrameBytes, Pipelines: []api.PipelineStatus{},
	}
	var err error
	if s.Agents, err = n.Agents(ctx); err != nil {
		return nil, err
	}
	pipelines, err := n.registry.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pipelines {
		watermark, fired, tooLate := n.watermark(p)
		ps := api.PipelineStatus{Name: p.Name, ID: p.ID, Version: p.Version, Fired: fired, TooLate: tooLate}
		if watermark != record.NoWatermark {
			t := time.UnixMicro(watermark).UTC()
			ps.Watermark = &t
		}
		s.Pipelines = append(s.Pipelines, ps)
	}
	return s, nil
}

// WriteMetrics writes the node's counters in Prometheus' text format.
func (n *Node) WriteMetrics(w io.Writer) {
	s := metrics.NewSet()
	count := func(name string, v uint64) { s.NewCounter(name).Set(v) }
	g := n.gateway.Counters()
	count("leat_gateway_frames_total", g.Frames)
	count("leat_gateway_frame_bytes_total", g.FrameBytes)
	count("leat_gateway_rows_total", g.Rows)
	count("leat_gateway_frames_set_aside_total", g.SetAside)
	count("leat_gateway_streams_refused_total", g.Refused)
	count("leat_gateway_bundles_total", g.Bundles)
	count("leat_gateway_append_retries_total", g.Retries)
	for p, wk := range n.workers {
		v := wk.View()
		c := v.Counters
		label := func(name string) string { return fmt.Sprintf(`leat_worker_%s{partition="%d"}`, name, p) }
		count(label("records_total"), c.Records)
		count(label("entries_total"), c.Entries)
		count(label("rows_total"), c.Rows)
		count(label("duplicates_total"), c.Duplicates)
		count(label("gaps_total"), c.Gaps)
		count(label("mismatches_total"), c.Mismatches)
		count(label("fenced_total"), c.Fenced)
		count(label("orphans_total"), c.Orphans)
		count(label("undecoded_total"), c.Undecoded)
		count(label("second_lanes_total"), c.Lanes)
		count(label("windows_shed_total"), c.Shed)
		count(label("overflows_total"), c.Overflows)
		count(label("results_total"), c.Results)
		var tooLate, rejects int64
		for _, p := range v.Pipelines {
			tooLate, rejects = tooLate+p.TooLate, rejects+p.Rejects
		}
		count(label("too_late_total"), uint64(tooLate))
		count(label("rejects_total"), uint64(rejects))
	}
	connected := n.connected()
	s.NewGauge("leat_agents_connected", func() float64 { return float64(len(connected)) })
	s.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}
