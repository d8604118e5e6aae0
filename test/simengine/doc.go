// Package simengine runs random pipelines on a fleet of agents and a cloud in one
// process and compares the result tables with a naive computation.
//
//	seed ──► world: pipeline, a stream of rows for each of 1 to 5 agents
//	           │
//	           ├──► fleet: engine.Edge by agent ─► frames ─► log in memory ─► worker by partition ─► tables
//	           │      in a random order of batches, partial flushes, restarts, silences,
//	           │      outages with backlog, repeated frames, new owners of partitions
//	           │
//	           └──► oracle: each row by itself, every window by enumeration, exact sums
//
// The rows and the watermarks that an agent met go to the oracle; when all frames have
// arrived and the final watermark has passed, both tables must be equal to the last bit.
//
// A failing seed replays: go test ./test/simengine -run TestFleet -seed N -seeds 1.
package simengine
