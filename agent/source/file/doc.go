// Package file is the bounded file source: JSON lines and CSV, from files and
// standard input.
//
//	Run:   open ─ read 256 KiB ─ cut at record ends ─┐        ┌─ blocks (at most 6) ─> Take: one Message per CSV record,
//	         ^        (behind the tail of the block  ├────────┤                               or per run of lines
//	         └──────── before)                       ┘        └<─ blocks taken before, to be filled again
//
// Lines are not cut here but given as runs, a Message with Lines set per block and chunk: the decoder finds their ends
// in the pass that reads them, which saves a second look at every byte and a Message per row.
//
// Paths and globs are resolved once, when Run begins, and read in name order. A record is a line; blank lines are
// skipped, a carriage return before the line feed is not part of a record, the last line needs no line feed, and a
// byte order mark at the start of a file is dropped. In CSV a quoted field may hold line breaks (RFC 4180); a
// quote that is not closed within the record limit or the file ends its record at the first line
// break behind that quote, so that it costs one rejected record and not the rest of the file. The first
// record of each CSV file is given as a Header message.
//
// A record above MaxRecordBytes, without its line end, becomes one Oversized message, which decoders reject; the
// rest of it, to the first line end behind the limit, is read over and not kept, so memory stays bounded by
// Blocks x (BlockBytes + MaxRecordBytes). The records of a file are the same however its bytes arrive and
// wherever reading resumed.
//
// # Position
//
// Each chunk's Puts hold where reading goes on, in the key Prefix + "position":
//
//	version u8 = 1 | offset uvarint | path bytes
//
// The offset is the first byte after the last record taken. A source with a position in its Store
// goes on from there: files before it in name order are done. For CSV the header is read again first. Standard
// input has no position.
package file
