// Package lookup has reference tables: what a lookup step adds to rows.
//
//	sites.csv ──Parse──▶ Table ──Append──▶ bytes, shipped by their SHA-256 ──ParseTable──▶ Table
//	(compiler, cloud)                                                   (agents, workers)   │
//	                                                                                     Index(on)
//	                                                                          key ──Find──▶ row
//
// A Table is typed columns. Once made it never changes, so many fragments can
// share one and its indexes. The bytes are drawn in docs/format/lookup.md.
package lookup
