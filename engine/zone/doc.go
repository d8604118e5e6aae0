// Package zone turns instants into what the clocks of a time zone show, and
// back. A Zone is made of the rules that stand in a plan, so no result depends on
// a machine's own copy of the time zone database. A nil Zone is UTC.
//
// All times are microseconds: instants since 1970-01-01T00:00:00Z, clock
// times ("local") since 1970-01-01T00:00 on the clock. The clock of a zone goes
// along with the instants but for its changes:
//
//	local                         ╱            A  gap: no instant shows these times.
//	   │            ╱|╲         ╱                 UTC takes the offset before it (PostgreSQL),
//	   │          ╱  | B      ╱                   Reach the instant of the change
//	   │        ╱    |  ╲   ╱                  B  overlap: two instants show these times.
//	   │      |A     |    ╱                       UTC takes the second one (PostgreSQL),
//	   │    ╱ |      |                            Reach the first one
//	   └──────────────────────────── instant
//
// High is the running maximum of the clock, and Reach its inverse: windows
// between Reach(k*size) and Reach((k+1)*size) follow one another without overlap, a
// day has 23, 24 or 25 hours, and an hour that is shown twice is one window of two hours.
package zone
