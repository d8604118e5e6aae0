// Package cli runs the three programs as users do and looks at what they write
// and at their exit codes: results of the examples, mistakes in files, and what
// stands in the way of a start.
package cli
