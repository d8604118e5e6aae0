// Package modules tells the compiler what function modules offer: those beside a
// pipeline file on disk, and those that a cloud node keeps.
package modules

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/leatio/leat/engine/compile"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/sql"
	"github.com/leatio/leat/wasm"
)

// Inspect admits a module and tells what it offers.
func Inspect(ctx context.Context, host *wasm.Host, code []byte) (info *compile.ModuleInfo, err error) {
	m, err := host.Load(ctx, code)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close(ctx)) }()
	manifest := m.Manifest()
	info = &compile.ModuleInfo{
		Name: manifest.Name, Version: manifest.Version, SHA256: m.SHA256(), Size: uint64(len(code)),
		Functions: map[string]sql.Signature{},
	}
	for _, f := range manifest.Functions {
		if f.Kind != wasm.Scalar {
			continue
		}
		s := sql.Signature{Result: f.Result}
		for _, a := range f.Args {
			s.Args = append(s.Args, a.Type)
		}
		info.Functions[f.Name] = s
	}
	return info, nil
}

// Disk finds modules by path, relative to a directory, and remembers their bytes.
type Disk struct {
	ctx  context.Context
	host *wasm.Host
	dir  string
	code map[string][]byte // by reference
	sums map[[32]byte][]byte
}

// NewDisk returns a resolver for the references of a pipeline file in dir.
func NewDisk(ctx context.Context, host *wasm.Host, dir string) *Disk {
	return &Disk{ctx: ctx, host: host, dir: dir, code: map[string][]byte{}, sums: map[[32]byte][]byte{}}
}

// Resolve reads and inspects the module that a file names.
func (d *Disk) Resolve(ref string) (*compile.ModuleInfo, error) {
	if !strings.HasSuffix(ref, ".wasm") {
		return nil, fmt.Errorf("%q names a module of a registry, which this version does not have yet; give the path of a .wasm file", ref)
	}
	path := ref
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.dir, ref)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	info, err := Inspect(d.ctx, d.host, code)
	if err != nil {
		return nil, err
	}
	d.code[ref], d.sums[info.SHA256] = code, code
	return info, nil
}

// Code gives the bytes of what was resolved, by reference.
func (d *Disk) Code() map[string][]byte { return d.code }

// Load gives the bytes of a module that a plan names.
func (d *Disk) Load(m *plan.Module) ([]byte, error) {
	code := d.sums[[32]byte(m.Sha256)]
	if code == nil {
		return nil, fmt.Errorf("module %s was not resolved", m.Name)
	}
	return code, nil
}
