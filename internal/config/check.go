package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// check gives the root of a file, nil where it is empty, and finds unknown keys
// and values of wrong types in it.
func check(file string, text []byte, t reflect.Type) (*yaml.Node, Mistakes) {
	root, found := parse(file, text)
	if root == nil || len(found) > 0 {
		return nil, found
	}
	c := &checker{file: file}
	c.tags(root)
	c.mapping(root, "", t)
	return root, c.found
}

// parse gives the root of a file's only document, or nil where the file is empty.
func parse(file string, text []byte) (*yaml.Node, Mistakes) {
	var docs [2]yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	for i := range docs {
		err := d.Decode(&docs[i])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, yamlMistake(file, err)
		}
	}
	if n := docs[1]; len(n.Content) > 0 {
		return nil, Mistakes{{file, n.Line, n.Column, "a second document begins here, expected one in a file"}}
	}
	if len(docs[0].Content) == 0 || docs[0].Content[0].Tag == "!!null" {
		return nil, nil
	}
	return docs[0].Content[0], nil
}

func yamlMistake(file string, err error) Mistakes {
	line := 1
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if n, _ := fmt.Sscanf(text, "line %d:", &line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
	}
	return Mistakes{{file, line, 1, "not YAML: " + text}}
}

type checker struct {
	file  string
	found Mistakes
}

func (c *checker) tell(n *yaml.Node, format string, args ...any) {
	c.found = append(c.found, Mistake{c.file, n.Line, n.Column, fmt.Sprintf(format, args...)})
}

// tags finds tags: the keys alone say of which types the values are.
func (c *checker) tags(n *yaml.Node) {
	if n.Style&yaml.TaggedStyle != 0 {
		c.tell(n, "remove the tag %s", n.Tag)
	}
	for _, e := range n.Content {
		c.tags(e)
	}
}

func (c *checker) mapping(n *yaml.Node, prefix string, t reflect.Type) {
	if n.Kind != yaml.MappingNode {
		c.tell(n, "%sexpected keys with values here", strings.TrimSuffix(prefix, ".")+colon(prefix))
		return
	}
	fields := map[string]reflect.Type{}
	var names []string
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("mapstructure")
		fields[name] = t.Field(i).Type
		names = append(names, name)
	}
	slices.Sort(names)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		ft, ok := fields[k.Value]
		switch {
		case !ok:
			c.tell(k, "unknown key %q, expected one of %s", prefix+k.Value, strings.Join(names, ", "))
		case seen[k.Value]:
			c.tell(k, "key %q stands twice", prefix+k.Value)
		default:
			c.value(prefix+k.Value, v, ft)
		}
		seen[k.Value] = true
	}
}

func colon(prefix string) string {
	if prefix == "" {
		return ""
	}
	return ": "
}

// value checks one value against the type it goes to.
func (c *checker) value(key string, n *yaml.Node, t reflect.Type) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Tag == "!!null":
	case t.Kind() == reflect.Struct:
		c.mapping(n, key+".", t)
	case t.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			c.tell(n, "%s: expected a list", key)
			return
		}
		for _, e := range n.Content {
			c.value(key, e, t.Elem())
		}
	case t.Kind() == reflect.Map:
		if n.Kind != yaml.MappingNode {
			c.tell(n, "%s: expected keys with values", key)
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.value(key+"."+n.Content[i].Value, n.Content[i+1], t.Elem())
		}
	case n.Kind != yaml.ScalarNode:
		c.tell(n, "%s: expected a single value", key)
	default:
		if expected := wrong(n.Value, t); expected != "" {
			c.tell(n, "%s: expected %s, found %q", key, expected, n.Value)
		}
	}
}

// wrong tells what was expected where a single value is not of the type it goes to.
func wrong(value string, t reflect.Type) string {
	switch {
	case t == durationType:
		if _, err := parseDuration(value); err != nil {
			return "a duration such as 500ms, 10s or 1h"
		}
	case t == bytesType:
		if _, err := ParseBytes(value); err != nil {
			return "a size such as 64MiB or 1GB"
		}
	case t.Kind() == reflect.Bool:
		if value != "true" && value != "false" {
			return "true or false"
		}
	case t.Kind() == reflect.Int:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return "a whole number"
		}
	}
	return ""
}

// checkEnvironment finds variables with values of wrong types.
func checkEnvironment(t reflect.Type) Mistakes {
	var found Mistakes
	for _, k := range keysOf(t, "") {
		name := variableName(k.name)
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		expected := wrong(value, k.kind)
		if k.kind.Kind() == reflect.Map {
			if _, err := ParsePairs(value); err != nil {
				expected = "key=value, key=value"
			}
		}
		if expected != "" {
			found = append(found, Mistake{File: name, Text: fmt.Sprintf("expected %s, found %q", expected, value)})
		}
	}
	return found
}
