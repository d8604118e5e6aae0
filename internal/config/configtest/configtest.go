// Package configtest checks a commented sample of a config: it loads as it is,
// each key of the struct stands in it once, in use or commented out, and the
// commented ones can be taken into use.
package configtest

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/leatio/leat/internal/config"
)

// off is a key that is commented out: no space behind the number sign.
var off = regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`)

// Sample checks the file. cfg and full are pointers to the config struct: cfg
// gets the sample's values, full those with every key in use.
func Sample(t *testing.T, file string, cfg, full any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := config.Load(cfg, file, nil); err != nil {
		t.Fatal(err)
	}
	text = off.ReplaceAll(text, []byte("$1$2"))
	inUse := filepath.Join(t.TempDir(), "all.yaml")
	if err := os.WriteFile(inUse, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.Load(full, inUse, nil); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for _, key := range missing(reflect.TypeOf(cfg).Elem(), doc, "") {
		t.Errorf("%s has no key %s", file, key)
	}
}

func missing(t reflect.Type, doc map[string]any, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		v, ok := doc[name]
		if f.Type.Kind() == reflect.Struct {
			below, _ := v.(map[string]any)
			out = append(out, missing(f.Type, below, prefix+name+".")...)
		} else if !ok {
			out = append(out, prefix+name)
		}
	}
	return out
}

// Page checks that each key of a config, a pointer to its struct, stands in the
// reference page with its variable.
func Page(t *testing.T, page string, cfg any) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range missing(reflect.TypeOf(cfg).Elem(), map[string]any{}, "") {
		row := "| `" + key + "` | `LEAT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) + "` | "
		if !strings.Contains(string(text), row) {
			t.Errorf("%s has no row that begins with %s", page, row)
		}
	}
}
