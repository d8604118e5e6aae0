package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/leatio/leat/checkpoint/vfs/crashfs"
)

// model is what a store must hold.
type model struct {
	streams map[string]*modelStream
	entries map[string]string
}

type modelStream struct {
	frames  []string // all ever committed
	journal []string
	durable uint64 // frames below it were acknowledged durably
	acked   uint64 // and in memory
}

func newModel() *model { return &model{map[string]*modelStream{}, map[string]string{}} }

func (m *model) clone() *model {
	c := newModel()
	c.entries = maps.Clone(m.entries)
	for name, st := range m.streams {
		copied := *st
		copied.frames, copied.journal = slices.Clone(st.frames), slices.Clone(st.journal)
		c.streams[name] = &copied
	}
	return c
}

func (m *model) stream(name string) *modelStream {
	st := m.streams[name]
	if st == nil {
		st = &modelStream{durable: 1, acked: 1}
		m.streams[name] = st
	}
	return st
}

func (m *model) apply(b *Batch) {
	for _, r := range b.Records {
		st := m.stream(r.Stream)
		if r.Kind == Frame {
			st.frames = append(st.frames, string(r.Data))
			st.journal = nil
		} else {
			st.journal = append(st.journal, string(r.Data))
		}
	}
	for _, e := range b.Puts {
		if e.Value == nil {
			delete(m.entries, e.Key)
		} else {
			m.entries[e.Key] = string(e.Value)
		}
	}
	m.persisted()
}

// persisted notes that the acknowledgements so far are durable.
func (m *model) persisted() {
	for _, st := range m.streams {
		st.durable = st.acked
	}
}

// differs says how the store differs from the model; after a crash the
// acknowledgements may be those in memory or the durable ones.
func (m *model) differs(s *live) error {
	names := []string{}
	for name, st := range m.streams {
		names = append(names, name)
		h := s.Stream(name)
		if h.Next() != uint64(len(st.frames))+1 {
			return fmt.Errorf("stream %s: next is %d, expected %d", name, h.Next(), len(st.frames)+1)
		}
		if h.First() < st.durable || h.First() > st.acked {
			return fmt.Errorf("stream %s: first is %d, expected %d to %d", name, h.First(), st.durable, st.acked)
		}
		if n := len(st.frames); n > 0 && h.LastChecksum() != Checksum([]byte(st.frames[n-1])) {
			return fmt.Errorf("stream %s: wrong checksum of the last frame", name)
		}
		for seq := h.First(); seq < h.Next(); seq++ {
			data, err := h.Read(seq)
			if err != nil || string(data) != st.frames[seq-1] {
				return fmt.Errorf("stream %s: frame %d is %.30q, %w, expected %.30q", name, seq, data, err, st.frames[seq-1])
			}
		}
		got := []string(nil)
		if err := h.State(func(data []byte) error { got = append(got, string(data)); return nil }); err != nil || !slices.Equal(got, st.journal) {
			return fmt.Errorf("stream %s: the journal has %d records, %w, expected %d", name, len(got), err, len(st.journal))
		}
	}
	slices.Sort(names)
	if got := s.Streams(); !slices.Equal(got, names) {
		return fmt.Errorf("streams are %q, expected %q", got, names)
	}
	entries := map[string]string{}
	if err := s.Range("", func(k string, v []byte) error { entries[k] = string(v); return nil }); err != nil || !maps.Equal(entries, m.entries) {
		return fmt.Errorf("entries are %v, %w, expected %v", entries, err, m.entries)
	}
	return nil
}

// makeBatch draws a batch: up to four records on three streams, up to two
// entries.
func makeBatch(s *live, rng *rand.Rand, n int) *Batch {
	b := &Batch{}
	next := map[string]uint64{}
	for range rng.IntN(5) {
		name := string(rune('a' + rng.IntN(3)))
		if next[name] == 0 {
			next[name] = s.Stream(name).Next()
		}
		size := rng.IntN(200)
		if rng.IntN(10) == 0 {
			size = rng.IntN(3000)
		}
		r := Record{Stream: name, Kind: State, Data: []byte(payload(name, uint64(n), size))}
		if rng.IntN(3) > 0 {
			r.Kind, r.Seq = Frame, next[name]
			next[name]++
		}
		b.Records = append(b.Records, r)
	}
	for range rng.IntN(3) {
		e := Entry{Key: fmt.Sprint("k", rng.IntN(5))}
		if rng.IntN(4) > 0 {
			e.Value = fmt.Append(nil, n)
		}
		b.Puts = append(b.Puts, e)
	}
	return b
}

