package cli

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/leatio/leat/internal/field"
)

// Logger writes lines of key=value pairs at a level and above; the error is field.Mistakes.
func Logger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, field.Mistakes{{Key: "log_level", Text: fmt.Sprintf("%q is not known, expected debug, info, warn or error", level)}}
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}
