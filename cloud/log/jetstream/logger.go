package jetstream

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// serverLog passes the server's talk on: warnings and errors as they are, what the
// server calls a notice as debug. Fatal only ends the opening of the store: the first message is kept for its error.
type serverLog struct {
	out *slog.Logger

	mu    sync.Mutex
	fatal string
}

func (l *serverLog) Noticef(format string, v ...any) { l.out.Debug(text(format, v)) }
func (l *serverLog) Errorf(format string, v ...any)  { l.out.Error(text(format, v)) }
func (l *serverLog) Debugf(format string, v ...any)  {}
func (l *serverLog) Tracef(format string, v ...any)  {}

// Warnf leaves out that large records are discouraged: bundles are large on purpose, so that an fsync is shared.
func (l *serverLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Maximum payloads over") {
		l.Noticef(format, v...)
		return
	}
	l.out.Warn(text(format, v))
}

func (l *serverLog) Fatalf(format string, v ...any) {
	s := text(format, v)
	l.out.Error(s)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == "" {
		l.fatal = s
	}
}

func (l *serverLog) fatalMessage() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

func text(format string, v []any) string { return "jetstream: " + fmt.Sprintf(format, v...) }
