// Package arm64 runs tests of other packages as arm64 programs, under qemu where this
// machine is another, and compares results to the last bit: the states and results of
// aggregates, and that no kernel of floating-point numbers has fused multiplications and additions.
package arm64
