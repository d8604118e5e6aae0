package scan

import (
	"errors"
	"fmt"
	"sort"
)

// Section ids of the binary format.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
	sections
)

var sectionNames = [sections]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count"}

// order is the place of each section: the data count stands before the code.
var order = [sections]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 10}

type export struct {
	kind  byte
	index uint32
}

// module is what the scan has read so far.
type module struct {
	rules    *Rules
	types    []Signature
	imports  []uint32 // type of each imported function
	funcs    []uint32 // type of each function of the module
	memory   []limits
	exports  map[string]export
	hasStart bool
	faults   []error
	out      []byte
}

// Scan reads a module and returns what it found, or every fault it could name, joined.
func Scan(binary []byte, rules Rules) (*Report, error) {
	if err := checkHeader(binary, rules.MaxBytes); err != nil {
		return nil, err
	}
	m := &module{rules: &rules, exports: map[string]export{}}
	m.out = append(make([]byte, 0, len(binary)+64), binary[:8]...)
	if err := m.readSections(&reader{b: binary, at: 8}); err != nil {
		return nil, errors.Join(append(m.faults, err)...)
	}
	m.checkMemory()
	optional := m.checkExports()
	if len(m.faults) > 0 {
		return nil, errors.Join(m.faults...)
	}
	mem := m.memory[0]
	if !mem.bounded || mem.max > rules.MaxMemoryPages {
		mem.max = rules.MaxMemoryPages
	}
	return &Report{Binary: m.out, MemoryMin: mem.min, MemoryMax: mem.max, Functions: len(m.funcs), HasStart: m.hasStart, Exports: optional}, nil
}

func checkHeader(b []byte, limit int) error {
	switch {
	case len(b) > limit:
		return faultf("the module has %d bytes; at most %d are allowed here", len(b), limit)
	case len(b) < 8 || string(b[:4]) != "\x00asm":
		return faultf("this is no WebAssembly module: it does not begin with \\0asm; give the compiled .wasm file, not its source or text form")
	case b[4] == 0x0d && b[6] == 1:
		return faultf("this is a component, not a core module; build for wasm32-unknown-unknown or wasip1 (not wasip2), or take the core module out of it")
	case b[4] != 1 || b[5] != 0 || b[6] != 0 || b[7] != 0:
		return faultf("the module has binary format version % x; version 1 (01 00 00 00) is understood", b[4:8])
	}
	return nil
}

func (m *module) readSections(r *reader) error {
	last := 0
	for r.more() {
		start := r.at
		id := r.u8()
		body := r.bytes(r.u32())
		if r.err != nil {
			return faultf("the section at byte %d %v", start, r.err)
		}
		if int(id) >= sections {
			return faultf("the section at byte %d has id %d, which is not part of WebAssembly 2.0 (13 is exception handling, which is not supported)", start, id)
		}
		if id != secCustom {
			if order[id] <= last {
				return faultf("the %s section at byte %d is out of order or stands twice", sectionNames[id], start)
			}
			last = order[id]
		}
		s := &reader{b: body}
		m.readSection(id, s, r.b[start:r.at])
		if s.err != nil {
			return faultf("the %s section at byte %d %v", sectionNames[id], start, s.err)
		}
		if s.at != len(body) && id != secCustom {
			return faultf("the %s section at byte %d has %d bytes too many", sectionNames[id], start, len(body)-s.at)
		}
	}
	return nil
}

// readSection reads one section and appends it, as the engine shall see it, to m.out.
func (m *module) readSection(id byte, s *reader, raw []byte) {
	switch id {
	case secCustom:
		return
	case secTable:
		m.out = m.readTables(m.out, s)
		return
	case secType:
		m.readTypes(s)
	case secImport:
		m.readImports(s)
	case secFunction:
		m.readFunctions(s)
	case secMemory:
		m.readMemories(s)
	case secExport:
		m.readExports(s)
	case secGlobal:
		m.readGlobals(s)
	case secElement:
		m.readElements(s)
	case secData:
		m.readData(s)
	case secStart, secDataCount:
		s.u32()
		m.hasStart = m.hasStart || id == secStart
	case secCode:
		m.readCode(s)
	}
	m.out = append(m.out, raw...)
}

// count reads the length of a vector and refuses one that is too long.
func count(s *reader, limit uint32, what string) uint32 {
	n := s.u32()
	if s.err == nil && n > limit {
		s.fail(fmt.Errorf("has %d %s; at most %d are allowed", n, what, limit))
		return 0
	}
	if s.err != nil {
		return 0
	}
	return n
}

func (m *module) readTypes(s *reader) {
	n := count(s, MaxTypes, "types")
	for range n {
		if s.err != nil {
			return
		}
		if form := s.u8(); form != 0x60 && s.err == nil {
			s.fail(fmt.Errorf("has a type of form 0x%02x; only function types (0x60) are part of WebAssembly 2.0", form))
		}
		params := s.valueTypes(count(s, MaxParams, "parameters in a type"))
		results := s.valueTypes(count(s, MaxParams, "results in a type"))
		m.types = append(m.types, Signature{string(params), string(results)})
	}
}

