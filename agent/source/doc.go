// Package source is the seam between the places that rows come from and the
// agent's commit loop. The sub-packages mqtt, file and sim implement it.
//
//	        Run (own goroutine)                  the commit loop (one goroutine)
//	broker ──────────> bounded buffer ──Ready──> Take ──> decode, engine ──> commit ──> Done
//	        <── back pressure when full                    (Puts in the same commit)  └─> acknowledged
//
// The loop waits for Ready, takes a Chunk, works it, commits its effects
// together with its Puts in one durable transaction, and only then calls Done. A
// crash at any point leaves either all of a chunk's effects and Puts or none:
// after a restart the source reads its Puts back through Store and hands out
// exactly what was not committed.
//
// Chunks of one source are committed, and their Done called, in the order of Take.
// Several chunks may be taken before the first is committed.
package source
