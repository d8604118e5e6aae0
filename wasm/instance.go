package wasm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/leatio/leat/wasm/frame"
)

// fault is why a guest's call gave no result. A poisoned instance must not be
// used again.
type fault struct {
	reason   string
	poisoned bool
}

func (f *fault) Error() string { return f.reason }

// maxMessage bounds what is kept of an error that a guest returns or dies with.
const maxMessage = 512

// instance is one run of a module: its memory, its world, and its exports looked up once.
type instance struct {
	mod     api.Module
	memory  *guestMemory
	limiter *limiter
	world   *world
	reserve api.Function
	call    api.Function
	stack   [2]uint64
}

// instantiate makes an instance and runs its start section and _initialize.
func (m *Module) instantiate(out *guestOutput, timeout time.Duration) (*instance, error) {
	memory, err := newGuestMemory(uint64(m.report.MemoryMin)<<16, uint64(m.report.MemoryMax)<<16)
	if err != nil {
		return nil, err
	}
	in := &instance{memory: memory, world: newWorld(m.sha256, out)}
	in.limiter = newLimiter(in.world, m.host.cfg.unbounded)
	in.limiter.start(timeout)
	err = in.begin(m)
	if expired := in.limiter.stop(); expired {
		err = fmt.Errorf("it did not start within %v", timeout)
	}
	if err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func (in *instance) begin(m *Module) error {
	ctx := experimental.WithMemoryAllocator(in.limiter, experimental.MemoryAllocatorFunc(
		func(uint64, uint64) experimental.LinearMemory { return in.memory }))
	w := in.world
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithStdout(&w.stdout).WithStderr(&w.stderr).WithRandSource(w.random).
		WithWalltime(w.walltime, sys.ClockResolution(time.Microsecond)).
		WithNanotime(w.nanotime, 1).WithNanosleep(w.nanosleep)
	mod, err := m.host.runtime.InstantiateModule(ctx, m.code, config)
	if err != nil {
		return errors.New(in.reason(err))
	}
	in.mod = mod
	in.reserve, in.call = mod.ExportedFunction(exportReserve), mod.ExportedFunction(exportCall)
	if m.report.Exports[exportInitialize] {
		if err := mod.ExportedFunction(exportInitialize).CallWithStack(in.limiter, nil); err != nil {
			return fmt.Errorf("%s: %s", exportInitialize, in.reason(err))
		}
	}
	return nil
}

// close frees the instance; its memory may not be touched any more.
func (in *instance) close() {
	if in.mod != nil {
		// The only error is that of closing the guest's files, of which there are none.
		_ = in.mod.Close(context.Background())
	}
	in.memory.Free()
}

// run makes one scalar call. The bytes returned view guest memory and are valid
// until the next call.
func (in *instance) run(function uint32, input *frame.Input, size uint32, maxOutput uint64, timeout time.Duration) ([]byte, *fault) {
	in.world.eventTime = input.EventTime
	in.limiter.start(timeout)
	out, failed := in.exchange(function, input, size, maxOutput)
	expired := in.limiter.stop()
	in.world.stdout.flush()
	in.world.stderr.flush()
	if failed != nil && failed.poisoned && expired {
		failed.reason = fmt.Sprintf("ran longer than %v", timeout)
	}
	return out, failed
}

func (in *instance) exchange(function uint32, input *frame.Input, size uint32, maxOutput uint64) ([]byte, *fault) {
	in.stack[0] = uint64(size)
	if err := in.reserve.CallWithStack(in.limiter, in.stack[:]); err != nil {
		return nil, in.trapped(err)
	}
	pointer := uint32(in.stack[0])
	if pointer == 0 {
		return nil, &fault{reason: fmt.Sprintf("could not reserve %d bytes for its input", size)}
	}
	// Memory may have grown, and moved, in both calls: each Read looks anew.
	region, ok := in.mod.Memory().Read(pointer, size)
	if !ok || pointer%8 != 0 {
		return nil, badPointer(exportReserve, pointer, uint64(size), in.mod.Memory().Size())
	}
	input.Put(region)
	in.stack[0], in.stack[1] = uint64(function), uint64(size)
	if err := in.call.CallWithStack(in.limiter, in.stack[:]); err != nil {
		return nil, in.trapped(err)
	}
	switch result := int64(in.stack[0]); {
	case result < 0:
		return nil, in.message(^uint64(result))
	case result == 0:
		return nil, &fault{"returned no frame", true}
	default:
		return in.bytes(exportCall, uint64(result), maxOutput)
	}
}

// bytes views what a pointer<<32|length names.
func (in *instance) bytes(export string, packed, limit uint64) ([]byte, *fault) {
	pointer, length := uint32(packed>>32), uint32(packed)
	if uint64(length) > limit {
		return nil, &fault{fmt.Sprintf("%s returned %d bytes; at most %d are allowed", export, length, limit), true}
	}
	p, ok := in.mod.Memory().Read(pointer, length)
	if !ok || pointer%8 != 0 && export == exportCall {
		return nil, badPointer(export, pointer, uint64(length), in.mod.Memory().Size())
	}
	return p, nil
}

func badPointer(export string, pointer uint32, length uint64, size uint32) *fault {
	return &fault{fmt.Sprintf("%s returned address %d for %d bytes, which is not a multiple of 8 or lies outside its memory of %d bytes", export, pointer, length, size), true}
}

// message is the error that a guest returned. An orderly error leaves the instance fit for use.
func (in *instance) message(packed uint64) *fault {
	pointer, length := uint32(packed>>32), uint32(packed)
	p, ok := in.mod.Memory().Read(pointer, min(length, maxMessage))
	if !ok {
		return badPointer(exportCall, pointer, uint64(length), in.mod.Memory().Size())
	}
	return &fault{reason: "failed: " + strings.ToValidUTF8(string(p), "\uFFFD")}
}

func (in *instance) trapped(err error) *fault { return &fault{in.reason(err), true} }

// reason says in one line how a guest's call ended.
func (in *instance) reason(err error) string {
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		if in.limiter.expired.Load() {
			return "ran too long"
		}
		return fmt.Sprintf("called proc_exit(%d)", exit.ExitCode())
	}
	var own *guestFault
	if errors.As(err, &own) {
		return "trapped: " + own.reason
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	text = strings.TrimPrefix(strings.TrimSuffix(text, " (recovered by wazero)"), "wasm error: ")
	return "trapped: " + text[:min(len(text), maxMessage)]
}

// describe asks the guest for the version of its ABI and its manifest.
func (in *instance) describe(timeout time.Duration) ([]byte, error) {
	in.limiter.start(timeout)
	text, err := in.readManifest()
	if expired := in.limiter.stop(); expired {
		return nil, fmt.Errorf("it did not describe itself within %v", timeout)
	}
	return text, err
}

func (in *instance) readManifest() ([]byte, error) {
	if err := in.mod.ExportedFunction(exportVersion).CallWithStack(in.limiter, in.stack[:]); err != nil {
		return nil, fmt.Errorf("%s: %s", exportVersion, in.reason(err))
	}
	if v := int32(in.stack[0]); v != 1 {
		return nil, fmt.Errorf("%s returned %d; this host speaks version 1", exportVersion, v)
	}
	if err := in.mod.ExportedFunction(exportDescribe).CallWithStack(in.limiter, in.stack[:]); err != nil {
		return nil, fmt.Errorf("%s: %s", exportDescribe, in.reason(err))
	}
	if in.stack[0] == 0 || in.stack[0] > math.MaxInt64 {
		return nil, fmt.Errorf("%s returned no manifest", exportDescribe)
	}
	p, failed := in.bytes(exportDescribe, in.stack[0], maxManifest)
	if failed != nil {
		return nil, failed
	}
	return append([]byte(nil), p...), nil
}
