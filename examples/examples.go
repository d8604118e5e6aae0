// Package examples holds the example pipelines and functions that `leat up` and the tests use.
package examples

import "embed"

// Files are the greenhouse pipeline and the function that it uses.
//
//go:embed greenhouse/pipeline.yaml udf/dewpoint-c.wasm
var Files embed.FS
