package control

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	cloudlog "github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/internal/labels"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

// Agent is a member of the fleet.
type Agent struct {
	ID      string            `json:"id"`
	Epoch   uint64            `json:"epoch"` // of its store; rises when the id joins anew
	Labels  map[string]string `json:"labels,omitempty"`
	Serial  string            `json:"serial"` // of its newest certificate
	Joined  time.Time         `json:"joined"`
	Expires time.Time         `json:"expires"` // of its newest certificate
}

// Fleet keeps join tokens and agents.
type Fleet struct {
	keys  cloudlog.Keys
	ca    *identity.CA
	now   func() time.Time
	life  time.Duration // of agents' certificates
	addrs func() []string
}

// CertificateLife is how long an agent's certificate is good for.
const CertificateLife = 30 * 24 * time.Hour

// NewFleet returns a fleet under a CA. addrs gives the addresses that tokens name.
func NewFleet(keys cloudlog.Keys, ca *identity.CA, addrs func() []string, now func() time.Time) *Fleet {
	return &Fleet{keys: keys, ca: ca, now: now, life: CertificateLife, addrs: addrs}
}

// Token mints a join token and keeps its record. The error wraps ErrRequest
// where the options are wrong.
func (f *Fleet) Token(ctx context.Context, o identity.TokenOptions) (string, identity.TokenRecord, error) {
	if err := checkToken(o); err != nil {
		return "", identity.TokenRecord{}, fmt.Errorf("token: %w: %w", ErrRequest, err)
	}
	o.Pin = f.ca.Pin()
	if len(o.Addrs) == 0 {
		o.Addrs = f.addrs()
	}
	token, record, err := identity.MintToken(o, f.now())
	if err != nil {
		return "", record, err
	}
	return token, record, putJSON(ctx, f.keys, "tokens/"+record.ID, record, 0)
}

// checkToken finds what would only be found when an agent joins.
func checkToken(o identity.TokenOptions) error {
	if errs := labels.Check(o.Labels); len(errs) > 0 {
		return errs[0]
	}
	if o.Life < 0 || o.Uses < 0 {
		return fmt.Errorf("life %s and uses %d must be above 0", o.Life, o.Uses)
	}
	if o.Name == "" {
		return nil
	}
	return identity.CheckAgentID(o.Name)
}

// Join redeems a token: one use of it is taken and the agent is entered, each by compare-and-set.
func (f *Fleet) Join(ctx context.Context, req *wire.JoinRequest) (*wire.Joined, error) {
	t, err := identity.ParseToken(req.Token)
	if err != nil {
		return nil, transport.Refuse(wire.CodeToken, "%v", err)
	}
	if errs := labels.Check(req.Labels); len(errs) > 0 {
		return nil, transport.Refuse(wire.CodeBadMessage, "%v", errs[0])
	}
	record, id, err := f.redeem(ctx, t, req.Name)
	if err != nil {
		return nil, err
	}
	cert, err := f.ca.IssueAgent(req.Csr, id, f.now(), f.life)
	if err != nil {
		return nil, transport.Refuse(wire.CodeBadMessage, "%v", err)
	}
	all := maps.Clone(req.Labels)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, record.Labels)
	agent := Agent{ID: id, Labels: all, Serial: identity.Serial(cert), Joined: f.now().UTC(), Expires: cert.NotAfter}
	if err := f.enter(ctx, &agent, record.Name != ""); err != nil {
		return nil, err
	}
	return &wire.Joined{AgentId: id, Chain: [][]byte{cert.Raw}, Ca: f.ca.Certificate().Raw, Epoch: agent.Epoch}, nil
}

// redeem takes one use of a token, and gives the id that the agent will have: the token's, else the
// one that it wishes for. A wish that cannot be met takes no use.
func (f *Fleet) redeem(ctx context.Context, t identity.Token, wish string) (record identity.TokenRecord, id string, err error) {
	key := "tokens/" + t.ID
	for {
		old, revision, err := getJSON[identity.TokenRecord](ctx, f.keys, key)
		if errors.Is(err, ErrNotFound) {
			return record, "", transport.Refuse(wire.CodeToken, "the join token is not known here; mint a new one with `leat fleet token`")
		}
		if err != nil {
			return record, "", err
		}
		if record, err = old.Redeem(t, f.now()); err != nil {
			return record, "", transport.Refuse(wire.CodeToken, "%v", err)
		}
		id = cmp.Or(record.Name, wish)
		if err := identity.CheckAgentID(id); err != nil {
			return record, "", transport.Refuse(wire.CodeToken, "%v; set the agent's name in its config", err)
		}
		if _, err := f.Agent(ctx, id); err == nil && record.Name == "" {
			return record, "", memberAlready(id)
		}
		err = putJSON(ctx, f.keys, key, record, revision)
		if !errors.Is(err, cloudlog.ErrConflict) {
			return record, id, err
		}
	}
}

// memberAlready refuses an id that another agent has: only a token for that very
// id lets a gateway that has lost its data directory take its place again.
func memberAlready(id string) error {
	return transport.Refuse(wire.CodeToken, "%s is a member of the fleet already: give this agent another name (name in its config), or, if it has lost its data directory, mint a token for it: leat fleet token --name %s", id, id)
}

// enter writes an agent. One that joins anew, with a token for its id, gets the next store epoch: its
// old numbers and an old store's frames are refused from then on.
func (f *Fleet) enter(ctx context.Context, a *Agent, again bool) error {
	key := "agents/" + a.ID
	for {
		old, revision, err := getJSON[Agent](ctx, f.keys, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		a.Epoch = 1
		if old != nil {
			if !again {
				return memberAlready(a.ID) // another one was faster
			}
			a.Epoch = old.Epoch + 1
		}
		err = putJSON(ctx, f.keys, key, a, revision)
		if !errors.Is(err, cloudlog.ErrConflict) {
			return err
		}
	}
}

// Renew issues a new certificate to an agent that the fleet knows.
func (f *Fleet) Renew(ctx context.Context, id string, csr []byte) (*wire.Joined, error) {
	key := "agents/" + id
	for {
		agent, revision, err := getJSON[Agent](ctx, f.keys, key)
		if errors.Is(err, ErrNotFound) {
			return nil, transport.Refuse(wire.CodeRevoked, "agent %s is not a member of the fleet any more", id)
		}
		if err != nil {
			return nil, err
		}
		cert, err := f.ca.IssueAgent(csr, id, f.now(), f.life)
		if err != nil {
			return nil, transport.Refuse(wire.CodeBadMessage, "%v", err)
		}
		agent.Serial, agent.Expires = identity.Serial(cert), cert.NotAfter
		err = putJSON(ctx, f.keys, key, agent, revision)
		if errors.Is(err, cloudlog.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &wire.Joined{AgentId: id, Chain: [][]byte{cert.Raw}, Ca: f.ca.Certificate().Raw, Epoch: agent.Epoch}, nil
	}
}

// Agent gives a member of the fleet.
func (f *Fleet) Agent(ctx context.Context, id string) (*Agent, error) {
	a, _, err := getJSON[Agent](ctx, f.keys, "agents/"+id)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("agent %q: %w", id, ErrNotFound)
	}
	return a, err
}

// Agents gives all members in order of their ids.
func (f *Fleet) Agents(ctx context.Context) ([]*Agent, error) {
	return listJSON[Agent](ctx, f.keys, "agents/")
}

// Pin is the CA's fingerprint in hexadecimal.
func (f *Fleet) Pin() string {
	p := f.ca.Pin()
	return hex.EncodeToString(p[:])
}
