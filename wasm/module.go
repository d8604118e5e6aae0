package wasm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"

	"github.com/leatio/leat/wasm/scan"
)

// Names of the ABI's exports.
const (
	exportVersion    = "leat_abi_v1"
	exportDescribe   = "leat_describe"
	exportReserve    = "leat_reserve"
	exportCall       = "leat_call"
	exportConfigure  = "leat_configure"
	exportInitialize = "_initialize"
)

// Module is a module that was admitted and compiled. It is safe for use by
// several goroutines; its functions are not.
type Module struct {
	host     *Host
	code     wazero.CompiledModule
	report   *scan.Report
	manifest *Manifest
	sha256   [sha256.Size]byte
}

func (h *Host) rules() scan.Rules {
	return scan.Rules{
		MaxBytes:        h.cfg.MaxModuleBytes,
		MaxMemoryPages:  h.cfg.MaxMemoryPages,
		MaxTableEntries: h.cfg.MaxTableEntries,
		Imports:         h.imports,
		Exports: map[string]scan.Signature{
			exportVersion:  {Results: scan.I32},
			exportDescribe: {Results: scan.I64},
			exportReserve:  {Params: scan.I32, Results: scan.I32},
			exportCall:     {Params: scan.I32 + scan.I32, Results: scan.I64},
		},
		Optional: map[string]scan.Signature{
			exportInitialize: {},
			exportConfigure:  {Params: scan.I32, Results: scan.I32},
		},
	}
}

// Load admits a module: it scans and compiles it, starts an instance, and reads
// and checks the manifest. Errors wrap ErrRefused and say all that is wrong.
// Compiling cannot be interrupted; the scan's limits keep it short. It leaves garbage on
// the heap (40 MB for a module of Go, 17 MB when it comes from the cache): who must stay
// small calls debug.FreeOSMemory when all is loaded.
func (h *Host) Load(ctx context.Context, module []byte) (*Module, error) {
	m := &Module{host: h, sha256: sha256.Sum256(module)}
	report, err := scan.Scan(module, h.rules())
	if err != nil {
		return nil, m.refused(err)
	}
	m.report = report
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("wasm: loading a module: %w", err)
	}
	if m.code, err = h.compile(ctx, report.Binary); err != nil {
		return nil, m.refused(fmt.Errorf("it does not compile: %w", err))
	}
	m.report.Binary = nil
	if m.manifest, err = m.describe(); err != nil {
		return nil, errors.Join(m.refused(err), m.Close(ctx))
	}
	return m, nil
}

func (m *Module) refused(err error) error {
	return fmt.Errorf("wasm: %w (SHA-256 %x...): %w", ErrRefused, m.sha256[:6], err)
}

// describe starts an instance for the manifest alone. It is not kept: every function
// begins with an instance that has had no calls.
func (m *Module) describe() (*Manifest, error) {
	cfg := &m.host.cfg
	in, err := m.instantiate(newGuestOutput(fmt.Sprintf("%x", m.sha256[:6]), cfg), cfg.CallTimeout)
	if err != nil {
		return nil, err
	}
	defer in.close()
	text, err := in.describe(cfg.CallTimeout)
	if err != nil {
		return nil, err
	}
	return ParseManifest(text)
}

// Manifest is what the module says of itself. The caller must not change it.
func (m *Module) Manifest() *Manifest { return m.manifest }

// SHA256 is the hash of the bytes that were loaded; modules are addressed by it.
func (m *Module) SHA256() [32]byte { return m.sha256 }

// Close says that the module is no longer used. Its compiled code stays until the host is closed: the engine files
// code by its hash, so that closing one of two equal modules would take it
// from under the other. A host therefore holds the code of every different module that it has loaded.
func (m *Module) Close(context.Context) error { return nil }

// Scalar makes an instance of the module for its scalar function of that name.
func (m *Module) Scalar(ctx context.Context, name string) (*Function, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("wasm: starting %s: %w", name, err)
	}
	for i := range m.manifest.Functions {
		spec := &m.manifest.Functions[i]
		switch {
		case spec.Name != name:
		case spec.Kind != Scalar:
			return nil, fmt.Errorf("wasm: %w: %s of %s@%s is a function of kind %s; this version of Leat calls scalar functions only", ErrKind, name, m.manifest.Name, m.manifest.Version, spec.Kind)
		default:
			return m.newFunction(spec)
		}
	}
	return nil, fmt.Errorf("wasm: %w: %s@%s has no function %s; it has %s", ErrNoFunction, m.manifest.Name, m.manifest.Version, name, m.manifest.names())
}
