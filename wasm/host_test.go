package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/wasm/internal/asm"
)

func plainGuest() *asm.Module {
	return guest(manifestText("propagate", batch.Double, batch.Double), echo())
}

func TestModulesAreRefusedWithAReason(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(m *asm.Module) []byte
		want  []string
	}{
		{"empty", func(*asm.Module) []byte { return nil }, []string{"this is no WebAssembly module"}},
		{"text form", func(*asm.Module) []byte { return []byte("(module (func))") }, []string{"give the compiled .wasm file"}},
		{"component", func(*asm.Module) []byte { return []byte("\x00asm\x0d\x00\x01\x00") }, []string{"this is a component, not a core module"}},
		{"too large", func(m *asm.Module) []byte { m.Custom = make([]byte, 9<<20); return m.Bytes() }, []string{"at most 8388608 are allowed here"}},
		{"nothing exported", func(m *asm.Module) []byte {
			m.Private = true
			for i := range m.Funcs {
				m.Funcs[i].Export = ""
			}
			return m.Bytes()
		}, []string{`does not export its memory under the name "memory"`, "the function leat_abi_v1 () -> i32", "leat_describe () -> i64", "leat_reserve (i32) -> i32", "leat_call (i32, i32) -> i64"}},
		{"wrong types", func(m *asm.Module) []byte {
			m.Funcs[0].Sig, m.Funcs[3].Sig = asm.Sig{Results: []byte{asm.I64}}, asm.Sig{Params: []byte{asm.I32}}
			return m.Bytes()
		}, []string{"its export leat_abi_v1 has the signature () -> i64; () -> i32 was expected", "its export leat_call has the signature (i32) -> (); (i32, i32) -> i64 was expected"}},
		{"wrong _initialize", func(m *asm.Module) []byte {
			m.Funcs = append(m.Funcs, asm.Func{Export: "_initialize", Sig: asm.Sig{Params: []byte{asm.I32}}})
			return m.Bytes()
		}, []string{"its export _initialize has the signature (i32) -> (); () -> () was expected"}},
		{"command", func(m *asm.Module) []byte {
			m.Funcs = []asm.Func{{Export: "_start"}}
			return m.Bytes()
		}, []string{"it is a program with a _start function, not a library; build a reactor"}},
		{"no memory", func(m *asm.Module) []byte { m.Pages, m.Data = -1, nil; return m.Bytes() }, []string{"it has no memory"}},
		{"huge memory", func(m *asm.Module) []byte { m.Pages = 65536; return m.Bytes() }, []string{"its memory starts with 65536 pages of 64 KiB; at most 1024 (64 MiB) are allowed here"}},
		{"huge table", func(m *asm.Module) []byte { m.Tables = []uint32{10, 1 << 30}; return m.Bytes() }, []string{"it has a table of 1073741824 entries; at most 100000 are allowed here"}},
		{"unknown imports", func(m *asm.Module) []byte {
			m.Imports = append(m.Imports, asm.Import{Module: "env", Name: "abort"}, asm.Import{Module: "wasi_snapshot_preview1", Name: "sock_open"}, asm.Import{Module: "leat", Name: "log"})
			return m.Bytes()
		}, []string{`imports "env"."abort", which this host does not offer`, `"wasi_snapshot_preview1"."sock_open"`, `imports "leat"."log" as () -> (); the host offers (i32, i32, i32) -> ()`}},
		{"invalid code", func(m *asm.Module) []byte { m.Funcs[3].Body = []byte{0x1a}; return m.Bytes() }, []string{"it does not compile"}},
		{"start traps", func(m *asm.Module) []byte {
			m.Funcs = append(m.Funcs, asm.Func{Body: asm.Unreachable()})
			m.Start = len(m.Imports) + len(m.Funcs)
			return m.Bytes()
		}, []string{"trapped: start ", "unreachable"}},
		{"start exits", func(m *asm.Module) []byte {
			m.Funcs = append(m.Funcs, asm.Func{Body: asm.Cat(asm.I32Const(0), asm.Call(fnProcExit))})
			m.Start = len(m.Imports) + len(m.Funcs)
			return m.Bytes()
		}, []string{"called proc_exit(0)"}},
		{"_initialize exits", initializeTo(asm.Cat(asm.I32Const(0), asm.Call(fnProcExit))), []string{"_initialize: called proc_exit(0)"}},
		{"_initialize traps", initializeTo(asm.Unreachable()), []string{"_initialize: trapped: unreachable"}},
		{"_initialize spins", initializeTo(asm.Loop()), []string{"it did not start within 500ms"}},
		{"describe spins", func(m *asm.Module) []byte {
			m.Funcs[1].Body = asm.Cat(asm.Loop(), asm.I64Const(0))
			return m.Bytes()
		}, []string{"it did not describe itself within 500ms"}},
		{"describe traps", func(m *asm.Module) []byte { m.Funcs[1].Body = asm.Unreachable(); return m.Bytes() }, []string{"leat_describe: trapped: unreachable"}},
		{"version traps", func(m *asm.Module) []byte { m.Funcs[0].Body = asm.Unreachable(); return m.Bytes() }, []string{"leat_abi_v1: trapped: unreachable"}},
		{"version 2", func(m *asm.Module) []byte { m.Funcs[0].Body = asm.I32Const(2); return m.Bytes() }, []string{"leat_abi_v1 returned 2; this host speaks version 1"}},
		{"no manifest", func(m *asm.Module) []byte { m.Funcs[1].Body = asm.I64Const(0); return m.Bytes() }, []string{"leat_describe returned no manifest"}},
		{"negative manifest", func(m *asm.Module) []byte { m.Funcs[1].Body = asm.I64Const(-1); return m.Bytes() }, []string{"leat_describe returned no manifest"}},
		{"manifest outside", func(m *asm.Module) []byte { m.Funcs[1].Body = packed(1<<31-1, 100); return m.Bytes() }, []string{"leat_describe returned address 2147483647"}},
		{"manifest of 4 GB", func(m *asm.Module) []byte { m.Funcs[1].Body = packed(0, 1<<32-1); return m.Bytes() }, []string{"leat_describe returned 4294967295 bytes; at most 65536 are allowed"}},
		{"manifest of zeros", func(m *asm.Module) []byte { m.Funcs[1].Body = packed(8, 100); return m.Bytes() }, []string{"manifest: at byte 0: invalid character"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			engines(t, func(t *testing.T, cfg Config) {
				if strings.Contains(c.name, "spins") {
					t.Parallel()
					cfg.CallTimeout = 500 * time.Millisecond
				}
				h := newHost(t, cfg)
				_, err := h.Load(context.Background(), c.spoil(plainGuest()))
				if !errors.Is(err, ErrRefused) {
					t.Fatalf("the error is %v", err)
				}
				for _, want := range c.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the error does not say %q:\n%v", want, err)
					}
				}
				// The host is as good as new.
				if _, err := h.Load(context.Background(), plainGuest().Bytes()); err != nil {
					t.Errorf("a good module afterwards: %v", err)
				}
			})
		})
	}
}

