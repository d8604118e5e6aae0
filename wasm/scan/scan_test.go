package scan

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/leatio/leat/wasm/internal/asm"
)

func rules() Rules {
	return Rules{
		MaxBytes: 8 << 20, MaxMemoryPages: 1024, MaxTableEntries: 1000,
		Imports:  map[Import]Signature{{"leat", "log"}: {I32 + I32 + I32, ""}},
		Exports:  map[string]Signature{"f": {"", ""}},
		Optional: map[string]Signature{"g": {I32, I64}},
	}
}

// with is a module whose function f has this body.
func with(body []byte, locals ...byte) *asm.Module {
	return &asm.Module{Pages: 1, Funcs: []asm.Func{{Export: "f", Body: body, Locals: locals}}}
}

func raw(body ...[]byte) []byte {
	m := with(nil)
	m.Funcs[0].Raw = asm.Cat(body...)
	return m.Bytes()
}

func repeat(n int, code ...byte) []byte { return bytes.Repeat(code, n) }

func TestBoundsOfCode(t *testing.T) {
	ends := func(n int) []byte { return repeat(n, 0x0b) }
	loops := func(n int) []byte { return asm.Cat(repeat(n, 0x03, 0x40), ends(n)) }
	blocks := func(n int) []byte { return asm.Cat(repeat(n, 0x02, 0x40), ends(n)) }
	table := func(n int) []byte {
		return asm.Cat(asm.I32Const(0), []byte{0x0e}, asm.U(uint64(n)), repeat(n+1, 0))
	}
	locals := func(n int, code []byte) []byte {
		return raw([]byte{1}, asm.U(uint64(n)), []byte{asm.I32}, code, []byte{0x0b})
	}
	manyFuncs := func(n int) []byte {
		m := with(nil)
		m.Funcs = append(m.Funcs, make([]asm.Func, n-1)...)
		return m.Bytes()
	}
	for _, c := range []struct {
		name      string
		good, bad []byte
		want      string
	}{
		{"locals", locals(1000, nil), locals(1001, nil), "it has 1001 locals; at most 1000 are allowed"},
		{"2^32-1 locals", locals(0, nil), locals(1<<32-1, nil), "it has 4294967295 locals"},
		{"locals in groups", raw([]byte{2, 1, asm.I32, 1, asm.I64, 0x0b}), raw([]byte{2}, asm.U(1<<32-1), []byte{asm.I32}, asm.U(1<<32-1), []byte{asm.I32, 0x0b}), "locals; at most 1000"},
		{"loops", with(loops(32)).Bytes(), with(loops(33)).Bytes(), "it nests more than 32 loops"},
		{"loops in turn", with(bytes.Repeat(loops(32), 10)).Bytes(), with(asm.Cat(loops(32), loops(33))).Bytes(), "it nests more than 32 loops"},
		{"blocks", with(blocks(1999)).Bytes(), with(blocks(2000)).Bytes(), "it nests more than 2000 blocks"},
		{"br_table", with(table(4096)).Bytes(), with(table(4097)).Bytes(), "has 4097 targets in a br_table; at most 4096 are allowed"},
		{"body", with(repeat(65_000, 0x01)).Bytes(), with(repeat(65_540, 0x01)).Bytes(), "has a body of 65542 bytes (function 0); at most 65536 are allowed"},
		{"locals x blocks", locals(100, bytes.Repeat(blocks(10), 20)), locals(100, bytes.Repeat(blocks(10), 21)), "it has 100 locals and at least 201 blocks; their product may be at most 20000"},
		{"functions", manyFuncs(20_000), manyFuncs(20_001), "has 20001 functions; at most 20000 are allowed"},
	} {
		if _, err := Scan(c.good, rules()); err != nil {
			t.Errorf("%s: at the bound: %v", c.name, err)
		}
		if _, err := Scan(c.bad, rules()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q", c.name, err, c.want)
		}
	}
}

