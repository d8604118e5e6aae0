// Package sqlite keeps result tables in one SQLite database file (WAL, synchronous=FULL).
//
//	Apply ─┐
//	Apply ─┼─► waiting ─► Run: one transaction for all that wait ─► fsync ─► each Apply returns
//	Ensure ┘              (a savepoint each, so that one failing leaves the others)
//	Query ───────────────► read-only connections of their own
//
// # How values are stored
//
//	pipeline   SQL                      remarks
//	bool       BOOLEAN         0, 1
//	int        INTEGER
//	double     REAL            NaN is the text 'NaN', which sorts after all numbers; SQL aggregates count it as 0
//	string     TEXT
//	bytes      BLOB
//	timestamp  TIMESTAMP_TEXT  text of RFC 3339 in UTC with six digits: 2026-01-31T08:15:00.000000Z
//
// Timestamps have a fixed width, so that they sort as text: ORDER BY, <, min and max do
// what they say, and SQLite's date functions read them. Years outside
// 0000 to 9999 are written with a sign and six digits, are unique, and sort before all others. In queries,
// a text literal that is an RFC 3339 time in UTC, like '2026-01-31T08:15:00Z', is read as
// '2026-01-31T08:15:00.000000Z', so that it compares with timestamp columns as expected.
//
// # Tables
//
// A window table has the columns of its schema and _revision, and a unique index
// over its identifying columns in which nulls are equal. A plain table has the columns of its
// schema and _id, which is unique. The table _leat_tables holds the shape of each table as JSON; it is not visible to queries.
//
// # Queries
//
// A query runs on a connection that is opened read-only, with PRAGMA query_only, and with an
// authorizer that lets through reading of result tables and a list of harmless functions and nothing else. It is one statement
// (SELECT, WITH, VALUES or EXPLAIN), bounded in rows, time and bytes. SQLite's limits bound a single value to
// 128 KiB and a statement to 100 KB; temporary files of all queries together are bounded too (on Linux;
// elsewhere by time only). SQLite looks for the end of its time between steps and not within one function call, so a
// call like instr over two long texts can overstay by some seconds. A fixed number of queries run at once; others wait within their time.
package sqlite
