package control_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/control"
	"github.com/leatio/leat/cloud/log/memory"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/sql"
	"github.com/leatio/leat/transport"
	"github.com/leatio/leat/transport/identity"
	"github.com/leatio/leat/transport/wire"
)

const file = `
name: climate
source:
  sim: {rate: 1}
  format: json
  schema: {device: string, ts: timestamp_ms, temp: double}
  event_time: {column: ts}
udfs: [f.wasm]
steps:
  - add: {twice: double_it(temp)}
  - window: {by: [device], tumbling: 10s, emit: {n: count(*), high: max(twice)}}
sinks:
  - table: {name: t}
`

func inspect(_ context.Context, code []byte) (*compile.ModuleInfo, error) {
	if string(code) == "bad" {
		return nil, errors.New("the module lacks the export leat_call")
	}
	return &compile.ModuleInfo{
		Name: "twice", Version: "1.0.0", SHA256: sha256.Sum256(code), Size: uint64(len(code)),
		Functions: map[string]sql.Signature{"double_it": {Args: []batch.Type{batch.Double}, Result: batch.Double}},
	}, nil
}

func registry(t *testing.T) (*control.Registry, *memory.Store) {
	t.Helper()
	s := memory.New(memory.Config{Partitions: 1})
	return control.NewRegistry(s, s, inspect, nil, nil, time.Now), s
}

