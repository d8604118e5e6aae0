package wasm

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/leatio/leat/wasm/scan"
)

// Host holds the engine and what it offers to modules. It is safe for use by
// several goroutines.
type Host struct {
	cfg     Config
	cache   wazero.CompilationCache // nil without CacheDir
	runtime wazero.Runtime
	imports map[scan.Import]scan.Signature
	engine  string
}

// NewHost makes the engine ready. Close the host after its functions.
func NewHost(ctx context.Context, cfg Config) (*Host, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg.withDefaults(), engine: engineName(cfg.Interpreter)}
	config := wazero.NewRuntimeConfig()
	if cfg.Interpreter {
		config = wazero.NewRuntimeConfigInterpreter()
	}
	config = config.WithCoreFeatures(api.CoreFeaturesV2).
		WithMemoryLimitPages(h.cfg.MaxMemoryPages).
		WithDebugInfoEnabled(false).
		WithCloseOnContextDone(!cfg.unbounded)
	if cfg.CacheDir != "" && h.engine == "compiler" {
		if err := prepareCache(cfg.CacheDir, h.cfg.MaxCacheBytes); err != nil {
			return nil, err
		}
		cache, err := wazero.NewCompilationCacheWithDir(cfg.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("wasm: opening the cache of compiled modules in %s: %w", cfg.CacheDir, err)
		}
		h.cache, config = cache, config.WithCompilationCache(cache)
	}
	h.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if err := h.offerImports(ctx); err != nil {
		return nil, errors.Join(err, h.Close(ctx))
	}
	return h, nil
}

// engineName tells what the engine chooses by itself: it has a compiler for
// amd64 and arm64 on the systems named.
func engineName(interpreter bool) string {
	compiles := false
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd", "netbsd", "windows":
		compiles = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"
	}
	if interpreter || !compiles {
		return "interpreter"
	}
	return "compiler"
}

// Engine is "compiler" or "interpreter".
func (h *Host) Engine() string { return h.engine }

// Close frees the engine with all that was loaded. No function may be in a call.
func (h *Host) Close(ctx context.Context) error {
	err := h.runtime.Close(ctx)
	if h.cache != nil {
		err = errors.Join(err, h.cache.Close(ctx))
	}
	if err != nil {
		return fmt.Errorf("wasm: closing the engine: %w", err)
	}
	return nil
}

// compile hands a scanned module to the engine. A failure that only the cache
// explains (a damaged entry) empties the cache and compiles anew.
func (h *Host) compile(ctx context.Context, binary []byte) (wazero.CompiledModule, error) {
	code, err := h.runtime.CompileModule(ctx, binary)
	if err == nil || h.cache == nil {
		return code, err
	}
	if invalid := h.validate(ctx, binary); invalid != nil {
		return nil, invalid
	}
	if cleared := emptyCache(h.cfg.CacheDir); cleared != nil {
		return nil, errors.Join(err, cleared)
	}
	return h.runtime.CompileModule(ctx, binary)
}

// validate asks the interpreter, which has no cache, whether the module is valid.
func (h *Host) validate(ctx context.Context, binary []byte) error {
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().
		WithMemoryLimitPages(h.cfg.MaxMemoryPages).WithDebugInfoEnabled(false))
	_, err := r.CompileModule(ctx, binary)
	return errors.Join(err, r.Close(ctx))
}
