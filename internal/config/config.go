// Package config reads the configuration of the daemons: a YAML file, then
// LEAT_... environment variables, then flags, the later ones winning. It is strict: every
// unknown key and every value of a wrong type in the file is a mistake, and all
// mistakes are told at once, each as file:line:column.
//
// Keys are the `mapstructure` tags of a Go struct; durations are written as
// 500ms, 10s, 1h, sizes in bytes as 16MiB, 1GB or a plain number.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// Bytes is a size in bytes.
type Bytes int64

// Mistake is one thing that is wrong in a file, a variable or a flag.
type Mistake struct {
	File         string // or the variable's or the flag's name
	Line, Column int    // from 1; 0 where there is no file
	Text         string
}

// Error gives the mistake with its place.
func (m Mistake) Error() string {
	if m.Line == 0 {
		return m.File + ": " + m.Text
	}
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
	for _, k := range keysOf(t, "") {
		if err := v.BindEnv(k.name); err != nil {
			return err
		}
	}
	found := checkEnvironment(t)
	var root *yaml.Node
	if file != "" {
		text, err := read(file)
		if err != nil {
			return err
		}
		var wrong Mistakes
		root, wrong = check(file, text, t)
		found = append(wrong, found...) // what stands in the file is told first
	}
	if len(found) > 0 {
		return found
	}
	if err := merge(v, root, t); err != nil {
		return fmt.Errorf("config %s: %w", file, err)
	}
	if flags != nil {
		for _, k := range keysOf(t, "") {
			if f := flags.Lookup(flagName(k.name)); f != nil && f.Changed {
				if err := v.BindPFlag(k.name, f); err != nil {
					return err
				}
			}
		}
	}
	hooks := mapstructure.ComposeDecodeHookFunc(durationHook, bytesHook, listHook, pairsHook)
	if err := v.UnmarshalExact(cfg, viper.DecodeHook(hooks)); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return fillMaps(reflect.ValueOf(cfg).Elem(), root)
}

// merge gives a file's values to viper, but for those that are maps: viper
// makes their keys lower case and splits them at dots.
func merge(v *viper.Viper, root *yaml.Node, t reflect.Type) error {
	if root == nil {
		return nil
	}
	var values map[string]any
	if err := root.Decode(&values); err != nil {
		return err
	}
	for _, k := range keysOf(t, "") {
		if k.kind.Kind() == reflect.Map {
			delete(values, k.name)
		}
	}
	return v.MergeConfigMap(values)
}

// fillMaps sets the fields that are maps from the file, where no variable did.
func fillMaps(cfg reflect.Value, root *yaml.Node) error {
	for i := range cfg.NumField() {
		name := cfg.Type().Field(i).Tag.Get("mapstructure")
		n := find(root, []string{name})
		if cfg.Field(i).Kind() != reflect.Map || n == nil || os.Getenv(variableName(name)) != "" {
			continue
		}
		if err := n.Decode(cfg.Field(i).Addr().Interface()); err != nil {
			return fmt.Errorf("config: %w", err)
		}
	}
	return nil
}

func read(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("config file %s does not exist; configs/ has commented samples", file)
	}
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return text, nil
}

// flagName is the flag of a key: data-dir for data_dir.
func flagName(key string) string { return strings.NewReplacer("_", "-", ".", "-").Replace(key) }

// variableName is the environment variable of a key: LEAT_QUERY_ROWS for query.rows.
func variableName(key string) string {
	return "LEAT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// key is a dotted key of a config and the type of its value.
type key struct {
	name string
	kind reflect.Type
}

// keysOf lists the keys of a struct.
func keysOf(t reflect.Type, prefix string) []key {
	var out []key
	for i := range t.NumField() {
		f := t.Field(i)
		name := prefix + f.Tag.Get("mapstructure")
		if f.Type.Kind() == reflect.Struct {
			out = append(out, keysOf(f.Type, name+".")...)
			continue
		}
		out = append(out, key{name, f.Type})
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
