// Package window has the two halves of the window step: Partial runs on the
// edge and makes rows into partials, Final runs in the cloud and makes
// partials into results.
//
//	rows ──Process──▶ Partial ──Drain──▶ partial batch ══frame══▶ Merge ──▶ Final ──Advance──▶ result batch
//	                     ▲                    │                             │   ▲
//	                     └──────Merge─────────┘ (restore)                   ▼   │
//	                                                                   Snapshot Restore
//
//	partial batch   keys, slice_start, slice_end, states of each accumulator
//	result batch    window_start, window_end, keys, results, _revision
//	snapshot batch  keys, slice_start, slice_end, states, _revision, _pending
//
// Time is cut in half-open slices, a multiple of the slice's length since
// 1970-01-01T00:00:00Z. Partials and states are kept by (key, slice start,
// slice end); a tumbling window is one slice, and windows of several slices
// can share them. A partial is a delta since the last Drain.
//
// A row is late when the end of its window + allowed lateness is not after
// the watermark that the rows before it made at its source; it is dropped and counted. A
// state of a window and key in a Final goes through
//
//	             partial                watermark >= end             watermark >= end
//	                                     (fire, revision 1)           + lateness (keep)
//	(nothing) ──────────▶ pending ────────────────────────▶ fired ──────────────────▶ forgotten
//	                         ▲                               │
//	                         └───────────── partial ─────────┘  (fires again: revision 2, 3, ..)
//
// Nothing is forgotten before it fired. Partials of a forgotten window are
// dropped and counted.
//
// What comes out depends on what went in and nothing else: batches are in a
// fixed order, and the accumulators make the values independent of how rows
// were split. A Partial or Final belongs to one goroutine.
package window
