package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	cloudlog "github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/cloud/worker"
	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/lookup"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
	"github.com/leatio/leat/internal/reference"
)

// Rows gives the rows of a result table as JSON: a list of objects.
type Rows func(ctx context.Context, table string, columns []string) ([]byte, error)

// PutLookup keeps a file of a reference table.
func (r *Registry) PutLookup(ctx context.Context, data []byte) error {
	if len(data) > lookup.MaxBytes {
		return fmt.Errorf("a reference table of %d bytes, at most %d are allowed", len(data), lookup.MaxBytes)
	}
	sum := sha256.Sum256(data)
	return r.objects.PutObject(ctx, "lookup-files/"+hex.EncodeToString(sum[:]), data)
}

// Lookup gives a reference table as a plan names it.
func (r *Registry) Lookup(l *plan.Lookup) (*lookup.Table, error) {
	if len(l.GetSha256()) != sha256.Size {
		return nil, fmt.Errorf("reference table %s: the plan names no hash", l.GetName())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b, err := r.LookupContent(ctx, [sha256.Size]byte(l.Sha256))
	if err != nil {
		return nil, fmt.Errorf("reference table %s: %w", l.Name, err)
	}
	return lookup.ParseTable(b)
}

// LookupContent gives the content of a reference table by its SHA-256.
func (r *Registry) LookupContent(ctx context.Context, sum [sha256.Size]byte) ([]byte, error) {
	b, err := r.objects.GetObject(ctx, "lookups/"+hex.EncodeToString(sum[:]))
	if errors.Is(err, cloudlog.ErrNotFound) {
		return nil, fmt.Errorf("reference table %x: %w", sum, ErrNotFound)
	}
	return b, err
}

// references finds the reference tables that a pipeline names, among the files put before and
// the result tables, and keeps their content.
type references struct {
	ctx   context.Context
	r     *Registry
	files map[string]string
}

// Reference is compile.Lookups.
func (f *references) Reference(ref compile.LookupRef) (*compile.LookupInfo, error) {
	name, data, err := f.read(ref)
	if err != nil {
		return nil, err
	}
	_, content, err := reference.Encode(ref, name, data)
	if err != nil {
		return nil, err
	}
	info := &compile.LookupInfo{SHA256: sha256.Sum256(content), Size: uint64(len(content))}
	return info, f.r.objects.PutObject(f.ctx, "lookups/"+hex.EncodeToString(info.SHA256[:]), content)
}

func (f *references) read(ref compile.LookupRef) (name string, data []byte, err error) {
	if ref.File == "" {
		if f.r.rows == nil {
			return "", nil, errors.New("this node has no result tables")
		}
		columns := make([]string, len(ref.Schema))
		for i := range ref.Schema {
			columns[i] = ref.Schema[i].Name
		}
		data, err = f.r.rows(f.ctx, ref.Table, columns)
		return ref.Table + ".json", data, err
	}
	sum, ok := f.files[ref.File]
	if !ok {
		return "", nil, fmt.Errorf("the file %q was not sent", ref.File)
	}
	data, err = f.r.objects.GetObject(f.ctx, "lookup-files/"+sum)
	if errors.Is(err, cloudlog.ErrNotFound) {
		err = fmt.Errorf("the file %q was not put before: %w", ref.File, ErrNotFound)
	}
	return ref.File, data, err
}

// unchanged tells whether applying a file would change nothing: text, modules and
// reference tables are those of the newest version.
func (r *Registry) unchanged(a Apply, draft *plan.Plan, old *Pipeline) (bool, error) {
	if old.File != a.File || !maps.Equal(old.Modules, a.Modules) {
		return false, nil
	}
	before, err := r.Plan(old.ID, old.Version)
	if errors.Is(err, worker.ErrNoPlan) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return slices.EqualFunc(before.Lookups, draft.Lookups, func(x, y *plan.Lookup) bool { return pb.Equal(x, y) }), nil
}

// Refresh reads anew the result tables that pipelines take as reference tables, where due
// says so. A pipeline whose table has changed gets a new version, which goes on with its state.
func (r *Registry) Refresh(ctx context.Context, due func(pipeline string, l *plan.Lookup) bool) error {
	list, err := r.List(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range list {
		pl, err := r.Plan(p.ID, p.Version)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !slices.ContainsFunc(pl.Lookups, func(l *plan.Lookup) bool {
			return l.Table != "" && l.RefreshMicros > 0 && due(p.ID, l)
		}) {
			continue
		}
		if _, _, err := r.Apply(ctx, Apply{FileName: p.Name + ".yaml", File: p.File, Modules: p.Modules, Lookups: p.Lookups}); err != nil {
			errs = append(errs, fmt.Errorf("pipeline %s: refresh its reference tables: %w", p.Name, err))
		}
	}
	return errors.Join(errs...)
}
