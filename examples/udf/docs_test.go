package udf_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

const howTo = "docs/how-to/write-a-function.md"

// block is the first code block of the page in that language which holds mark.
func block(t *testing.T, language, mark string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("../..", howTo))
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(page), "```"+language+"\n") {
		code, _, ok := strings.Cut(part, "```")
		if ok && strings.Contains(code, mark) && !strings.HasPrefix(part, "# ") {
			return code
		}
	}
	t.Fatalf("%s has no %s block with %q", howTo, language, mark)
	return ""
}

// The page's sources, built by the page's commands, double a number.
func TestTheHowToWorks(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("c", func(t *testing.T) {
		for _, tool := range []string{"clang", "wasm-ld"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("%s is not installed; Debian's packages are: apt install clang lld", tool)
			}
		}
		dir := t.TempDir()
		if err := os.Symlink(filepath.Join(root, "udf-sdk"), filepath.Join(dir, "udf-sdk")); err != nil {
			t.Fatal(err)
		}
		howToModule(t, dir, "twice.c", block(t, "c", "leat.h"), block(t, "sh", "wasm-ld"))
	})
	t.Run("c with a library", func(t *testing.T) {
		command := block(t, "sh", "wasm32-wasi")
		dir := t.TempDir()
		if err := os.Symlink(filepath.Join(root, "udf-sdk"), filepath.Join(dir, "udf-sdk")); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("/usr/include/wasm32-wasi"); err != nil {
			t.Skip("wasi-libc is not installed; Debian's packages are: apt install clang lld wasi-libc libclang-rt-14-dev-wasm32")
		}
		howToModule(t, dir, "twice.c", block(t, "c", "leat.h"), command)
	})
	t.Run("go", func(t *testing.T) {
		dir, err := os.MkdirTemp(".", "how-to-") // in this module, where the package is found
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
		howToModule(t, dir, "main.go", block(t, "go", "leat.Register"), block(t, "sh", "GOOS=wasip1"))
	})
}

func howToModule(t *testing.T, dir, file, source, commands string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("sh", "-ec", commands)
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	module, err := os.ReadFile(filepath.Join(dir, "twice.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, module, "twice", []batch.Column{{Type: batch.Double, Doubles: []float64{1.5, -2}}}, 2)
	if out.Doubles[0] != 3 || out.Doubles[1] != -4 {
		t.Errorf("twice 1.5 and -2 is %v", out.Doubles)
	}
}
