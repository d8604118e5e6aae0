package sqlite

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzSpec reads the stored shape of a table: one that is taken is the same once
// written and read again, and its names cannot leave their quotes.
func FuzzSpec(f *testing.F) {
	f.Add(1, `{"name":"t","columns":[{"name":"a\"b","type":"int"}],"keys":["a"],"keep_micros":5,"time_column":"a"}`)
	f.Add(2, `{}`)
	f.Add(1, `{"columns":null,"keys":[""],"keep_micros":-9223372036854775808}`)
	f.Fuzz(func(t *testing.T, format int, text string) {
		s, err := parseSpec("t", format, text)
		if err != nil {
			return
		}
		if format != metaFormat {
			t.Fatalf("format %d was taken", format)
		}
		written, err := json.Marshal(&s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseSpec("t", metaFormat, string(written))
		if err != nil || !same(s, again) {
			t.Fatalf("%+v became %+v: %v", s, again, err)
		}
		if err := sameKeys(&s, &again); err != nil {
			t.Fatal(err)
		}
		for _, name := range append([]string{s.Name, s.Time}, s.Keys...) {
			if got, ok := unquote(quote(name)); !ok || got != name {
				t.Fatalf("%q is quoted as %s", name, quote(name))
			}
		}
	})
}

// same compares; an empty list is as good as none.
func same(a, b spec) bool {
	if len(a.Columns) == 0 && len(b.Columns) == 0 {
		a.Columns, b.Columns = nil, nil
	}
	if len(a.Keys) == 0 && len(b.Keys) == 0 {
		a.Keys, b.Keys = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// unquote reads a quoted identifier as SQLite does; it must end with the text.
func unquote(text string) (name string, ok bool) {
	if len(text) < 2 || text[0] != '"' {
		return "", false
	}
	for i := 1; i < len(text); i++ {
		if text[i] != '"' {
			name += text[i : i+1]
			continue
		}
		if i == len(text)-1 {
			return name, true
		}
		if i++; text[i] != '"' {
			return "", false
		}
		name += `"`
	}
	return "", false
}
