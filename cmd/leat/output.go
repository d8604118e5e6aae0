package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"

	"github.com/leatio/leat/internal/cli"
)

// output is how results are printed.
type output string

// The formats of -o.
const (
	formatTable output = "table"
	formatJSON  output = "json"
	formatYAML  output = "yaml"
)

// addOutput adds the flag -o to a command.
func addOutput(c *cobra.Command, o *output) {
	*o = formatTable
	c.Flags().StringVarP((*string)(o), "output", "o", string(formatTable), "table, json or yaml")
}

// print prints v as JSON or YAML, or as the table of head and rows.
func (o output) print(w io.Writer, v any, head []string, rows [][]string) error {
	switch o {
	case formatJSON:
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case formatYAML:
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
	case formatTable:
		if width := terminalWidth(w); width > 0 && tableWidth(head, rows) > width {
			return printRecords(w, head, rows)
		}
		return printTable(w, head, rows)
	default:
		return cli.Mistake(fmt.Errorf("-o %s is not known, expected table, json or yaml", o))
	}
}

func printTable(w io.Writer, head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, columnGap, ' ', 0)
	clean := cleaner()
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

// columnGap is the number of spaces between columns.
const columnGap = 2

// cleaner makes control characters visible: a cell must not move the cursor.
func cleaner() *strings.Replacer {
	pairs := []string{"\t", `\t`, "\n", `\n`, "\r", `\r`, "\x7f", `\x7f`}
	for c := range 0x20 {
		pairs = append(pairs, string(rune(c)), fmt.Sprintf(`\x%02x`, c))
	}
	return strings.NewReplacer(pairs...)
}

// printRecords prints a line for each cell, for rows that a terminal cannot hold in one line.
func printRecords(w io.Writer, head []string, rows [][]string) error {
	width := 0
	for _, h := range head {
		width = max(width, utf8.RuneCountInString(h))
	}
	clean := cleaner()
	for i, row := range rows {
		if _, err := fmt.Fprintf(w, "-- %d\n", i+1); err != nil {
			return err
		}
		for k, c := range row {
			if _, err := fmt.Fprintf(w, "%-*s  %s\n", width, head[k], clean.Replace(c)); err != nil {
				return err
			}
		}
	}
	return nil
}

// tableWidth is the length of the longest line of a table.
func tableWidth(head []string, rows [][]string) int {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	total := columnGap * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	return total
}

// terminalWidth is the width of the terminal that w is, or 0.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
