//go:build wasip1

package leat

import "unsafe"

//go:wasmimport leat log
func hostLog(level uint32, text unsafe.Pointer, length uint32)

//go:wasmimport leat metric_add
func hostMetricAdd(name unsafe.Pointer, length uint32, value float64)

// Level is the level of a log line.
type Level uint32

// The levels.
const (
	Debug Level = iota
	Info
	Warning
	Error
)

// Log writes a line to the host's log, which limits the bytes per second.
func Log(level Level, text string) {
	hostLog(uint32(level), unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)))
}

// AddMetric adds to a counter of the host.
func AddMetric(name string, value float64) {
	hostMetricAdd(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), value)
}
