package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lock takes the data directory for this process. Another `leat up` there is
// told before it has bound a port.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "up.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		_ = f.Close()
		return nil, fmt.Errorf("another leat up (process %s) uses %s: stop it, or name another directory with --data-dir", strings.TrimSpace(string(pid)), dir)
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		return nil, errors.Join(fmt.Errorf("data directory: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func writePID(f *os.File) error {
	_, err := fmt.Fprintf(f, "%d\n", os.Getpid())
	return err
}

// running is what a `leat up` tells other commands of this user.
type running struct {
	API     string    `json:"api"`
	Started time.Time `json:"started"`
}

// runningDir holds a file for each `leat up` of this user.
func runningDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "leat", "up"), nil
}

// RunningAPI is the API address of the `leat up` of this user that was started
// last and still runs, or "".
func RunningAPI() string {
	dir, err := runningDir()
	if err != nil {
		return ""
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var newest running
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(name)
		var r running
		if err != nil || json.Unmarshal(b, &r) != nil {
			continue
		}
		if !held(name) {
			_ = os.Remove(name) // it was killed
			continue
		}
		if r.Started.After(newest.Started) {
			newest = r
		}
	}
	return newest.API
}

// held tells whether the process that wrote a file still runs: it keeps a lock on it.
func held(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// announce tells other commands where the API is; the returned function takes
// it back. Without a home directory nobody is told: --api says it then.
func announce(api string) (func(), error) {
	none := func() {}
	dir, err := runningDir()
	if err != nil {
		return none, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return none, nil
	}
	b, err := json.Marshal(running{api, time.Now()})
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "*.json")
	if err != nil {
		return none, nil
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return func() { _ = f.Close() }, nil
	}
	_, err = f.Write(b)
	return func() { _, _ = os.Remove(f.Name()), f.Close() }, err
}
