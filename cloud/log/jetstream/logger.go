package jetstream

import (
	"fmt"
	"log/slog"
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
func (l *serverLog) Warnf(format string, v ...any)   { l.out.Warn(text(format, v)) }
func (l *serverLog) Errorf(format string, v ...any)  { l.out.Error(text(format, v)) }
func (l *serverLog) Debugf(format string, v ...any)  {}
func (l *serverLog) Tracef(format string, v ...any)  {}

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
