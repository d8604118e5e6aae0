package cloud

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/cloud/gateway"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine/plan"
)

const (
	membersEvery = 10 * time.Second // how often the fleet is compared with what the logs say
	readyWait    = 5 * time.Second  // for a partition's worker, before its records are written blindly
)

// laneVersion names a pipeline version that has lanes of its own.
type laneVersion struct {
	pipeline string
	version  uint64
}

// members writes into the partitions' logs which agents are expected to send frames
// of which pipeline, and which of them cannot be reached. Workers act on nothing else.
type members struct {
	node    *Node
	watcher watcher // owned by run

	mu      sync.Mutex
	ensured map[laneVersion]bool // all agents of the fleet that it chooses are in the logs; guarded by mu
}

func newMembers(n *Node) *members {
	return &members{node: n, watcher: newWatcher(), ensured: map[laneVersion]bool{}}
}

// run compares until ctx ends.
func (m *members) run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var compared time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now := m.node.cfg.Clock()
		err := m.watch(ctx, now)
		if err == nil && now.Sub(compared) >= membersEvery {
			compared = now
			err = m.compare(ctx)
		}
		if err != nil && ctx.Err() == nil {
			m.node.cfg.Log.Warn("who is expected to send was not compared with the logs; trying again", "error", err)
		}
	}
}

// watch writes down which agents cannot be reached, and for which the wait is over.
func (m *members) watch(ctx context.Context, now time.Time) error {
	n := m.node
	sessions := n.held()
	patience := m.patience(ctx)
	said := map[record.Member]bool{}
	for p, w := range n.workers {
		var out []record.Member
		w.Members(func(k worker.MemberKey, v worker.MemberView) {
			if state, due := m.watcher.due(now, p, k, v, sessions[k.Agent], patience); due {
				out = append(out, record.Member{Agent: k.Agent, Pipeline: k.Pipeline, Version: k.Version, State: state})
			}
		})
		if len(out) == 0 {
			continue
		}
		for _, s := range out {
			said[s] = true
		}
		if err := n.gateway.Members(ctx, p, out); err != nil {
			return err
		}
	}
	m.watcher.sweep(now)
	for s := range said {
		n.cfg.Log.Info("agent and pipeline: "+membershipText(s.State), "agent", s.Agent, "pipeline", s.Pipeline, "version", s.Version)
	}
	return nil
}

// membershipText says what becomes of an agent in a pipeline.
func membershipText(s record.Membership) string {
	switch s {
	case record.Away:
		return "it cannot be reached"
	case record.Passed:
		return "windows no longer wait for it"
	default:
		return "nothing is expected of it any more"
	}
}

// patience gives how long a pipeline version waits, as its newest version with the same lanes says.
func (m *members) patience(ctx context.Context) func(laneVersion) (patience, bool) {
	newest := map[laneVersion]uint64{}
	if pipelines, err := m.node.registry.List(ctx); err == nil {
		for _, p := range pipelines {
			newest[laneVersion{p.ID, p.StateVersion}] = p.Version
		}
	}
	return func(k laneVersion) (patience, bool) {
		version := k.version
		if v, ok := newest[k]; ok {
			version = v
		}
		p, err := m.node.registry.Plan(k.pipeline, version)
		if err != nil {
			return patience{}, false
		}
		micros := func(d int64) time.Duration { return time.Duration(d) * time.Microsecond }
		return patience{wait: micros(p.AwayWaitMicros), keep: micros(p.KeepMicros), quorum: p.AwayQuorum > 0 && p.AwayQuorum < 1}, true
	}
}

// compare repairs what the logs lack of the pipelines' agents.
func (m *members) compare(ctx context.Context) error {
	pipelines, err := m.node.registry.List(ctx)
	if err != nil {
		return err
	}
	fleet, err := m.node.fleet.Agents(ctx)
	if err != nil {
		return err
	}
	for _, p := range pipelines {
		if err := m.enter(ctx, p, fleet); err != nil {
			return err
		}
	}
	return nil
}

// ensure is called before a pipeline is given to an agent: the logs expect the agents of the
// fleet that it chooses before the first of them can send.
func (m *members) ensure(ctx context.Context, p *control.Pipeline, agent *control.Agent) error {
	k := laneVersion{p.ID, p.StateVersion}
	m.mu.Lock()
	done := m.ensured[k]
	m.mu.Unlock()
	if done {
		return m.enter(ctx, p, []*control.Agent{agent})
	}
	fleet, err := m.node.fleet.Agents(ctx)
	if err != nil {
		return err
	}
	if err := m.enter(ctx, p, fleet); err != nil {
		return err
	}
	m.mu.Lock()
	m.ensured[k] = true
	m.mu.Unlock()
	return nil
}

// enter writes those of some agents that a pipeline chooses into its partitions' logs, where they are missing.
func (m *members) enter(ctx context.Context, p *control.Pipeline, agents []*control.Agent) error {
	pl, err := m.node.registry.Plan(p.ID, p.StateVersion)
	if errors.Is(err, worker.ErrNoPlan) {
		return nil // deleted since it was listed
	}
	if err != nil {
		return err
	}
	var chosen []string
	for _, a := range agents {
		ok, err := plan.Matches(p.Agents, a.Labels)
		if err != nil {
			return err
		}
		if ok {
			chosen = append(chosen, a.ID)
		}
	}
	for _, part := range gateway.PartitionsOf(pl, len(m.node.workers)) {
		w := m.node.workers[part]
		if err := awaitReady(ctx, w); err != nil {
			return err
		}
		var out []record.Member
		for _, id := range chosen {
			v, ok := w.Member(worker.MemberKey{Pipeline: p.ID, Version: p.StateVersion, Agent: id})
			if !ok || v.Removed {
				out = append(out, record.Member{Agent: id, Pipeline: p.ID, Version: p.StateVersion, State: record.Expected})
			}
		}
		if err := m.node.gateway.Members(ctx, part, out); err != nil {
			return err
		}
	}
	return nil
}

// awaitReady waits until a partition's worker knows what its log says, but not for ever.
func awaitReady(ctx context.Context, w *worker.Worker) error {
	ctx2, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	select {
	case <-w.Ready():
	case <-ctx2.Done():
	}
	return ctx.Err()
}
