package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leatio/leat/checkpoint/vfs/crashfs"
)

const damageFrames = 40

// filled is a closed store with frames of 300 bytes in several segments.
func filled(t *testing.T, dir string, fsys *crashfs.FS) {
	t.Helper()
	s := mustOpen(t, small(dir, fsys))
	for i := range damageFrames {
		mustCommit(t, s, &Batch{
			Records: []Record{frame(s, "a", payload("a", uint64(i+1), 300)), state("b", fmt.Sprint(i))},
			Puts:    []Entry{{"position", fmt.Appendf(nil, "%d", i)}},
		})
	}
	if n := s.Stats().Segments; n < 3 {
		t.Fatalf("only %d segments", n)
	}
	_ = s.stop(t)
}

// readAll counts the frames and state records that are lost; the others must be
// right.
func readAll(t *testing.T, s *live) (frames, states int) {
	t.Helper()
	a := s.Stream("a")
	if a.Next() != damageFrames+1 {
		t.Fatalf("next is %d", a.Next())
	}
	for seq := a.First(); seq < a.Next(); seq++ {
		data, err := a.Read(seq)
		var c *CorruptError
		switch {
		case errors.As(err, &c):
			if c.Stream != "a" || c.Seq != seq || c.Kind != Frame || !errors.Is(err, ErrCorrupt) {
				t.Fatalf("frame %d: %v", seq, err)
			}
			frames++
		case err != nil:
			t.Fatalf("frame %d: %v", seq, err)
		case string(data) != payload("a", seq, 300):
			t.Fatalf("frame %d is wrong: %q", seq, data)
		}
	}
	n := 0
	err := s.Stream("b").State(func([]byte) error { n++; return nil })
	if err != nil && !errors.Is(err, ErrCorrupt) || (err == nil) != (n == damageFrames) {
		t.Fatalf("%d state records, error %v", n, err)
	}
	return frames, damageFrames - n
}

// One flipped bit anywhere in a segment loses at most the record it is in.
func TestBitFlipsInSegments(t *testing.T) {
	dir, fsys := crashed(t)
	filled(t, dir, fsys)
	outbox := path.Join(dir, outboxName)
	name := path.Join(outbox, segmentName(2))
	rng := rand.New(rand.NewPCG(1, 1))
	lost := 0
	for off := int64(0); off < 4<<10; off += 1 + rng.Int64N(40) {
		mask := byte(1) << rng.IntN(8)
		if off >= sizeOf(t, fsys, name) {
			break
		}
		fsys.Corrupt(name, off, mask)
		s := mustOpen(t, small(dir, fsys))
		frames, states := readAll(t, s)
		if frames+states > 1 {
			t.Fatalf("a flipped bit at %d lost %d frames and %d state records", off, frames, states)
		}
		lost += frames + states
		if err := s.stop(t); err != nil {
			t.Fatal(err)
		}
		fsys.Corrupt(name, off, mask)
	}
	if lost < 50 {
		t.Fatalf("only %d flips were noticed", lost)
	}
}

func sizeOf(t *testing.T, fsys *crashfs.FS, name string) int64 {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// A frame whose data is damaged comes with its bytes, can be acknowledged, and
// its segment is kept aside.
func TestDamagedFrameIsSetAside(t *testing.T) {
	dir, fsys := crashed(t)
	filled(t, dir, fsys)
	outbox := path.Join(dir, outboxName)
	fsys.Corrupt(path.Join(outbox, segmentName(1)), segmentHeaderBytes+recordHeaderBytes+5, 1)
	s := mustOpen(t, small(dir, fsys))
	_, err := s.Stream("a").Read(1)
	var c *CorruptError
	if !errors.As(err, &c) || len(c.Data) != 300 || c.Offset != segmentHeaderBytes || path.Base(c.File) != segmentName(1) {
		t.Fatalf("error is %+v", err)
	}
	mustRead(t, s, "a", 2, payload("a", 2, 300))
	if err := s.Stream("a").Ack(damageFrames); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "b", "x")}})
	mustCommit(t, s, &Batch{}) // the one before has trimmed then
	if n := s.Stats().SetAside; n != 1 {
		t.Fatalf("%d segments were set aside", n)
	}
	names, err := fsys.List(outbox)
	if err != nil || names[0] != segmentName(1)+damagedSuffix {
		t.Fatalf("files: %q, %v", names, err)
	}
	_ = s.stop(t)
}

