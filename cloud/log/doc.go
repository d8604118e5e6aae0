// Package log is the narrow interface between a cloud node and what it stores
// durably: partitioned logs, compare-and-set keys, and objects.
//
//	             trimmed                 readable                 tail
//	offset   1 ············ first ├────┬────┬────┬────┤ next
//	                        Bounds' first                Bounds' next: given to the next Append
//
// The whole cloud stands on the following guarantees. The packages jetstream
// (embedded NATS JetStream) and memory (for simulation) implement them, and
// logtest is the conformance suite that both pass.
//
// # Log
//
//   - Append is durable (fsynced) when it returns nil. An error may mean either
//     outcome: the record may stand in the log, or may appear there a little
//     later. Only an error that wraps ErrFull, ErrTooLarge or ErrNoPartition means that
//     it does not and will not.
//   - Offsets start at 1 and are contiguous in each partition. A failed Append
//     uses up no offset unless its record stands in the log.
//   - The records of one appender that waits for each Append before the next one
//     stand in the order of its calls. Between appenders there is no order.
//   - A Reader gives every record from its start on, in order, each once, and
//     blocks at the tail. It sees a record at the latest when Append has returned,
//     and possibly before; readers may therefore see a record whose Append
//     then reports an error.
//   - Trim removes the records below an offset, but never the newest record,
//     so that the next offset never depends on an empty log. Trimming
//     below the first offset does nothing.
//   - A log that has reached its size refuses appends (ErrFull) until it is trimmed; it never drops a record by itself.
//
// # Keys
//
//   - Put and Delete are linearizable for their expectation: of several calls
//     with the same expected revision at most one succeeds, and the others
//     report ErrConflict. They are durable on return.
//   - Revisions grow, over all keys. A key that was deleted and made again has a higher revision than before.
//   - An error other than ErrConflict and ErrNotFound may mean either outcome, as with Append.
//   - Direct reads of keys (Get, List) may be stale and decide nothing: decide by the outcome of a Put.
//
// # Objects
//
//   - PutObject replaces an object as a whole. After a crash there is the old
//     one or the new one, never a mixture. It is durable on return.
//   - GetObject checks what it reads against a checksum.
//
// Names of keys and objects are any bytes, 1 to MaxNameBytes long. Slices given to these
// interfaces may be reused after the call; slices that they return belong to the caller.
package log
