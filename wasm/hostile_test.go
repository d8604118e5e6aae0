package wasm

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/wasm/internal/asm"
)

// packed returns pointer<<32|length.
func packed(pointer, length uint32) []byte {
	return asm.I64Const(int64(uint64(pointer)<<32 | uint64(length)))
}

// negated is the bitwise complement of what code pushes.
func negated(code []byte) []byte { return asm.Cat(code, asm.I64Const(-1), []byte{0x85}) }

func ret(code []byte) []byte { return asm.Cat(code, []byte{0x0f}) }

// store32 stores a constant at a place in the input frame.
func store32(at, v int32) []byte {
	return asm.Cat(asm.I32Const(region+at), asm.I32Const(v), []byte{0x36, 2, 0})
}

// What a guest does to its rows below 0, and the reason that these are rejected with.
var crimes = []struct {
	name, want string
	do         []byte
	slow       bool
}{
	{"unreachable", "function f@1.2.0 trapped: unreachable", asm.Unreachable(), false},
	{"division by zero", "function f@1.2.0 trapped: integer divide by zero", asm.Cat(asm.I32Const(1), asm.I32Const(0), []byte{0x6d}, asm.Drop()), false},
	{"endless loop", "function f@1.2.0 ran longer than ", asm.Loop(), true},
	{"memory access", "function f@1.2.0 trapped: out of bounds memory access", asm.Cat(asm.I32Const(-8), asm.I32Load(0), asm.Drop()), false},
	{"proc_exit", "function f@1.2.0 called proc_exit(3)", asm.Cat(asm.I32Const(3), asm.Call(fnProcExit)), false},
	{"proc_exit(0)", "function f@1.2.0 called proc_exit(0)", asm.Cat(asm.I32Const(0), asm.Call(fnProcExit)), false},
	{"exit code of a timeout", "function f@1.2.0 called proc_exit(4026531839)", asm.Cat(asm.I32Const(-268435457), asm.Call(fnProcExit)), false},
	{"recursion", "function f@1.2.0 trapped: stack overflow|function f@1.2.0 ran longer than", asm.Cat(asm.Get(0), asm.Get(1), asm.Call(fnRenumber+4), asm.Drop()), true},
	{"log outside memory", "function f@1.2.0 trapped: leat.log: bytes 4294967295 to 8589934590 lie outside its memory", asm.Cat(asm.I32Const(1), asm.I32Const(-1), asm.I32Const(-1), asm.Call(fnLog)), false},
	{"log level", "function f@1.2.0 trapped: leat.log: level 9", asm.Cat(asm.I32Const(9), asm.I32Const(0), asm.I32Const(0), asm.Call(fnLog)), false},
	{"metric outside memory", "function f@1.2.0 trapped: leat.metric_add: bytes", asm.Cat(asm.I32Const(1), asm.I32Const(-1), asm.F64Const(1), asm.Call(fnMetric)), false},
	{"poll outside memory", "function f@1.2.0 trapped: poll_oneoff: bytes", asm.Cat(asm.I32Const(-64), asm.I32Const(0), asm.I32Const(9), asm.I32Const(0), asm.Call(fnPoll), asm.Drop()), false},

	{"error", "function f@1.2.0 failed: {\"abi\"", ret(negated(packed(1024, 7))), false},
	{"error outside memory", "returned address 2147483647 for 7 bytes", ret(negated(packed(1<<31-1, 7))), false},
	{"no frame", "function f@1.2.0 returned no frame", ret(asm.I64Const(0)), false},
	{"4 GB of output", "returned 4294967295 bytes; at most", ret(packed(8, 1<<32-1)), false},
	{"address outside memory", "returned address 2147483640 for 72 bytes, which is not a multiple of 8 or lies outside", ret(packed(1<<31-8, 72)), false},
	{"end outside memory", "lies outside its memory of", ret(packed(32*65536-64, 72)), false},
	{"odd address", "which is not a multiple of 8", ret(packed(1025, 72)), false},
	{"short frame", "malformed frame: 63 bytes are too few", ret(packed(1024, 63)), false},
	{"no magic", "malformed frame: it begins with", ret(packed(1024, 72)), false},
	{"operation", "malformed frame: operation 1 in answer", store32(4, 0x10001), false},
	{"columns", "malformed frame: 9 columns in answer", store32(4, 0x90000), false},
	{"rows", "malformed frame: 4294967295 rows in answer", store32(8, -1), false},
	{"length", "malformed frame: the header says 2147483647 bytes", store32(12, 1<<31-1), false},
	{"groups", "malformed frame: groups, flags, timers", store32(24, 1), false},
	{"type", "malformed frame: the result has type 2; the manifest says double (3)", store32(40, 2), false},
	{"flags", "malformed frame: the result has unknown flags 0xf8", store32(40, 0xf803), false},
	{"dictionary", "malformed frame: the result is dictionary coded", store32(40, 0x0403), false},
	{"role", "malformed frame: the result has role 1", store32(40, 0x10003), false},
	{"bitmap without flag", "malformed frame: a column without the flag nullable", store32(44, 64), false},
	{"bitmap outside", "malformed frame: the null bitmap at offset 4294967288", asm.Cat(store32(40, 0x0103), store32(44, -8)), false},
	{"values outside", "malformed frame: the values at offset 4294967288", store32(48, -8), false},
	{"values in the header", "malformed frame: the values at offset 0", store32(48, 0), false},
	{"values length", "malformed frame: 0 bytes of values", store32(52, 0), false},
}

