// Package compile makes the typed plan of a pipeline from its YAML file.
//
//	YAML bytes
//	   │ yaml.go     nodes with positions; bounds on size, depth and aliases
//	   │ shape.go    the walk that follows the table of keys in keys.go:
//	   │             unknown and doubled keys, wrong kinds of values
//	   ▼
//	values
//	   │ source.go   the source and its schema
//	   │ steps.go    where, select, add, drop: names become columns
//	   │ window.go   by, tumbling, emit: accumulators, results
//	   │ sinks.go
//	   ▼
//	logical steps ── prune.go: a backward pass keeps only the columns in use
//	   │ split.go    up to the partial window: edge; from the final one: cloud
//	   ▼
//	plan.Plan
//
// Every stage goes on after a mistake as far as it can, so that one run tells
// all of them. A column whose expression is wrong is remembered as unknown and
// what uses it is passed over: one mistake gives one message.
//
// The table of keys is the only place that knows the file's keys: the parser,
// the JSON Schema for editors and the test of the reference page follow it.
package compile
