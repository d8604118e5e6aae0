// Package config reads the configuration of the daemons: a YAML file, then
// LEAT_... environment variables, then flags, the later ones winning. It is strict: every
// unknown key and every value of a wrong type in the file is a mistake, and all
// mistakes are told at once, each as file:line:column.
//
// Keys are the `mapstructure` tags of a Go struct; durations are written as
// 500ms, 10s, 1h, sizes in bytes as 16MiB, 1GB or a plain number.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// Bytes is a size in bytes.
type Bytes int64

// Mistake is one thing that is wrong in a file.
type Mistake struct {
	File         string
	Line, Column int
	Text         string
}

// Error gives the mistake with its place.
func (m Mistake) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Text)
}

// Mistakes are all that is wrong in a file.
type Mistakes []Mistake

// Error gives a line for each mistake.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Load fills cfg, a pointer to a struct that holds the defaults. file may be
// empty. Flags of the set whose names are keys (with - for _ and . between levels) win over everything.
func Load(cfg any, file string, flags *pflag.FlagSet) error {
	v := viper.New()
	v.SetEnvPrefix("LEAT")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	t := reflect.TypeOf(cfg).Elem()
	for _, key := range keys(t, "") {
		if err := v.BindEnv(key); err != nil {
			return err
		}
	}
	if file != "" {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("config file %s does not exist; configs/ has commented samples", file)
		}
		if err != nil {
			return fmt.Errorf("config: %w", err)
		}
		if err := check(file, text, t); err != nil {
			return err
		}
		v.SetConfigType("yaml")
		if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
			return fmt.Errorf("config %s: %w", file, err)
		}
	}
	if flags != nil {
		for _, key := range keys(t, "") {
			if f := flags.Lookup(strings.NewReplacer("_", "-", ".", "-").Replace(key)); f != nil && f.Changed {
				if err := v.BindPFlag(key, f); err != nil {
					return err
				}
			}
		}
	}
	hooks := mapstructure.ComposeDecodeHookFunc(durationHook, bytesHook, listHook, pairsHook)
	if err := v.UnmarshalExact(cfg, viper.DecodeHook(hooks)); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// keys lists the dotted keys of a struct.
func keys(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get("mapstructure")
		if f.Type.Kind() == reflect.Struct {
			out = append(out, keys(f.Type, key+".")...)
			continue
		}
		out = append(out, key)
	}
	return out
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[Bytes]()
)

func durationHook(_, to reflect.Type, v any) (any, error) {
	s, ok := v.(string)
	if to != durationType || !ok {
		return v, nil
	}
	return parseDuration(s)
}

func bytesHook(_, to reflect.Type, v any) (any, error) {
	s, ok := v.(string)
	if to != bytesType || !ok {
		return v, nil
	}
	return ParseBytes(s)
}

// listHook reads a,b,c from the environment.
func listHook(_, to reflect.Type, v any) (any, error) {
	s, ok := v.(string)
	if to.Kind() != reflect.Slice || !ok {
		return v, nil
	}
	var out []string
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out, nil
}

// pairsHook reads a=b,c=d from the environment.
func pairsHook(_, to reflect.Type, v any) (any, error) {
	s, ok := v.(string)
	if to.Kind() != reflect.Map || !ok {
		return v, nil
	}
	return ParsePairs(s)
}

// ParsePairs reads "a=b,c=d".
func ParsePairs(s string) (map[string]string, error) {
	out := map[string]string{}
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		k, val, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not of the form key=value", part)
		}
		out[strings.TrimSpace(k)] = strings.TrimSpace(val)
	}
	return out, nil
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration, expected a number with a unit such as 500ms, 10s or 1h", s)
	}
	return d, nil
}

var units = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

// ParseBytes reads a size such as 16MiB, 1GB or 4096.
func ParseBytes(s string) (Bytes, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		var n int64
		var rest string
		if c, _ := fmt.Sscanf(strings.TrimSpace(number)+"\n", "%d%s", &n, &rest); c == 1 && n >= 0 && n <= (1<<62)/u.size {
			return Bytes(n * u.size), nil
		}
	}
	return 0, fmt.Errorf("%q is not a size, expected a number with a unit such as 64MiB or 1GB", s)
}

// check finds unknown keys and values of wrong types in a file.
func check(file string, text []byte, t reflect.Type) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return yamlMistake(file, err)
	}
	c := &checker{file: file}
	if len(doc.Content) > 0 && doc.Content[0].Tag != "!!null" {
		c.mapping(doc.Content[0], t)
	}
	if len(c.found) == 0 {
		return nil
	}
	return c.found
}

func yamlMistake(file string, err error) error {
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

func (c *checker) mapping(n *yaml.Node, t reflect.Type) {
	if n.Kind != yaml.MappingNode {
		c.tell(n, "expected keys with values here")
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
			c.tell(k, "unknown key %q, expected one of %s", k.Value, strings.Join(names, ", "))
		case seen[k.Value]:
			c.tell(k, "key %q stands twice", k.Value)
		default:
			c.value(k.Value, v, ft)
		}
		seen[k.Value] = true
	}
}

// value checks one value against the type it goes to.
func (c *checker) value(key string, n *yaml.Node, t reflect.Type) {
	scalar := n.Kind == yaml.ScalarNode
	switch {
	case n.Tag == "!!null":
	case t == durationType:
		if _, err := parseDuration(n.Value); !scalar || err != nil {
			c.tell(n, "%s: expected a duration such as 500ms, 10s or 1h", key)
		}
	case t == bytesType:
		if _, err := ParseBytes(n.Value); !scalar || err != nil {
			c.tell(n, "%s: expected a size such as 64MiB or 1GB", key)
		}
	case t.Kind() == reflect.Struct:
		c.mapping(n, t)
	case t.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			c.tell(n, "%s: expected a list", key)
		}
	case t.Kind() == reflect.Map:
		if n.Kind != yaml.MappingNode {
			c.tell(n, "%s: expected keys with values", key)
		}
	case !scalar:
		c.tell(n, "%s: expected a single value", key)
	case t.Kind() == reflect.Bool && n.Tag != "!!bool":
		c.tell(n, "%s: expected true or false, found %q", key, n.Value)
	case (t.Kind() == reflect.Int || t.Kind() == reflect.Uint32) && n.Tag != "!!int":
		c.tell(n, "%s: expected a whole number, found %q", key, n.Value)
	}
}
