package scan

import (
	"fmt"
	"strings"
)

// The fixed bounds. A 2.7 MB module of Go has 17 locals, 549 blocks, bodies of
// 29 KB and 1,884 functions at most; what lies above these bounds is made to
// hurt, not to run.
const (
	MaxLocals          = 1_000  // in a function, parameters included
	MaxLoopDepth       = 32     // loops nested in each other
	MaxBlockDepth      = 2_000  // blocks, loops and ifs nested in each other
	MaxBranchTable     = 4_096  // targets of a br_table
	MaxBodyBytes       = 65_536 // a function's body
	MaxLocalsTimeBlock = 20_000 // locals x blocks of a function
	MaxFunctions       = 20_000
	MaxTypes           = 10_000
	MaxParams          = 1_000
	MaxGlobals         = 10_000
	MaxExports         = 10_000
	MaxSegments        = 50_000  // element or data segments
	MaxElements        = 100_000 // of all element segments
	MaxTables          = 16
)

// Signature is a function's type. Value types are the binary format's bytes.
type Signature struct{ Params, Results string }

// Value types of signatures.
const (
	I32 = "\x7f"
	I64 = "\x7e"
	F32 = "\x7d"
	F64 = "\x7c"
)

// String writes the signature as (i32, i32) -> i64.
func (s Signature) String() string {
	return "(" + types(s.Params) + ") -> " + result(s.Results)
}

func result(s string) string {
	if len(s) == 1 {
		return types(s)
	}
	return "(" + types(s) + ")"
}

func types(s string) string {
	names := make([]string, 0, len(s))
	for i := range len(s) {
		switch s[i : i+1] {
		case I32:
			names = append(names, "i32")
		case I64:
			names = append(names, "i64")
		case F32:
			names = append(names, "f32")
		case F64:
			names = append(names, "f64")
		default:
			names = append(names, fmt.Sprintf("type 0x%02x", s[i]))
		}
	}
	return strings.Join(names, ", ")
}

// Import names a function that the host offers.
type Import struct{ Module, Name string }

// Rules are what the host offers and asks for.
type Rules struct {
	MaxBytes        int
	MaxMemoryPages  uint32
	MaxTableEntries uint32
	Imports         map[Import]Signature
	// Exports are the functions that a module must export; Optional ones must have the
	// signature given where they exist. A memory named "memory" is always asked for.
	Exports  map[string]Signature
	Optional map[string]Signature
}

// Report is what a module that passed looks like.
type Report struct {
	// Binary is the module for the engine: no custom sections, a maximum in every table.
	Binary []byte
	// MemoryMin and MemoryMax are in pages; MemoryMax is at most the rules' limit.
	MemoryMin, MemoryMax uint32
	Functions            int
	HasStart             bool
	// Exports tells which of the optional exports stand in the module.
	Exports map[string]bool
}

// Fault is one thing wrong with a module.
type Fault string

func (f Fault) Error() string { return string(f) }

func faultf(format string, args ...any) Fault { return Fault(fmt.Sprintf(format, args...)) }
