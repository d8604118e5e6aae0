package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// Talk is a logger for people: a line of "name: message key=value", without time and level.
func Talk(w io.Writer, name string) *slog.Logger {
	return slog.New(&talker{mu: new(sync.Mutex), w: w, name: name})
}

type talker struct {
	mu    *sync.Mutex // of w; shared by all handlers made from one
	w     io.Writer
	name  string
	attrs string
}

// Enabled leaves out what is for developers.
func (t *talker) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle writes a line.
func (t *talker) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s", a)
		return true
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := fmt.Fprintf(t.w, "%s: %s%s%s\n", t.name, r.Message, t.attrs, b.String())
	return err
}

// WithAttrs adds attributes to each line.
func (t *talker) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *t
	for _, a := range attrs {
		next.attrs += " " + a.String()
	}
	return &next
}

// WithGroup is not told in the line.
func (t *talker) WithGroup(string) slog.Handler { return t }