func (m *module) readImports(s *reader) {
	n := count(s, MaxFunctions, "imports")
	for range n {
		if s.err != nil {
			return
		}
		imp := Import{s.name(), s.name()}
		kind := s.u8()
		if s.err == nil && kind != 0 {
			kinds := map[byte]string{1: "table", 2: "memory", 3: "global", 4: "tag"}
			s.fail(fmt.Errorf("imports a %s (%q.%q); a module may import functions only and must define its own memory", kinds[kind], imp.Module, imp.Name))
			return
		}
		t := s.u32()
		if s.err != nil {
			return
		}
		m.imports = append(m.imports, t)
		want, ok := m.rules.Imports[imp]
		switch {
		case !ok:
			m.fault("it imports %.80q.%.80q, which this host does not offer", imp.Module, imp.Name)
		case int(t) >= len(m.types):
			s.fail(fmt.Errorf("names type %d, which does not exist", t))
		case m.types[t] != want:
			m.fault("it imports %q.%q as %v; the host offers %v", imp.Module, imp.Name, m.types[t], want)
		}
	}
}

// maxFaults keeps a report readable, and small whatever the module says.
const maxFaults = 32

func (m *module) fault(format string, args ...any) {
	switch {
	case len(m.faults) < maxFaults:
		m.faults = append(m.faults, faultf(format, args...))
	case len(m.faults) == maxFaults:
		m.faults = append(m.faults, faultf("there are more faults, which are not listed"))
	}
}

func (m *module) readFunctions(s *reader) {
	n := count(s, MaxFunctions, "functions")
	for range n {
		t := s.u32()
		if s.err != nil {
			return
		}
		m.funcs = append(m.funcs, t)
	}
}

// readTables copies the table section to out with a maximum in every table.
func (m *module) readTables(out []byte, s *reader) []byte {
	var body []byte
	n := count(s, MaxTables, "tables")
	body = appendU32(body, n)
	for range n {
		elem := s.u8()
		s.checkReference(elem)
		lim := s.limits()
		if s.err != nil {
			return out
		}
		if lim.min > m.rules.MaxTableEntries {
			m.fault("it has a table of %d entries; at most %d are allowed here", lim.min, m.rules.MaxTableEntries)
		}
		if !lim.bounded || lim.max > m.rules.MaxTableEntries {
			lim.max = m.rules.MaxTableEntries
		}
		body = appendU32(appendU32(append(body, elem, 1), lim.min), lim.max)
	}
	out = appendU32(append(out, secTable), uint32(len(body)))
	return append(out, body...)
}

func (m *module) readMemories(s *reader) {
	n := count(s, MaxTables, "memories")
	for range n {
		lim := s.limits()
		if s.err != nil {
			return
		}
		m.memory = append(m.memory, lim)
	}
}

func (m *module) readExports(s *reader) {
	n := count(s, MaxExports, "exports")
	for range n {
		name, kind, index := s.name(), s.u8(), s.u32()
		if s.err != nil {
			return
		}
		if _, twice := m.exports[name]; twice {
			s.fail(fmt.Errorf("exports %.80q twice", name))
			return
		}
		m.exports[name] = export{kind, index}
	}
}

func (m *module) checkMemory() {
	limit := m.rules.MaxMemoryPages
	switch {
	case len(m.memory) == 0:
		m.fault("it has no memory")
	case len(m.memory) > 1:
		m.fault("it has %d memories; WebAssembly 2.0 allows one", len(m.memory))
	case m.memory[0].min > limit:
		m.fault("its memory starts with %d pages of 64 KiB; at most %d (%d MiB) are allowed here", m.memory[0].min, limit, limit/16)
	case m.memory[0].bounded && m.memory[0].max < m.memory[0].min:
		m.fault("its memory has a maximum below its minimum")
	}
	if e, ok := m.exports["memory"]; !ok {
		m.fault(`it does not export its memory under the name "memory"`)
	} else if e.kind != 2 || e.index != 0 {
		m.fault(`its export "memory" is not a memory`)
	}
}

// checkExports names each export that is missing or has the wrong type.
func (m *module) checkExports() map[string]bool {
	if _, command := m.exports["_start"]; command && m.exports["leat_call"] == (export{}) {
		m.fault("it is a program with a _start function, not a library; build a reactor (Go: -buildmode=c-shared, C: -mexec-model=reactor or wasm-ld --no-entry)")
	}
	for _, name := range sorted(m.rules.Exports) {
		if _, ok := m.exports[name]; !ok {
			m.fault("it does not export the function %s %v", name, m.rules.Exports[name])
			continue
		}
		m.checkExport(name, m.rules.Exports[name])
	}
	found := map[string]bool{}
	for _, name := range sorted(m.rules.Optional) {
		if _, ok := m.exports[name]; ok {
			found[name] = true
			m.checkExport(name, m.rules.Optional[name])
		}
	}
	return found
}

func (m *module) checkExport(name string, want Signature) {
	e := m.exports[name]
	if e.kind != 0 {
		m.fault("its export %s is not a function; %v was expected", name, want)
		return
	}
	index, known := int(e.index), m.imports
	if index >= len(known) {
		index, known = index-len(known), m.funcs
	}
	if index >= len(known) || int(known[index]) >= len(m.types) {
		m.fault("its export %s names a function or type that does not exist", name)
		return
	}
	if got := m.types[known[index]]; got != want {
		m.fault("its export %s has the signature %v; %v was expected", name, got, want)
	}
}

func sorted(m map[string]Signature) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}
