// Package window has the two halves of the window step: Partial runs on the
// edge and makes rows into partials, Final runs in the cloud and makes
// partials into results. Chain makes results into results of larger windows.
//
//	rows ──Process──▶ Partial ──Drain──────▶ partials ═══════frame═══▶ Merge ───▶ Final ──Advance──▶ results
//	                  ▲  │  │  ──DrainRows──▶ forwarded rows ═frame═▶ AddRows ─▶  │  ▲
//	    Merge, MergeRows │  │                                                     ▼  │
//	    (restore)        │  └──OnOverflow──▶ rejects                       Snapshot  Restore
//	                     └─────OnLate──────▶ late rows
//
//	partials         keys, slice_start, slice_end, first_end?, states of each accumulator
//	forwarded rows   keys, _time, first_end, the columns that the accumulators take
//	late rows        the columns of the input, _late_for
//	results          window_start, window_end, keys, results, _agents_seen?, _agents_expected?, _revision
//
// Time is cut in half-open slices such that every window is a row of whole ones: the greatest
// common divisor of the sizes and steps of all windows of the step. One partial of a key and slice feeds all
// windows that contain the slice (slicer). Here hopping windows of 30 s every 10 s:
//
//	slices      │ 0  │ 10 │ 20 │ 30 │ 40 │ 50 │
//	windows     └──────────────┘    ╷         ╷
//	                 └──────────────┘         ╷
//	                      └───────────────────┘ ...
//
// Windows of an hour or more may follow the clocks of a time zone; their slices lie between
// boundaries that the clock gives (package zone), and a day is a slice of 23, 24 or 25 hours.
//
// A partial is a delta since the last Drain. A row is late for a window when the window's end + allowed lateness is
// not after the watermark that the rows before it made at its source, whatever the batch. A row
// that is late for some of the windows of its slice has a partial apart, whose first_end is the end of the first window
// that it still counts for; in the others first_end is the slice's end, and all windows count:
//
//	row at 15, lateness 0     watermark  < 20      20 .. 29    30 .. 39    >= 40
//	slice [10,20), windows    first_end  20        30          40          dropped
//	that end at 20, 30, 40    _late_for  -         1           2           3
//
// Sessions have no slices: a partial is an interval from its first row to its last row + gap. Those of a key that
// intersect are one session, in a Partial as in a Final (sessionSet); a row is late when its own time + gap + allowed lateness
// is not after the watermark.
//
// A Partial forwards rows instead of making partials of them where the plan says so, where a slice has more than its bound of groups, and
// while there is hardly more than one row for each key and slice (saving). A Final adds them as it would have merged
// their partials, so the split never shows in results.
//
// A window in a Final goes through
//
//	             partial                watermark >= end             watermark >= end
//	                                     (fire, revision 1)           + lateness (keep)
//	(nothing) ──────────▶ pending ────────────────────────▶ fired ──────────────────▶ forgotten
//	                         ▲                               │
//	                         └───────────── partial ─────────┘  (fires again for the keys that changed: revision 2, 3, ..)
//
// Nothing is forgotten before it fired; a pane is forgotten with the last window that contains it. Partials
// that can change no window any more are dropped and counted. A window exists only once it has been emitted
// (emitted), before that it is computed from the panes there are (walk). It is the merge of its panes:
//
//	one pane             its states                                     (fromPane)
//	in order of ends     accumulations around a pivot, see slider       (slider.fire)
//	again, or early      its panes, for the keys that changed           (merged)
//
// all of them merging in the same order, so that a restart shows in no bit of a result. Sessions are intervals of a
// key; those that intersect become one, and the results of those that were emitted are taken back:
//
//	[───────)  [─────)     emitted
//	     [───────)         a partial
//	[────────────────)     two deleted rows, and a session of revision 1
//
// A Chain is a Final over the results of another window: it keeps their latest revisions and computes the states
// anew in which one of them is replaced or taken back.
//
//	results ──Process──▶ inner results by (start, end, keys) ──▶ panes ──Advance──▶ result batch, with deleted rows
//
// What comes out depends on what went in and nothing else: batches are in a
// fixed order, and the accumulators make the values independent of how rows
// were split. A Partial, Final or Chain belongs to one goroutine.
package window
