// Package expr evaluates typed expressions (plan.Expr) over batches. It knows
// no SQL text: engine/sql makes the expressions, in the cloud or the CLI, and
// agents and workers only run them.
//
// Compile turns the tree into nodes. Types and column positions are resolved
// there, so that evaluation is one call per node and batch, and a loop over typed slices
// in each:
//
//	a + b * 2 > 10          compareConstant(> 10)
//	                          └─ arith(+)
//	                               ├─ column a      the batch's own memory
//	                               └─ arith(*)      memory of the node, reused
//	                                    ├─ column b
//	                                    └─ literal 2  filled once
//
// Rows. A node is asked for a list of rows, or for all (nil). It may compute
// on rows that nobody asked for but never reports them. AND, OR, IN, CASE and COALESCE
// narrow the list as they go, so that a guarded operand is not evaluated where
// the guard fails: CASE WHEN b <> 0 THEN a / b END never divides by zero.
//
// Nulls. Logic has three values; all functions but concat, coalesce, greatest,
// least and the IS tests are null when an argument is.
//
// Failures. A division by zero, an overflow or a bad cast fails its row only: it is
// reported once with the reason, and the row is null.
//
// Strings. Functions over one string column compute once for each distinct
// (Dict, code) and remember the result for up to 65,536 codes per node.
// Strings that are made go to a dictionary of the program, which is replaced
// between batches when it is worn.
//
// Repeatability. Every kernel rounds each operation by itself (no fused
// multiply-add), the elementary functions are made here of such operations, and a NaN
// has one bit pattern, so that results are equal on all machines.
package expr
