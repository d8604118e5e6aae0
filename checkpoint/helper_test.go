package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/leatio/leat/checkpoint/vfs"
	"github.com/leatio/leat/checkpoint/vfs/crashfs"
)

type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// live is a store whose Run runs.
type live struct {
	*Store
	ran chan error
}

func start(s *Store) *live {
	l := &live{s, make(chan error, 1)}
	go func() { l.ran <- s.Run(context.Background()) }()
	return l
}

// stop closes the store and returns what Run returned.
func (l *live) stop(t tb) error {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return <-l.ran
}

func small(dir string, fsys vfs.FS) Config {
	return Config{Dir: dir, SegmentBytes: 4 << 10, MaxBytes: 64 << 10, FS: fsys}
}

func mustOpen(t tb, cfg Config) *live {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return start(s)
}

func mustCommit(t tb, s *live, b *Batch) {
	t.Helper()
	if err := s.Commit(b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func frame(s *live, stream string, data string) Record {
	return Record{Stream: stream, Kind: Frame, Seq: s.Stream(stream).Next(), Data: []byte(data)}
}

func state(stream string, data string) Record {
	return Record{Stream: stream, Kind: State, Data: []byte(data)}
}

func mustRead(t tb, s *live, stream string, seq uint64, want string) {
	t.Helper()
	got, err := s.Stream(stream).Read(seq)
	if err != nil {
		t.Fatalf("read frame %d of %s: %v", seq, stream, err)
	}
	if string(got) != want {
		t.Fatalf("frame %d of %s is %.40q, expected %.40q", seq, stream, got, want)
	}
}

func journal(t tb, s *live, stream string) []string {
	t.Helper()
	out := []string{}
	err := s.Stream(stream).State(func(data []byte) error {
		out = append(out, string(data))
		return nil
	})
	if err != nil {
		t.Fatalf("journal of %s: %v", stream, err)
	}
	return out
}

func wantErr(t tb, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error is %v, expected %v", err, target)
	}
}

// payload is data of n bytes that names its frame.
func payload(stream string, seq uint64, n int) string {
	s := fmt.Sprintf("%s/%d|", stream, seq)
	for len(s) < n {
		s += s
	}
	return s[:n]
}

func crashed(t *testing.T) (string, *crashfs.FS) {
	t.Helper()
	return fastDir(t), &crashfs.FS{}
}

// fastDir is a directory in memory where there is one, for tests in which only
// the segments, on a crashfs, lose power.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "checkpoint")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
