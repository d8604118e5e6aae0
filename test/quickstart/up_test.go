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
	published := tryAll(t, dir, home, first.Output())
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
	// Three windows later the one in which a reading was sent by hand has closed too.
	later := plus(t, newest, 30*time.Second)
	proc.Wait(t, patience, "window of "+later, func() (bool, string) {
		got := answer(t, dir, home, ask)
		return got[0] >= later, fmt.Sprint(got)
	})
	all := shell(t, dir, home, `./bin/leat query "SELECT DISTINCT window_start FROM climate_10s"`)
	if !strings.Contains(all, before[0]) {
		t.Errorf("window %s of the first run is gone:\n%s", before[0], all)
	}
	if published { // the reading was taken by the first run, and its window closed in the second
		mine := shell(t, dir, home, `./bin/leat query "SELECT n, temp_avg FROM climate_10s WHERE device = 'mine'"`)
		if mine != "n  temp_avg\n1  21.5\n" {
			t.Errorf("the reading that was sent by hand gave\n%s", mine)
		}
	}
	if epoch := shell(t, dir, home, "./bin/leat fleet ls -o json"); !strings.Contains(epoch, `"epoch": 1,`) {
		t.Errorf("the agent joined again:\n%s", epoch)
	}
	stop(t, second)
	if log := read(t, filepath.Join(dir, "leat-data", "leat.log")); strings.Count(log, `msg="agent joined"`) != 1 {
		t.Errorf("the agent joined more than once:\n%s", log)
	}
}

// tryAll runs the commands that leat up says to try, and the API's reference too. It tells whether
// one of them published a reading.
func tryAll(t *testing.T, dir, home, said string) (published bool) {
	t.Helper()
	_, err := exec.LookPath("mosquitto_pub")
	for line := range strings.Lines(said) {
		switch command := strings.TrimSpace(line); {
		case strings.HasPrefix(command, "./bin/leat "):
			shell(t, dir, home, command)
		case strings.HasPrefix(command, "mosquitto_pub ") && err == nil:
			shell(t, dir, home, command)
			published = true
		}
	}
	curl := section(t, "docs/reference/api.md", "Queries")[0].text
	if _, err := exec.LookPath("curl"); err == nil && proc.OwnNetwork() {
		if got := shell(t, dir, home, curl); !strings.HasPrefix(got, `{"columns":["device","n","temp_avg"],"rows":[["dev-0000",`) {
			t.Errorf("%sgave\n%s", curl, got)
		}
	}
	return published
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

// plus adds to a time as tables show it.
func plus(t *testing.T, at string, d time.Duration) string {
	t.Helper()
	const layout = "2006-01-02T15:04:05.000000Z"
	parsed, err := time.Parse(layout, at)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Add(d).Format(layout)
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
