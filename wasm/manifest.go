package wasm

import "github.com/leatio/leat/engine/batch"

// Kind is what a function makes of a batch.
type Kind string

// The kinds of ABI version 1. This host calls scalar functions.
const (
	Scalar    Kind = "scalar"    // columns to one column
	Table     Kind = "table"     // batch to batch of another shape
	Aggregate Kind = "aggregate" // update, merge, finish
	Keyed     Kind = "keyed"     // rows by key, with state and timers
)

// Manifest is what a module says of itself.
type Manifest struct {
	Name               string
	Version            string // semantic version
	StateVersion       int
	ReadsStateVersions []int
	Functions          []FunctionSpec
}

// FunctionSpec is one function of a manifest.
type FunctionSpec struct {
	ID        uint32
	Name      string
	Kind      Kind
	CallNulls bool // "nulls": "call": the guest is given rows with null arguments
	Args      []batch.Field
	Result    batch.Type    // scalar, aggregate
	Columns   []batch.Field // table, keyed
}
