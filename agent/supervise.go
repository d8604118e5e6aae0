package agent

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/wire"
)

const planPrefix = "plan/"

// supervise runs the pipelines that the cloud wants here: first those kept on
// disk, so that a gateway works without any cloud, then each new set.
func (a *Agent) supervise(ctx context.Context) error {
	var pipes sync.WaitGroup
	defer func() {
		pipes.Wait() // a pipeline that starts late feeds its stream
		a.stopFeeds()
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := a.keepOwner(); err != nil {
		return err
	}
	plans, err := a.keptPlans()
	if err != nil {
		return err
	}
	if err := a.loadLabels(); err != nil {
		return err
	}
	tick := time.NewTicker(drainCheck)
	defer tick.Stop()
	for {
		a.start(ctx, plans, &pipes, cancel)
		if err := a.finishOldLanes(ctx); err != nil {
			return err
		}
		set, err := a.nextSet(ctx, tick.C)
		if err != nil {
			return err
		}
		if set == nil {
			continue
		}
		next := a.readSet(plans, set)
		relabelled, err := a.takeLabels(set.Labels)
		if err != nil {
			return err
		}
		a.stop(next, relabelled)
		if err := errors.Join(a.keepPlans(plans, next), a.dropOrphanSinks(next)); err != nil {
			return err
		}
		plans = next
		a.revision.Store(set.Revision)
	}
}

// drainCheck is how often drained lanes are looked for, and failures with old ones retried.
const drainCheck = 5 * time.Second

// nextSet waits for a new set of plans; none means that it is time to look after old lanes.
func (a *Agent) nextSet(ctx context.Context, tick <-chan time.Time) (*wire.Plans, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case set := <-a.desired:
		return set, nil
	case <-tick:
		return nil, a.dropDrained()
	}
}

// readSet reads a set of plans. One that this build cannot read is reported and
// holds up no other; as it does not say whose it is, nothing that runs is taken for deleted then.
func (a *Agent) readSet(old map[string]*plan.Plan, set *wire.Plans) map[string]*plan.Plan {
	out := map[string]*plan.Plan{}
	whole := true
	for _, b := range set.Plans {
		p, err := plan.Unmarshal(b)
		if err != nil {
			whole = false
			a.cfg.Log.Error("a plan from the cloud cannot be read; upgrade the agent", "error", err)
			continue
		}
		out[p.PipelineId] = p
	}
	for id, p := range old {
		if !whole && out[id] == nil {
			out[id] = p
		}
	}
	return out
}

func (a *Agent) keptPlans() (map[string]*plan.Plan, error) {
	out := map[string]*plan.Plan{}
	err := a.store.Range(planPrefix, func(key string, value []byte) error {
		p, err := plan.Unmarshal(value)
		if err != nil {
			a.cfg.Log.Error("a plan in the store cannot be read; the cloud will send it again", "key", key, "error", err)
			return nil
		}
		out[p.PipelineId] = p
		return nil
	})
	return out, err
}

// keepPlans writes a new set to disk. The plan of a lane that the new set no
// longer writes is kept until the lane is drained.
func (a *Agent) keepPlans(old, next map[string]*plan.Plan) error {
	b := &checkpoint.Batch{}
	put := func(key string, p *plan.Plan) error {
		data, err := plan.Marshal(p)
		b.Puts = append(b.Puts, checkpoint.Entry{Key: key, Value: data})
		return err
	}
	for id, p := range next {
		if err := put(planPrefix+id, p); err != nil {
			return err
		}
	}
	for id, p := range old {
		if next[id] == nil {
			b.Puts = append(b.Puts, checkpoint.Entry{Key: planPrefix + id})
			if err := a.endVersions(b, id); err != nil {
				return err
			}
		} else if laneOf(p) == laneOf(next[id]) {
			continue
		}
		if err := errors.Join(put(oldPrefix+laneOf(p), p), a.handOn(b, p, next[id])); err != nil {
			return err
		}
		// One that begins where the other began goes on with its windows: the other ends at once.
		if n := next[id]; n != nil && n.StartsAtMicros != 0 && n.StartsAtMicros != p.StartsAtMicros {
			b.Puts = append(b.Puts, checkpoint.Entry{Key: untilPrefix + laneOf(p), Value: binary.AppendVarint(nil, n.StartsAtMicros)})
		}
	}
	if len(b.Puts) == 0 {
		return nil
	}
	return a.store.Commit(b)
}

// stop ends what should no longer run as it does; all of it when the agent's labels have changed.
func (a *Agent) stop(want map[string]*plan.Plan, all bool) {
	a.mu.Lock()
	var ended []*running
	for id, r := range a.running {
		if p := want[id]; p == nil || p.Version != r.plan.Version || all {
			ended = append(ended, r)
			delete(a.running, id)
		}
	}
	a.mu.Unlock()
	for _, r := range ended {
		r.cancel()
		<-r.done
		why := "a new version replaces it"
		switch p := want[r.plan.PipelineId]; {
		case p == nil:
			why = "it was deleted, or no longer selects this agent"
		case p.Version == r.plan.Version:
			why = "it starts again, as the agent's labels have changed"
		}
		a.cfg.Log.Info("pipeline stopped: "+why, "pipeline", r.plan.Pipeline, "version", r.plan.Version)
		a.unfeed(laneOf(r.plan))
	}
}

