// Package workload has published benchmarks of stream processors as pipelines: their rows, and what
// their results must be, computed the naive way.
//
//	Theodolite (Kiel University)   UC1 every record, UC2 statistics of a minute by sensor,
//	                               UC3 means by sensor and hour of the day, 30 days, each day
//	Nexmark                        q0 pass, q1 convert, q2 select, q5 hot items, q7 highest bid
//
// Rows come from a seed and are the same on every machine. The oracles keep every row in maps, use
// encoding/json, math/big and the time package, and share no code with Leat.
package workload
