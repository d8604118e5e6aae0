package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/leatio/leat/agent/source"
	"github.com/leatio/leat/checkpoint"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/wire"
)

// oldPrefix files the plans of lanes that no pipeline writes any more and that
// are not drained yet, by stream.
const oldPrefix = "old/"

// finishLane flushes what a replaced version has acknowledged but not sent, in a
// last frame that says that nothing more will come; one that never had a frame
// too, as the cloud expects it. Doing it again does nothing.
// It does not wait for room: the lanes whose frames fill the outbox are fed by its caller.
func (a *Agent) finishLane(ctx context.Context, p *plan.Plan) (err error) {
	p, err = a.resolve(p)
	if err != nil {
		return err
	}
	functions, err := engine.NewFunctions(ctx, a.host, p, func(m *plan.Module) ([]byte, error) { return a.module(ctx, m) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, functions.Close()) }()
	pipe, err := newPipeline(pipelineConfig{
		Agent: a.id.ID, Epoch: a.id.Epoch, Plan: p, Store: a.store, Source: silent{}, Functions: functions, Lookups: lookups{ctx, a}, Sinks: a.sinkOptions(p),
		Clock: a.cfg.Clock, CloudTime: a.cloudTime, Log: a.cfg.Log, Commit: a.cfg.CommitInterval,
	})
	if err != nil {
		return err
	}
	pipe.packer.last = true
	b, err := pipe.pack(pipe.all())
	if err != nil || len(b.Records) == 0 {
		return err
	}
	return a.store.Commit(b)
}

// silent is the source of a lane that takes no more rows.
type silent struct{ source.Source }

// finishOldLanes feeds and finishes the lanes of replaced versions, after a
// start, after a new set of plans and from time to time, as the outbox may have been full.
func (a *Agent) finishOldLanes(ctx context.Context) error {
	old := map[string]*plan.Plan{}
	err := a.store.Range(oldPrefix, func(key string, value []byte) error {
		p, err := plan.Unmarshal(value)
		if err != nil {
			a.cfg.Log.Error("the plan of an old lane cannot be read; its rows stay in the store", "lane", key, "error", err)
			return nil
		}
		old[strings.TrimPrefix(key, oldPrefix)] = p
		return nil
	})
	if err != nil {
		return err
	}
	for name, p := range old {
		dropped, err := a.halfDropped(name)
		if err != nil {
			return err
		}
		if dropped {
			if err := a.dropLane(name); err != nil {
				return err
			}
			continue
		}
		if !a.isFed(name) {
			a.feed(name, p.PipelineId, p.LaneVersion(), func(int64) {})
		}
		if a.finished[name] {
			continue
		}
		takes, err := a.takesRows(name)
		if err != nil {
			return err
		}
		if takes {
			continue
		}
		if err := a.finishLane(ctx, p); err != nil {
			if errors.Is(err, checkpoint.ErrFailed) || ctx.Err() != nil {
				return err
			}
			a.cfg.Log.Error("the last rows of a replaced version cannot be sent yet; trying again later", "pipeline", p.Pipeline, "version", p.Version, "error", err)
			continue
		}
		a.finished[name] = true
	}
	return nil
}

// halfDropped tells whether the agent died while it dropped a lane: its frames are
// gone and its state says that there were some.
func (a *Agent) halfDropped(name string) (bool, error) {
	if st := a.store.Stream(name); st.Next() != 1 || st.JournalBytes() != 0 {
		return false, nil
	}
	value, err := a.store.Get(statePrefix + name)
	if err != nil || value == nil {
		return false, err
	}
	last, _, err := lastOfState(value)
	return last > 0, err
}

func (a *Agent) isFed(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.feeds[name] != nil
}

// dropDrained forgets old lanes whose frames are all acknowledged, and those
// of pipelines that the cloud no longer knows: their operator deleted them.
func (a *Agent) dropDrained() error {
	deleted := map[string]bool{}
	for _, st := range a.client.Streams() {
		var refusal *transport.Refusal
		if errors.As(st.Err, &refusal) && refusal.Code == wire.CodeUnknown {
			deleted[streamName(st.Key.Pipeline, st.Key.Version, st.Key.Lane)] = true
		}
	}
	var names []string
	err := a.store.Range(oldPrefix, func(key string, _ []byte) error {
		name := strings.TrimPrefix(key, oldPrefix)
		if s := a.store.Stream(name); deleted[name] || a.finished[name] && s.First() == s.Next() {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		a.cfg.Log.Info("old lane is dropped", "lane", name, "drained", !deleted[name])
		if err := a.dropLane(name); err != nil {
			return err
		}
	}
	return nil
}

// dropLane forgets a stream and what was filed under it.
func (a *Agent) dropLane(name string) error {
	a.unfeed(name)
	delete(a.finished, name)
	if err := a.store.DropStream(name); err != nil {
		return fmt.Errorf("lane %s: %w", name, err)
	}
	if err := dropSteps(a.store, name); err != nil {
		return fmt.Errorf("lane %s: %w", name, err)
	}
	return a.store.Commit(&checkpoint.Batch{Puts: []checkpoint.Entry{{Key: oldPrefix + name}, {Key: statePrefix + name}}})
}