func TestApplyCountsVersionsAndKeepsPlans(t *testing.T) {
	r, store := registry(t)
	ctx := t.Context()
	sum, _, err := r.PutModule(ctx, []byte("code"))
	if err != nil {
		t.Fatal(err)
	}
	a := control.Apply{FileName: "f.yaml", File: file, Modules: map[string]string{"f.wasm": sum}}
	changed := r.Changed()
	p, fresh, err := r.Apply(ctx, a)
	if err != nil || !fresh || p.Version != 1 {
		t.Fatalf("first apply: %+v, %t, %v", p, fresh, err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told of the change")
	}
	if _, again, err := r.Apply(ctx, a); err != nil || again {
		t.Errorf("the same file again: changed %t, %v", again, err)
	}
	a.File += "\n# a comment\n"
	p2, _, err := r.Apply(ctx, a)
	if err != nil || p2.Version != 2 || p2.ID != p.ID {
		t.Fatalf("second version: %+v, %v", p2, err)
	}
	for v := uint64(1); v <= 2; v++ {
		pl, err := r.Plan(p.ID, v)
		if err != nil || pl.Version != v || pl.PipelineId != p.ID {
			t.Errorf("plan of version %d: %v, %v", v, pl, err)
		}
	}
	// Another node over the same keys sees the same.
	other := control.NewRegistry(store, store, inspect, nil, nil, time.Now)
	if pl, err := other.Plan(p.ID, 2); err != nil || pl.Version != 2 {
		t.Errorf("another node: %v, %v", pl, err)
	}
	if err := r.Delete(ctx, "climate"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Plan(p.ID, 2); !errors.Is(err, worker.ErrNoPlan) {
		t.Errorf("plan of a deleted pipeline: %v", err)
	}
	if err := r.Delete(ctx, "climate"); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	p3, _, err := r.Apply(ctx, a)
	if err != nil || p3.ID == p.ID {
		t.Errorf("a pipeline that was deleted and applied anew has its old id: %+v, %v", p3, err)
	}
}

// What state depends on gets lanes of its own; what it does not depend on goes on with them.
func TestVersionsThatGoOnWithTheState(t *testing.T) {
	r, _ := registry(t)
	sum, _, err := r.PutModule(t.Context(), []byte("code"))
	if err != nil {
		t.Fatal(err)
	}
	a := control.Apply{FileName: "f.yaml", File: file, Modules: map[string]string{"f.wasm": sum}}
	var states []uint64
	for _, change := range [][2]string{
		{"", ""}, {"rate: 1", "rate: 2"}, {"udfs:", "freshness: 5s\nudfs:"}, {"tumbling: 10s", "tumbling: 20s"}, {"rate: 2", "rate: 3"},
	} {
		a.File = strings.Replace(a.File, change[0], change[1], 1)
		p, _, err := r.Apply(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, p.StateVersion)
	}
	if want := []uint64{1, 1, 1, 4, 4}; !slices.Equal(states, want) {
		t.Errorf("state versions are %v, want %v", states, want)
	}
}

// A version with other aggregates keeps the windows; one that can keep nothing begins
// where the node says, and those with its state begin there too.
func TestWhatVersionsTakeOver(t *testing.T) {
	s := memory.New(memory.Config{Partitions: 1})
	var asked []uint64
	r := control.NewRegistry(s, s, inspect, func(before, next *plan.Plan) (int64, error) {
		asked = append(asked, before.Version, next.Version)
		return 70e6, nil
	}, nil, time.Now)
	sum, _, err := r.PutModule(t.Context(), []byte("code"))
	if err != nil {
		t.Fatal(err)
	}
	a := control.Apply{FileName: "f.yaml", File: file, Modules: map[string]string{"f.wasm": sum}}
	for i, c := range []struct {
		from, to            string
		lane, over, startMS uint64
	}{
		{"", "", 1, 0, 0},
		{"n: count(*)", "n: count(*), low: min(temp)", 2, 1, 0},
		{"rate: 1", "rate: 2", 2, 0, 0},
		{"low: min(temp), ", "", 4, 2, 0},
		{"tumbling: 10s", "tumbling: 20s", 5, 0, 70_000},
		{"rate: 2", "rate: 3", 5, 0, 70_000},
		{"n: count(*), ", "", 7, 5, 70_000},
	} {
		a.File = strings.Replace(a.File, c.from, c.to, 1)
		p, _, err := r.Apply(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		pl, err := r.Plan(p.ID, p.Version)
		if err != nil {
			t.Fatal(err)
		}
		if p.Version != uint64(i+1) || p.StateVersion != c.lane || pl.TakesOver != c.over || pl.StartsAtMicros != int64(c.startMS)*1000 {
			t.Errorf("version %d: lanes of %d, takes over %d, begins at %d; want %+v", p.Version, p.StateVersion, pl.TakesOver, pl.StartsAtMicros, c)
		}
	}
	if !slices.Equal(asked, []uint64{4, 5}) {
		t.Errorf("asked for the beginnings of %v", asked)
	}
}

func TestApplyTellsMistakes(t *testing.T) {
	r, _ := registry(t)
	_, _, err := r.Apply(t.Context(), control.Apply{FileName: "f.yaml", File: file, Modules: map[string]string{}})
	var m compile.Mistakes
	if !errors.As(err, &m) || m[0].File != "f.yaml" {
		t.Errorf("a module that was not sent: %v", err)
	}
	if _, _, err := r.PutModule(t.Context(), []byte("bad")); err == nil || !strings.Contains(err.Error(), "leat_call") {
		t.Errorf("a module without an export was kept: %v", err)
	}
}

func TestConcurrentAppliesGetDifferentVersions(t *testing.T) {
	r, _ := registry(t)
	sum, _, err := r.PutModule(t.Context(), []byte("code"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[uint64]bool{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			a := control.Apply{FileName: "f.yaml", File: file + strings.Repeat("#", i+1), Modules: map[string]string{"f.wasm": sum}}
			p, _, err := r.Apply(context.Background(), a)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if seen[p.Version] {
				t.Errorf("version %d was given twice", p.Version)
			}
			seen[p.Version] = true
		})
	}
	wg.Wait()
}

// clock is a time that tests move.
type clock struct{ now time.Time }

func fleet(t *testing.T) (*control.Fleet, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	ca, err := identity.NewCA(c.now)
	if err != nil {
		t.Fatal(err)
	}
	s := memory.New(memory.Config{Partitions: 1})
	return control.NewFleet(s, ca, func() []string { return []string{"127.0.0.1:4750"} }, func() time.Time { return c.now }), c
}

func join(t *testing.T, f *control.Fleet, token, name string) (*wire.Joined, error) {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := identity.NewCSR(key)
	if err != nil {
		t.Fatal(err)
	}
	return f.Join(t.Context(), &wire.JoinRequest{Token: token, Csr: csr, Name: name, Labels: map[string]string{"site": "own", "role": "own"}})
}

func TestJoin(t *testing.T) {
	f, _ := fleet(t)
	token, _, err := f.Token(t.Context(), identity.TokenOptions{Uses: 2, Labels: map[string]string{"role": "token"}})
	if err != nil {
		t.Fatal(err)
	}
	j, err := join(t, f, token, "gw-1")
	if err != nil || j.AgentId != "gw-1" || j.Epoch != 1 {
		t.Fatalf("%+v, %v", j, err)
	}
	a, err := f.Agent(t.Context(), "gw-1")
	if err != nil || a.Labels["role"] != "token" || a.Labels["site"] != "own" {
		t.Errorf("the token's labels do not win: %+v, %v", a, err)
	}
	if j, err = join(t, f, token, "gw-2"); err != nil || j.Epoch != 1 {
		t.Errorf("a second agent: %+v, %v", j, err)
	}
	refused(t, f, token, "used up")
}

// Any token let an agent take another's id, whose frames were refused from then on.
func TestAnIDIsNotTakenFromAnAgent(t *testing.T) {
	f, _ := fleet(t)
	token, _, err := f.Token(t.Context(), identity.TokenOptions{Uses: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := join(t, f, token, "gw-2"); err != nil {
		t.Fatal(err)
	}
	refused(t, f, token, "gw-2 is a member of the fleet already")
	if _, err := join(t, f, token, "gw-3"); err != nil {
		t.Errorf("the refusal took a use of the token: %v", err)
	}
	if a, err := f.Agent(t.Context(), "gw-2"); err != nil || a.Epoch != 1 {
		t.Errorf("the first has epoch %+v, %v", a, err)
	}
	// The operator may: the same id again is another store, and its epoch rises.
	named, _, err := f.Token(t.Context(), identity.TokenOptions{Name: "gw-2"})
	if err != nil {
		t.Fatal(err)
	}
	if j, err := join(t, f, named, "whatever"); err != nil || j.AgentId != "gw-2" || j.Epoch != 2 {
		t.Errorf("joined again: %+v, %v", j, err)
	}
}

func refused(t *testing.T, f *control.Fleet, token, why string) {
	t.Helper()
	_, err := join(t, f, token, "gw-2")
	var r *transport.Refusal
	if !errors.As(err, &r) || r.Code != wire.CodeToken || !strings.Contains(r.Reason, why) {
		t.Errorf("got %v, want a refusal that says %q", err, why)
	}
}

func TestTokensThatCannotBeUsed(t *testing.T) {
	f, c := fleet(t)
	token, _, err := f.Token(t.Context(), identity.TokenOptions{Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	other, _ := fleet(t)
	foreign, _, err := other.Token(t.Context(), identity.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, f, foreign, "not known")
	refused(t, f, "leat1.xyz", "")
	c.now = c.now.Add(2 * time.Hour)
	refused(t, f, token, "expired")
}

// However many agents race for a token, as many join as it has uses.
func TestTokenUsesAreNotExceeded(t *testing.T) {
	f, _ := fleet(t)
	token, _, err := f.Token(t.Context(), identity.TokenOptions{Uses: 3})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	joined := 0
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if _, err := join(t, f, token, "gw-"+string(rune('a'+i))); err == nil {
				mu.Lock()
				joined++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if joined != 3 {
		t.Errorf("%d agents joined with a token for 3", joined)
	}
}
