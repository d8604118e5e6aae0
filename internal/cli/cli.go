// Package cli is what the commands share: exit codes, one line for an error,
// tables for people.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
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
func Main(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return Mistake(fmt.Errorf("%w; see `%s --help`", err, c.CommandPath()))
	})
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	fmt.Fprintln(os.Stderr, text(root.Name(), err))
	var m *MistakeError
	if errors.As(err, &m) || strings.HasPrefix(err.Error(), "unknown command") {
		return ExitMistakes
	}
	return ExitFailure
}

// text is the error as the user reads it; lists of mistakes stand alone, a line each.
func text(name string, err error) string {
	s := err.Error()
	var m *MistakeError
	if errors.As(err, &m) && strings.Contains(s, ":") && strings.Contains(strings.SplitN(s, " ", 2)[0], ":") {
		return s
	}
	return name + ": " + s
}

// Output is how results are printed.
type Output string

// The formats of -o.
const (
	Table Output = "table"
	JSON  Output = "json"
	YAML  Output = "yaml"
)

// AddOutput adds the flag -o to a command.
func AddOutput(c *cobra.Command, o *Output) {
	*o = Table
	c.Flags().StringVarP((*string)(o), "output", "o", string(Table), "table, json or yaml")
}

// Print prints v as JSON or YAML, or as the table of head and rows.
func (o Output) Print(w io.Writer, v any, head []string, rows [][]string) error {
	switch o {
	case JSON:
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case YAML:
		// By way of JSON, so that both have the same keys.
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		var plain any
		if err := yaml.Unmarshal(b, &plain); err != nil {
			return err
		}
		b, err = yaml.Marshal(plain)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	case Table:
		return printTable(w, head, rows)
	default:
		return Mistake(fmt.Errorf("-o %s is not known, expected table, json or yaml", o))
	}
}

func printTable(w io.Writer, head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	clean := strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`)
	line := func(cells []string) error {
		for i, c := range cells {
			end := "\t"
			if i == len(cells)-1 {
				end = "\n"
			}
			if _, err := io.WriteString(t, clean.Replace(c)+end); err != nil {
				return err
			}
		}
		return nil
	}
	if err := line(head); err != nil {
		return err
	}
	for _, r := range rows {
		if err := line(r); err != nil {
			return err
		}
	}
	return t.Flush()
}
