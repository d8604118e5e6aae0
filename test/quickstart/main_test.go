package quickstart

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/leatio/leat/test/proc"
)

func TestMain(m *testing.M) { proc.Main(m) }

// block is a fenced block of a page.
type block struct {
	language string
	text     string
	file     string // the page says to write the text into it; else empty
}

// writeTo is how a page names the file before the block that it holds.
var writeTo = regexp.MustCompile("[Ww]rite `([^`]+)`:\\s*$")

// section gives the fenced blocks of a page's section, or of the whole page where title is empty, in order.
func section(t *testing.T, page, title string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(proc.Root(), page))
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	if title != "" {
		_, after, ok := strings.Cut(rest, "\n## "+title+"\n")
		if !ok {
			t.Fatalf("%s has no section %q", page, title)
		}
		rest, _, _ = strings.Cut(after, "\n## ")
	}
	var out []block
	for {
		before, fenced, ok := strings.Cut(rest, "\n```")
		if !ok {
			return out
		}
		language, body, _ := strings.Cut(fenced, "\n")
		body, rest, ok = strings.Cut(body, "\n```\n")
		if !ok {
			t.Fatalf("%s: a block has no end", page)
		}
		b := block{language: language, text: body + "\n"}
		if m := writeTo.FindStringSubmatch(before); m != nil {
			b.file = m[1]
		}
		out = append(out, b)
	}
}

// clone is a directory with what the README's commands need of a clone, and bin as `make build` makes it.
func clone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"configs", "examples"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(proc.Root(), name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(proc.Bin(), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	return dir
}
