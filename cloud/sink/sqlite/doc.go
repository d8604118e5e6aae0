// Package sqlite keeps result tables in one SQLite database file.
package sqlite
