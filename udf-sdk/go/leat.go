//go:build wasip1

package leat

import "strconv"

// Type is the type of an argument or result.
type Type uint8

// The types of version 1.
const (
	Bool Type = iota + 1
	Int
	Double
	String
	Bytes
	Timestamp // microseconds since 1970-01-01T00:00:00Z
)

var typeNames = [...]string{Bool: "bool", Int: "int", Double: "double", String: "string", Bytes: "bytes", Timestamp: "timestamp"}

// Module is what Register makes known.
type Module struct {
	Name      string // lower case
	Version   string // semantic version
	Functions []Function
}

// Function is a scalar function.
type Function struct {
	Name   string
	Args   []Arg
	Result Type
	// CallNulls asks for the rows with null arguments as well; without it they
	// give null and never arrive.
	CallNulls bool
	// Call fills out from in. An error fails the rows it was given; the host finds
	// out which by giving it fewer.
	Call func(in *Input, out *Output) error
}

// Arg is an argument.
type Arg struct {
	Name string
	Type Type
}

// The one module of the program, as exports have no receiver.
var (
	functions []Function
	manifest  []byte
	region    []uint64 // the input frame; its memory is reused
	input     Input
	output    Output
	message   []byte
)

// Register makes the module's functions known. Call it once, in an init function.
func Register(m Module) {
	if manifest != nil {
		panic("leat: Register was called twice")
	}
	functions = m.Functions
	b := append([]byte(`{"abi":1,"name":`), strconv.Quote(m.Name)...)
	b = append(append(append(b, `,"version":`...), strconv.Quote(m.Version)...), `,"functions":[`...)
	for i := range m.Functions {
		if i > 0 {
			b = append(b, ',')
		}
		b = m.Functions[i].appendJSON(b, i)
	}
	manifest = append(b, "]}"...)
}

func (f *Function) appendJSON(b []byte, id int) []byte {
	nulls := "propagate"
	if f.CallNulls {
		nulls = "call"
	}
	b = strconv.AppendInt(append(b, `{"id":`...), int64(id), 10)
	b = append(append(b, `,"name":`...), strconv.Quote(f.Name)...)
	b = append(append(b, `,"kind":"scalar","nulls":"`...), nulls...)
	b = append(b, `","args":[`...)
	for i, a := range f.Args {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"name":`...), strconv.Quote(a.Name)...)
		b = append(append(append(b, `,"type":"`...), typeNames[a.Type]...), `"}`...)
	}
	return append(append(append(b, `],"result":{"type":"`...), typeNames[f.Result]...), `"}}`...)
}
