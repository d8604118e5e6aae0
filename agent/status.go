package agent

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/leatio/leat/agent/sink"
	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/wire"
)

// PipelineView is how a pipeline fares on this agent.
type PipelineView struct {
	ID, Name string
	Version  uint64
	State    string // starting | running | failed | stopped
	Reason   string
	Totals   Totals
	Source   source.Status
	Waiting  uint64 // frames in the outbox: not sent, or sent and not acknowledged
	Acked    uint64 // frames that the cloud acknowledged
	Sinks    []sink.Stats
}

// View is how the agent fares.
type View struct {
	ID        string
	Link      transport.Link
	Pipelines []PipelineView
	Streams   []transport.StreamStatus
	Outbox    OutboxView
}

// OutboxView is how full the outbox is.
type OutboxView struct {
	LiveBytes, UsedBytes, LimitBytes int64
	Commits                          uint64
}

// View gives how the agent fares.
func (a *Agent) View() View {
	st := a.store.Stats()
	v := View{
		ID: a.id.ID, Link: a.client.Link(), Streams: a.client.Streams(),
		Outbox: OutboxView{LiveBytes: st.LiveBytes, UsedBytes: st.UsedBytes, LimitBytes: st.LimitBytes, Commits: st.Commits},
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.running {
		v.Pipelines = append(v.Pipelines, r.view())
	}
	slices.SortFunc(v.Pipelines, func(x, y PipelineView) int { return cmp.Compare(x.Name, y.Name) })
	return v
}

func (r *running) view() PipelineView {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := PipelineView{ID: r.plan.PipelineId, Name: r.plan.Pipeline, Version: r.plan.Version, State: r.state, Reason: r.why}
	if r.pipe != nil {
		v.Totals, v.Source = r.pipe.Totals(), r.pipe.source.Status()
		out := r.pipe.store.Stream(r.pipe.packerStream())
		first := out.First() // before Next, which only rises
		v.Waiting, v.Acked = out.Next()-first, first-1
		v.Sinks = r.pipe.sinks.stats()
	}
	return v
}

// report sends a status every second.
func (a *Agent) report(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			a.client.SendStatus(a.status())
		}
	}
}

func (a *Agent) status() *wire.Status {
	v := a.View()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	s := &wire.Status{
		ClockMicros: a.cfg.Clock().UnixMicro(), PlansRevision: a.revision.Load(),
		OutboxBytes: uint64(v.Outbox.LiveBytes), OutboxLimitBytes: uint64(v.Outbox.LimitBytes), MemoryBytes: mem.Sys,
	}
	waiting := map[string]uint64{}
	for _, st := range v.Streams {
		waiting[st.Key.Pipeline] += st.Sent - min(st.Acked, st.Sent)
	}
	for _, p := range v.Pipelines {
		s.Pipelines = append(s.Pipelines, &wire.PipelineStatus{
			PipelineId: p.ID, Version: p.Version, State: p.State, Reason: p.Reason,
			Rows: p.Totals.Rows, Rejects: p.Totals.Rejects, LateRows: p.Totals.Late,
			BytesRaw: p.Totals.RawBytes, BytesSent: p.Totals.SentBytes, Watermark: p.Totals.Watermark,
			SourceConnected: p.Source.Connected, SourceError: p.Source.Detail, FramesWaiting: waiting[p.ID],
		})
	}
	return s
}
