package wasm

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/wasm/internal/asm"
)

// region is where guests written here take their input.
const region = 65536

// Indices of the imports of the guests written here.
const (
	fnLog = iota
	fnMetric
	fnEventTime
	fnProcExit
	fnFdWrite
	fnPoll
	fnRandom
	fnClock
	fnRenumber
)

func hostImports() []asm.Import {
	i32 := byte(asm.I32)
	offer := func(module, name string, results []byte, params ...byte) asm.Import {
		return asm.Import{Module: module, Name: name, Sig: asm.Sig{Params: params, Results: results}}
	}
	const leat, wasi = "leat", "wasi_snapshot_preview1"
	errno := []byte{asm.I32}
	return []asm.Import{
		fnLog:       offer(leat, "log", nil, i32, i32, i32),
		fnMetric:    offer(leat, "metric_add", nil, i32, i32, asm.F64),
		fnEventTime: offer(leat, "event_time", []byte{asm.I64}),
		fnProcExit:  offer(wasi, "proc_exit", nil, i32),
		fnFdWrite:   offer(wasi, "fd_write", errno, i32, i32, i32, i32),
		fnPoll:      offer(wasi, "poll_oneoff", errno, i32, i32, i32, i32),
		fnRandom:    offer(wasi, "random_get", errno, i32, i32),
		fnClock:     offer(wasi, "clock_time_get", errno, i32, asm.I64, i32),
		fnRenumber:  offer(wasi, "fd_renumber", errno, i32, i32),
	}
}

func manifestText(nulls string, result batch.Type, args ...batch.Type) string {
	text := ""
	for i, a := range args {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"name":"a%d","type":"%v"}`, i, a)
	}
	return fmt.Sprintf(`{"abi":1,"name":"test","version":"1.2.0","functions":[{"id":7,"name":"f","kind":"scalar","nulls":%q,"args":[%s],"result":{"type":"%v"}}]}`, nulls, text, result)
}

// guest is a module with the ABI's exports, a region of 30 pages, and this
// leat_call, whose locals 2 and 3 are i32 and 4 i64.
func guest(manifest string, call []byte) *asm.Module {
	return &asm.Module{
		Imports: hostImports(),
		Pages:   32,
		Data:    []asm.Data{{At: 1024, Bytes: []byte(manifest)}},
		Funcs: []asm.Func{
			{Export: "leat_abi_v1", Sig: asm.Sig{Results: []byte{asm.I32}}, Body: asm.I32Const(1)},
			{Export: "leat_describe", Sig: asm.Sig{Results: []byte{asm.I64}}, Body: asm.I64Const(1024<<32 | int64(len(manifest)))},
			{Export: "leat_reserve", Sig: asm.Sig{Params: []byte{asm.I32}, Results: []byte{asm.I32}}, Body: asm.I32Const(region)},
			{Export: "leat_call", Sig: asm.Sig{Params: []byte{asm.I32, asm.I32}, Results: []byte{asm.I64}}, Locals: []byte{asm.I32, asm.I32, asm.I64}, Body: call},
		},
	}
}

// echo returns the input frame, which is a fit answer for a function of one argument.
func echo() []byte { return asm.Cat(asm.I64Const(region<<32), asm.Get(1), []byte{0xad, 0x84}) }

// whenNegative does something for each row whose double is below 0, then echoes.
func whenNegative(do ...[]byte) []byte {
	return asm.Cat(
		[]byte{0x02, 0x40, 0x03, 0x40},                                          // block, loop
		asm.Get(2), asm.I32Const(region), asm.I32Load(8), []byte{0x4f, 0x0d, 1}, // i >= rows: leave
		asm.I32Const(region), asm.I32Load(48), asm.I32Const(region), []byte{0x6a}, asm.Get(2), asm.I32Const(3), []byte{0x74, 0x6a, 0x2b, 3, 0}, // x
		asm.F64Const(0), []byte{0x63, 0x04, 0x40}, asm.Cat(do...), []byte{0x0b}, // if x < 0
		asm.Get(2), asm.I32Const(1), []byte{0x6a}, asm.Set(2), []byte{0x0c, 0, 0x0b, 0x0b},
		echo(),
	)
}

func doubleGuest(call []byte) []byte {
	return guest(manifestText("propagate", batch.Double, batch.Double), call).Bytes()
}

// engines runs a test on the compiler and on the interpreter.
func engines(t *testing.T, test func(t *testing.T, cfg Config)) {
	t.Helper()
	for _, interpreter := range []bool{false, true} {
		name := "compiler"
		if interpreter {
			name = "interpreter"
		}
		t.Run(name, func(t *testing.T) { test(t, Config{Interpreter: interpreter}) })
	}
}

func newHost(t testing.TB, cfg Config) *Host {
	t.Helper()
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = time.Minute // the race detector on a busy machine is slow
	}
	h, err := NewHost(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func load(t testing.TB, cfg Config, module []byte, name string) *Function {
	t.Helper()
	m, err := newHost(t, cfg).Load(context.Background(), module)
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.Scalar(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func example(t testing.TB, language string) []byte {
	t.Helper()
	module, err := os.ReadFile("../examples/udf/dewpoint-" + language + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func doubles(values ...float64) batch.Column {
	return batch.Column{Type: batch.Double, Doubles: values}
}

func logTo(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// call runs f and fails the test if f became unusable.
func call(t testing.TB, f *Function, args []batch.Column, rows int) (batch.Column, []batch.RowError) {
	t.Helper()
	out := batch.Column{Type: f.Spec().Result}
	errs, err := f.Call(1_000_000, args, rows, &out)
	if err != nil {
		t.Fatal(err)
	}
	if out.Len() != rows {
		t.Fatalf("%d rows came back for %d", out.Len(), rows)
	}
	return out, errs
}
