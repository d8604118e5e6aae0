package compile

import (
	"github.com/leatio/leat/engine/sql"
)

// Options tell what the file itself does not hold. The zero value compiles a
// file that uses no functions of its own.
type Options struct {
	File       string  // name of the file in messages; default "pipeline.yaml"
	Modules    Modules // resolves udfs; nil: every entry of udfs is a mistake
	PipelineID string  // given at creation; default: empty
	Version    uint64  // version of the pipeline; default 0
}

// Modules finds UDF modules.
type Modules interface {
	// Resolve finds the module that an entry of udfs names: "name@version", or
	// the path of a .wasm file, relative to the pipeline file.
	Resolve(ref string) (*ModuleInfo, error)
}

// ModuleInfo is what the compiler needs to know of a UDF module.
type ModuleInfo struct {
	Name, Version string
	SHA256        [32]byte
	Size          uint64                   // bytes of the module
	Functions     map[string]sql.Signature // its scalar functions by name
}