func TestOnlyTheGuiltyRowsFail(t *testing.T) {
	engines(t, func(t *testing.T, cfg Config) {
		for _, c := range crimes {
			t.Run(c.name, func(t *testing.T) {
				onlyTheGuilty(t, cfg, c.do, c.want, c.slow)
			})
		}
	})
}

func onlyTheGuilty(t *testing.T, cfg Config, do []byte, want string, slow bool) {
	// A frame that was spoilt for one row is spoilt for all of its call, so that every crime
	// ends the call at its row.
	module := doubleGuest(whenNegative(do, ret(echo())))
	in, guilty := make([]float64, 1000), []int{0, 1, 500, 777, 999}
	if slow {
		t.Parallel()
		in, guilty = in[:6], []int{5}
		cfg.CallTimeout = 1600 * time.Millisecond
	}
	for i := range in {
		in[i] = float64(i)
	}
	for _, r := range guilty {
		in[r] = -1
	}
	f := load(t, cfg, module, "f")
	out, errs := call(t, f, []batch.Column{doubles(in...)}, len(in))
	var rows []int
	for _, e := range errs {
		rows = append(rows, e.Row)
		one, other, _ := strings.Cut(want, "|")
		if !strings.Contains(e.Reason, one) && (other == "" || !strings.Contains(e.Reason, other)) || !strings.HasPrefix(e.Reason, "function f@1.2.0 ") {
			t.Fatalf("row %d: %q, want %q", e.Row, e.Reason, want)
		}
	}
	if !slices.Equal(rows, guilty) {
		t.Fatalf("rows %v failed, want %v", rows, guilty)
	}
	for i := range in {
		if bad := slices.Contains(guilty, i); out.Null(i) != bad || !bad && out.Doubles[i] != in[i] {
			t.Fatalf("row %d is %v (null %v)", i, out.Doubles[i], out.Null(i))
		}
	}
	// The function goes on as if nothing had happened.
	if out, errs := call(t, f, []batch.Column{doubles(1, 2)}, 2); len(errs) > 0 || out.Doubles[1] != 2 {
		t.Fatalf("afterwards: %v %v", out.Doubles, errs)
	}
}

func TestAnErrorLeavesTheInstanceInPlace(t *testing.T) {
	f := load(t, Config{}, doubleGuest(whenNegative(ret(negated(packed(1024, 7))))), "f")
	if _, errs := call(t, f, []batch.Column{doubles(1, -1, 1)}, 3); len(errs) != 1 {
		t.Fatal(errs)
	}
	if n := f.Stats().Replaced; n != 0 {
		t.Errorf("%d instances were replaced", n)
	}
}

func TestABatchOfGuiltyRowsIsBounded(t *testing.T) {
	const rows = 9000
	in := make([]float64, rows)
	for i := range in {
		in[i] = -1
	}
	in[8999] = 5
	engines(t, func(t *testing.T, cfg Config) {
		cfg.MaxGuiltyRows = 3
		f := load(t, cfg, doubleGuest(whenNegative(asm.Unreachable())), "f")
		_, errs := call(t, f, []batch.Column{doubles(in...)}, rows)
		alone, together := 0, 0
		for i, e := range errs {
			if e.Row != i {
				t.Fatalf("error %d is of row %d", i, e.Row)
			}
			if e.Reason == "function f@1.2.0 trapped: unreachable" {
				alone++
			} else if strings.Contains(e.Reason, "trapped: unreachable; 4 rows of this batch were singled out already, so the ") {
				together++
			}
		}
		s := f.Stats()
		// The last two stood in one part, whose halves had run before they were counted.
		if alone != 4 || alone+together != rows || s.Guilty != uint64(alone) || s.Rejected != uint64(together) {
			t.Errorf("%d rows failed alone, %d together; stats %+v", alone, together, s)
		}
		if s.Replaced > 3*13+13+2 {
			t.Errorf("%d instances were used up", s.Replaced)
		}
	})
}

func TestFailingTimeIsBounded(t *testing.T) {
	in := make([]float64, 4096)
	for i := range in {
		in[i] = -1
	}
	cfg := Config{CallTimeout: 80 * time.Millisecond, MaxFailingTime: 200 * time.Millisecond}
	f := load(t, cfg, doubleGuest(whenNegative(asm.Loop())), "f")
	began := time.Now()
	_, errs := call(t, f, []batch.Column{doubles(in...)}, len(in))
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("an endless loop in every row took %v", took)
	}
	last := errs[len(errs)-1]
	if len(errs) != 4096 || !strings.Contains(last.Reason, "was not called: it had failed on this batch for ") {
		t.Errorf("%d rows failed, the last: %v", len(errs), last)
	}
}

