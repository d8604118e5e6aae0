package wasm

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"time"
)

// Levels of leat.log.
const (
	levelDebug = iota
	levelInfo
	levelWarning
	levelError
)

const (
	maxLine    = 1024 // bytes of a log line; the rest is cut
	lineCost   = 64   // bytes that a line counts for beside its text
	maxMetrics = 64   // names of one function
	maxName    = 128  // bytes of a metric's name
)

// guestOutput takes log lines and metrics of a function's instances. It
// outlives them, so that a guest that is replaced does not get a new allowance.
type guestOutput struct {
	function string
	log      *slog.Logger
	metric   func(module, name string, value float64)
	now      func() time.Time
	perSec   float64

	tokens  float64
	last    time.Time
	names   map[string]string
	dropped Dropped
	unsaid  uint64 // dropped lines that no line has mentioned yet
}

// Dropped counts what guests wrote beyond their allowance.
type Dropped struct{ LogLines, Metrics uint64 }

func newGuestOutput(function string, cfg *Config) *guestOutput {
	return &guestOutput{
		function: function, log: cfg.Log, metric: cfg.Metric, now: cfg.now,
		perSec: float64(cfg.LogBytesPerSecond), tokens: float64(cfg.LogBytesPerSecond), last: cfg.now(),
		names: map[string]string{},
	}
}

// line writes one line of the guest, or counts it as dropped.
func (g *guestOutput) line(level int, text []byte) {
	cut := text
	if len(cut) > maxLine {
		cut = cut[:maxLine]
	}
	if !g.allow(float64(len(cut) + lineCost)) {
		g.dropped.LogLines++
		g.unsaid++
		return
	}
	attrs := []slog.Attr{slog.String("function", g.function)}
	if g.unsaid > 0 {
		attrs = append(attrs, slog.Uint64("lines_dropped", g.unsaid))
		g.unsaid = 0
	}
	levels := [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	g.log.LogAttrs(context.Background(), levels[level], strings.ToValidUTF8(string(cut), "\uFFFD"), attrs...)
}

// allow takes cost bytes from an allowance that fills up at perSec and holds a
// second's worth.
func (g *guestOutput) allow(cost float64) bool {
	now := g.now()
	if passed := now.Sub(g.last).Seconds(); passed > 0 {
		g.tokens = min(g.perSec, g.tokens+passed*g.perSec)
		g.last = now
	}
	if g.tokens < cost {
		return false
	}
	g.tokens -= cost
	return true
}

// add hands on a metric. The number of names is bounded: each becomes a time series.
func (g *guestOutput) add(name []byte, value float64) {
	known, ok := g.names[string(name)]
	if !ok {
		if len(g.names) >= maxMetrics || len(name) == 0 || len(name) > maxName {
			g.dropped.Metrics++
			return
		}
		known = strings.ToValidUTF8(string(name), "\uFFFD")
		g.names[string(name)] = known
	}
	g.metric(g.function, known, value)
}

// lineWriter turns what a guest writes to stdout or stderr into log lines.
type lineWriter struct {
	out   *guestOutput
	level int
	buf   [maxLine]byte
	n     int
}

// Write implements io.Writer; it never fails and keeps at most a line.
func (w *lineWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			w.n += copy(w.buf[w.n:], p)
			break
		}
		w.n += copy(w.buf[w.n:], p[:end])
		w.flush()
		p = p[end+1:]
	}
	return total, nil
}

// flush writes what stands in the buffer as a line.
func (w *lineWriter) flush() {
	if w.n > 0 {
		w.out.line(w.level, w.buf[:w.n])
		w.n = 0
	}
}
