package compile

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestJSONSchema keeps the schema for editors equal to the table of keys.
func TestJSONSchema(t *testing.T) {
	raw := JSONSchema()
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	golden(t, "../../docs/reference/pipeline.schema.json", raw)
}

// TestReferenceNamesEveryKey holds the reference page against the table of keys.
func TestReferenceNamesEveryKey(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/pipeline.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(s *shape)
	walk = func(s *shape) {
		if s == nil {
			return
		}
		for _, f := range s.fields {
			if !bytes.Contains(page, []byte("`"+f.name+"`")) {
				t.Errorf("docs/reference/pipeline.md does not name the key `%s`", f.name)
			}
			walk(f.shape)
		}
		for _, w := range s.words {
			if !bytes.Contains(page, []byte("`"+w+"`")) {
				t.Errorf("docs/reference/pipeline.md does not name the word `%s`", w)
			}
		}
		walk(s.elem)
		walk(s.list)
		walk(s.mapping)
		walk(s.scalar)
	}
	walk(fileKeys())
}

// TestPlace finds the places of bytes within scalars of every style.
func TestPlace(t *testing.T) {
	for name, c := range map[string]struct {
		src          string // ⟨ marks the byte to find, in the decoded value
		line, column int
	}{
		"plain":                {"where: a > ⟨b", 1, 12},
		"plain, start":         {"where: ⟨a > b", 1, 8},
		"plain, end":           {"where: a >⟨", 1, 11},
		"plain, wide letters":  {"where: ü = ⟨b", 1, 12},
		"plain, flow":          {"{where: a > ⟨b}", 1, 13},
		"plain, second line":   {"where: a >\n  ⟨b", 1, 8},
		"plain, first of two":  {"where: a ⟨>\n  b", 1, 10},
		"single":               {"where: 'a > ⟨b'", 1, 13},
		"single, escaped":      {"where: 'x = ''y'' AND ⟨b'", 1, 23},
		"single, two lines":    {"where: 'a >\n  ⟨b'", 1, 8},
		"double":               {`where: "a > ⟨b"`, 1, 13},
		"double, escaped":      {`where: "x = \"y\" AND ⟨b"`, 1, 23},
		"double, hexadecimal":  {`where: "\u0061\x61 > ⟨b"`, 1, 22},
		"double, end":          {`where: "a >⟨"`, 1, 12},
		"literal":              {"where: |\n  a >\n    ⟨b", 3, 5},
		"literal, first":       {"where: |-\n  a > ⟨b\n", 2, 7},
		"folded":               {"where: >\n  a >\n  ⟨b", 1, 8},
		"tagged":               {"where: !!str a > ⟨b", 1, 8},
		"carriage return":      {"where: |\r\n  a >\r\n  ⟨b\r\n", 3, 3},
		"anchored":             {"where: &x a > ⟨b", 1, 8},
		"literal, wide letter": {"where: |\n  ü > ⟨b", 2, 7},
	} {
		t.Run(name, func(t *testing.T) {
			var marked, doc yaml.Node
			if err := yaml.Unmarshal([]byte(c.src), &marked); err != nil {
				t.Fatal(err)
			}
			offset := strings.Index(marked.Content[0].Content[1].Value, "⟨")
			src := strings.Replace(c.src, "⟨", "", 1)
			if err := yaml.Unmarshal([]byte(src), &doc); err != nil {
				t.Fatal(err)
			}
			co := &compiler{lines: strings.Split(strings.ReplaceAll(src, "\r\n", "\n"), "\n")}
			line, column := co.place(doc.Content[0].Content[1], offset)
			if line != c.line || column != c.column {
				t.Errorf("%q: %d:%d, want %d:%d", src, line, column, c.line, c.column)
			}
		})
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]int64{
		"0s": 0, "500ms": 500_000, "10s": 10_000_000, "1m": 60_000_000, "1h30m": 5_400_000_000,
		"90d": 90 * 86_400_000_000, "36500d": maxDuration,
	} {
		got, wrong := parseDuration(text)
		if got != want || wrong != "" {
			t.Errorf("%s: %d, %q; want %d", text, got, wrong, want)
		}
		if back, _ := parseDuration(FormatDuration(got)); back != got {
			t.Errorf("%s: written as %s", text, FormatDuration(got))
		}
	}
	for _, text := range []string{"", "10", "s", "-1s", "1.5s", "1 s", "10x", "36501d", "36500d1ms", "99999999999999999999s", "1s1"} {
		if got, wrong := parseDuration(text); wrong == "" {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"where", "select", "add", "drop", "window"}
	for name, want := range map[string]string{
		"wher": "where", "Where": "where", "windwo": "window", "selct": "select", "dorp": "drop", "ad": "add", "x": "", "filter": "", "": "",
	} {
		if got := nearest(name, keys); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
