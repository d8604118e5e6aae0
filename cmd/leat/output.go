package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

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
		return printTable(w, head, rows)
	default:
		return cli.Mistake(fmt.Errorf("-o %s is not known, expected table, json or yaml", o))
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
