package scan

import "fmt"

// The engine makes room for as many values, entries or bytes as a vector says that it has,
// before it reads them; and it knows types of later versions that
// take more than one byte, so that what the scan takes for a type it might take
// for something else. Hence every type is checked and every vector is walked.

// valueTypes reads a vector of value types.
func (r *reader) valueTypes(n uint32) []byte {
	p := r.bytes(n)
	for _, t := range p {
		r.checkValueType(t)
	}
	return p
}

func (r *reader) checkValueType(t byte) {
	if t < 0x7b || t > 0x7f {
		r.checkReference(t)
	}
}

// checkReference refuses what is neither funcref nor externref.
func (r *reader) checkReference(t byte) {
	if t != 0x70 && t != 0x6f {
		r.fail(fmt.Errorf("has the type 0x%02x, which is not part of WebAssembly 2.0", t))
	}
}

// blockType reads the type of a block: none, a value type or the number of a
// type. All but the numbers are negative and take one byte.
func (r *reader) blockType() {
	first := r.at
	n := r.u32()
	switch {
	case r.err != nil:
	case r.at == first+1 && n&0x40 != 0:
		if n != 0x40 {
			r.checkValueType(byte(n))
		}
	case r.b[r.at-1]&0x40 != 0 || n >= MaxTypes:
		r.fail(fmt.Errorf("has a block of type %d, which does not exist", n))
	}
}

// constant passes over a constant expression.
func (r *reader) constant() {
	for r.err == nil {
		switch op := r.u8(); op {
		case 0x0b:
			return
		case 0x23, 0xd2: // global.get, ref.func
			r.u32()
		case 0x41:
			r.skipLEB(5)
		case 0x42:
			r.skipLEB(10)
		case 0x43:
			r.bytes(4)
		case 0x44:
			r.bytes(8)
		case 0xd0: // ref.null
			r.checkReference(r.u8())
		case 0xfd: // v128.const
			if v := r.u8(); v != 12 {
				r.fail(fmt.Errorf("has the opcode 0xfd %d in a constant expression", v))
			}
			r.bytes(16)
		default:
			r.fail(fmt.Errorf("has the opcode 0x%02x in a constant expression", op))
		}
	}
}

func (m *module) readGlobals(s *reader) {
	for range count(s, MaxGlobals, "globals") {
		s.checkValueType(s.u8())
		s.u8() // whether it can change
		s.constant()
		if s.err != nil {
			return
		}
	}
}

// readElements walks over the element segments. A segment's kind is three bits: not active, a table
// or kind is named, entries are expressions.
func (m *module) readElements(s *reader) {
	left := uint32(MaxElements)
	for range count(s, MaxSegments, "element segments") {
		kind := s.u32()
		if s.err == nil && kind > 7 {
			s.fail(fmt.Errorf("has an element segment of kind %d, which is not part of WebAssembly 2.0", kind))
		}
		if kind&3 == 2 {
			s.u32() // table
		}
		if kind&1 == 0 {
			s.constant()
		}
		expressions := kind&4 != 0
		if kind&3 != 0 {
			if of := s.u8(); expressions {
				s.checkReference(of)
			} else if of != 0 && s.err == nil {
				s.fail(fmt.Errorf("has elements of kind %d, which is not part of WebAssembly 2.0", of))
			}
		}
		n := count(s, left, "elements, or more than that in all,")
		left -= n
		for range n {
			if expressions {
				s.constant()
			} else {
				s.u32()
			}
			if s.err != nil {
				return
			}
		}
		if s.err != nil {
			return
		}
	}
}

func (m *module) readData(s *reader) {
	for range count(s, MaxSegments, "data segments") {
		kind := s.u32()
		if s.err == nil && kind > 2 {
			s.fail(fmt.Errorf("has a data segment of kind %d, which is not part of WebAssembly 2.0", kind))
		}
		if kind == 2 {
			s.u32() // memory
		}
		if kind != 1 {
			s.constant()
		}
		s.bytes(s.u32())
		if s.err != nil {
			return
		}
	}
}
