package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/leatio/leat/internal/config"
	"github.com/leatio/leat/internal/field"
)

// FuzzLoad reads config files: each is taken, always with the same values, or all that is
// wrong has its place in the file.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"data_dir: file\nsize: 64MiB\nwait: 1m30s\non: true\naddrs: [a:1, \"b:2\"]\nlabels: {Site.Name: North, role: x}\ninner: {rows: 5, time: 1s}\n",
		"# nothing\n", "data_dir:\n", "- 1\n", "on: true\n---\non: false\n", "on: true\na: b: c\n", "addrs: &a [x, *a]\n", "labels: &l {a: b}\ninner: *l\n",
		"inner:\n  <<: {rows: 1}\n", "size: 3 potatoes\nwait: 5\n", "inner: {rows: 0x10}\n", "inner: {rows: 9223372036854775808}\n", "? [a]\n: b\n", "!!binary on: true\n",
		"on: !!str true\n", "wait: 1e3s\n", "data_dir: !x {a: b}\n", "labels: {1: 2, ~: ~}\n",
	} {
		f.Add([]byte(text))
	}
	for _, name := range []string{"../../configs/agent.yaml", "../../configs/cloud.yaml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	name := filepath.Join(f.TempDir(), "c.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var got, again sample
		if err := config.Load(&got, name, nil); err != nil {
			var found config.Mistakes
			if !errors.As(err, &found) || len(found) == 0 {
				t.Fatalf("%q: an error without a place: %v", text, err)
			}
			for _, m := range found {
				if m.Line < 1 || m.Column < 1 || m.File != name {
					t.Fatalf("%q: a mistake without a place: %#v", text, m)
				}
			}
			return
		}
		if err := config.Load(&again, name, nil); err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q: %+v, then %+v (%v)", text, got, again, err)
		}
		err := config.Place(name, flags(t), field.Mistakes{{Key: "inner.rows", Text: "x"}, {Key: "labels", Text: "y"}})
		if err == nil {
			t.Fatal("mistakes are forgotten")
		}
	})
}
