// Package postgres compares Leat's expressions with those of a real PostgreSQL,
// which it starts for itself: a cluster in a directory of its own, reached by a socket
// there, without a network port and without the system's service.
//
//	generator ──► Leat's text ──► engine/sql, engine/expr ──► values, failures ─┐
//	          └─► PostgreSQL's text ──► SELECT over the same rows ──────────────┴─► equal?
//
// An expression is generated with its type, once in each dialect. They differ only
// in how types are named: Leat's int is bigint, its double is double precision, its
// timestamp is timestamptz in a session whose time zone is UTC. Literals reach
// PostgreSQL as columns of a subquery, so that its planner cannot evaluate what Leat
// guards by CASE.
//
// What may differ stands in one place, the table "Differences from PostgreSQL" of
// docs/reference/expressions.md. Each of its rows has an example that is evaluated by
// both and must give what the table says; the random test takes a difference only
// where it falls under a row of the table, by the row's name.
package postgres