func TestReserveIsNotTrusted(t *testing.T) {
	grow := asm.Loop(asm.I32Const(1), []byte{0x40, 0}, asm.I32Const(0), []byte{0x48, 0x0d, 1}) // until memory.grow gives -1
	for _, c := range []struct {
		name, want string
		body       []byte
	}{
		{"zero", "function f@1.2.0 could not reserve 72 bytes for its input", asm.I32Const(0)},
		{"odd", "leat_reserve returned address 12 for 72 bytes, which is not a multiple of 8", asm.I32Const(12)},
		{"outside", "leat_reserve returned address 4294967288", asm.I32Const(-8)},
		{"trap", "function f@1.2.0 trapped: unreachable", asm.Unreachable()},
	} {
		engines(t, func(t *testing.T, cfg Config) {
			m := guest(manifestText("propagate", batch.Double, batch.Double), echo())
			m.Funcs[2].Body = c.body
			f := load(t, cfg, m.Bytes(), "f")
			if _, errs := call(t, f, []batch.Column{doubles(1)}, 1); len(errs) != 1 || !strings.Contains(errs[0].Reason, c.want) {
				t.Errorf("%s: %v", c.name, errs)
			}
		})
	}
	engines(t, func(t *testing.T, cfg Config) {
		cfg.MaxMemoryPages = 100
		m := guest(manifestText("propagate", batch.Double, batch.Double), asm.Cat([]byte{0x02, 0x40}, grow, []byte{0x0b}, echo()))
		m.Funcs[2].Body = asm.Cat(asm.I32Const(1), []byte{0x40, 0}, asm.Drop(), asm.I32Const(region))
		f := load(t, cfg, m.Bytes(), "f")
		if out, errs := call(t, f, []batch.Column{doubles(1, 2)}, 2); len(errs) > 0 || out.Doubles[1] != 2 {
			t.Errorf("%v %v", out.Doubles, errs)
		}
		if got := f.MemoryBytes(); got != 100<<16 {
			t.Errorf("memory grew to %d bytes; 100 pages are allowed", got)
		}
	})
}

// A guest that grows its memory and touches none of it costs nothing, and what an instance
// did touch is given back.
func TestGuestMemoryIsGivenBack(t *testing.T) {
	fill := asm.Cat(asm.I32Const(region*2), asm.I32Const(7), asm.I32Const(28*65536), []byte{0xfc, 11, 0}, asm.Unreachable())
	f := load(t, Config{}, doubleGuest(whenNegative(fill)), "f")
	before := residentKiB(t)
	for range 100 {
		call(t, f, []batch.Column{doubles(-1, 1, -1)}, 3)
	}
	if after := residentKiB(t); after-before > 16<<10 {
		t.Errorf("%d instances later %d KiB more are resident", f.Stats().Replaced, after-before)
	}
}

func TestOutputIsBoundedByInput(t *testing.T) {
	m := guest(manifestText("propagate", batch.Double, batch.Double), ret(packed(65536, 64<<10+8*72+8)))
	f := load(t, Config{MaxOutputPerInput: 8}, m.Bytes(), "f")
	if _, errs := call(t, f, []batch.Column{doubles(1)}, 1); len(errs) != 1 || !strings.Contains(errs[0].Reason, "returned 66120 bytes; at most 66112 are allowed") {
		t.Errorf("%v", errs)
	}
}

// A constant column of bytes may not unfold to more than the output's bound.
func TestConstantsDoNotUnfoldWithoutBound(t *testing.T) {
	m := guest(manifestText("propagate", batch.Bytes, batch.Bytes), asm.Cat(
		asm.I32Const(region+41), asm.I32Const(2), []byte{0x3a, 0, 0}, // constant
		store32(52, 8), echo()))
	f := load(t, Config{MaxOutputPerInput: 1}, m.Bytes(), "f")
	in := batch.Column{Type: batch.Bytes}
	in.AppendBlob(bytes.Repeat([]byte{'x'}, 10_000))
	for range 3999 {
		in.AppendBlob(nil)
	}
	out, errs := call(t, f, []batch.Column{in}, 4000)
	if len(errs) > 0 || f.Stats().Replaced == 0 {
		t.Fatalf("40 MB were taken from a frame of 26 KB: %v, %+v", errs, f.Stats())
	}
	if len(out.Data) > 64<<10+26<<10 {
		t.Errorf("%d bytes came out", len(out.Data))
	}
}

// residentKiB is the resident memory of the process.
func residentKiB(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("resident memory is read from /proc, which only Linux has")
	}
	runtime.GC()
	return statusKiB(t, "VmRSS:")
}
