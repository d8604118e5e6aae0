package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	cloudlog "github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
)

var (
	// ErrNotFound says that there is no such pipeline, module, token or agent.
	ErrNotFound = errors.New("not found")
	// ErrRequest says that what was asked for cannot be.
	ErrRequest = errors.New("this cannot be")
)

// Pipeline is a pipeline as its operator applied it last.
type Pipeline struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version uint64 `json:"version"`
	// StateVersion is the version whose lanes and state this one goes on with.
	StateVersion uint64 `json:"state_version"`
	// TakesOver is the version whose windows go over into this one, which has lanes of its own; 0 = none.
	TakesOver uint64 `json:"takes_over,omitempty"`
	// StartsAt is the event time at which this version begins where it can keep no state; nil = at once.
	StartsAt *time.Time        `json:"starts_at,omitempty"`
	File     string            `json:"file"`              // the pipeline file
	Modules  map[string]string `json:"modules"`           // SHA-256 of each module by how the file names it
	Lookups  map[string]string `json:"lookups,omitempty"` // SHA-256 of each file of a reference table, likewise
	Agents   string            `json:"agents"`            // label selector
	Applied  time.Time         `json:"applied"`
}

// Apply is what an operator applies.
type Apply struct {
	FileName string            `json:"file_name"` // for messages
	File     string            `json:"file"`
	Modules  map[string]string `json:"modules"`           // SHA-256 by reference; the bytes were put before
	Lookups  map[string]string `json:"lookups,omitempty"` // likewise, files of reference tables
}

// Inspect tells what a module offers. It admits the module first.
type Inspect func(ctx context.Context, code []byte) (*compile.ModuleInfo, error)

// Registry keeps pipelines and modules.
type Registry struct {
	keys    cloudlog.Keys
	objects cloudlog.Objects
	inspect Inspect
	now     func() time.Time

	boundary Boundary
	rows     Rows

	mu      sync.Mutex
	plans   map[string]*plan.Plan // by plan key; guarded by mu
	changed chan struct{}         // closed at the next change; guarded by mu
}

// Boundary gives the event time at which a version that can keep no state takes over from
// the one before: beyond all that agents have seen, where windows of both begin; 0 = at once.
type Boundary func(before, next *plan.Plan) (int64, error)

// NewRegistry returns a registry over the keys and objects of a log. A nil boundary is always 0; without rows there are no result tables.
func NewRegistry(keys cloudlog.Keys, objects cloudlog.Objects, inspect Inspect, boundary Boundary, rows Rows, now func() time.Time) *Registry {
	if boundary == nil {
		boundary = func(*plan.Plan, *plan.Plan) (int64, error) { return 0, nil }
	}
	return &Registry{keys: keys, objects: objects, inspect: inspect, boundary: boundary, rows: rows, now: now, plans: map[string]*plan.Plan{}, changed: make(chan struct{})}
}

// Changed gives a channel that is closed at the next change of the set of pipelines.
func (r *Registry) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (r *Registry) tell() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}

func planKey(id string, version uint64) string { return fmt.Sprintf("plans/%s/%d", id, version) }