func TestOtherFaults(t *testing.T) {
	importing := func(kind ...byte) []byte {
		return asm.Cat(asm.Header(), asm.Section(2, []byte{1}, asm.Name("env"), asm.Name("x"), kind))
	}
	good := with(nil).Bytes()
	for _, c := range []struct {
		name   string
		module []byte
		want   string
	}{
		{"version 2", []byte("\x00asm\x02\x00\x00\x00"), "binary format version 02 00 00 00"},
		{"imported table", importing(1, 0x70, 0, 1), `imports a table ("env"."x"); a module may import functions only`},
		{"imported memory", importing(2, 0, 1), `imports a memory ("env"."x")`},
		{"imported global", importing(3, asm.I32, 0), `imports a global ("env"."x")`},
		{"imported tag", importing(4, 0, 0), `imports a tag ("env"."x")`},
		{"section of exceptions", asm.Cat(asm.Header(), asm.Section(13, []byte{0})), "has id 13"},
		{"section beyond the end", asm.Cat(asm.Header(), []byte{1, 100, 0}), "the section at byte 8 ends too early"},
		{"section of 4 GB", asm.Cat(asm.Header(), []byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f}), "the section at byte 8 ends too early"},
		{"length of 36 bits", asm.Cat(asm.Header(), []byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 1}), "has a number that is too long"},
		{"two sections", asm.Cat(asm.Header(), asm.Section(1, []byte{0}), asm.Section(1, []byte{0})), "the type section at byte 11 is out of order or stands twice"},
		{"order", asm.Cat(asm.Header(), asm.Section(10, []byte{0}), asm.Section(12, []byte{0})), "the data count section at byte 11 is out of order"},
		{"2^32-1 types", asm.Cat(asm.Header(), asm.Section(1, asm.U(1<<32-1))), "has 4294967295 types; at most 10000"},
		{"wide type", asm.Cat(asm.Header(), asm.Section(1, []byte{1, 0x60}, asm.U(1001))), "has 1001 parameters in a type"},
		{"struct type", asm.Cat(asm.Header(), asm.Section(1, []byte{1, 0x5f, 0})), "has a type of form 0x5f"},
		{"bytes after a section", asm.Cat(asm.Header(), asm.Section(1, []byte{0, 7})), "the type section at byte 8 has 1 bytes too many"},
		{"name not UTF-8", asm.Cat(asm.Header(), asm.Section(7, []byte{1, 1, 0xff, 0, 0})), "has a name that is not UTF-8"},
		{"export twice", asm.Cat(asm.Header(), asm.Section(7, []byte{2}, asm.Name("f"), []byte{0, 0}, asm.Name("f"), []byte{0, 0})), `exports "f" twice`},
		{"export of nothing", asm.Cat(asm.Header(), asm.Section(5, []byte{1, 0, 1}), asm.Section(7, []byte{2}, asm.Name("f"), []byte{0, 9}, asm.Name("memory"), []byte{2, 0})), "its export f names a function or type that does not exist"},
		{"export of a memory", asm.Cat(asm.Header(), asm.Section(5, []byte{1, 0, 1}), asm.Section(7, []byte{2}, asm.Name("f"), []byte{2, 0}, asm.Name("memory"), []byte{0, 0})), "its export f is not a function"},
		{"memory that is none", asm.Cat(asm.Header(), asm.Section(7, []byte{1}, asm.Name("memory"), []byte{0, 0})), `its export "memory" is not a memory`},
		{"two memories", asm.Cat(asm.Header(), asm.Section(5, []byte{2, 0, 1, 0, 1})), "it has 2 memories"},
		{"shared memory", asm.Cat(asm.Header(), asm.Section(5, []byte{1, 3, 1, 1})), "shared or 64-bit memory is not part"},
		{"maximum below minimum", asm.Cat(asm.Header(), asm.Section(5, []byte{1, 1, 5, 1})), "its memory has a maximum below its minimum"},
		{"optional export", (&asm.Module{Pages: 1, Funcs: []asm.Func{{Export: "f"}, {Export: "g"}}}).Bytes(), "its export g has the signature () -> (); (i32) -> i64 was expected"},
		{"2^32-1 elements", asm.Cat(asm.Header(), asm.Section(9, []byte{1, 3, 0}, asm.U(1<<32-1))), "has 4294967295 elements"},
		{"elements that are not there", asm.Cat(asm.Header(), asm.Section(9, []byte{1, 1, 0}, asm.U(99_999), []byte{0})), "the element section at byte 8 ends too early"},
		{"elements in all", asm.Cat(asm.Header(), asm.Section(9, []byte{2, 1, 0}, asm.U(60_000), make([]byte, 60_000), []byte{1, 0}, asm.U(60_000), make([]byte, 60_000))), "has 60000 elements, or more than that in all"},
		{"2^32-1 bytes of data", asm.Cat(asm.Header(), asm.Section(11, []byte{1, 1}, asm.U(1<<32-1))), "the data section at byte 8 ends too early"},
		{"data of unknown kind", asm.Cat(asm.Header(), asm.Section(11, []byte{1, 3})), "has a data segment of kind 3"},
		{"type of two bytes", asm.Cat(asm.Header(), asm.Section(1, []byte{1, 0x60, 2, 0x63, 0x70, 0})), "has the type 0x63"},
		{"table of two bytes", asm.Cat(asm.Header(), asm.Section(4, []byte{1, 0x64, 1, 1, 1})), "has the type 0x64"},
		{"local of two bytes", raw([]byte{1, 1, 0x63, 0x70, 0x0b}), "has the type 0x63"},
		{"block of two bytes", with([]byte{0x02, 0x63, 0x70, 0x0b}).Bytes(), "has the type 0x63"},
		{"block of a long negative type", with([]byte{0x02, 0xe3, 0x7f, 0x70, 0x0b}).Bytes(), "has a block of type"},
		{"block of 2^32-1", with([]byte{0x02, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0b}).Bytes(), "has a block of type 4294967295"},
		{"null of two bytes", with([]byte{0xd0, 0x80, 0, 0x1a}).Bytes(), "has the type 0x80"},
		{"bodies", asm.Cat(asm.Header(), asm.Section(10, []byte{1, 2, 0, 0x0b})), "has 1 bodies for 0 functions"},
		{"no end", raw([]byte{0, 0x01}), "is wrong in function 0 at its byte 2: it ends too early"},
		{"code after the end", raw([]byte{0, 0x0b, 0x01}), "it goes on after its end"},
		{"tail call", with([]byte{0x12, 0}).Bytes(), "it uses tail calls"},
		{"exceptions", with([]byte{0x1f, 0x40}).Bytes(), "it uses exception handling"},
		{"threads", with([]byte{0xfe, 0}).Bytes(), "it uses threads"},
		{"relaxed SIMD", with([]byte{0xfd, 0x80, 2}).Bytes(), "0xfd 256"},
		{"unknown opcode", with([]byte{0xff}).Bytes(), "it has the unknown opcode 0xff"},
		{"unknown bulk opcode", with([]byte{0xfc, 18}).Bytes(), "unknown opcode 0xfc 18"},
		{"half a module", good[:len(good)-1], "ends too early"},
	} {
		if _, err := Scan(c.module, rules()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q", c.name, err, c.want)
		}
	}
}

