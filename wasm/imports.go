package wasm

import (
	"context"
	"fmt"
	"math"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/leatio/leat/wasm/scan"
)

// guestFault is the panic of a host function that ends the guest's call: the
// engine hands it back as the call's error.
type guestFault struct{ reason string }

func (f *guestFault) Error() string { return f.reason }

func (h *Host) offerImports(ctx context.Context) error {
	h.imports = map[scan.Import]scan.Signature{}
	leat := h.runtime.NewHostModuleBuilder("leat")
	i32, i64, f64 := api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeF64
	export(leat, "log", hostLog, []api.ValueType{i32, i32, i32}, nil)
	export(leat, "metric_add", hostMetricAdd, []api.ValueType{i32, i32, f64}, nil)
	export(leat, "event_time", hostEventTime, nil, []api.ValueType{i64})
	if err := h.offer(ctx, "leat", leat); err != nil {
		return err
	}
	wasi := h.runtime.NewHostModuleBuilder(wasi_snapshot_preview1.ModuleName)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(wasi)
	// The engine's own poll waits in real time on standard input, and its renumber
	// makes a table as long as the number that a guest hands it.
	export(wasi, "poll_oneoff", hostPoll, []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32})
	export(wasi, "fd_renumber", hostBadFile, []api.ValueType{i32, i32}, []api.ValueType{i32})
	return h.offer(ctx, wasi_snapshot_preview1.ModuleName, wasi)
}

func export(b wazero.HostModuleBuilder, name string, f api.GoModuleFunc, params, results []api.ValueType) {
	b.NewFunctionBuilder().WithGoModuleFunction(f, params, results).Export(name)
}

// offer instantiates a host module and notes what it exports for the scan.
func (h *Host) offer(ctx context.Context, name string, b wazero.HostModuleBuilder) error {
	compiled, err := b.Compile(ctx)
	if err != nil {
		return fmt.Errorf("wasm: compiling the host module %s: %w", name, err)
	}
	for function, def := range compiled.ExportedFunctions() {
		h.imports[scan.Import{Module: name, Name: function}] = scan.Signature{Params: string(def.ParamTypes()), Results: string(def.ResultTypes())}
	}
	if _, err := h.runtime.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(name)); err != nil {
		return fmt.Errorf("wasm: instantiating the host module %s: %w", name, err)
	}
	return nil
}

// guestBytes views guest memory, or ends the guest's call.
func guestBytes(mod api.Module, what string, pointer, length uint64) []byte {
	p, ok := mod.Memory().Read(uint32(pointer), uint32(length))
	if !ok {
		panic(&guestFault{fmt.Sprintf("%s: bytes %d to %d lie outside its memory", what, uint32(pointer), uint64(uint32(pointer))+uint64(uint32(length)))})
	}
	return p
}

func hostLog(ctx context.Context, mod api.Module, stack []uint64) {
	level := uint32(stack[0])
	if level > levelError {
		panic(&guestFault{fmt.Sprintf("leat.log: level %d; 0 (debug) to 3 (error) exist", level)})
	}
	worldOf(ctx).out.line(int(level), guestBytes(mod, "leat.log", stack[1], stack[2]))
}

func hostMetricAdd(ctx context.Context, mod api.Module, stack []uint64) {
	name := guestBytes(mod, "leat.metric_add", stack[0], stack[1])
	if value := api.DecodeF64(stack[2]); !math.IsNaN(value) && !math.IsInf(value, 0) {
		worldOf(ctx).out.add(name, value)
	}
}

func hostEventTime(ctx context.Context, _ api.Module, stack []uint64) {
	stack[0] = uint64(worldOf(ctx).eventTime)
}
