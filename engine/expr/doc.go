// Package expr evaluates typed expressions over batches of columns.
package expr
