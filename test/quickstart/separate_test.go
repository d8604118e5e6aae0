package quickstart

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leatio/leat/test/proc"
)

// patience is how long the test waits for a single thing on a busy machine.
const patience = 60 * time.Second

// typist types blocks into terminals that stand in the same directory.
type typist struct {
	t    *testing.T
	dir  string
	home string
	path string // what the README says to set in each terminal
}

func (y *typist) shell(text string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", y.path+text)
	cmd.Dir = y.dir
	// The programs are found because of what is typed, not because of the test.
	for _, v := range proc.Environ(y.home) {
		cmd.Env = append(cmd.Env, strings.Replace(v, "PATH="+proc.Bin()+":", "PATH=", 1))
	}
	return cmd
}

// run types a block that ends and gives what it wrote to standard output.
func (y *typist) run(text string) string {
	y.t.Helper()
	r := proc.Run(y.t, patience, y.shell(text))
	if r.Code != 0 {
		y.t.Fatalf("exit code %d of:\n%s%s%s", r.Code, text, r.Out, r.Err)
	}
	return r.Out
}

// times are what differs from day to day in what the README shows.
var times = regexp.MustCompile(`\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?Z)?`)

func timeless(text string) string { return times.ReplaceAllString(text, "TIME") }

// until types a block again and again until it writes what the README shows.
func (y *typist) until(text, shown string) {
	y.t.Helper()
	proc.Wait(y.t, patience, "answer as in the README to:\n"+text, func() (bool, string) {
		got := y.run(text)
		return timeless(got) == timeless(shown), got
	})
}

// reachable tells whether something listens.
func reachable(addr string) func() (bool, string) {
	return func() (bool, string) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false, err.Error()
		}
		return c.Close() == nil, ""
	}
}

// startBroker starts mosquitto as Debian's service does, unless it runs already.
func startBroker(t *testing.T) {
	t.Helper()
	if ok, _ := reachable("127.0.0.1:1883")(); ok {
		return
	}
	program := "mosquitto"
	if _, err := exec.LookPath(program); err != nil {
		program = "/usr/sbin/mosquitto" // where Debian has it, and only root looks
	}
	cmd := exec.Command(program) // the same but for files that only root may write
	if os.Getuid() == 0 {
		cmd = exec.Command(program, "-c", "/etc/mosquitto/mosquitto.conf")
	}
	cmd.Env = proc.Environ(t.TempDir())
	proc.Start(t, "mosquitto", cmd)
	proc.Wait(t, patience, "broker on port 1883", reachable("127.0.0.1:1883"))
}

func TestSeparateProcesses(t *testing.T) {
	proc.Need(t, "mosquitto", "mosquitto")
	proc.Need(t, "mosquitto_pub", "mosquitto-clients")
	proc.Free(t, "127.0.0.1:4751")
	blocks := section(t, "README.md", "Separate processes")
	y := &typist{t: t, dir: clone(t), home: t.TempDir()}
	startBroker(t)
	typed := 0
	for i := 0; i < len(blocks); i++ {
		b, shown := blocks[i], ""
		if b.language != "sh" {
			t.Fatalf("a block of %s follows no command:\n%s", b.language, b.text)
		}
		if i+1 < len(blocks) && blocks[i+1].language == "text" {
			i++
			shown = blocks[i].text
		}
		typed += y.step(b.text, shown)
	}
	if typed < 8 {
		t.Errorf("only %d blocks were typed: has the README changed?", typed)
	}
	y.run("leat fleet ls -o json | grep -q '\"rejects\": 1,'")
	y.badInput()
}

// step types one block. It gives 1 where that happened as a user would do it.
func (y *typist) step(text, shown string) int {
	y.t.Helper()
	switch {
	case strings.HasPrefix(text, "sudo apt-get install"): // make deps did it
		return 0
	case strings.HasPrefix(text, "make build\n"): // proc.Main did it
		y.path = strings.TrimPrefix(text, "make build\n")
		return 0
	case strings.Contains(text, "leat-cloud --config"):
		proc.Start(y.t, "leat-cloud", y.shell(text)).Says(y.t, patience, "cloud node running")
	case strings.Contains(text, "leat-agent --config"):
		proc.Start(y.t, "leat-agent", y.shell(text)).Says(y.t, patience, "connected to the cloud")
	case strings.HasPrefix(text, "leat fleet ls"):
		y.until(text, shown)
	case strings.HasPrefix(text, "leat query"):
		y.until(text, shown)
	default:
		if got := y.run(text); got != shown {
			y.t.Errorf("%swrote:\n%sthe README shows:\n%s", text, got, shown)
		}
	}
	return 1
}