// settle is called after a commit whose outcome is unknown and a restart: the
// store must be before it or after it.
func settle(s *live, before *model, b *Batch) (*model, error) {
	after := before.clone()
	after.apply(b)
	errBefore := before.differs(s)
	if errBefore == nil {
		return before, nil
	}
	if err := after.differs(s); err != nil {
		return nil, fmt.Errorf("neither before: %w, nor after: %w", errBefore, err)
	}
	return after, nil
}

// refused says that nothing of a batch was stored, for want of room.
func refused(err error) bool { return errors.Is(err, ErrFull) || errors.Is(err, ErrTooLarge) }

// Random commits, acknowledgements, restarts and crashes; the store must agree
// with the model after each restart. Small bounds make it roll, trim, fill up
// and copy all the time.
func TestStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := fastDir(t)
		seed := rapid.Uint64().Draw(rt, "seed")
		steps := rapid.IntRange(1, 120).Draw(rt, "steps")
		limit := rapid.SampledFrom([]int64{8 << 10, 16 << 10, 64 << 10}).Draw(rt, "limit")
		bounded := func(fsys *crashfs.FS) Config {
			cfg := small(dir, fsys)
			cfg.MaxBytes = limit
			return cfg
		}
		rng := rand.New(rand.NewPCG(seed, 7))
		fsys := &crashfs.FS{}
		s := mustOpen(rt, bounded(fsys))
		m := newModel()
		defer func() { _ = s.stop(rt) }()
		restart := func(crash bool, b *Batch) {
			_ = s.stop(rt)
			if crash {
				var how *rand.Rand
				if rng.IntN(2) == 0 {
					how = rng
				}
				fsys = fsys.Crash(how)
			}
			s = mustOpen(rt, bounded(fsys))
			if d := s.Damage(); d != nil {
				rt.Fatalf("damage after a restart: %v", d)
			}
			var err error
			if m, err = settle(s, m, b); err != nil {
				rt.Fatalf("%v", err)
			}
			for name, st := range m.streams {
				st.acked = s.Stream(name).First()
				st.durable = st.acked
			}
		}
		for n := range steps {
			switch k := rng.IntN(20); {
			case k < 5:
				for _, name := range slices.Sorted(maps.Keys(m.streams)) { // in one order, so that a seed repeats
					st := m.streams[name]
					if last := uint64(len(st.frames)); last >= st.acked && rng.IntN(2) == 0 {
						st.acked += 1 + rng.Uint64N(last-st.acked+1)
						if err := s.Stream(name).Ack(st.acked - 1); err != nil {
							rt.Fatalf("ack: %v", err)
						}
					}
				}
			case k < 7:
				fail := rng.IntN(2) == 0
				if fail {
					fsys.FailAt(1+rng.IntN(8), nil, rng.IntN(2) == 0)
				}
				b := makeBatch(s, rng, n)
				err := s.Commit(b)
				fsys.FailAt(0, nil, false)
				switch {
				case refused(err):
					b = &Batch{}
				case err == nil:
					m.apply(b)
					b = &Batch{}
				case !errors.Is(err, ErrFailed):
					rt.Fatalf("commit: %v", err)
				}
				restart(fail || rng.IntN(2) == 0, b)
			default:
				b := makeBatch(s, rng, n)
				err := s.Commit(b)
				if err == nil {
					m.apply(b)
				} else if !refused(err) {
					rt.Fatalf("commit: %v", err)
				}
			}
			if st := s.Stats(); st.UsedBytes > limit || int64(fsys.Bytes()) > limit {
				rt.Fatalf("the outbox has %d bytes (%d on disk)", st.UsedBytes, fsys.Bytes())
			}
		}
		restart(true, &Batch{})
	})
}

// tight is so small that the script below fills it.
func tight(dir string, fsys *crashfs.FS) Config {
	cfg := small(dir, fsys)
	cfg.MaxBytes = 4 * cfg.SegmentBytes
	return cfg
}

// script is a fixed run with everything in it: rolls, trims, a full outbox,
// segments pinned by a few frames that are never acknowledged. It returns the
// model before, and the batch of, the commit that failed.
func script(s *live) (m *model, failed *Batch, err error) {
	m = newModel()
	for n := range 40 {
		b := &Batch{
			Records: []Record{frame(s, "a", payload("a", uint64(n), 700)), state("b", fmt.Sprint("s", n))},
			Puts:    []Entry{{"n", fmt.Append(nil, n)}},
		}
		if n%7 == 6 {
			b.Records = append(b.Records, frame(s, "c", "pin"))
		}
		err := s.Commit(b)
		if err != nil && !errors.Is(err, ErrFull) {
			return m, b, err
		}
		if err == nil {
			m.apply(b)
		}
		if a := m.stream("a"); n%5 == 4 && len(a.frames) > 0 {
			a.acked = uint64(len(a.frames))
			if err := s.Stream("a").Ack(a.acked - 1); err != nil {
				return m, &Batch{}, err
			}
		}
	}
	return m, nil, nil
}

