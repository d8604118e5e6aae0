package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatio/leat/checkpoint/vfs/crashfs"
)

func TestCommitReadReopen(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Config{Dir: dir})
	id := s.ID()
	if n := s.Stream("a").Next(); n != 1 {
		t.Fatalf("the first frame is %d, expected 1", n)
	}
	mustCommit(t, s, &Batch{
		Records: []Record{frame(s, "a", "one"), {Stream: "a", Kind: Frame, Seq: 2, Data: []byte("two")}, frame(s, "b", "")},
		Puts:    []Entry{{"k/1", []byte("v1")}, {"k/2", []byte{}}, {"l", []byte("x")}},
	})
	mustCommit(t, s, &Batch{Puts: []Entry{{"l", nil}, {"k/1", []byte("v2")}}})
	for range 2 {
		mustRead(t, s, "a", 1, "one")
		mustRead(t, s, "a", 2, "two")
		mustRead(t, s, "b", 1, "")
		if n, sum := s.Stream("a").Next(), s.Stream("a").LastChecksum(); n != 3 || sum != Checksum([]byte("two")) {
			t.Fatalf("next %d, checksum %08x", n, sum)
		}
		var got []string
		if err := s.Range("k/", func(k string, v []byte) error {
			got = append(got, fmt.Sprintf("%s=%s", k, v))
			return nil
		}); err != nil || !slices.Equal(got, []string{"k/1=v2", "k/2="}) {
			t.Fatalf("range gives %q, %v", got, err)
		}
		if v, err := s.Get("l"); v != nil || err != nil {
			t.Fatalf("a deleted entry is %q, %v", v, err)
		}
		if v, err := s.Get("k/2"); v == nil || len(v) != 0 || err != nil {
			t.Fatalf("an empty entry is %v, %v", v, err)
		}
		if got := s.Streams(); !slices.Equal(got, []string{"a", "b"}) {
			t.Fatalf("streams are %q", got)
		}
		if err := s.stop(t); err != nil {
			t.Fatalf("run: %v", err)
		}
		s = mustOpen(t, Config{Dir: dir})
		if s.ID() != id {
			t.Fatal("the store's id changed")
		}
		if d := s.Damage(); d != nil {
			t.Fatalf("damage: %v", d)
		}
	}
	_ = s.stop(t)
}

func TestReadErrors(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	defer func() { _ = s.stop(t) }()
	a := s.Stream("a")
	_, err := a.Read(1)
	wantErr(t, err, ErrNotCommitted)
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "x")}})
	wantErr(t, a.Ack(2), ErrSequence)
	if err := a.Ack(1); err != nil {
		t.Fatal(err)
	}
	_, err = a.Read(1)
	wantErr(t, err, ErrAcked)
	if a.First() != 2 || a.Ack(0) != nil || a.First() != 2 {
		t.Fatalf("first is %d, expected 2", a.First())
	}
}

func TestCommitRefusals(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	defer func() { _ = s.stop(t) }()
	big := strings.Repeat("x", MaxKeyBytes+1)
	for name, c := range map[string]struct {
		b    Batch
		want error
	}{
		"gap":        {Batch{Records: []Record{{Stream: "a", Kind: Frame, Seq: 2}}}, ErrSequence},
		"late gap":   {Batch{Records: []Record{{Stream: "a", Kind: Frame, Seq: 1}, {Stream: "a", Kind: Frame, Seq: 1}}}, ErrSequence},
		"no stream":  {Batch{Records: []Record{{Kind: Frame, Seq: 1}}}, ErrTooLarge},
		"long name":  {Batch{Records: []Record{{Stream: big, Kind: Frame, Seq: 1}}}, ErrTooLarge},
		"no key":     {Batch{Puts: []Entry{{}}}, ErrTooLarge},
		"long key":   {Batch{Puts: []Entry{{Key: big}}}, ErrTooLarge},
		"long value": {Batch{Puts: []Entry{{"k", make([]byte, MaxValueBytes+1)}}}, ErrTooLarge},
		"long batch": {Batch{Records: []Record{{Stream: "a", Kind: Frame, Seq: 1, Data: make([]byte, 64<<10)}}}, ErrTooLarge},
	} {
		c.b.Puts = append(c.b.Puts, Entry{"seen", []byte("1")})
		if err := s.Commit(&c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v, expected %v", name, err, c.want)
		}
	}
	if err := s.Commit(&Batch{Records: []Record{{Stream: "a", Kind: 7}}}); err == nil {
		t.Error("an unknown kind was taken")
	}
	if v, _ := s.Get("seen"); v != nil || len(s.Streams()) != 0 {
		t.Error("a refused batch left a trace")
	}
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "x")}})
}

func TestJournal(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	check := func(want ...string) {
		t.Helper()
		for range 2 {
			if got := journal(t, s, "a"); !slices.Equal(got, want) {
				t.Fatalf("journal is %q, expected %q", got, want)
			}
			_ = s.stop(t)
			fsys = fsys.Crash(nil)
			s = mustOpen(t, small(dir, fsys))
		}
	}
	check()
	mustCommit(t, s, &Batch{Records: []Record{state("a", "1"), state("b", "other")}})
	mustCommit(t, s, &Batch{Records: []Record{state("a", "2"), state("a", "3")}})
	check("1", "2", "3")
	if n := s.Stream("a").JournalBytes(); n != 3*recordBytes(1) {
		t.Fatalf("journal has %d bytes", n)
	}
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "b", "f")}})
	check("1", "2", "3")
	mustCommit(t, s, &Batch{Records: []Record{state("a", "4"), frame(s, "a", "f"), state("a", "5"), state("a", "6")}})
	check("5", "6")
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "f")}})
	check()
	_ = s.stop(t)
}

