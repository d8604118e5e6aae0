package jetstream_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/cloud/log/jetstream"
	"github.com/leatio/leat/cloud/log/logtest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("LEAT_TEST_LOG_CHILD"); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func config(dir string) jetstream.Config {
	return jetstream.Config{
		Dir:            dir,
		Partitions:     logtest.Partitions,
		PartitionBytes: logtest.PartitionBytes,
		MaxRecordBytes: logtest.MaxRecordBytes,
		Logger:         slog.New(slog.DiscardHandler),
	}
}

func open(t testing.TB, cfg jetstream.Config) *jetstream.Store {
	t.Helper()
	s, err := jetstream.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, log.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	logtest.Run(t, func(t *testing.T) logtest.Backend {
		dir := t.TempDir()
		s := open(t, config(dir))
		return logtest.Backend{Store: s, Reopen: func(t *testing.T) logtest.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, config(dir))
			return s
		}}
	})
}

func TestCloseTwice(t *testing.T) {
	s := open(t, config(t.TempDir()))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, log.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

func TestSecondOpenNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	open(t, config(dir))
	_, err := jetstream.Open(t.Context(), config(dir))
	if err == nil || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid())) {
		t.Fatalf("got %v", err)
	}
}

func TestOpenWhereNothingCanBeWritten(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := jetstream.Open(t.Context(), config(file+"/dir")); err == nil || !strings.Contains(err.Error(), file) {
		t.Fatalf("got %v", err)
	}
}

func TestMorePartitionsOnReopening(t *testing.T) {
	dir := t.TempDir()
	s := open(t, config(dir))
	if _, err := s.Append(t.Context(), 3, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := config(dir)
	cfg.Partitions, cfg.PartitionBytes = 6, 2*cfg.PartitionBytes
	s = open(t, cfg)
	for p, next := range map[int]uint64{3: 2, 5: 1} {
		if _, got, err := s.Bounds(t.Context(), p); err != nil || got != next {
			t.Fatalf("next of partition %d is %d, %v", p, got, err)
		}
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for field, change := range map[string]func(*jetstream.Config){
		"Dir":            func(c *jetstream.Config) { c.Dir = "" },
		"Partitions":     func(c *jetstream.Config) { c.Partitions = -1 },
		"PartitionBytes": func(c *jetstream.Config) { c.PartitionBytes = 1 },
		"MaxRecordBytes": func(c *jetstream.Config) { c.MaxRecordBytes = 1 << 30 },
		"KeysBytes":      func(c *jetstream.Config) { c.KeysBytes = -1 },
	} {
		cfg := config("dir")
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

// child appends to all partitions, and writes keys and objects, until it is
// killed, and reports each success on standard output.
func child(dir string) error {
	s, err := jetstream.Open(ctx(), config(dir))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	failed := make(chan error)
	for p := range logtest.Partitions {
		go func() {
			for {
				_, next, err := s.Bounds(ctx(), p)
				if err != nil {
					failed <- err
					return
				}
				o, err := s.Append(ctx(), p, content(p, next))
				if err != nil {
					failed <- err
					return
				}
				say("append %d %d", p, o)
				if o%64 == 0 {
					if err := s.Trim(ctx(), p, o-32); err != nil {
						failed <- err
						return
					}
				}
			}
		}()
	}
	go func() {
		_, rev, err := s.Get(ctx(), "key")
		for err == nil || errors.Is(err, log.ErrNotFound) {
			if rev, err = s.Put(ctx(), "key", []byte("v"), rev); err == nil {
				say("key %d", rev)
			}
		}
		failed <- err
	}()
	go func() {
		for i := 0; ; i++ {
			name := fmt.Sprint("gone-", i)
			rev, err := s.Put(ctx(), name, []byte("v"), 0)
			if err == nil {
				err = s.Delete(ctx(), name, rev)
			}
			if err != nil && !errors.Is(err, log.ErrConflict) { // put by the child before, and not deleted any more
				failed <- err
				return
			}
			if err == nil {
				say("gone %d", i)
			}
		}
	}()
	go func() {
		for i := 0; ; i++ {
			if err := s.PutObject(ctx(), "object", object(i)); err != nil {
				failed <- err
				return
			}
			say("object %d", i)
		}
	}()
	return <-failed
}

// TestKill kills a child in the middle of its writes, again and again on the
// same directory: everything that it had reported is there, in order.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	rounds := 3
	for round := range rounds {
		acked := runAndKill(t, dir, 200*(round+1))
		s := open(t, config(dir))
		total := 0
		for p := range logtest.Partitions {
			total += int(checkPartition(t, s, p, acked.offsets[p]))
		}
		if _, rev, err := s.Get(t.Context(), "key"); err != nil || rev < acked.key {
			t.Fatalf("the key has revision %d (%v), %d was acknowledged", rev, err, acked.key)
		}
		for _, i := range acked.gone {
			if v, _, err := s.Get(t.Context(), fmt.Sprint("gone-", i)); !errors.Is(err, log.ErrNotFound) {
				t.Fatalf("deleted key %d is there again: %q, %v", i, v, err)
			}
		}
		if len(acked.gone) < 2 {
			t.Fatalf("only %d keys were deleted", len(acked.gone))
		}
		checkObject(t, s, acked.object)
		t.Logf("round %d: acknowledged offsets %v, key revision %d, object %d; next offsets sum to %d", round, acked.offsets, acked.key, acked.object, total)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

type acknowledged struct {
	offsets [logtest.Partitions]uint64
	key     uint64
	object  int
	gone    []uint64 // keys that were deleted
}

func runAndKill(t *testing.T, dir string, lines int) acknowledged {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LEAT_TEST_LOG_CHILD="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := acknowledged{object: -1}
	seen := 0
	for in := bufio.NewScanner(out); in.Scan(); seen++ {
		f := strings.Fields(in.Text())
		n, err := strconv.ParseUint(f[len(f)-1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		switch f[0] {
		case "append":
			p, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			a.offsets[p] = max(a.offsets[p], n)
		case "key":
			a.key = max(a.key, n)
		case "gone":
			a.gone = append(a.gone, n)
		case "object":
			a.object = max(a.object, int(n))
		}
		if seen == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || seen < lines {
		t.Fatalf("the child ended by itself after %d lines: %v", seen, err)
	}
	return a
}

func checkPartition(t *testing.T, s *jetstream.Store, p int, acked uint64) uint64 {
	t.Helper()
	first, next, err := s.Bounds(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if next <= acked {
		t.Fatalf("partition %d: next offset is %d, but %d was acknowledged", p, next, acked)
	}
	r, err := s.Read(t.Context(), p, first)
	if err != nil {
		t.Fatal(err)
	}
	for want := first; want < next; want++ {
		o, got, err := r.Next(t.Context())
		if err != nil || o != want || string(got) != string(content(p, want)) {
			t.Fatalf("partition %d offset %d: got %.40q at %d, %v", p, want, got, o, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return next
}

func checkObject(t *testing.T, s *jetstream.Store, acked int) {
	t.Helper()
	got, err := s.GetObject(t.Context(), "object")
	if acked < 0 && errors.Is(err, log.ErrNotFound) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimLeft(string(got[:10]), "0") + "")
	if strings.Trim(string(got[:10]), "0") == "" {
		n, err = 0, nil
	}
	if err != nil || n < acked || string(got) != string(object(n)) {
		t.Fatalf("object %d of %d bytes (%v), %d was acknowledged", n, len(got), err, acked)
	}
}
