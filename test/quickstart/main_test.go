package quickstart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/test/proc"
)

func TestMain(m *testing.M) { proc.Main(m) }

// block is a fenced block of a page.
type block struct {
	language string
	text     string
}

// section gives the fenced blocks of a page's section, in order.
func section(t *testing.T, page, title string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(proc.Root(), page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## "+title+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", page, title)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var out []block
	for {
		_, fenced, ok := strings.Cut(rest, "\n```")
		if !ok {
			return out
		}
		language, body, _ := strings.Cut(fenced, "\n")
		body, rest, ok = strings.Cut(body, "\n```\n")
		if !ok {
			t.Fatalf("%s: a block of section %q has no end", page, title)
		}
		out = append(out, block{language, body + "\n"})
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
