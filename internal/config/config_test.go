package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/leatio/leat/internal/config"
	"github.com/leatio/leat/internal/field"
)

type inner struct {
	Rows int           `mapstructure:"rows"`
	Time time.Duration `mapstructure:"time"`
}

type sample struct {
	DataDir string            `mapstructure:"data_dir"`
	Size    config.Bytes      `mapstructure:"size"`
	Wait    time.Duration     `mapstructure:"wait"`
	On      bool              `mapstructure:"on"`
	Addrs   []string          `mapstructure:"addrs"`
	Labels  map[string]string `mapstructure:"labels"`
	Inner   inner             `mapstructure:"inner"`
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	f.String("data-dir", "", "")
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFileThenEnvironmentThenFlags(t *testing.T) {
	name := write(t, `
data_dir: file
size: 64MiB
wait: 1m30s
on: true
addrs: [a:1, "b:2"]
labels: {Site.Name: North, role: x}
inner: {rows: 5, time: 1s}
`)
	t.Setenv("LEAT_DATA_DIR", "environment")
	t.Setenv("LEAT_INNER_ROWS", "7")
	want := sample{
		DataDir: "environment", Size: 64 << 20, Wait: 90 * time.Second, On: true, Addrs: []string{"a:1", "b:2"},
		Labels: map[string]string{"Site.Name": "North", "role": "x"}, Inner: inner{Rows: 7, Time: time.Second},
	}
	var got sample
	if err := config.Load(&got, name, flags(t)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	t.Setenv("LEAT_LABELS", "A=1, b=2")
	t.Setenv("LEAT_ADDRS", "c:3,d:4")
	want.DataDir, want.Labels, want.Addrs = "flag", map[string]string{"A": "1", "b": "2"}, []string{"c:3", "d:4"}
	got = sample{}
	if err := config.Load(&got, name, flags(t, "--data-dir=flag")); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDefaultsStay(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "data_dir:\n", "labels:\ninner:\n"} {
		got := sample{DataDir: "default", Size: 3}
		if err := config.Load(&got, write(t, text), nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got.DataDir != "default" || got.Size != 3 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	tests := []struct {
		name, text string
		env        map[string]string
		want       string
	}{
		{name: "types", text: "data_dir: [a]\nsize: 3 potatoes\nwait: 5\non: 1\naddrs: a\nlabels: [a]\ninner: 3\nsise: 1\n", want: `
F:1:11: data_dir: expected a single value
F:2:7: size: expected a size such as 64MiB or 1GB, found "3 potatoes"
F:3:7: wait: expected a duration such as 500ms, 10s or 1h, found "5"
F:4:5: on: expected true or false, found "1"
F:5:8: addrs: expected a list
F:6:9: labels: expected keys with values
F:7:8: inner: expected keys with values here
F:8:1: unknown key "sise", expected one of addrs, data_dir, inner, labels, on, size, wait`},
		{name: "deep", text: "inner: {rows: 1.5, tme: 1s}\naddrs: [[a], b]\nlabels: {a: {b: c}}\ninner: {}\n", want: `
F:1:15: inner.rows: expected a whole number, found "1.5"
F:1:20: unknown key "inner.tme", expected one of rows, time
F:2:9: addrs: expected a single value
F:3:13: labels.a: expected a single value
F:4:1: key "inner" stands twice`},
		{name: "root", text: "- 1\n", want: "\nF:1:1: expected keys with values here"},
		{name: "documents", text: "on: true\n---\non: false\n", want: "\nF:2:1: a second document begins here, expected one in a file"},
		{name: "syntax", text: "on: true\na: b: c\n", want: "\nF:2:1: not YAML: mapping values are not allowed in this context"},
		{name: "environment", text: "on: 2\n", env: map[string]string{"LEAT_SIZE": "x", "LEAT_INNER_ROWS": "many", "LEAT_LABELS": "a"}, want: `
F:1:5: on: expected true or false, found "2"
LEAT_SIZE: expected a size such as 64MiB or 1GB, found "x"
LEAT_LABELS: expected key=value, key=value, found "a"
LEAT_INNER_ROWS: expected a whole number, found "many"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			name := write(t, tt.text)
			var s sample
			err := config.Load(&s, name, nil)
			if err == nil {
				t.Fatal("no mistake was found")
			}
			if got := strings.ReplaceAll(err.Error(), name, "F"); "\n"+got != tt.want {
				t.Errorf("got:\n%s\nwant:%s", got, tt.want)
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	var s sample
	err := config.Load(&s, "nowhere.yaml", nil)
	if err == nil || !strings.Contains(err.Error(), "nowhere.yaml does not exist; configs/ has commented samples") {
		t.Errorf("got %v", err)
	}
}

func TestPlace(t *testing.T) {
	name := write(t, "data_dir: x\ninner:\n  rows: -1\nwait: 3s\n")
	t.Setenv("LEAT_WAIT", "-3s")
	var m field.Mistakes
	m.Add("wait", "is negative")
	m.Add("inner.rows", "is -1")
	m.Check(false, "data_dir", "is bad")
	m.Check(true, "on", "is bad")
	m.Add("size", "is missing")
	got := config.Place(name, flags(t, "--data-dir=x"), nil, m.Err())
	want := "LEAT_WAIT: is negative\n--data-dir: is bad\nconfig: size: is missing\nF:3:9: inner.rows: is -1"
	if text := strings.ReplaceAll(got.Error(), name, "F"); text != want {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
	if err := config.Place(name, flags(t), nil, field.Mistakes(nil).Err()); err != nil {
		t.Errorf("no mistakes give %v", err)
	}
	if err := config.Place(name, flags(t), m.Err(), os.ErrExist); !errors.Is(err, os.ErrExist) {
		t.Errorf("another error comes back as %v", err)
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]config.Bytes{
		"0": 0, "4096": 4096, "1B": 1, "2kB": 2000, "2KiB": 2048, "16MiB": 16 << 20, "1 GB": 1e9, "3TiB": 3 << 40,
	} {
		if got, err := config.ParseBytes(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "x", "1.5GB", "1 2", "99999999TiB", "KiB", "5 MiBs"} {
		if got, err := config.ParseBytes(text); err == nil {
			t.Errorf("%q gives %d", text, got)
		}
	}
}
