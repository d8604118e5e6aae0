// Package sql parses and types the SQL expressions of a pipeline file.
package sql
