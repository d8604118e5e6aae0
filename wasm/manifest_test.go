package wasm

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// The manifest of docs/format/abi.md.
const fullManifest = `{"abi": 1, "name": "dewpoint", "version": "1.2.0", "state_version": 1, "reads_state_versions": [1],
 "functions": [
   {"id": 0, "name": "dewpoint", "kind": "scalar", "nulls": "propagate",
    "args": [{"name": "temp", "type": "double"}, {"name": "humidity", "type": "double"}], "result": {"type": "double"}},
   {"id": 1, "name": "decode", "kind": "table", "args": [{"name": "payload", "type": "bytes"}],
    "columns": [{"name": "meter", "type": "string"}, {"name": "kwh", "type": "double"}]},
   {"id": 2, "name": "geo_mean", "kind": "aggregate", "args": [{"name": "x", "type": "double"}], "result": {"type": "double"}},
   {"id": 3, "name": "ewma", "kind": "keyed", "args": [{"name": "x", "type": "double"}],
    "columns": [{"name": "score", "type": "double"}]}]}`

func TestManifestIsRead(t *testing.T) {
	got, err := ParseManifest([]byte(fullManifest))
	if err != nil {
		t.Fatal(err)
	}
	x := []batch.Field{{Name: "x", Type: batch.Double}}
	want := &Manifest{Name: "dewpoint", Version: "1.2.0", StateVersion: 1, ReadsStateVersions: []int{1}, Functions: []FunctionSpec{
		{ID: 0, Name: "dewpoint", Kind: Scalar, Args: []batch.Field{{Name: "temp", Type: batch.Double}, {Name: "humidity", Type: batch.Double}}, Result: batch.Double},
		{ID: 1, Name: "decode", Kind: Table, Args: []batch.Field{{Name: "payload", Type: batch.Bytes}}, Columns: []batch.Field{{Name: "meter", Type: batch.String}, {Name: "kwh", Type: batch.Double}}},
		{ID: 2, Name: "geo_mean", Kind: Aggregate, Args: x, Result: batch.Double},
		{ID: 3, Name: "ewma", Kind: Keyed, Args: x, Columns: []batch.Field{{Name: "score", Type: batch.Double}}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestManifestMistakesAreAllNamed(t *testing.T) {
	scalar := `{"abi":1,"name":"m","version":"1.0.0","functions":[{"id":0,"name":"f","kind":"scalar","args":[],"result":{"type":"int"}%s}]}`
	for _, c := range []struct {
		text string
		want []string
	}{
		{``, []string{"manifest: at byte 0: EOF"}},
		{`{"abi":1} {}`, []string{"something follows the JSON object"}},
		{`{"abi":1,"nam":"m"}`, []string{`unknown field "nam"`}},
		{strings.Repeat(" ", maxManifest+1), []string{"at most 65536 are allowed"}},
		{`{"abi":2,"name":"M","version":"1.0","state_version":-1,"functions":[]}`, []string{
			`"abi" is 2`, `"name" is "M"`, `"version" is "1.0"`, `"state_version" is -1`, `"functions" has 0 entries; 1 to 64`}},
		{fmt.Sprintf(scalar, `,"nulls":"ignore"`), []string{`"nulls" is "ignore"; propagate (the default) and call exist`}},
		{fmt.Sprintf(scalar, `,"columns":[{"name":"a","type":"int"}]`), []string{`a scalar function has a "result", not "columns"`}},
		{`{"abi":1,"name":"m","version":"1.0.0","functions":[
			{"id":3,"name":"f","kind":"scalar","args":[{"name":"x","type":"float"},{"name":"x","type":"int"}]},
			{"id":3,"name":"f","kind":"window"},
			{"name":"G","kind":"table","nulls":"call"},
			{"id":4294967295,"name":"h","kind":"aggregate","result":{"type":"u8"}}]}`, []string{
			`argument "x" has type "float"; bool, int, double, string, bytes and timestamp exist`, `argument "x" stands twice`, `function f: a scalar function needs a "result"`,
			`two functions are named f`, `two functions have the id 3`, `"kind" is "window"`, `a function is named "G"`, `function G: "id" is missing`, `function G: a table function needs "columns"`,
			`function G: "nulls" is for scalar functions only`, `function h: "id" is missing or too large`, `function h: the result's type is "u8"`}},
		{`{"abi":1,"name":"m","version":"1.0.0","functions":[` + strings.Repeat(`{"id":0},`, 64) + `{"id":0}]}`, []string{`"functions" has 65 entries`}},
		{`{"abi":1,"name":"m","version":"1.0.0","functions":[{"id":0,"name":"f","kind":"scalar","result":{"type":"int"},"args":[` + strings.Repeat(`{"name":"x","type":"int"},`, 64) + `{"name":"x","type":"int"}]}]}`,
			[]string{`it has 65 arguments; at most 64`}},
	} {
		m, err := ParseManifest([]byte(c.text))
		if err == nil || m != nil {
			t.Errorf("%.60s was taken", c.text)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%.60s: the error does not say %q:\n%v", c.text, want, err)
			}
		}
	}
}

func TestVersionsAreSemantic(t *testing.T) {
	for version, good := range map[string]bool{
		"0.0.0": true, "1.2.3-rc.1+build.5": true, "10.20.30": true,
		"1.2": false, "v1.2.3": false, "01.2.3": false, "1.2.3-": false, "1.2.3 ": false, "1.2.3\n": false,
	} {
		if semver.MatchString(version) != good {
			t.Errorf("%q: want %v", version, good)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(fullManifest))
	f.Add([]byte(manifestText("call", batch.Bytes, batch.String, batch.Timestamp)))
	f.Add([]byte(`{"abi":1,"name":"m","version":"1.0.0","functions":[{"id":0}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseManifest(text)
		if (m == nil) == (err == nil) {
			t.Fatalf("%v, %v", m, err)
		}
		if m == nil {
			return
		}
		for _, spec := range m.Functions {
			if spec.Kind == Scalar && !spec.Result.Valid() || len(spec.Args) > maxFields || !sqlName.MatchString(spec.Name) {
				t.Fatalf("%+v was taken", spec)
			}
		}
	})
}
