// Package sink defines result tables: where the rows of pipelines end.
//
//	worker ── Write{Table, Rows, Revisions} ──► Tables.Apply ──► one transaction, durable on return
//	worker ── Write{Table, Rows, IDs}       ──►
//
// There are two kinds of tables, and both make a replayed write harmless:
//
//   - Window tables have identifying columns (Table.Keys): the window and the
//     grouping columns. A row comes with a revision and replaces the row with the
//     same identity only if its revision is higher. Nulls are equal to each
//     other there, as they are in GROUP BY. The revision is stored in the column RevisionColumn.
//     A row that is marked as deleted removes the one with its identity if its revision is higher. Nothing is
//     left of it: while a worker replays its log, the row may come again, until the replay has passed the
//     record that removed it.
//   - Plain tables have no identifying columns. Each row comes with a
//     deterministic id, and a row whose id is already there is left out. The id is stored in the column IDColumn.
//
// Rows older than Table.KeepMicros, judged by the column Table.TimeColumn, are removed by Expire.
package sink
