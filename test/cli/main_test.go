package cli

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/test/proc"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	flag.Parse()
	proc.Main(m)
}

// patience is how long a command may take on a busy machine.
const patience = 60 * time.Second

// command makes a command that runs in dir with a home of its own.
func command(t *testing.T, dir, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(proc.Bin(), program), args...)
	cmd.Dir, cmd.Env = dir, proc.Environ(t.TempDir())
	return cmd
}

// run runs a command in dir.
func run(t *testing.T, dir, program string, args ...string) proc.Result {
	t.Helper()
	return proc.Run(t, patience, command(t, dir, program, args...))
}

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, name); got != want {
		t.Errorf("%s (rewrite with -update)\ngot:\n%swant:\n%s", name, got, want)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// oneLine checks the contract of errors: one line, the program's name (or that
// of a flag) first, each part of want in it.
func oneLine(t *testing.T, r proc.Result, code int, want ...string) {
	t.Helper()
	if r.Code != code {
		t.Errorf("exit code %d, want %d", r.Code, code)
	}
	var lines []string
	for line := range strings.Lines(r.Err) {
		if !strings.HasPrefix(line, "time=") { // the log
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "leat") && !strings.HasPrefix(lines[0], "--") {
		t.Errorf("want one line that begins with the program's or a flag's name, got:\n%s", r.Err)
	}
	for _, w := range want {
		if !strings.Contains(r.Err, w) {
			t.Errorf("%q is not in:\n%s", w, r.Err)
		}
	}
}
