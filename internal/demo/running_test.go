package demo

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestTheNewestRunningNodeIsFound(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if got := RunningAPI(); got != "" {
		t.Errorf("nothing runs, found %q", got)
	}
	endFirst, err := announce("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	endSecond, err := announce("127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	if got := RunningAPI(); got != "127.0.0.1:2" {
		t.Errorf("two run, found %q", got)
	}
	endSecond()
	if got := RunningAPI(); got != "127.0.0.1:1" {
		t.Errorf("the first still runs, found %q", got)
	}
	endFirst()
	if got := RunningAPI(); got != "" {
		t.Errorf("none runs any more, found %q", got)
	}
}

// A `leat up` that was killed leaves its file, but no lock.
func TestAKilledNodeIsNotFound(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := runningDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "1.json")
	if err := os.WriteFile(left, []byte(`{"api":"127.0.0.1:1","started":"2026-01-01T00:00:00Z"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := RunningAPI(); got != "" {
		t.Errorf("found %q", got)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("its file is still there: %v", err)
	}
}

func TestOneProcessPerDirectory(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lock(dir)
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("the second got %v", err)
	}
	unlock()
	unlock, err = lock(dir)
	if err != nil {
		t.Fatalf("after the first ended: %v", err)
	}
	unlock()
}

func TestTakenPortsAreSteppedOver(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	}()
	port := taken.Addr().(*net.TCPAddr).Port
	var said []string
	l, err := listenTCP("broker", port, func(s string) { said = append(said, s) })
	if err != nil {
		t.Fatal(err)
	}
	got := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if got <= port || len(said) != 1 || !strings.Contains(said[0], strconv.Itoa(port)) || !strings.Contains(said[0], strconv.Itoa(got)) {
		t.Errorf("got port %d instead of %d, said %q", got, port, said)
	}
}
