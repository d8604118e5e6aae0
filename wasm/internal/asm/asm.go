// Package asm writes small WebAssembly binaries for tests, among them ones that
// no compiler would write.
package asm

import (
	"encoding/binary"
	"math"
)

// Value types.
const (
	I32 = 0x7f
	I64 = 0x7e
	F64 = 0x7c
)

// Sig is a function's type.
type Sig struct{ Params, Results []byte }

// Import is an imported function.
type Import struct {
	Module, Name string
	Sig          Sig
}

// Func is a function of the module; Body ends without its end instruction.
type Func struct {
	Export string
	Sig    Sig
	Locals []byte // their types
	Body   []byte
	// Raw, where it is set, is the whole body with its locals and end.
	Raw []byte
}

// Data is an active data segment.
type Data struct {
	At    int32
	Bytes []byte
}

// Module is what Bytes writes. Functions are numbered from the imports on.
type Module struct {
	Imports  []Import
	Funcs    []Func
	Pages    int  // memory; negative: none
	MaxPages int  // 0: no maximum
	Private  bool // the memory is not exported
	Tables   []uint32
	Start    int // index of the start function + 1
	Data     []Data
	Custom   []byte // of a custom section named "x"
}

// Section writes one section.
func Section(id byte, body ...[]byte) []byte {
	all := Cat(body...)
	return Cat([]byte{id}, U(uint64(len(all))), all)
}

// Header is the magic and version of a core module.
func Header() []byte { return []byte("\x00asm\x01\x00\x00\x00") }

// Bytes writes the module.
func (m *Module) Bytes() []byte {
	var types, imports, funcs, exports, code [][]byte
	known := map[string]uint64{}
	typeOf := func(s Sig) []byte {
		t := sig(s)
		if _, ok := known[string(t)]; !ok {
			known[string(t)] = uint64(len(types))
			types = append(types, t)
		}
		return U(known[string(t)])
	}
	for _, imp := range m.Imports {
		imports = append(imports, Cat(Name(imp.Module), Name(imp.Name), []byte{0}, typeOf(imp.Sig)))
	}
	for i, f := range m.Funcs {
		funcs = append(funcs, typeOf(f.Sig))
		if f.Export != "" {
			exports = append(exports, Cat(Name(f.Export), []byte{0}, U(uint64(i+len(m.Imports)))))
		}
		code = append(code, f.body())
	}
	if m.Pages >= 0 && !m.Private {
		exports = append(exports, Cat(Name("memory"), []byte{2, 0}))
	}
	out := Cat(Header(), vector(1, types), vector(2, imports), vector(3, funcs))
	if len(m.Tables) > 0 {
		var tables [][]byte
		for _, n := range m.Tables {
			tables = append(tables, Cat([]byte{0x70, 0}, U(uint64(n))))
		}
		out = append(out, vector(4, tables)...)
	}
	if m.Pages >= 0 {
		limits := Cat([]byte{0}, U(uint64(m.Pages)))
		if m.MaxPages > 0 {
			limits = Cat([]byte{1}, U(uint64(m.Pages)), U(uint64(m.MaxPages)))
		}
		out = append(out, Section(5, []byte{1}, limits)...)
	}
	out = append(out, vector(7, exports)...)
	if m.Start > 0 {
		out = append(out, Section(8, U(uint64(m.Start-1)))...)
	}
	out = append(out, vector(10, code)...)
	var data [][]byte
	for _, d := range m.Data {
		data = append(data, Cat([]byte{0}, I32Const(d.At), []byte{0x0b}, U(uint64(len(d.Bytes))), d.Bytes))
	}
	out = append(out, vector(11, data)...)
	if m.Custom != nil {
		out = append(out, Section(0, Name("x"), m.Custom)...)
	}
	return out
}

func (f *Func) body() []byte {
	body := f.Raw
	if body == nil {
		body = U(uint64(len(f.Locals)))
		for _, t := range f.Locals {
			body = append(body, 1, t)
		}
		body = Cat(body, f.Body, []byte{0x0b})
	}
	return Cat(U(uint64(len(body))), body)
}

func vector(id byte, items [][]byte) []byte {
	if len(items) == 0 {
		return nil
	}
	return Section(id, U(uint64(len(items))), Cat(items...))
}

func sig(s Sig) []byte {
	return Cat([]byte{0x60}, U(uint64(len(s.Params))), s.Params, U(uint64(len(s.Results))), s.Results)
}

// Cat joins pieces of code.
func Cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// Name is a name with its length.
func Name(s string) []byte { return append(U(uint64(len(s))), s...) }

// U is an unsigned LEB128.
func U(v uint64) []byte { return binary.AppendUvarint(nil, v) }

// S is a signed LEB128.
func S(v int64) []byte {
	var b []byte
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// I32Const pushes v.
func I32Const(v int32) []byte { return append([]byte{0x41}, S(int64(v))...) }

// I64Const pushes v.
func I64Const(v int64) []byte { return append([]byte{0x42}, S(v)...) }

// F64Const pushes v.
func F64Const(v float64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{0x44}, math.Float64bits(v))
}

// Get pushes a local.
func Get(local int) []byte { return Cat([]byte{0x20}, U(uint64(local))) }

// Set pops a local.
func Set(local int) []byte { return Cat([]byte{0x21}, U(uint64(local))) }

// Call calls a function.
func Call(f int) []byte { return Cat([]byte{0x10}, U(uint64(f))) }

// I32Load pops an address and loads from it plus offset.
func I32Load(offset int) []byte { return Cat([]byte{0x28, 2}, U(uint64(offset))) }

// Loop is an endless loop around body.
func Loop(body ...[]byte) []byte { return Cat([]byte{0x03, 0x40}, Cat(body...), []byte{0x0c, 0, 0x0b}) }

// Unreachable traps.
func Unreachable() []byte { return []byte{0x00} }

// Drop drops.
func Drop() []byte { return []byte{0x1a} }
