package quickstart

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leatio/leat/test/proc"
)

// stopTime is how long Ctrl-C may take, by the contract with users.
const stopTime = 3 * time.Second

func TestUp(t *testing.T) {
	look := section(t, "README.md", "See it")
	if len(look) < 2 || look[0].text != "make run\n" {
		t.Fatalf("the first look has other commands now: %q", look)
	}
	dir, home := clone(t), t.TempDir()
	ask := look[1].text

	first := startUp(t, dir, home)
	first.Says(t, patience, "Leat is up")
	if proc.OwnNetwork() && strings.Contains(first.Output(), "is taken") {
		t.Errorf("ports were stepped over although none is taken:\n%s", first.Output())
	}
	first.Says(t, patience, "\n  dev-0000 ") // the live view shows results
	before := answer(t, dir, home, ask)
	for _, line := range strings.Split(strings.TrimSpace(first.Output()), "\n") {
		if command, ok := strings.CutPrefix(line, "  ./bin/leat"); ok { // what it says to try
			shell(t, dir, home, "./bin/leat"+command)
		}
	}
	stop(t, first)

	taken := take(t)
	second := startUp(t, dir, home)
	second.Says(t, patience, "Leat is up")
	for what, port := range map[string]int{"broker": taken.broker, "API": taken.api, "port for agents": taken.agents} {
		if want := fmt.Sprintf("port %d is taken: the %s uses ", port, what); !strings.Contains(second.Output(), want) {
			t.Errorf("%q is not in\n%s", want, second.Output())
		}
	}
	newest := before[0]
	proc.Wait(t, patience, "window after "+newest, func() (bool, string) {
		got := answer(t, dir, home, ask)
		return got[0] > newest, fmt.Sprint(got)
	})
	all := shell(t, dir, home, `./bin/leat query "SELECT DISTINCT window_start FROM climate_10s"`)
	if !strings.Contains(all, before[0]) {
		t.Errorf("window %s of the first run is gone:\n%s", before[0], all)
	}
	if epoch := shell(t, dir, home, "./bin/leat fleet ls -o json"); !strings.Contains(epoch, `"epoch": 1,`) {
		t.Errorf("the agent joined again:\n%s", epoch)
	}
	stop(t, second)
	if log := read(t, filepath.Join(dir, "leat-data", "leat.log")); strings.Count(log, `msg="agent joined"`) != 1 {
		t.Errorf("the agent joined more than once:\n%s", log)
	}
}

func TestTwoInOneDirectory(t *testing.T) {
	dir, home := clone(t), t.TempDir()
	startUp(t, dir, home).Says(t, patience, "Leat is up")
	cmd := exec.Command("./bin/leat", "up")
	cmd.Dir, cmd.Env = dir, proc.Environ(home)
	r := proc.Run(t, patience, cmd)
	if r.Code != 1 || r.Out != "" || !strings.Contains(r.Err, "another leat up (process ") || strings.Count(r.Err, "\n") != 1 {
		t.Errorf("the second got %d, %q, %q", r.Code, r.Out, r.Err)
	}
}

// startUp is what make run does once it has built.
func startUp(t *testing.T, dir, home string) *proc.Process {
	t.Helper()
	cmd := exec.Command("./bin/leat", "up")
	cmd.Dir, cmd.Env = dir, proc.Environ(home)
	return proc.Start(t, "leat up", cmd)
}

func stop(t *testing.T, p *proc.Process) {
	t.Helper()
	code, took := p.Stop(10 * stopTime)
	if code != 0 || took > stopTime {
		t.Errorf("Ctrl-C ended it with code %d after %s; the contract is 0 within %s", code, took, stopTime)
	}
}

func shell(t *testing.T, dir, home, text string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", text)
	cmd.Dir, cmd.Env = dir, proc.Environ(home)
	r := proc.Run(t, patience, cmd)
	if r.Code != 0 {
		t.Fatalf("exit code %d of %s\n%s%s", r.Code, text, r.Out, r.Err)
	}
	return r.Out
}

var windowStart = regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+Z`)

// answer runs the README's query and gives the starts of the windows that it shows, newest first.
func answer(t *testing.T, dir, home, text string) []string {
	t.Helper()
	out := shell(t, dir, home, text)
	starts := windowStart.FindAllString(out, -1)
	if len(starts) != 5 || !strings.HasPrefix(out, "device") {
		t.Fatalf("five rows were asked for, got\n%s", out)
	}
	return starts
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ports are those that the second start would like to have.
type ports struct{ broker, api, agents int }

// take holds the default ports until the test ends, or finds them held.
func take(t *testing.T) ports {
	t.Helper()
	p := ports{1883, 4751, 4750}
	for _, port := range []int{p.broker, p.api} {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			t.Cleanup(func() { _ = l.Close() })
		} else if !strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
			t.Fatal(err)
		}
	}
	if c, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", p.agents)); err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return p
}
