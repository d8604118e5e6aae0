// Package memory implements the cloud's log, keys and objects in memory, for
// simulation, with failures on demand.
package memory
