// Package decode turns messages into the typed columns of a plan's source.
package decode
