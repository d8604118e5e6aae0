package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL that lives as long as a test.
type Server struct {
	dir    string
	cmd    *exec.Cmd
	output *lines
}

// startLimit is how long a server may take until it answers.
const startLimit = time.Minute

// Start makes a cluster and starts its server. The test is skipped where PostgreSQL is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	bin := programs(t)
	dir, err := os.MkdirTemp("", "leat-pg") // short: it is part of a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	owner := unprivileged(t, dir)
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "leat", "-A", "trust", "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir, initdb.Env = &syscall.SysProcAttr{Credential: owner}, dir, environ(dir)
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s := &Server{dir: dir, output: newLines()}
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "jit=off",
		"-c", "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "timezone=UTC", "-c", "datestyle=ISO", "-c", "max_connections=8")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGQUIT}
	s.cmd.Dir, s.cmd.Env = dir, environ(dir)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.output.read(stderr)
	t.Cleanup(func() { s.stop(t) })
	if err := s.output.wait("ready to accept connections", startLimit); err != nil {
		t.Fatalf("postgres: %v", err)
	}
	return s
}

func (s *Server) stop(t testing.TB) {
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("postgres: %v", err)
	}
	<-s.output.ended
	_ = s.cmd.Wait() // it ends with a status of its own on SIGQUIT
}

// Connect opens a connection that ends with the test.
func (s *Server) Connect(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), "host="+s.dir+" user=leat dbname=postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// programs is the directory of the newest PostgreSQL that is installed.
func programs(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // Debian's place
	if err != nil {
		t.Fatal(err)
	}
	if path, err := exec.LookPath("postgres"); err == nil && len(found) == 0 {
		found = []string{path}
	}
	if len(found) == 0 {
		t.Skip("postgres is not installed; on Debian: apt-get install -y postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1])
}

// unprivileged gives dir to a user other than root, who PostgreSQL does not run as; nil where that is not needed.
func unprivileged(t testing.TB, dir string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2, os.Chown(dir, uid, gid)); err != nil {
			t.Fatal(err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true}
	}
	t.Skip("there is no user postgres or nobody to run PostgreSQL as")
	return nil
}

func environ(home string) []string {
	return []string{"PATH=/usr/bin:/bin", "HOME=" + home, "LC_ALL=C.UTF-8", "TZ=UTC"}
}

// lines keeps what a process writes.
type lines struct {
	ended chan struct{}

	mu      sync.Mutex
	text    []string
	changed chan struct{} // closed when text grows
}

func newLines() *lines { return &lines{ended: make(chan struct{}), changed: make(chan struct{})} }

func (l *lines) read(r io.Reader) {
	defer close(l.ended)
	scan := bufio.NewScanner(r)
	for scan.Scan() {
		l.mu.Lock()
		l.text = append(l.text, scan.Text())
		close(l.changed)
		l.changed = make(chan struct{})
		l.mu.Unlock()
	}
}

// wait waits for a line that holds a text.
func (l *lines) wait(text string, limit time.Duration) error {
	timeout := time.After(limit)
	for {
		l.mu.Lock()
		all, changed := strings.Join(l.text, "\n"), l.changed
		l.mu.Unlock()
		if strings.Contains(all, text) {
			return nil
		}
		select {
		case <-changed:
		case <-l.ended:
			return fmt.Errorf("it ended:\n%s", all)
		case <-timeout:
			return fmt.Errorf("no %q within %s:\n%s", text, limit, all)
		}
	}
}
