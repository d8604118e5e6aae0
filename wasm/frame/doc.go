// Package frame is the codec of the frames between host and function, for
// scalar functions (docs/format/abi.md is the reference):
//
//	0        40            40+24*columns
//	┌────────┬─────────────┬────────┬────────┬───────┬────────┬─
//	│ header │ descriptors │ bitmap │ values │ bytes │ bitmap │ ...
//	└────────┴─────────────┴────────┴────────┴───────┴────────┴─
//	                        each area 8-byte aligned, zero padded
//
// The encoder writes straight into the guest's memory. The decoder takes
// nothing on trust: what it returns are views that were checked to lie inside the frame.
package frame