func TestFaultsAreAllNamedUpToABound(t *testing.T) {
	m := &asm.Module{Pages: 1}
	for range 100 {
		m.Imports = append(m.Imports, asm.Import{Module: "env", Name: "x"})
	}
	_, err := Scan(m.Bytes(), rules())
	if n := strings.Count(err.Error(), "env"); n != maxFaults || !strings.Contains(err.Error(), "there are more faults") {
		t.Errorf("%d of 100 faults were named", n)
	}
}

func TestReport(t *testing.T) {
	m := with(nil)
	m.Tables, m.Custom, m.Pages, m.MaxPages = []uint32{3}, []byte("names"), 2, 5000
	m.Funcs = append(m.Funcs, asm.Func{Export: "g", Sig: asm.Sig{Params: []byte{asm.I32}, Results: []byte{asm.I64}}, Body: asm.I64Const(0)})
	m.Start = 1
	r, err := Scan(m.Bytes(), rules())
	if err != nil {
		t.Fatal(err)
	}
	if r.MemoryMin != 2 || r.MemoryMax != 1024 || r.Functions != 2 || !r.HasStart || !r.Exports["g"] {
		t.Errorf("report %+v", r)
	}
	if !bytes.Contains(r.Binary, asm.Section(4, []byte{1, 0x70, 1, 3}, asm.U(1000))) || bytes.Contains(r.Binary, []byte("names")) {
		t.Errorf("the engine is handed %x", r.Binary)
	}
}

// Every opcode the scan passes over must have the immediates that the engine reads.
func TestRealModulesPass(t *testing.T) {
	for _, name := range []string{"c", "go"} {
		module, err := os.ReadFile("../../examples/udf/dewpoint-" + name + ".wasm")
		if err != nil {
			t.Fatal(err)
		}
		r := rules()
		r.Exports, r.Optional, r.MaxTableEntries = nil, nil, 100_000
		_, err = Scan(module, r)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.Contains(line, "wasi_snapshot_preview1") {
					t.Errorf("%s: %s", name, line)
				}
			}
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, m := range []*asm.Module{with(nil), with(asm.Loop()), {Pages: 1, Tables: []uint32{1, 2}, Start: 1, Data: []asm.Data{{At: 1, Bytes: []byte("x")}},
		Imports: []asm.Import{{Module: "leat", Name: "log", Sig: asm.Sig{Params: []byte{asm.I32, asm.I32, asm.I32}}}}, Custom: []byte{1}}} {
		f.Add(m.Bytes())
	}
	c, err := os.ReadFile("../../examples/udf/dewpoint-c.wasm")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c)
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01`\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01\a\x0e\x02\x01f\x00\x00\x06memory\x02\x00\t\t\x01\x03\x00\xbf\xd0\xd0\xd0\v\v")) // 3e9 elements
	ctx := context.Background()
	engine := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(1024))
	f.Fuzz(func(t *testing.T, module []byte) {
		began := time.Now()
		report, err := Scan(module, rules())
		if (report == nil) == (err == nil) {
			t.Fatalf("%v, %v", report, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Fatalf("the scan took %v", took)
		}
		if err != nil {
			return
		}
		// What passed does no harm to the engine, and what the engine takes as it was it takes as it is handed on.
		before, was := engine.CompileModule(ctx, module)
		after, is := engine.CompileModule(ctx, report.Binary)
		if was == nil && is != nil {
			t.Fatalf("the scan spoilt a valid module: %v", is)
		}
		if was == nil {
			_ = before.Close(ctx)
		}
		if is == nil {
			_ = after.Close(ctx)
		}
	})
}
