package cloud

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/wire"
)

// session is a live session of an agent.
type session struct {
	agent *control.Agent
	wire  *transport.ServerSession
	since time.Time

	status *wire.Status // newest; guarded by Node.mu
	holds  holding      // guarded by Node.mu
}

// Join redeems a token.
func (n *Node) Join(ctx context.Context, req *wire.JoinRequest, remote net.Addr) (*wire.Joined, error) {
	j, err := n.fleet.Join(ctx, req)
	if err != nil {
		n.cfg.Log.Warn("join refused", "remote", remote, "name", req.Name, "error", err)
		return nil, err
	}
	n.cfg.Log.Info("agent joined", "agent", j.AgentId, "epoch", j.Epoch, "remote", remote)
	return j, nil
}

// Renew issues a new certificate.
func (n *Node) Renew(ctx context.Context, agentID string, csr []byte) (*wire.Joined, error) {
	return n.fleet.Renew(ctx, agentID, csr)
}

// Authorize lets only members of the fleet in.
func (n *Node) Authorize(agentID, _ string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := n.fleet.Agent(ctx, agentID)
	if errors.Is(err, control.ErrNotFound) {
		return transport.Refuse(wire.CodeRevoked, "agent %s is not a member of this fleet; join it anew with a token", agentID)
	}
	return err
}

// Fetch gives a function module or a reference table.
func (n *Node) Fetch(ctx context.Context, _ string, sha256 [32]byte) ([]byte, error) {
	b, err := n.registry.Module(ctx, sha256)
	if errors.Is(err, control.ErrNotFound) {
		b, err = n.registry.LookupContent(ctx, sha256)
	}
	if errors.Is(err, control.ErrNotFound) {
		return nil, transport.Refuse(wire.CodeUnknown, "there is no module or reference table %x here; apply the pipeline again", sha256)
	}
	return b, err
}

// Session serves one session.
func (n *Node) Session(ctx context.Context, s *transport.ServerSession) error {
	agent, err := n.fleet.Agent(ctx, s.AgentID())
	if err != nil {
		return err
	}
	if hello := s.Hello(); hello.StoreEpoch != agent.Epoch {
		return transport.Refuse(wire.CodeEpoch, "the store has epoch %d, the fleet knows %s with epoch %d: the id joined again elsewhere; empty the data directory and join with another name",
			hello.StoreEpoch, agent.ID, agent.Epoch)
	}
	se := &session{agent: agent, wire: s, since: n.cfg.Clock(), holds: holding{lanes: map[laneVersion]bool{}}}
	for _, ref := range s.Hello().Plans {
		se.holds.lanes[laneVersion{ref.PipelineId, cmp.Or(ref.LaneVersion, ref.Version)}] = true
	}
	n.mu.Lock()
	n.sessions[agent.ID] = se
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		if n.sessions[agent.ID] == se {
			delete(n.sessions, agent.ID)
		}
		n.mu.Unlock()
	}()
	n.cfg.Log.Info("agent connected", "agent", agent.ID, "remote", s.Remote())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.pushPlans(ctx, se) })
	g.Go(func() error { return n.takeStatus(ctx, se) })
	g.Go(func() error {
		for {
			stream, err := s.AcceptStream(ctx)
			if err != nil {
				return err
			}
			g.Go(func() error { return n.serveStream(ctx, agent, stream) })
		}
	})
	return g.Wait()
}

// maxLanes bounds the lanes of an agent's pipeline version.
const maxLanes = 16

// serveStream serves one data stream; its end is not the session's.
func (n *Node) serveStream(ctx context.Context, agent *control.Agent, s *transport.ServerStream) error {
	// Workers keep every lane and epoch that they have seen.
	if o := s.Open(); o.Epoch != agent.Epoch || o.Lane >= maxLanes {
		s.Refuse(wire.CodeBadMessage, fmt.Sprintf("a stream of epoch %d and lane %d in a session of epoch %d; lanes go up to %d", o.Epoch, o.Lane, agent.Epoch, maxLanes-1))
		return nil
	}
	if err := n.gateway.Serve(ctx, agent.ID, s); err != nil && ctx.Err() == nil && !transport.Ended(err) {
		n.cfg.Log.Info("stream ended", "agent", agent.ID, "pipeline", s.Open().PipelineId, "error", err)
	}
	return nil
}

func (n *Node) takeStatus(ctx context.Context, se *session) error {
	for {
		st, err := se.wire.Status(ctx)
		if err != nil {
			return err
		}
		n.mu.Lock()
		se.status = st
		n.mu.Unlock()
	}
}

func (n *Node) connected() map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[string]bool, len(n.sessions))
	for id := range n.sessions {
		out[id] = true
	}
	return out
}

// held gives what each connected agent has been given or has on its disk.
func (n *Node) held() map[string]*holding {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[string]*holding, len(n.sessions))
	for id, se := range n.sessions {
		out[id] = &holding{maps.Clone(se.holds.lanes), se.holds.whole}
	}
	return out
}

// pushPlans sends an agent its set of plans, now and whenever it changes.
func (n *Node) pushPlans(ctx context.Context, se *session) error {
	for {
		changed := n.registry.Changed()
		if err := n.sendPlans(ctx, se); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendPlans sends an agent the plans that its labels select.
func (n *Node) sendPlans(ctx context.Context, se *session) error {
	pipelines, err := n.registry.List(ctx)
	if err != nil {
		return err
	}
	set := &wire.Plans{Revision: uint64(n.cfg.Clock().UnixMicro()), Labels: se.agent.Labels}
	for _, p := range pipelines {
		chosen, err := plan.Matches(p.Agents, se.agent.Labels)
		if err != nil {
			return fmt.Errorf("pipeline %s: %w", p.Name, err)
		}
		if !chosen {
			continue
		}
		pl, err := n.registry.Plan(p.ID, p.Version)
		if errors.Is(err, worker.ErrNoPlan) {
			continue // deleted since it was listed
		}
		if err != nil {
			return fmt.Errorf("pipeline %s: %w", p.Name, err)
		}
		b, err := plan.Marshal(pl)
		if err != nil {
			return err
		}
		set.Plans = append(set.Plans, b)
		n.mu.Lock()
		se.holds.lanes[laneVersion{p.ID, p.StateVersion}] = true
		n.mu.Unlock()
		if err := n.members.ensure(ctx, p, se.agent); err != nil {
			return fmt.Errorf("pipeline %s: %w", p.Name, err)
		}
	}
	n.mu.Lock()
	se.holds.whole = true
	n.mu.Unlock()
	se.wire.SendPlans(set)
	return nil
}

// maxAsideBytes bounds what is set aside between two starts of the node: objects
// share their room with checkpoints.
const maxAsideBytes = 256 << 20

// setAside keeps the bytes of a frame that cannot be decoded.
func (n *Node) setAside(ctx context.Context, agent string, h wire.Header, frame []byte, reason string) error {
	if n.aside.Add(int64(len(frame))) > maxAsideBytes {
		n.cfg.Log.Error("frame not kept: too many were set aside since the start", "agent", agent, "pipeline", h.Pipeline, "version", h.Version, "frame", h.From, "reason", reason)
		return nil
	}
	name := fmt.Sprintf("aside/%s/%d/%s/%d/%d/%d", agent, h.Epoch, h.Pipeline, h.Version, h.Lane, h.From)
	n.cfg.Log.Error("frame kept", "object", name, "reason", reason, "head", hex.EncodeToString(frame[:min(16, len(frame))]))
	return n.store.PutObject(ctx, name, frame)
}
