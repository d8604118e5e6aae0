// Package keys gives the different keys of rows small numbers, slots, by which
// arrays of state are indexed.
//
//	rows ──Index.Slot──▶ slot ──▶ state[slot]
//	          │
//	          ├─ one string column: dictionary code ──▶ slot, remembered by code
//	          └─ else: batch.AppendKey ──▶ XXH64 ──▶ Table
//
// A Table is an open-addressing table, probed linearly, of slots; the bytes of the keys
// stand in an arena, which is compacted when half of it belongs to keys that were
// deleted. Deleting moves the entries behind back, so that there are no tombstones.
// Slots of deleted keys are given out again, the last freed first.
//
// Nothing here allocates in steady state. One goroutine uses a Table.
package keys