func TestDropStream(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "x"), state("a", "s"), frame(s, "b", "y")}})
	old := s.Stream("a")
	waited := make(chan error, 1)
	go func() { waited <- old.Wait(context.Background(), 2) }()
	for range 2 {
		if err := s.DropStream("a"); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, <-waited, ErrDropped)
	_, err := old.Read(1)
	wantErr(t, err, ErrDropped)
	wantErr(t, old.Ack(1), ErrDropped)
	for range 2 {
		if got := s.Streams(); !slices.Equal(got, []string{"b"}) {
			t.Fatalf("streams are %q", got)
		}
		if n := s.Stats().LiveBytes; n != recordBytes(1) {
			t.Fatalf("%d bytes are live", n)
		}
		_ = s.stop(t)
		fsys = fsys.Crash(nil)
		s = mustOpen(t, small(dir, fsys))
	}
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "again")}})
	mustRead(t, s, "a", 1, "again")
	_ = s.stop(t)
}

// Both ends of a commit that waits must be let go when the store ends.
func TestClosedAndFailed(t *testing.T) {
	dir, fsys := crashed(t)
	s, err := Open(small(dir, fsys))
	if err != nil {
		t.Fatal(err)
	}
	early := make(chan error, 1)
	go func() { early <- s.Commit(&Batch{}) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, <-early, ErrClosed)
	if err := s.Run(context.Background()); err != nil {
		t.Fatalf("run after close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	l := mustOpen(t, small(dir, fsys))
	mustCommit(t, l, &Batch{Records: []Record{frame(l, "a", "kept")}})
	waited := make(chan error, 1)
	go func() { waited <- l.Stream("a").Wait(context.Background(), 2) }()
	fsys.FailAt(2, nil, false) // the write passes, its sync fails
	b := &Batch{Records: []Record{frame(l, "a", "lost")}}
	wantErr(t, l.Commit(b), ErrFailed)
	wantErr(t, l.Commit(b), ErrFailed)
	wantErr(t, <-waited, ErrFailed)
	wantErr(t, l.Stream("a").Wait(context.Background(), 2), ErrFailed)
	mustRead(t, l, "a", 1, "kept")
	wantErr(t, l.stop(t), ErrFailed)
	l = mustOpen(t, small(dir, fsys.Crash(nil)))
	if n := l.Stream("a").Next(); n != 2 {
		t.Fatalf("next is %d, expected 2", n)
	}
	_ = l.stop(t)
}

func TestSecondOpenerIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Config{Dir: dir})
	_, err := Open(Config{Dir: dir})
	wantErr(t, err, ErrLocked)
	if want := fmt.Sprintf("process %d;", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Fatalf("%q does not name %q", err, want)
	}
	_, err = SetAside(dir)
	wantErr(t, err, ErrLocked)
	_ = s.stop(t)
	s = mustOpen(t, Config{Dir: dir})
	_ = s.stop(t)
}

func TestWait(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	defer func() { _ = s.stop(t) }()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantErr(t, s.Stream("a").Wait(ctx, 1), context.Canceled)
	got := make(chan error, 1)
	go func() {
		err := s.Stream("a").Wait(context.Background(), 3)
		if err == nil {
			_, err = s.Stream("a").Read(3)
		}
		got <- err
	}()
	for range 3 {
		mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "x")}})
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

// An acknowledgement becomes durable without a commit, after AckDelay.
func TestAckIsPersistedWhenIdle(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := small(dir, &crashfs.FS{})
		cfg.AckDelay = 3 * time.Second
		s := mustOpen(t, cfg)
		mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "x"), {Stream: "a", Kind: Frame, Seq: 2}}})
		durable := func() uint64 { return s.Stream("a").committed().first }
		if err := s.Stream("a").Ack(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(cfg.AckDelay - time.Millisecond)
		synctest.Wait()
		if n := durable(); n != 1 {
			t.Fatalf("the acknowledgement was written at once: first is %d", n)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if n := durable(); n != 2 {
			t.Fatalf("the acknowledgement is not durable: first is %d", n)
		}
		if err := s.Stream("a").Ack(2); err != nil {
			t.Fatal(err)
		}
		mustCommit(t, s, &Batch{})
		if n := durable(); n != 3 {
			t.Fatalf("the commit left the acknowledgement behind: first is %d", n)
		}
		_ = s.stop(t)
	})
}

// Commits that arrive during an fsync share the next one.
func TestGroupCommit(t *testing.T) {
	dir, fsys := crashed(t)
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, small(dir, fsys))
		const callers = 8
		var wg sync.WaitGroup
		release := make(chan struct{})
		once := sync.OnceFunc(func() { <-release })
		fsys.Hook(func(op, _ string) {
			if op == "sync" {
				once()
			}
		})
		commit := func(name string) {
			wg.Go(func() {
				mustCommit(t, s, &Batch{Records: []Record{{Stream: name, Kind: Frame, Seq: 1, Data: []byte(name)}}})
			})
		}
		commit("first")
		synctest.Wait() // the writer is in its fsync
		for i := range callers {
			commit(fmt.Sprint(i))
		}
		synctest.Wait() // the callers wait for the writer
		close(release)
		wg.Wait()
		if st := s.Stats(); st.Commits != callers+1 || st.Groups != 2 {
			t.Fatalf("%d commits took %d groups", st.Commits, st.Groups)
		}
		for i := range callers {
			mustRead(t, s, fmt.Sprint(i), 1, fmt.Sprint(i))
		}
		_ = s.stop(t)
	})
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{}, {Dir: "x", SegmentBytes: 1}, {Dir: "x", SegmentBytes: 2 << 30, MaxBytes: 8 << 30}, {Dir: "x", MaxBytes: 1 << 20}, {Dir: "x", AckDelay: -1}} {
		if err := c.Validate(); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
