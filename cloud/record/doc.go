// Package record is the format of the records in a partition's log.
//
//	0  'L' 'R'            magic
//	2  u8  version        2; 1 is read too
//	3  u8  kind           1 epoch, 2 bundle, 3 membership
//	4  u32 previous       checksum of the record before in the partition; 0 = none
//	8  u32 checksum       CRC32C of everything but these four bytes
//	12 uvarint writer epoch, then the body
//
//	epoch       nothing more: a worker with this epoch owns the partition from here on;
//	            records of its kind with a lower epoch that come later count for nothing
//	bundle      uvarint entries, then per entry: its fields, its payload
//	membership  uvarint statements, then per statement: string agent, string pipeline
//	            (empty = every one), uvarint pipeline version, u8 state; in version 1: string agent, u8 state
//
// An entry is the part of some agent's frames that falls to this partition, or says
// that no part does: every partition that a pipeline uses sees every frame's
// numbers and watermark.
//
// Checksums chain the records of a partition, so that a log that was
// shortened or restored is noticed. All integers are little-endian or
// (u)varints. docs/format/checkpoint.md draws the whole.
package record
