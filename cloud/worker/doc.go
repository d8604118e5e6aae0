// Package worker owns one partition: it reads the partition's log, applies it
// to the pipelines' cloud fragments, gives results to the tables and publishes checkpoints.
//
//	log ─► apply (sequence rule) ─► engine.Cloud per pipeline version ─► results ─► tables
//	                │                                                               │
//	                └── lanes: last number, checksum, watermark                     ▼
//	                                                  checkpoint = (state, offset), published
//	                                                  once the tables hold all up to offset
//
// State is a function of the log alone: no clock, no randomness and no map order
// reaches it. Run is a thin shell around it that reads, writes and publishes.
//
// The sequence rule, per lane (agent, store epoch, pipeline version, lane):
//
//	entry From..To    last = number of the last frame applied
//	To <= last        duplicate: dropped, nothing changes
//	From == last+1    applied if Before is the checksum of frame last; last = To
//	otherwise         gap: refused; it comes again
//
// Results leave at the end of a log record only, so that a replay cuts them
// the same way, and carry revisions that are part of the state: what is
// written again after a crash is the same row with the same revision.
package worker

//go:generate go run github.com/leatio/leat/internal/pb/pbgen checkpoint.proto
