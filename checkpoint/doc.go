// Package checkpoint is the agent's durable store: an outbox of append-only
// segment files next to a small bbolt file that says which part of the outbox
// counts. It carries opaque bytes and knows neither rows nor networks.
//
//	DIR/lock                   flock, holds the owner's pid
//	DIR/store.db               bbolt: outbox tail, streams, the caller's entries
//	DIR/outbox/00000001.seg    records of all streams, in commit order
//	DIR/outbox/00000002.seg    ... tail: nothing beyond it counts
//
// # A commit
//
//	callers ──Commit──┐
//	callers ──Commit──┼─> writer (one goroutine, in Run) takes all that wait
//	callers ──Commit──┘      1. append their records, fdatasync; fsync the
//	                            directory when a segment is new
//	                         2. one bbolt transaction: entries, tail, the
//	                            streams' numbers, acknowledgements; fsync
//	                         3. publish to readers, then return to callers
//	                         4. delete the segments that nobody needs
//
// After a crash before 2 the tail cuts the records off; after 2 the commit
// stands, whether or not its caller heard of it. There is nothing between. The
// writer waits for nobody: a commit that arrives alone is written alone, and
// those that arrive during an fsync share the next one.
//
// # Streams
//
// A stream is a name with two runs of records:
//
//	frames   first ........ next      numbered from 1 by the caller without a
//	         └ acknowledged below     gap; live until acknowledged
//	journal  State records            numbered by the store; live until a
//	                                  frame of the stream is committed
//
// A State record holds what has changed in an operator since the stream's
// previous commit; a frame flushes the operator, so it makes the journal before
// it worthless. Stream.State replays the journal after a restart.
//
// A segment is deleted once none of its records is live. When the outbox is
// full and a segment is pinned by few live records, these are copied to the
// tail first.
//
// # What is durable when
//
//	Commit returns nil     records and entries survive kill -9 and power loss
//	Commit returns ErrFull or a refusal: nothing of the batch is stored
//	Commit returns ErrFailed: unknown; exit, open anew, ask Stream.Next
//	Ack                    at once in memory, durable with the next commit or
//	                       within Config.AckDelay
//	Read, Wait             only ever see what is durable
//
// The bytes are drawn in docs/format/outbox.md.
package checkpoint