func TestScriptMeetsAllOfIt(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, tight(dir, fsys))
	m, _, err := script(s)
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.CopiedBytes == 0 || st.Segments == 0 || st.Full != 0 {
		t.Fatalf("%+v", st)
	}
	if err := m.differs(s); err != nil {
		t.Fatal(err)
	}
	_ = s.stop(t)
}

// Each operation on the file system fails once, alone or for good; then the
// power goes. The store is what it was before the commit in hand, or after it.
func TestEveryOperationFails(t *testing.T) {
	for n := 1; ; n++ {
		for _, all := range []bool{false, true} {
			var rng *rand.Rand // half the time nothing that was not synced survives
			if (n%2 == 0) == all {
				rng = rand.New(rand.NewPCG(uint64(n), 3))
			}
			if tryFailing(t, n, all, rng) {
				continue
			}
			if n < 100 {
				t.Fatalf("the script has only %d operations", n)
			}
			return
		}
	}
}

// tryFailing reports whether the n-th operation was reached.
func tryFailing(t *testing.T, n int, all bool, rng *rand.Rand) bool {
	t.Helper()
	dir, fsys := fastDir(t), &crashfs.FS{}
	fsys.FailAt(n, nil, all)
	m, failed := newModel(), &Batch{}
	s, err := Open(tight(dir, fsys))
	if err == nil {
		l := start(s)
		m, failed, err = script(l)
		if cerr := l.stop(t); err == nil {
			err = cerr // deleting fails when nobody waits for it
			failed = &Batch{}
		}
	}
	if err == nil && fsys.Ops() < n {
		return false
	}
	if err == nil {
		t.Fatalf("operation %d failed and nobody noticed", n)
	}
	fsys = fsys.Crash(rng)
	l := mustOpen(t, tight(dir, fsys))
	if d := l.Damage(); d != nil {
		t.Fatalf("operation %d: damage %v", n, d)
	}
	if _, err := settle(l, m, failed); err != nil {
		t.Fatalf("operation %d: %v", n, err)
	}
	mustCommit(t, l, &Batch{Records: []Record{frame(l, "a", "alive")}})
	_ = l.stop(t)
	return true
}

// Power loss between the outbox's fsync and the end of the transaction.
func TestCrashBetweenSyncAndTransaction(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	m := newModel()
	b := &Batch{Records: []Record{frame(s, "a", "1")}}
	mustCommit(t, s, b)
	m.apply(b)
	fsys.Hook(func(op, _ string) {
		if op == "sync" {
			if err := s.kv.close(); err != nil {
				t.Error(err)
			}
		}
	})
	wantErr(t, s.Commit(&Batch{Records: []Record{frame(s, "a", "2"), state("a", "s")}, Puts: []Entry{{"k", []byte("v")}}}), ErrFailed)
	_ = s.stop(t)
	fsys = fsys.Crash(nil)
	for range 2 { // the second time there is nothing left to cut off
		s = mustOpen(t, small(dir, fsys))
		if err := m.differs(s); err != nil {
			t.Fatal(err)
		}
		_ = s.stop(t)
	}
	l := mustOpen(t, small(dir, fsys))
	b = &Batch{Records: []Record{frame(l, "a", "other 2")}}
	mustCommit(t, l, b)
	m.apply(b)
	_ = l.stop(t)
	l = mustOpen(t, small(dir, fsys.Crash(nil)))
	if err := m.differs(l); err != nil {
		t.Fatal(err)
	}
	_ = l.stop(t)
}

// Nothing that is not in the transaction may be seen by a reader.
func TestReadersSeeOnlyWhatIsCommitted(t *testing.T) {
	dir, fsys := crashed(t)
	s := mustOpen(t, small(dir, fsys))
	a := s.Stream("a")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	looked := 0
	fsys.Hook(func(op, _ string) {
		if op != "write" && op != "sync" {
			return
		}
		looked++
		if _, err := a.Read(1); !errors.Is(err, ErrNotCommitted) || a.Next() != 1 || a.Wait(ctx, 1) == nil {
			t.Errorf("during %s the frame can be seen: %v", op, err)
		}
	})
	mustCommit(t, s, &Batch{Records: []Record{frame(s, "a", "1")}})
	fsys.Hook(nil)
	if looked < 2 {
		t.Fatalf("looked %d times", looked)
	}
	mustRead(t, s, "a", 1, "1")
	_ = s.stop(t)
}