// Plan gives a pipeline version's plan; worker.ErrNoPlan says that it was
// deleted. It is safe to call from any goroutine.
func (r *Registry) Plan(id string, version uint64) (*plan.Plan, error) {
	key := planKey(id, version)
	r.mu.Lock()
	p := r.plans[key]
	r.mu.Unlock()
	if p != nil {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b, _, err := r.keys.Get(ctx, key)
	if errors.Is(err, cloudlog.ErrNotFound) {
		return nil, worker.ErrNoPlan
	}
	if err != nil {
		return nil, err
	}
	if p, err = plan.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	r.mu.Lock()
	r.plans[key] = p
	r.mu.Unlock()
	return p, nil
}

// Compile compiles a file without applying it; the error may be compile.Mistakes.
func (r *Registry) Compile(ctx context.Context, a Apply, id string, version uint64) (*plan.Plan, error) {
	return compile.Compile([]byte(a.File), compile.Options{
		File: a.FileName, Modules: &resolver{ctx, r, a.Modules}, Lookups: &references{ctx, r, a.Lookups}, PipelineID: id, Version: version,
	})
}

// Apply compiles a file and makes it the pipeline's newest version. A file that equals the
// newest version changes nothing. The error may be compile.Mistakes.
func (r *Registry) Apply(ctx context.Context, a Apply) (p *Pipeline, changed bool, err error) {
	draft, err := r.Compile(ctx, a, "draft", 0)
	if err != nil {
		return nil, false, err
	}
	key := "pipelines/" + draft.Pipeline
	for {
		old, revision, err := getJSON[Pipeline](ctx, r.keys, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, false, err
		}
		next := &Pipeline{Name: draft.Pipeline, Version: 1, File: a.File, Modules: a.Modules, Lookups: a.Lookups, Agents: draft.Agents, Applied: r.now().UTC()}
		if old != nil {
			same, err := r.unchanged(a, draft, old)
			if err != nil || same {
				return old, false, err
			}
			next.ID, next.Version = old.ID, old.Version+1
		} else if next.ID, err = newID(draft.Pipeline); err != nil {
			return nil, false, err
		}
		err = r.store(ctx, a, next, old, key, revision)
		if errors.Is(err, cloudlog.ErrConflict) {
			continue // another operator was faster: look again
		}
		if err != nil {
			return nil, false, err
		}
		r.tell()
		return next, true, nil
	}
}

// store writes the plan, which nobody asks for before the pipeline names it,
// then the pipeline. A plan never changes, so a version that an apply
// which failed, or lost the race, has left a plan under is passed over.
func (r *Registry) store(ctx context.Context, a Apply, next, old *Pipeline, key string, revision uint64) error {
	for {
		compiled, err := r.Compile(ctx, a, next.ID, next.Version)
		if err != nil {
			return err
		}
		if err := r.goOn(compiled, old); err != nil {
			return err
		}
		next.StateVersion, next.TakesOver, next.StartsAt = compiled.LaneVersion(), compiled.TakesOver, nil
		if at := compiled.StartsAtMicros; at != 0 {
			t := time.UnixMicro(at).UTC()
			next.StartsAt = &t
		}
		b, err := plan.Marshal(compiled)
		if err != nil {
			return err
		}
		_, err = r.keys.Put(ctx, planKey(next.ID, next.Version), b, 0)
		if errors.Is(err, cloudlog.ErrConflict) {
			next.Version++
			continue
		}
		if err != nil {
			return err
		}
		return putJSON(ctx, r.keys, key, next, revision)
	}
}

// goOn lets a plan go on with the lanes and the state of the version before it, or with the
// state alone, where nothing differs that these depend on. Otherwise it chooses where it begins.
func (r *Registry) goOn(next *plan.Plan, old *Pipeline) error {
	if old == nil {
		return nil
	}
	before, err := r.Plan(old.ID, old.Version)
	if err != nil {
		return err
	}
	switch plan.Compare(before, next).Kept {
	case plan.KeptAll:
		next.StateVersion, next.StartsAtMicros = before.LaneVersion(), before.StartsAtMicros
	case plan.KeptWindows:
		next.TakesOver, next.StartsAtMicros = before.LaneVersion(), before.StartsAtMicros
	default:
		next.StartsAtMicros, err = r.boundary(before, next)
	}
	return err
}

// Get gives a pipeline by name.
func (r *Registry) Get(ctx context.Context, name string) (*Pipeline, error) {
	p, _, err := getJSON[Pipeline](ctx, r.keys, "pipelines/"+name)
	if errors.Is(err, ErrNotFound) {
		return nil, noPipeline(name)
	}
	return p, err
}

func noPipeline(name string) error {
	return fmt.Errorf("pipeline %q: %w; `leat get` lists those there are", name, ErrNotFound)
}

// List gives all pipelines in order of their names.
func (r *Registry) List(ctx context.Context) ([]*Pipeline, error) {
	return listJSON[Pipeline](ctx, r.keys, "pipelines/")
}

// Delete removes a pipeline and its plans; its result tables stay.
func (r *Registry) Delete(ctx context.Context, name string) error {
	key := "pipelines/" + name
	p, revision, err := getJSON[Pipeline](ctx, r.keys, key)
	if errors.Is(err, ErrNotFound) {
		return noPipeline(name)
	}
	if err != nil {
		return err
	}
	if err := r.keys.Delete(ctx, key, revision); err != nil {
		return err
	}
	keys, err := r.keys.List(ctx, "plans/"+p.ID+"/")
	if err != nil {
		return err
	}
	for _, k := range keys {
		if _, rev, err := r.keys.Get(ctx, k); err == nil {
			if err := r.keys.Delete(ctx, k, rev); err != nil {
				return err
			}
		}
		r.mu.Lock()
		delete(r.plans, k)
		r.mu.Unlock()
	}
	r.tell()
	return nil
}

// PutModule keeps a module's bytes after admitting it, and tells what it offers.
func (r *Registry) PutModule(ctx context.Context, code []byte) (sum string, info *compile.ModuleInfo, err error) {
	if info, err = r.inspect(ctx, code); err != nil {
		return "", nil, err
	}
	sum = hex.EncodeToString(info.SHA256[:])
	return sum, info, r.objects.PutObject(ctx, "modules/"+sum, code)
}

// Module gives a module's bytes by its SHA-256.
func (r *Registry) Module(ctx context.Context, sum [sha256.Size]byte) ([]byte, error) {
	name := hex.EncodeToString(sum[:])
	code, err := r.objects.GetObject(ctx, "modules/"+name)
	if errors.Is(err, cloudlog.ErrNotFound) {
		return nil, fmt.Errorf("module %s: %w", name, ErrNotFound)
	}
	return code, err
}

// resolver finds the modules that a file names among those put before.
type resolver struct {
	ctx  context.Context
	r    *Registry
	refs map[string]string
}

func (m *resolver) Resolve(ref string) (*compile.ModuleInfo, error) {
	text, ok := m.refs[ref]
	if !ok {
		return nil, fmt.Errorf("no module was sent for %q", ref)
	}
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("module %q has no SHA-256 of 64 hexadecimal digits", ref)
	}
	code, err := m.r.Module(m.ctx, [sha256.Size]byte(sum))
	if err != nil {
		return nil, err
	}
	return m.r.inspect(m.ctx, code)
}

// newID makes a pipeline id: the name and eight random digits.
func newID(name string) (string, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return name[:min(len(name), 50)] + "-" + hex.EncodeToString(b[:]), nil
}

// getJSON reads a key's JSON.
func getJSON[T any](ctx context.Context, keys cloudlog.Keys, key string) (*T, uint64, error) {
	b, revision, err := keys.Get(ctx, key)
	if errors.Is(err, cloudlog.ErrNotFound) {
		return nil, 0, ErrNotFound
	}
	if err != nil {
		return nil, 0, err
	}
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", key, err)
	}
	return v, revision, nil
}

// putJSON writes a key as JSON over a revision.
func putJSON(ctx context.Context, keys cloudlog.Keys, key string, v any, revision uint64) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = keys.Put(ctx, key, b, revision)
	return err
}

// listJSON reads all keys that begin with prefix.
func listJSON[T any](ctx context.Context, keys cloudlog.Keys, prefix string) ([]*T, error) {
	names, err := keys.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var out []*T
	for _, k := range names {
		v, _, err := getJSON[T](ctx, keys, k)
		if errors.Is(err, ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
