package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	binVariable  = "LEAT_TEST_BIN"
	rootVariable = "LEAT_TEST_ROOT"
	ownVariable  = "LEAT_TEST_OWN_NETWORK"
)

// Main builds the programs, moves to a network of its own where it may, and runs the tests.
func Main(m *testing.M) {
	if os.Getenv(binVariable) != "" {
		os.Exit(m.Run())
	}
	code, err := prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, "proc:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// prepare builds, then runs this test program again with the place of what was built.
func prepare() (code int, err error) {
	root, err := moduleRoot()
	if err != nil {
		return 1, err
	}
	bin, err := os.MkdirTemp("", "leat-bin-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(bin)) }()
	for _, args := range [][]string{ // as `make build` does, but for the place
		{"go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, "./cmd/leat", "./cmd/leat-cloud"},
		{"make", "-s", "agent", "OUT=" + filepath.Join(bin, "leat-agent")},
	} {
		build := exec.Command(args[0], args[1:]...)
		build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	args, own := os.Args, ""
	if isolated := isolate(os.Args); isolated != nil {
		args, own = isolated, "yes"
	}
	again := exec.Command(args[0], args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), binVariable+"="+bin, rootVariable+"="+root, ownVariable+"="+own)
	err = again.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod above the test's directory")
		}
		dir = filepath.Dir(dir)
	}
}

// isolate gives the command that runs args in namespaces of their own, or nil where that is not possible.
func isolate(args []string) []string {
	const setUp = `set -e
ip link set lo up
mkdir -p /run/mosquitto /var/lib/mosquitto /var/log/mosquitto
owner=0; id mosquitto >/dev/null 2>&1 && owner=$(id -u mosquitto)
for dir in /run/mosquitto /var/lib/mosquitto /var/log/mosquitto; do
  mount -t tmpfs -o uid=$owner,mode=755,size=64m tmpfs $dir
done
`
	command := []string{"unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", setUp + `exec "$@"`, "sh"}
	if os.Getuid() != 0 || exec.Command(command[0], append(command[1:], "true")...).Run() != nil {
		return nil
	}
	return append(command, args...)
}

// Root is the module's root directory.
func Root() string { return os.Getenv(rootVariable) }

// Bin is the directory of leat, leat-agent and leat-cloud.
func Bin() string {
	seeSources()
	return os.Getenv(binVariable)
}

// seeSources looks at the sources of the programs, so that `go test` knows that its
// cached result depends on them.
var seeSources = sync.OnceFunc(func() {
	err := filepath.WalkDir(Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && filepath.Ext(path) != ".go" {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		_, err = os.Stat(path)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		panic("BUG: " + err.Error())
	}
})

// OwnNetwork tells whether the tests have a network where no port is taken.
func OwnNetwork() bool { return os.Getenv(ownVariable) != "" }

// Need skips a test where a program is missing that Debian has in a package.
func Need(t *testing.T, program, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if _, err := os.Stat(filepath.Join("/usr/sbin", program)); err == nil {
		return
	}
	t.Skipf("%s is not installed; on Debian: apt-get install -y %s", program, debianPackage)
}

// Environ is the environment of a program under test: a home of its own, the
// programs on the path, and no settings of Leat's but extra's.
func Environ(home string, extra ...string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LEAT_") && !strings.HasPrefix(v, "XDG_") && !strings.HasPrefix(v, "HOME=") && !strings.HasPrefix(v, "PATH=") {
			env = append(env, v)
		}
	}
	path := Bin() + ":" + os.Getenv("PATH") + ":/usr/sbin:/sbin"
	return append(append(env, "HOME="+home, "PATH="+path), extra...)
}
