// Package cli is what the commands share: exit codes, one line for an error,
// the end at an interrupt, logs.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

// Exit codes. They never change.
const (
	ExitOK       = 0
	ExitFailure  = 1 // the work failed
	ExitMistakes = 2 // the command line, a pipeline file or a config is wrong
)

// MistakeError marks an error as the user's to mend: exit code 2.
type MistakeError struct{ Err error }

// Error gives the mistake.
func (m *MistakeError) Error() string { return m.Err.Error() }

// Unwrap gives what is wrong.
func (m *MistakeError) Unwrap() error { return m.Err }

// Mistake marks an error as the user's to mend.
func Mistake(err error) error {
	if err == nil {
		return nil
	}
	return &MistakeError{err}
}

// Main runs a command until it ends or the user interrupts it, and gives the
// exit code. A second interrupt ends the process at once.
func Main(name string, run func(ctx context.Context) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := run(ctx)
	if err == nil {
		return ExitOK
	}
	fmt.Fprintln(os.Stderr, text(name, err))
	var m *MistakeError
	if errors.As(err, &m) {
		return ExitMistakes
	}
	return ExitFailure
}

// text is the error as the user reads it: one line, but for lists of mistakes,
// which stand alone with their places, a line each.
func text(name string, err error) string {
	s := err.Error()
	var m *MistakeError
	if !errors.As(err, &m) {
		return name + ": " + strings.ReplaceAll(s, "\n", "; ")
	}
	if regexp.MustCompile(`^(\S.*:\d+:\d+|LEAT_\w+|--[a-z-]+|config): `).MatchString(s) {
		return s
	}
	return name + ": " + s
}
