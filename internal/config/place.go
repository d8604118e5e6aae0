package config

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/leatio/leat/internal/field"
)

// Place gives the field.Mistakes among errs their places: the flag or the variable that
// set the field, or its line and column in the file. It returns nil when all
// errs are nil, and other errors as they are.
func Place(file string, flags *pflag.FlagSet, errs ...error) error {
	var fields field.Mistakes
	for _, err := range errs {
		var more field.Mistakes
		if err != nil && !errors.As(err, &more) {
			return err
		}
		fields = append(fields, more...)
	}
	if len(fields) == 0 {
		return nil
	}
	var root *yaml.Node
	if file != "" {
		if text, err := os.ReadFile(file); err == nil {
			root, _ = parse(file, text)
		}
	}
	out := make(Mistakes, len(fields))
	for i, m := range fields {
		out[i] = place(m, file, root, flags)
	}
	slices.SortStableFunc(out, func(a, b Mistake) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return out
}

func place(m field.Mistake, file string, root *yaml.Node, flags *pflag.FlagSet) Mistake {
	if f := flags.Lookup(flagName(m.Key)); f != nil && f.Changed {
		return Mistake{File: "--" + f.Name, Text: m.Text}
	}
	if name := variableName(m.Key); os.Getenv(name) != "" {
		return Mistake{File: name, Text: m.Text}
	}
	if n := find(root, strings.Split(m.Key, ".")); n != nil {
		return Mistake{file, n.Line, n.Column, m.Error()}
	}
	return Mistake{File: "config", Text: m.Error()}
}

// find gives the value under a path of keys.
func find(n *yaml.Node, path []string) *yaml.Node {
	if n == nil || len(path) == 0 {
		return n
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == path[0] {
			return find(n.Content[i+1], path[1:])
		}
	}
	return nil
}
