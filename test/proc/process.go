package proc

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a program that runs beside a test.
type Process struct {
	Name string

	cmd    *exec.Cmd
	ended  chan struct{}
	err    error // valid once ended is closed
	output *buffer
}

// buffer collects what a process writes.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Start starts a command in a process group of its own. The group is killed when the test ends,
// and what it wrote is shown if the test failed.
func Start(t *testing.T, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Name: name, cmd: cmd, ended: make(chan struct{}), output: new(buffer)}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, p.Output())
		}
	})
	return p
}

// Output is what the process wrote so far, to standard output and standard error.
func (p *Process) Output() string { return p.output.String() }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

func (p *Process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// Stop interrupts the process, as Ctrl-C does, and gives its exit code and how long it took to
// end; it is killed after limit.
func (p *Process) Stop(limit time.Duration) (code int, took time.Duration) {
	began := time.Now()
	p.signal(syscall.SIGINT)
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

// Result is what a command that ended gave.
type Result struct {
	Out, Err string
	Code     int
}

// Run runs a command to its end, or kills it after limit and fails the test.
func Run(t *testing.T, limit time.Duration, cmd *exec.Cmd) Result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !timer.Stop() {
		t.Fatalf("%s did not end within %s\n%s%s", cmd, limit, out.String(), errs.String())
	}
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", cmd, err)
	}
	return Result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// Wait waits until cond holds. cond says what it saw for the case that it never does.
func Wait(t *testing.T, limit time.Duration, what string, cond func() (ok bool, saw string)) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, saw := cond()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s there is still no %s; last seen:\n%s", limit, what, saw)
		}
		<-tick.C
	}
}

// Says waits until a process has written a text, and fails the test when it ends before.
func (p *Process) Says(t *testing.T, limit time.Duration, text string) {
	t.Helper()
	Wait(t, limit, fmt.Sprintf("%q from %s", text, p.Name), func() (bool, string) {
		ok := strings.Contains(p.Output(), text)
		select {
		case <-p.ended:
			if !ok && !strings.Contains(p.Output(), text) {
				t.Fatalf("%s ended with %v before it wrote %q:\n%s", p.Name, p.err, text, p.Output())
			}
		default:
		}
		return ok, p.Output()
	})
}

// Free skips the test when an address is taken; in a network of its own none is.
func Free(t *testing.T, tcp ...string) {
	t.Helper()
	for _, addr := range tcp {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			if OwnNetwork() {
				t.Fatal(err)
			}
			t.Skipf("%v; run the tests as root for a network of their own", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
