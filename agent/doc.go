// Package agent is the program on the gateway: it puts sources, the edge
// fragments of plans, the durable store and the session with the cloud together.
//
//	source ─► decode ─► engine.Edge ─► packer ─► checkpoint.Store ─► transport.Client ─► cloud
//	   ▲                                              │ durable
//	   └────────────────── Done (PUBACK) ◄────────────┘
//
// One goroutine runs each pipeline (pipeline.run). It takes what the source
// has, runs it through the fragment and commits as soon as the source runs
// dry. A commit holds, together with the source's positions, either frames
// (a flush: everything pending leaves) or a journal record (what has come since the
// last commit; it stays pending). Only a commit that is durable lets the
// source acknowledge and frames leave.
//
// A pipeline flushes at most once per freshness, so the first rows after a
// quiet time leave at once and a steady stream is packed into one frame per freshness.
package agent