// unfeed takes a stream from the session.
func (a *Agent) unfeed(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if stop := a.feeds[name]; stop != nil {
		stop()
		delete(a.feeds, name)
	}
}

// start runs what should run and does not.
func (a *Agent) start(ctx context.Context, want map[string]*plan.Plan, pipes *sync.WaitGroup, fail context.CancelCauseFunc) {
	for id, p := range want {
		a.mu.Lock()
		if a.running[id] == nil {
			runCtx, cancel := context.WithCancel(ctx)
			r := &running{plan: p, cancel: cancel, done: make(chan struct{}), state: "starting"}
			a.running[id] = r
			pipes.Add(1)
			go func() {
				defer pipes.Done()
				defer close(r.done)
				if err := a.keepRunning(runCtx, r); err != nil {
					fail(err)
				}
			}()
		}
		a.mu.Unlock()
	}
}

// keepRunning runs a pipeline and starts it again after failures that may
// pass. It returns an error when the whole agent must end: the store failed.
func (a *Agent) keepRunning(ctx context.Context, r *running) error {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := a.runOnce(ctx, r)
		if ctx.Err() != nil {
			r.set("stopped", "")
			return nil
		}
		if errors.Is(err, checkpoint.ErrFailed) || errors.Is(err, checkpoint.ErrClosed) {
			return err
		}
		r.set("failed", fmt.Sprint(err))
		a.cfg.Log.Error("pipeline failed", "pipeline", r.plan.Pipeline, "version", r.plan.Version, "error", err, "retry_in", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			r.set("stopped", "")
			return nil
		}
	}
}

func (r *running) set(state, why string) {
	r.mu.Lock()
	r.state, r.why = state, why
	r.mu.Unlock()
}

// runOnce starts a pipeline and runs it until it ends.
func (a *Agent) runOnce(ctx context.Context, r *running) (err error) {
	resolved, err := a.resolve(r.plan)
	if err != nil {
		return err
	}
	functions, err := a.functions(ctx, resolved)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, functions.Close()) }()
	older, err := a.olderVersions(r.plan)
	if err != nil {
		return err
	}
	for i := range older {
		f, err := a.functions(ctx, older[i].Plan)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		older[i].Functions = f
	}
	src, err := OpenSource(resolved, SourceOptions{
		ClientID: a.clientID(r.plan), SecretsDir: a.cfg.SecretsDir,
		Store: sourceStore{a.store, r.plan}, Log: a.cfg.Log,
	})
	if err != nil {
		return err
	}
	p, err := newPipeline(pipelineConfig{
		Agent: a.id.ID, Epoch: a.id.Epoch, Plan: resolved, Older: older, Store: a.store, Source: src, Functions: functions, Lookups: lookups{ctx, a}, Sinks: a.sinkOptions(r.plan),
		Clock: a.cfg.Clock, CloudTime: a.cloudTime, Log: a.cfg.Log, Commit: a.cfg.CommitInterval,
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.pipe, r.state, r.why = p, "running", ""
	r.mu.Unlock()
	a.feed(laneOf(r.plan), r.plan.PipelineId, r.plan.LaneVersion(), func(w int64) { p.cloudWatermark.Store(w) })
	a.cfg.Log.Info("pipeline running", "pipeline", r.plan.Pipeline, "version", r.plan.Version)
	return p.run(ctx)
}

func (a *Agent) functions(ctx context.Context, p *plan.Plan) (*engine.Functions, error) {
	return engine.NewFunctions(ctx, a.host, p, func(m *plan.Module) ([]byte, error) { return a.module(ctx, m) })
}

// clientID is how a pipeline's MQTT clients are known to a broker.
func (a *Agent) clientID(p *plan.Plan) string { return "leat-" + a.id.ID + "-" + p.PipelineId }

func (a *Agent) sinkOptions(p *plan.Plan) SinkOptions {
	return SinkOptions{Dir: a.cfg.DataDir, ClientID: a.clientID(p), SecretsDir: a.cfg.SecretsDir}
}

// feed gives a stream of the store to the session.
func (a *Agent) feed(name, pipelineID string, version uint64, acked func(int64)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if stop := a.feeds[name]; stop != nil {
		stop()
	}
	o := &outbox{Stream: a.store.Stream(name), state: func() ([]byte, error) { return a.store.Get(statePrefix + name) }, acked: acked}
	a.feeds[name] = a.client.Feed(transport.StreamKey{Pipeline: pipelineID, Version: version, Epoch: a.id.Epoch}, o)
}

func (a *Agent) stopFeeds() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, stop := range a.feeds {
		stop()
		delete(a.feeds, name)
	}
}
