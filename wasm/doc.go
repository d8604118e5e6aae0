// Package wasm hosts user-defined functions: WebAssembly modules that speak
// ABI version 1 (docs/format/abi.md). It is the only package that knows the
// engine, wazero.
//
//	bytes ── scan ── compile ── probe instance ── manifest ── Module
//	          │        (cached       (leat_describe)             │ Scalar(name)
//	          └ limits, imports,      on disk)                   ▼
//	            exports: every fault                          Function
//	            in one error
//
// A Function is one instance of a module, used by one goroutine. A call lays
// the arguments as a frame of columns in the guest's own memory, calls the
// guest once per at most 4,096 rows, and reads one column back:
//
//	      ┌──── call ────┐ ok
//	─▶ ready ──────────▶ ready
//	      │ trap, time out, proc_exit, malformed frame
//	      ▼
//	   poisoned ── replaced by a fresh instance ── the rows run again in halves
//	               until the guilty rows stand alone ──▶ ready
//
// What a guest can see is a function of what it is handed: its clock is the
// batch's event time, its random numbers have a fixed seed, and there are no
// files, sockets, arguments or environment.
//
// Guest memory lies outside Go's heap, and pages that a guest never touched
// take none of the machine's memory.
package wasm
