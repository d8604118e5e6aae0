// Package aggregate holds the mergeable accumulators behind the SQL aggregates,
// one per file. An Accumulator keeps the states of many groups at once, by
// dense slot, and works on columns, so that one call serves a whole batch.
//
//	rows ──Add──▶ slots ──AppendState──▶ state columns ──(frame)──▶ Merge ──▶ slots ──Finish──▶ results
//
// State columns by kind (T is the type of the aggregated column; "T?" may be null):
//
//	kind          state                                 of no rows
//	count         int                                   0
//	count_value   int                                   0
//	sum(double)   double? hi, double lo, bytes rest     null, 0, empty    hi+lo is the sum, or rest is
//	sum(int)      int? low, int high                    null, 0           high * 2^64 + low; high is 0 when the sum fits
//	min, max      T?                                    null
//	first, last   timestamp, T?                         0, null
//	moments       int n, double hi, lo, q0..q3, bytes   0 each, empty     hi+lo is the sum, q0+..+q3 the sum of squares
//	ddsketch, hll, space_saving, increase   bytes       empty             see docs/format/states.md
//
// Every accumulator is a commutative monoid: the empty state is the identity,
// Merge is associative and commutative, and adding a row is merging the state
// of that row alone. So results do not depend on how rows were split or in
// which order states were merged. Of space_saving and increase this holds up to the bounds that their files state.
// Nothing is idempotent but min, max, first, last, hll and increase.
//
// A state may come from outside and hold any values: Merge never panics on
// one whose columns have the types of StateTypes and the rows asked for.
//
// An Accumulator belongs to one goroutine.
package aggregate
