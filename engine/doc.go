// Package engine runs the two fragments of a plan. The agent runs an Edge, a
// cloud worker runs a Cloud, `leat run` runs both joined:
//
//	rows ──► Edge ── where, project ──► partial window ──► port 0 (partials)
//	          │                    └──► (no window)    ──► port 1 (rows)
//	          └─ event time: rejects, watermark before each row
//
//	port 0 ──► Cloud ── final window ──► where, project ──► sink
//	port 1 ──►       ─────────────────────────────────────► sink
//
// Both are trees of operators driven by one loop (tree.run): a batch goes
// down from a node to its children, depth first. Neither does any I/O, reads a clock or starts a goroutine;
// one goroutine uses an Edge or a Cloud at a time.
//
// All state moves as batches, so that frames, the agent's journal and the
// worker's checkpoints share one codec:
//
//	Edge.Journal   what came since the last commit; it is kept and merged
//	Edge.Flush     everything pending, which is what a frame carries
//	Edge.Restore   takes journalled batches back after a restart
//	Cloud.Snapshot changed (or all) window states; Cloud.Restore takes them back
package engine