func initializeTo(body []byte) func(m *asm.Module) []byte {
	return func(m *asm.Module) []byte {
		m.Funcs = append(m.Funcs, asm.Func{Export: "_initialize", Body: body})
		return m.Bytes()
	}
}

func TestTablesGetAMaximum(t *testing.T) {
	// table.grow by 1,000 until it fails; the guest returns the table's size.
	call := asm.Cat([]byte{0x02, 0x40}, asm.Loop([]byte{0xd0, 0x70}, asm.I32Const(1000), []byte{0xfc, 15, 0}, asm.I32Const(0), []byte{0x48, 0x0d, 1}), []byte{0x0b},
		asm.I32Const(region), asm.I32Load(48), asm.I32Const(region), []byte{0x6a, 0xfc, 16, 0, 0xb7, 0x39, 3, 0}, echo())
	m := guest(manifestText("propagate", batch.Double, batch.Double), call)
	m.Tables = []uint32{10}
	engines(t, func(t *testing.T, cfg Config) {
		cfg.MaxTableEntries = 5010
		f := load(t, cfg, m.Bytes(), "f")
		if out, _ := runOnce(t, f); out.Doubles[0] != 5010 {
			t.Errorf("the table grew to %v entries; 5010 are allowed", out.Doubles[0])
		}
	})
}

