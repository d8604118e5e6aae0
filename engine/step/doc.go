// Package step has the steps that work row by row and remember something by
// key: alert, changed, sample, dedupe, keyed, and the lookup join, which only
// remembers a table. Package engine wires them into the trees of both tiers.
//
//	              ┌──────────────── state, by key ────────────────┐
//	              │                                               │
//	rows ──Process┴─▶ Step ──emit──▶ rows        Changes ──▶ batch ──▶ Restore
//	watermark ──Advance─┘
//
// Time. Process is told the watermark that stood before each row of a batch;
// whatever a watermark sets off (a silent alert, a timer, a key that is
// forgotten) happens just before the first row that it stands before. So what
// comes out depends on the rows and their order and not on how they were cut
// into batches. Advance moves the watermark on where no row follows.
//
// State. Changes appends what changed since the last call, or all, to a batch of
// StateSchema: the key columns, _born (which numbers keys in order of first
// sight), the columns of the state, and _gone, which marks keys that were
// forgotten. Restore takes such batches back, in their order; a full one first, then any
// number of later ones, gives the state as it was, and so do the last rows of
// all keys in any order. Resume then sets the watermark that was stored with them.
//
// Bounds. Each step holds a bounded number of keys (Config.MaxKeys). At the
// bound, changed, sample and dedupe forget the key that they have known
// longest, and may let a row of it through again; alert and keyed reject the
// rows of keys that they do not know. Both are counted.
//
// A Step belongs to one goroutine.
package step
