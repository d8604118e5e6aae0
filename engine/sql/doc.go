// Package sql reads the SQL expressions of a pipeline file: it parses
// PostgreSQL's expression dialect, finds columns and functions, checks types, and
// makes a plan.Expr in which every name is a position and every conversion is a
// cast. It runs in the cloud and the CLI; the agent has no parser.
//
//	text ── lex ──> tokens ── Parse (Pratt) ──> Node ── Bind ──> plan.Expr
//	                                                      │
//	                              Scope: columns, functions
//
// Precedence, strongest first, as in PostgreSQL:
//
//	::                              cast
//	+ -                             sign
//	AT TIME ZONE
//	* / %
//	+ -
//	||
//	LIKE  IN  BETWEEN               do not chain
//	=  <>  <  <=  >  >=             do not chain
//	IS NULL  IS NOT NULL
//	NOT
//	AND
//	OR
//
// The parser is written here because no pure-Go parser of PostgreSQL's
// dialect is kept up: pg_query_go is PostgreSQL's own grammar in C and needs
// cgo, or several megabytes of it as WebAssembly; the parsers of Vitess, TiDB and
// their forks read MySQL's dialect; CockroachDB's is not offered as a library, and
// its copies stand still. All of them read whole statements, of which
// an expression is a tenth, and none gives the byte where each operand begins, which
// our error messages need.
//
// Text, depth and size are bounded (MaxText, MaxDepth, MaxNodes). Parsing stops at the first
// mistake; binding reports all of them.
package sql
