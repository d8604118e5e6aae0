package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/reference/cli.md anew")

// generated is the line of the page behind which the commands stand as they describe themselves.
const generated = "<!-- From here on made from the program: go test ./cmd/leat -run TestReference -update -->\n"

func TestReference(t *testing.T) {
	const page = "../../docs/reference/cli.md"
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(old), generated)
	if !ok {
		t.Fatalf("%s has no line %s", page, generated)
	}
	var b strings.Builder
	b.WriteString(head + generated)
	describe(&b, root())
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if b.String() != string(old) {
		t.Errorf("%s differs from what the commands say of themselves: rewrite it with -update", page)
	}
	for _, c := range []string{"leat up", "leat run", "leat validate", "leat explain", "leat test", "leat diff", "leat apply", "leat get", "leat delete", "leat query", "leat fleet token", "leat fleet ls", "leat version"} {
		if !strings.Contains(b.String(), "\n### "+c+"\n") {
			t.Errorf("there is no command %s", c)
		}
	}
}

// describe writes c, where it does something itself, and all commands below it.
func describe(b *strings.Builder, c *cobra.Command) {
	if !c.HasSubCommands() && c.Name() != "help" && c.Parent() != nil && c.Parent().Name() != "completion" {
		text := c.Short + "."
		if c.Long != "" {
			text = c.Long
		}
		fmt.Fprintf(b, "\n### %s\n\n    %s\n\n%s\n", c.CommandPath(), c.UseLine(), text)
		if c.Example != "" {
			fmt.Fprintf(b, "\n  %s\n", strings.ReplaceAll(c.Example, "\n", "\n  "))
		}
		if c.LocalFlags().HasAvailableFlags() {
			b.WriteString("\n| flag | default | meaning |\n| --- | --- | --- |\n")
			c.LocalFlags().VisitAll(func(f *pflag.Flag) { flagRow(b, f) })
		}
	}
	for _, sub := range c.Commands() {
		describe(b, sub)
	}
}

func flagRow(b *strings.Builder, f *pflag.Flag) {
	if f.Name == "help" {
		return
	}
	kind, usage := pflag.UnquoteUsage(f)
	name := "`--" + f.Name + "`"
	if f.Shorthand != "" {
		name = "`-" + f.Shorthand + "`, " + name
	}
	if kind != "" {
		name += " " + kind
	}
	value := f.DefValue
	if value == "" || value == "[]" || value == "false" {
		value = "none"
	} else {
		value = "`" + value + "`"
	}
	fmt.Fprintf(b, "| %s | %s | %s |\n", name, value, usage)
}
