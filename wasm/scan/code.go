package scan

import "fmt"

// body is what one function's code has used so far.
type body struct {
	locals, blocks int
	// kinds holds one entry per open block: whether it is a loop.
	kinds []bool
	loops int
}

func (m *module) readCode(s *reader) {
	n := count(s, MaxFunctions, "function bodies")
	if s.err == nil && int(n) != len(m.funcs) {
		s.fail(fmt.Errorf("has %d bodies for %d functions", n, len(m.funcs)))
		return
	}
	var b body
	for i := range int(n) {
		size := s.u32()
		if s.err == nil && size > MaxBodyBytes {
			s.fail(fmt.Errorf("has a body of %d bytes (function %d); at most %d are allowed", size, i+len(m.imports), MaxBodyBytes))
		}
		code := &reader{b: s.bytes(size)}
		if s.err != nil {
			return
		}
		b = body{kinds: b.kinds[:0]}
		m.readBody(&b, code, m.funcs[i])
		if code.err != nil {
			s.fail(fmt.Errorf("is wrong in function %d at its byte %d: it %w", i+len(m.imports), code.at, code.err))
			return
		}
	}
}

func (m *module) readBody(b *body, r *reader, typ uint32) {
	if int(typ) >= len(m.types) {
		r.fail(fmt.Errorf("has type %d, which does not exist", typ))
		return
	}
	locals := uint64(len(m.types[typ].Params))
	groups := count(r, MaxLocals, "groups of locals")
	for range groups {
		n := r.u32()
		r.checkValueType(r.u8())
		locals += uint64(n)
		if r.err != nil {
			return
		}
		if locals > MaxLocals {
			r.fail(fmt.Errorf("has %d locals; at most %d are allowed", locals, MaxLocals))
			return
		}
	}
	b.locals = int(locals)
	b.kinds = append(b.kinds, false) // the function itself
	for r.err == nil && len(b.kinds) > 0 {
		b.instruction(r)
	}
	if r.err == nil && r.at != len(r.b) {
		r.fail(fmt.Errorf("goes on after its end"))
	}
}

func (b *body) open(r *reader, loop bool) {
	r.blockType()
	b.kinds = append(b.kinds, loop)
	b.blocks++
	if loop {
		b.loops++
	}
	switch {
	case b.loops > MaxLoopDepth:
		r.fail(fmt.Errorf("nests more than %d loops", MaxLoopDepth))
	case len(b.kinds) > MaxBlockDepth:
		r.fail(fmt.Errorf("nests more than %d blocks", MaxBlockDepth))
	case b.locals*b.blocks > MaxLocalsTimeBlock:
		r.fail(fmt.Errorf("has %d locals and at least %d blocks; their product may be at most %d", b.locals, b.blocks, MaxLocalsTimeBlock))
	}
}

func (b *body) close() {
	last := len(b.kinds) - 1
	if b.kinds[last] {
		b.loops--
	}
	b.kinds = b.kinds[:last]
}

// instruction passes over one instruction.
func (b *body) instruction(r *reader) {
	op := r.u8()
	switch {
	case r.err != nil:
	case op == 0x02 || op == 0x04: // block, if
		b.open(r, false)
	case op == 0x03: // loop
		b.open(r, true)
	case op == 0x0b: // end
		b.close()
	case op == 0x0e: // br_table
		for range count(r, MaxBranchTable, "targets in a br_table") {
			r.u32()
			if r.err != nil {
				return
			}
		}
		r.u32()
	case op == 0x1c: // select with types
		r.valueTypes(count(r, MaxParams, "types in a select"))
	case op == 0xfc:
		bulk(r)
	case op == 0xfd:
		vector(r)
	default:
		plain(r, op)
	}
}

// plain passes over the immediates of an instruction with a one-byte opcode.
func plain(r *reader, op byte) {
	switch {
	case op == 0x00, op == 0x01, op == 0x05, op == 0x0f, op == 0x1a, op == 0x1b, op == 0xd1:
	case op >= 0x45 && op <= 0xc4: // comparisons, arithmetic, conversions
	case op == 0x0c, op == 0x0d, op == 0x10, op >= 0x20 && op <= 0x26, op == 0xd2:
		r.u32()
	case op == 0x11: // call_indirect
		r.u32()
		r.u32()
	case op >= 0x28 && op <= 0x3e: // loads and stores
		memarg(r)
	case op == 0x3f, op == 0x40:
		r.u8()
	case op == 0xd0: // ref.null
		r.checkReference(r.u8())
	case op == 0x41:
		r.skipLEB(5)
	case op == 0x42:
		r.skipLEB(10)
	case op == 0x43:
		r.bytes(4)
	case op == 0x44:
		r.bytes(8)
	case op == 0x12 || op == 0x13:
		r.fail(fmt.Errorf("uses tail calls, which are not part of WebAssembly 2.0"))
	case op >= 0x06 && op <= 0x0a || op == 0x18 || op == 0x19 || op == 0x1f:
		r.fail(fmt.Errorf("uses exception handling, which is not part of WebAssembly 2.0"))
	case op == 0xfe:
		r.fail(fmt.Errorf("uses threads, which are not part of WebAssembly 2.0"))
	default:
		r.fail(fmt.Errorf("has the unknown opcode 0x%02x", op))
	}
}

func memarg(r *reader) {
	r.u32()
	r.u32()
}

// bulk passes over an instruction with the prefix 0xfc.
func bulk(r *reader) {
	switch op := r.u32(); {
	case op <= 7: // saturating conversions
	case op == 9, op == 13, op == 15, op == 16, op == 17: // data.drop, elem.drop, table.grow, size, fill
		r.u32()
	case op == 11: // memory.fill
		r.u8()
	case op == 8, op == 10, op == 12, op == 14: // memory.init, memory.copy, table.init, table.copy
		r.u32()
		r.u32()
	default:
		r.fail(fmt.Errorf("has the unknown opcode 0xfc %d", op))
	}
}

// vector passes over an instruction with the prefix 0xfd.
func vector(r *reader) {
	switch op := r.u32(); {
	case op <= 11, op == 92, op == 93: // loads and stores
		memarg(r)
	case op == 12, op == 13: // constant, shuffle
		r.bytes(16)
	case op >= 21 && op <= 34: // lanes
		r.u8()
	case op >= 84 && op <= 91: // loads and stores of a lane
		memarg(r)
		r.u8()
	case op <= 255:
	default:
		r.fail(fmt.Errorf("has the opcode 0xfd %d, which is not part of WebAssembly 2.0 (relaxed SIMD is not supported)", op))
	}
}
