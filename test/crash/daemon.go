package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// daemon is a process that is killed and started again. Its output of all lives
// goes to one file.
type daemon struct {
	name string
	bin  string
	args []string
	log  string // file

	// died is called when a life ends that nobody ended.
	died func(error)

	mu       sync.Mutex
	cmd      *exec.Cmd     // nil while it is not running
	exited   chan struct{} // closed when cmd has ended
	expected bool          // somebody ends it
	err      error         // of the last life
	lives    int
}

// newDaemon describes a process; start starts it.
func newDaemon(name, dir, bin string, died func(error), args ...string) *daemon {
	return &daemon{name: name, bin: bin, args: args, log: filepath.Join(dir, name+".log"), died: died}
}

// environment is ours without what would configure the programs under test.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LEAT_") })
}

func (d *daemon) start() error {
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	cmd := exec.Command(d.bin, d.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(), log, log
	if _, err := fmt.Fprintf(log, "---- life %d\n", d.lives+1); err != nil {
		return errors.Join(err, log.Close())
	}
	err = cmd.Start()
	if err = errors.Join(err, log.Close()); err != nil {
		return fmt.Errorf("start %s: %w", d.name, err)
	}
	exited := make(chan struct{})
	d.cmd, d.exited, d.expected = cmd, exited, false
	d.lives++
	go func() {
		err := cmd.Wait()
		d.mu.Lock()
		d.cmd, d.err = nil, err
		expected := d.expected
		d.mu.Unlock()
		close(exited)
		if !expected {
			d.died(fmt.Errorf("%s ended by itself (%w); its log is %s", d.name, errors.Join(err, errEnded), d.log))
		}
	}()
	return nil
}

var errEnded = errors.New("unexpected end")

// end sends a signal and waits until the process has ended.
func (d *daemon) end(sig syscall.Signal) error {
	d.mu.Lock()
	cmd, exited := d.cmd, d.exited
	d.expected = true
	d.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", d.name, err)
	}
	<-exited
	return nil
}

// kill is SIGKILL.
func (d *daemon) kill() error { return d.end(syscall.SIGKILL) }

// stop is SIGTERM. A process that takes longer than grace is killed, and that is
// an error, as is any exit code but 0.
func (d *daemon) stop(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	late := make(chan error, 1)
	after := context.AfterFunc(ctx, func() {
		late <- errors.Join(fmt.Errorf("%s did not stop within %s", d.name, grace), d.kill())
	})
	if err := d.end(syscall.SIGTERM); err != nil {
		return err
	}
	if !after() {
		return <-late
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return fmt.Errorf("%s stopped with %w; its log is %s", d.name, d.err, d.log)
	}
	return nil
}

func (d *daemon) life() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lives
}

// tail gives the last lines of the log.
func (d *daemon) tail(lines int) string {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// alarms gives the lines of the log that no run may write.
func (d *daemon) alarms() ([]string, error) {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		for _, mark := range []string{"BUG:", "panic:", "fatal error:", "DATA RACE", "level=ERROR", "the cloud takes no frames"} {
			if strings.Contains(line, mark) {
				out = append(out, d.name+": "+strings.TrimSpace(line))
				break
			}
		}
	}
	return out, nil
}