func runOnce(t *testing.T, f *Function) (batch.Column, []batch.RowError) {
	t.Helper()
	return call(t, f, []batch.Column{doubles(0)}, 1)
}

func TestCacheIsUsedAndMended(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	module := example(t, "c")
	open := func(want float64) {
		t.Helper()
		ctx := context.Background()
		h, err := NewHost(ctx, Config{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		m, err := h.Load(ctx, module)
		if err != nil {
			t.Fatal(err)
		}
		f, err := m.Scalar(ctx, "dewpoint")
		if err != nil {
			t.Fatal(err)
		}
		if out, _ := call(t, f, []batch.Column{doubles(20), doubles(100)}, 1); out.Doubles[0]-want > 1e-9 || want-out.Doubles[0] > 1e-9 {
			t.Errorf("got %v, want %v", out.Doubles[0], want)
		}
		if err := errors.Join(f.Close(), h.Close(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	open(20)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v %v", info, err)
	}
	entries, err := cacheEntries(dir)
	if err != nil || len(entries) != 1 {
		t.Skipf("%d entries: this machine has no compiler (%v)", len(entries), err)
	}
	written := entries[0].modified
	open(20)
	if entries, _ = cacheEntries(dir); len(entries) != 1 || !entries[0].modified.Equal(written) {
		t.Error("the second host compiled anew")
	}
	content, err := os.ReadFile(entries[0].path)
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range [][]byte{nil, content[:len(content)/2], append(bytes.Clone(content[:len(content)-9]), 1, 2, 3, 4, 5, 6, 7, 8, 9)} {
		if err := os.WriteFile(entries[0].path, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		open(20)
		if again, err := os.ReadFile(entries[0].path); err != nil || !bytes.Equal(again, content) {
			t.Errorf("an entry damaged to %d bytes was not mended: %v", len(damage), err)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	sub := filepath.Join(dir, "wazero-v0.0.0-amd64-linux")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		name := filepath.Join(sub, fmt.Sprint(i))
		if err := os.WriteFile(name, make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(1000+i), 0)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	newHost(t, Config{CacheDir: dir, MaxCacheBytes: 250})
	left, err := filepath.Glob(filepath.Join(sub, "*"))
	if err != nil || len(left) != 2 || filepath.Base(left[0]) != "3" {
		t.Errorf("left: %v %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "mine")); err != nil {
		t.Error("a file of somebody else was removed")
	}
}

func TestOpenCacheIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := NewHost(context.Background(), Config{CacheDir: dir}); err == nil || !strings.Contains(err.Error(), "chmod 700 "+dir) {
		t.Errorf("the error is %v", err)
	}
}

func TestConfigNamesTheBadField(t *testing.T) {
	for want, cfg := range map[string]Config{
		"MaxModuleBytes": {MaxModuleBytes: -1}, "MaxMemoryPages": {MaxMemoryPages: 32768}, "CallTimeout": {CallTimeout: -1},
		"MaxOutputPerInput": {MaxOutputPerInput: -1}, "MaxGuiltyRows": {MaxGuiltyRows: -1}, "LogBytesPerSecond": {LogBytesPerSecond: -1},
		"MaxCacheBytes": {MaxCacheBytes: -1}, "MaxInputBytes": {MaxInputBytes: -1}, "MaxFailingTime": {MaxFailingTime: -1},
	} {
		if _, err := NewHost(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestAStoppedContextIsObeyed(t *testing.T) {
	h := newHost(t, Config{})
	m, err := h.Load(context.Background(), plainGuest().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.Load(ctx, plainGuest().Bytes()); !errors.Is(err, context.Canceled) {
		t.Errorf("Load: %v", err)
	}
	if _, err := m.Scalar(ctx, "f"); !errors.Is(err, context.Canceled) {
		t.Errorf("Scalar: %v", err)
	}
}
