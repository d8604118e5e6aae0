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
//	Edge.Journal         what came to the ports since the last commit; it is kept and merged
//	Edge.Flush           everything pending at the ports that are due, which is what a frame carries
//	Edge.FlushWatermark  the watermark that this frame may carry
//	Edge.Restore         takes journalled batches back after a restart
//	Changes              states of steps and windows that changed, or all of them, by section; on both tiers
//	RestoreState         takes them back; Resume then sets the watermarks
//
// The watermark. On the edge each row is judged by the watermark that the rows
// before it made, which goes down the tree beside the batch; timers and windows on the edge follow at the end
// of Process. In the cloud it moves between log records, in Advance. Operators
// that wait for it (timed) are told parents first, so that a window that is fed by
// another sees its results in the same Advance.
package engine
