// Package batch holds the only unit of data that moves through Leat: a set of
// typed columns with an equal number of rows.
//
//	Batch ── Cols[0] Column{Type: String,    Codes: [0 1 0 2], Dict: d}
//	     ├── Cols[1] Column{Type: Timestamp, Ints:  [..microseconds..]}
//	     ├── Cols[2] Column{Type: Double,    Doubles: [..], Valid: 1011}
//	     ├── N   = 4         rows in every column
//	     └── Sel = [0 2 3]   the rows that count; nil = all of them
//
// Values at rows outside Sel, and at rows whose Valid bit is clear, are
// unspecified: kernels may compute on them but nobody may look at them.
//
// Strings are always dictionary coded. A decoder owns one Dict per string column and
// keeps it from batch to batch, so that a code means the same string for as
// long as Column.Dict stays the same pointer; operators cache by (Dict, code).
// When a Dict reaches its bound the owner starts a new one (see Dict.Full).
//
// Ownership: a batch handed to a function is valid until that function
// returns. Whoever wants to keep rows copies them (AppendRows).
package batch