// The disk lied: bytes that were fsynced are not there. What is lost is
// reported, the rest is served and the store goes on.
func TestTruncatedAndMissingSegments(t *testing.T) {
	for _, c := range []string{"tail", "middle", "missing", "missing tail", "empty"} {
		t.Run(c, func(t *testing.T) {
			dir, fsys := crashed(t)
			filled(t, dir, fsys)
			outbox := path.Join(dir, outboxName)
			names, err := fsys.List(outbox)
			if err != nil {
				t.Fatal(err)
			}
			tail := path.Join(outbox, names[len(names)-1])
			second := path.Join(outbox, segmentName(2))
			switch c {
			case "tail":
				fsys.Cut(tail, 500)
			case "middle":
				fsys.Cut(second, 1000)
			case "missing":
				err = fsys.Remove(second)
			case "missing tail":
				err = fsys.Remove(tail)
			case "empty":
				fsys.Cut(tail, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, small(dir, fsys))
			if len(s.Damage()) == 0 {
				t.Fatal("no damage is reported")
			}
			if frames, states := readAll(t, s); frames == 0 || states == 0 || frames > damageFrames/2 {
				t.Fatalf("%d frames and %d state records are lost", frames, states)
			}
			mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "after"), frame(s, "b", "after")}})
			_ = s.stop(t)
			s = mustOpen(t, small(dir, fsys.Crash(nil)))
			mustRead(t, s, "a", damageFrames+1, "after")
			if v, err := s.Get("position"); err != nil || string(v) != fmt.Sprint(damageFrames-1) {
				t.Fatalf("position is %q, %v", v, err)
			}
			_ = s.stop(t)
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// store.db comes back from a backup and the outbox does not.
func TestRolledBack(t *testing.T) {
	dir, fsys := crashed(t)
	db, backup := filepath.Join(dir, dbName), filepath.Join(t.TempDir(), "backup")
	s := mustOpen(t, small(dir, fsys))
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "1")}})
	_ = s.stop(t)
	copyFile(t, db, backup)
	s = mustOpen(t, small(dir, fsys))
	for range 20 {
		mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", payload("a", 2, 400))}})
	}
	_ = s.stop(t)
	copyFile(t, backup, db)

	_, err := Open(small(dir, fsys))
	wantErr(t, err, ErrRolledBack)
	cfg := small(dir, fsys)
	cfg.AcceptRollback = true
	s = mustOpen(t, cfg)
	if n := s.Stream("a").Next(); n != 2 || len(s.Damage()) == 0 {
		t.Fatalf("next is %d, damage %v", n, s.Damage())
	}
	mustRead(t, s, "a", 1, "1")
	_ = s.stop(t)
	// It was cut off for good.
	s = mustOpen(t, small(dir, fsys.Crash(nil)))
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "2")}})
	_ = s.stop(t)
}

func TestMissingDatabase(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Config{Dir: dir})
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "1")}})
	_ = s.stop(t)
	if err := os.Remove(filepath.Join(dir, dbName)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Config{Dir: dir})
	wantErr(t, err, ErrDamaged)
	moved, err := SetAside(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(moved, outboxName, segmentName(1))); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, Config{Dir: dir})
	if n := s.Stream("a").Next(); n != 1 {
		t.Fatalf("next is %d", n)
	}
	_ = s.stop(t)
}

// A segment of another store must not be served.
func TestForeignSegment(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		s := mustOpen(t, Config{Dir: d})
		mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", d)}})
		_ = s.stop(t)
	}
	name := filepath.Join(dir, outboxName, segmentName(1))
	copyFile(t, filepath.Join(other, outboxName, segmentName(1)), name)
	s := mustOpen(t, Config{Dir: dir})
	_, err := s.Stream("a").Read(1)
	wantErr(t, err, ErrCorrupt)
	if _, err := os.Stat(name + damagedSuffix); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "2")}})
	mustRead(t, s, "a", 2, "2")
	_ = s.stop(t)
}

// bbolt answers damaged pages with panics, some of them in its own goroutines.
// Whatever flips, Open gives ErrDamaged or the store as it was.
func TestBitFlipsInDatabase(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	for i := range 300 {
		mustCommit(t, s, &Batch{Puts: []Entry{{fmt.Sprintf("key/%d", i), []byte(strings.Repeat("v", 100))}}})
		if i%10 == 0 {
			name := fmt.Sprintf("stream/%d", i)
			mustCommit(t, s, &Batch{Records: []Record{frame(s, name, "x")}})
		}
	}
	_ = s.stop(t)
	db := filepath.Join(dir, dbName)
	good, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	// The file is allocated ahead; the flips go where there are pages.
	used := len(good)
	for used > 0 && good[used-1] == 0 {
		used--
	}
	good = good[:(used+4095)&^4095]
	rng := rand.New(rand.NewPCG(1, 2))
	caught := 0
	for i := range 300 {
		bad := append([]byte{}, good...)
		off, mask := rng.IntN(used), byte(1)<<rng.IntN(8)
		if i%2 == 0 { // page headers and element tables are where it hurts
			off = off&^4095 + rng.IntN(64)
		}
		bad[off] ^= mask
		if i%10 == 9 {
			bad = bad[:off]
		}
		if err := os.WriteFile(db, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(small(dir, fsys))
		if err != nil {
			wantErr(t, err, ErrDamaged)
			caught++
			continue
		}
		n, least := 0, 300
		err = s.Range("key/", func(_ string, v []byte) error {
			n++
			if len(v) != 100 || strings.Trim(string(v), "v") != "" {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
		if len(s.Damage()) > 0 { // a meta page: the transaction before counts
			least = 299
		}
		if err != nil || n < least || n > 300 || len(s.Streams()) != 30 {
			t.Fatalf("flip of %02x at %d: %d entries, %d streams, %v", mask, off, n, len(s.Streams()), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if caught < 50 {
		t.Fatalf("only %d flips were noticed", caught)
	}
}
