package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/leatio/leat/checkpoint/vfs/crashfs"
)

// fill commits frames until the outbox is full.
func fill(t *testing.T, s *live, stream string, size int) int {
	t.Helper()
	for n := 0; ; n++ {
		if n > 100000 {
			t.Fatal("the outbox never gets full")
		}
		err := s.Commit(&Batch{Records: []Record{frame(s, stream, payload(stream, uint64(n), size))}})
		if errors.Is(err, ErrFull) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// At its bound the store refuses records, still takes positions and
// acknowledgements, and takes records again once there is room.
func TestFullOutbox(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	n := fill(t, s, "a", 500)
	if n < 80 || fsys.Bytes() > 64<<10 || s.Stats().Full != 1 {
		t.Fatalf("%d frames, %d bytes, %+v", n, fsys.Bytes(), s.Stats())
	}
	mustCommit(t, s, &Batch{Puts: []Entry{{"position", []byte("1")}}})
	err := s.Commit(&Batch{Records: []Record{state("b", strings.Repeat("s", 3000))}, Puts: []Entry{{"position", []byte("2")}}})
	wantErr(t, err, ErrFull)
	if v, _ := s.Get("position"); string(v) != "1" {
		t.Fatalf("position is %q", v)
	}
	waited := make(chan error, 1)
	go func() { waited <- s.WaitRoom(context.Background()) }()
	if err := s.Stream("a").Ack(uint64(n / 2)); err != nil {
		t.Fatal(err)
	}
	// The acknowledgement is taken along and makes the room.
	if again := fill(t, s, "a", 500); again < n/3 {
		t.Fatalf("room for %d frames after %d were acknowledged", again, n/2)
	}
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	_ = s.stop(t)
	wantErr(t, s.WaitRoom(context.Background()), ErrClosed)
}

// A lane that stands still must not pin the whole outbox by a few frames in
// each segment.
func TestPinnedSegmentsAreCopied(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	for n := range 600 {
		b := &Batch{Records: []Record{frame(s, "moving", payload("m", uint64(n), 600))}}
		if n%10 == 0 && n < 200 {
			b.Records = append(b.Records, frame(s, "still", fmt.Sprint(n)), state("idle", fmt.Sprint(n)))
		}
		mustCommit(t, s, b)
		if err := s.Stream("moving").Ack(uint64(n + 1)); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.CopiedBytes == 0 || st.UsedBytes > st.LimitBytes {
		t.Fatalf("%+v", st)
	}
	_ = s.stop(t)
	s = mustOpen(t, small(dir, fsys.Crash(nil)))
	for i := range 20 {
		mustRead(t, s, "still", uint64(i+1), fmt.Sprint(i*10))
	}
	if got := journal(t, s, "idle"); len(got) != 20 || got[0] != "0" || got[19] != "190" {
		t.Fatalf("journal is %q", got)
	}
	_ = s.stop(t)
}

// A disk without room is no failed disk: the batch is refused, the others go
// on, and all goes on when there is room.
func TestDiskFull(t *testing.T) {
	dir, fsys := crashed(t)
	for _, size := range []int{500, writeBytes + 1} {
		cfg := small(dir, fsys)
		cfg.MaxBytes = 8 << 20
		s := mustOpen(t, cfg)
		fsys.SetCapacity(int64(fsys.Bytes()) + 20<<10 + int64(size))
		n := fill(t, s, "a", size)
		if n == 0 {
			t.Fatal("there was room for nothing")
		}
		next := s.Stream("a").Next()
		mustCommit(t, s, &Batch{Puts: []Entry{{"position", []byte("1")}}})
		wantErr(t, s.Commit(&Batch{Records: []Record{frame(s, "a", payload("a", 0, 2*size+30<<10))}}), ErrFull)
		if err := s.Stream("a").Ack(next - 1); err != nil {
			t.Fatal(err)
		}
		mustCommit(t, s, &Batch{})
		fsys.SetCapacity(0)
		mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "after")}})
		_ = s.stop(t)
		fsys = fsys.Crash(nil)
		cfg.FS = fsys
		s = mustOpen(t, cfg)
		mustRead(t, s, "a", next, "after")
		if d := s.Damage(); d != nil {
			t.Fatalf("damage: %v", d)
		}
		if err := s.Stream("a").Ack(next); err != nil {
			t.Fatal(err)
		}
		_ = s.stop(t)
	}
}

// The same on a real file system that is full, also while the store is opened.
func TestDiskFullOnTmpfs(t *testing.T) {
	mnt := t.TempDir()
	if err := syscall.Mount("tmpfs", mnt, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(mnt, 0); err != nil {
			t.Error(err)
		}
	}()
	ballast := filepath.Join(mnt, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err == nil {
		t.Fatal("the tmpfs is larger than it should be")
	}
	cfg := Config{Dir: filepath.Join(mnt, "store"), SegmentBytes: 64 << 10, MaxBytes: 64 << 20}
	_, err := Open(cfg)
	wantErr(t, err, syscall.ENOSPC)
	if !strings.Contains(err.Error(), "free some megabytes") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("the message is %q", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, cfg)
	n := fill(t, s, "a", 10<<10)
	for i := range 50 { // positions still go into the reserve
		mustCommit(t, s, &Batch{Puts: []Entry{{fmt.Sprint("k", i), make([]byte, 1000)}}})
	}
	_ = s.stop(t)
	s = mustOpen(t, cfg)
	_, err = s.Stream("a").Read(uint64(n))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stream("a").Ack(uint64(n)); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, &Batch{})
	if again := fill(t, s, "a", 10<<10); again < n/2 {
		t.Fatalf("room for %d frames after %d were acknowledged", again, n)
	}
	_ = s.stop(t)
}

func TestOpenErrorsSayTheNextStep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Config{Dir: filepath.Join(file, "store")})
	if err == nil || !strings.Contains(err.Error(), "use another directory") {
		t.Errorf("a file for a directory: %v", err)
	}
	for errno, want := range map[syscall.Errno]string{
		syscall.EACCES: "owner", syscall.EROFS: "read-only", syscall.ENOSPC: "free some", syscall.EIO: "check it",
	} {
		fsys := &crashfs.FS{}
		fsys.FailAt(1, errno, true)
		_, err := Open(small(t.TempDir(), fsys))
		if err == nil || !errors.Is(err, errno) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", errno, err)
		}
	}
}
