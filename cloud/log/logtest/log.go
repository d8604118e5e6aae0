package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/log"
)

func mustAppend(t *testing.T, s Store, partition int, record string) uint64 {
	t.Helper()
	offset, err := s.Append(bounded(t), partition, []byte(record))
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

func mustRead(t *testing.T, s Store, partition int, from uint64) log.Reader {
	t.Helper()
	r, err := s.Read(bounded(t), partition, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func expectNext(t *testing.T, r log.Reader, offset uint64, record string) {
	t.Helper()
	o, p, err := r.Next(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	if o != offset || string(p) != record {
		t.Fatalf("got record %d %.40q, want %d %.40q", o, p, offset, record)
	}
}

func expectBounds(t *testing.T, s Store, partition int, first, next uint64) {
	t.Helper()
	f, n, err := s.Bounds(bounded(t), partition)
	if err != nil {
		t.Fatal(err)
	}
	if f != first || n != next {
		t.Fatalf("bounds of partition %d are %d, %d, want %d, %d", partition, f, n, first, next)
	}
}

func expectError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func record(i int) string { return fmt.Sprintf("record %d", i) }

func offsets(t *testing.T, b Backend) {
	expectBounds(t, b, 0, 1, 1)
	for i := 1; i <= 50; i++ {
		if got := mustAppend(t, b, 0, record(i)); got != uint64(i) {
			t.Fatalf("append %d got offset %d", i, got)
		}
		expectBounds(t, b, 0, 1, uint64(i)+1)
	}
}

func partitions(t *testing.T, b Backend) {
	for p := range Partitions {
		for i := range p + 1 {
			mustAppend(t, b, p, fmt.Sprintf("%d/%d", p, i))
		}
	}
	for p := range Partitions {
		r := mustRead(t, b, p, 1)
		for i := range p + 1 {
			expectNext(t, r, uint64(i)+1, fmt.Sprintf("%d/%d", p, i))
		}
		expectBounds(t, b, p, 1, uint64(p)+2)
	}
	for _, p := range []int{-1, Partitions} {
		_, err := b.Append(bounded(t), p, nil)
		expectError(t, err, log.ErrNoPartition)
		_, err = b.Read(bounded(t), p, 1)
		expectError(t, err, log.ErrNoPartition)
		expectError(t, b.Trim(bounded(t), p, 1), log.ErrNoPartition)
		_, _, err = b.Bounds(bounded(t), p)
		expectError(t, err, log.ErrNoPartition)
	}
}

func readBefore(t *testing.T, b Backend) {
	const n = 1000
	r := mustRead(t, b, 1, 1)
	ctx := bounded(t)
	failed := make(chan error, 1)
	go func() {
		for i := 1; i <= n; i++ {
			if _, err := b.Append(ctx, 1, []byte(record(i))); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	for i := 1; i <= n; i++ {
		expectNext(t, r, uint64(i), record(i))
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

// wake measures from the end of an append to the end of a Next that blocked.
// The bound is generous; the best of several tries counts, because the machine may be busy.
func wake(t *testing.T, b Backend) {
	r := mustRead(t, b, 0, 1)
	ctx := bounded(t)
	best := time.Hour
	for i := 1; i <= 20; i++ {
		got := make(chan time.Time, 1)
		go func() {
			if _, _, err := r.Next(ctx); err == nil {
				got <- time.Now()
			}
			close(got)
		}()
		mustAppend(t, b, 0, record(i))
		appended := time.Now()
		at, ok := <-got
		if !ok {
			t.Fatal("Next failed")
		}
		best = min(best, at.Sub(appended))
	}
	if best > 10*time.Millisecond {
		t.Fatalf("a blocked reader woke %v after the append at best", best)
	}
}

func readAfter(t *testing.T, b Backend) {
	const n = 600
	for i := 1; i <= n; i++ {
		mustAppend(t, b, 2, record(i))
	}
	for _, from := range []int{1, 2, 257, n, n + 1} {
		r := mustRead(t, b, 2, uint64(from))
		for i := from; i <= n; i++ {
			expectNext(t, r, uint64(i), record(i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, _, err := r.Next(ctx)
		cancel()
		expectError(t, err, context.DeadlineExceeded)
	}
}

func manyReaders(t *testing.T, b Backend) {
	const n = 100
	ctx := bounded(t)
	var wg sync.WaitGroup
	for range 8 {
		r := mustRead(t, b, 0, 1)
		wg.Go(func() {
			for i := 1; i <= n; i++ {
				if o, p, err := r.Next(ctx); err != nil || o != uint64(i) || string(p) != record(i) {
					t.Errorf("got %d %q %v, want %d", o, p, err, i)
					return
				}
			}
		})
	}
	for i := 1; i <= n; i++ {
		mustAppend(t, b, 0, record(i))
	}
	wg.Wait()
}

func concurrentAppend(t *testing.T, b Backend) {
	const appenders, each = 8, 50
	ctx := bounded(t)
	var wg sync.WaitGroup
	offsets := make([][]uint64, appenders)
	for a := range appenders {
		wg.Go(func() {
			for i := range each {
				o, err := b.Append(ctx, 3, fmt.Appendf(nil, "%d/%d", a, i))
				if err != nil {
					t.Error(err)
					return
				}
				offsets[a] = append(offsets[a], o)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	all := map[uint64]string{}
	r := mustRead(t, b, 3, 1)
	for range appenders * each {
		o, p, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		all[o] = string(p)
	}
	for a := range appenders {
		for i, o := range offsets[a] {
			if want := fmt.Sprintf("%d/%d", a, i); all[o] != want {
				t.Fatalf("offset %d holds %q, want %q", o, all[o], want)
			}
			if i > 0 && o <= offsets[a][i-1] {
				t.Fatalf("appender %d got offset %d after %d", a, o, offsets[a][i-1])
			}
		}
	}
}

func recordSizes(t *testing.T, b Backend) {
	r := mustRead(t, b, 0, 1)
	random := rand.NewChaCha8([32]byte{})
	next := uint64(1)
	for _, size := range []int{0, 1, 4096, 1 << 20, MaxRecordBytes, 0, MaxRecordBytes - 1} {
		p := make([]byte, size)
		if _, err := random.Read(p); err != nil {
			t.Fatal(err)
		}
		if o, err := b.Append(bounded(t), 0, p); err != nil || o != next {
			t.Fatalf("a record of %d bytes: offset %d, %v", size, o, err)
		}
		o, got, err := r.Next(bounded(t))
		if err != nil || o != next || !bytes.Equal(got, p) {
			t.Fatalf("a record of %d bytes at %d came back as %d bytes at %d, %v", size, next, len(got), o, err)
		}
		next++
	}
	_, err := b.Append(bounded(t), 0, make([]byte, MaxRecordBytes+1))
	expectError(t, err, log.ErrTooLarge)
	expectBounds(t, b, 0, 1, next)
}

func aliasing(t *testing.T, b Backend) {
	p := []byte("log")
	if _, err := b.Append(bounded(t), 0, p); err != nil {
		t.Fatal(err)
	}
	copy(p, "XXX")
	expectNext(t, mustRead(t, b, 0, 1), 1, "log")
	p = []byte("key")
	if _, err := b.Put(bounded(t), "k", p, 0); err != nil {
		t.Fatal(err)
	}
	copy(p, "XXX")
	v, _, err := b.Get(bounded(t), "k")
	if err != nil || string(v) != "key" {
		t.Fatalf("got %q, %v", v, err)
	}
	copy(v, "YYY")
	if v, _, err = b.Get(bounded(t), "k"); err != nil || string(v) != "key" {
		t.Fatalf("got %q, %v", v, err)
	}
}

func full(t *testing.T, b Backend) {
	big := make([]byte, 4<<20)
	var n uint64
	for {
		o, err := b.Append(bounded(t), 1, big)
		if errors.Is(err, log.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n++; o != n {
			t.Fatalf("append %d got offset %d", n, o)
		}
		if n*uint64(len(big)) > PartitionBytes {
			t.Fatalf("%d bytes were taken, the limit is %d", n*uint64(len(big)), PartitionBytes)
		}
	}
	if n*uint64(len(big)) < PartitionBytes/2 {
		t.Fatalf("full after %d bytes, the limit is %d", n*uint64(len(big)), PartitionBytes)
	}
	expectBounds(t, b, 1, 1, n+1)
	mustAppend(t, b, 0, "the others go on")
	if err := b.Trim(bounded(t), 1, n/2); err != nil {
		t.Fatal(err)
	}
	if o, err := b.Append(bounded(t), 1, big); err != nil || o != n+1 {
		t.Fatalf("after the trim: offset %d, %v", o, err)
	}
}

func trim(t *testing.T, b Backend) {
	if err := b.Trim(bounded(t), 0, 5); err != nil {
		t.Fatal(err)
	}
	expectBounds(t, b, 0, 1, 1)
	for i := 1; i <= 20; i++ {
		mustAppend(t, b, 0, record(i))
	}
	for _, c := range []struct{ below, first uint64 }{{1, 1}, {0, 1}, {8, 8}, {3, 8}, {8, 8}, {20, 20}, {21, 20}, {1000, 20}} {
		if err := b.Trim(bounded(t), 0, c.below); err != nil {
			t.Fatal(err)
		}
		expectBounds(t, b, 0, c.first, 21)
		_, err := b.Read(bounded(t), 0, c.first-1)
		expectError(t, err, log.ErrTrimmed)
		expectNext(t, mustRead(t, b, 0, c.first), c.first, record(int(c.first)))
	}
	if o := mustAppend(t, b, 0, "on"); o != 21 {
		t.Fatalf("the append after the trim got offset %d", o)
	}
}

func trimUnderReader(t *testing.T, b Backend) {
	slow := mustRead(t, b, 0, 1)
	for i := 1; i <= 2000; i++ {
		mustAppend(t, b, 0, record(i))
	}
	expectNext(t, slow, 1, record(1))
	near := mustRead(t, b, 0, 1989) // just below the first record that stays
	if err := b.Trim(bounded(t), 0, 1990); err != nil {
		t.Fatal(err)
	}
	// What the reader holds already it may still give, in order; then it must say that the rest was trimmed.
	for want := uint64(2); ; want++ {
		o, p, err := slow.Next(bounded(t))
		if err != nil {
			expectError(t, err, log.ErrTrimmed)
			break
		}
		if o != want || string(p) != record(int(want)) || want == 1990 {
			t.Fatalf("got record %d, want %d", o, want)
		}
	}
	if o, p, err := near.Next(bounded(t)); err == nil && (o != 1989 || string(p) != record(1989)) || err != nil && !errors.Is(err, log.ErrTrimmed) {
		t.Fatalf("got record %d, %v, want 1989 or that it was trimmed", o, err)
	}
	r := mustRead(t, b, 0, 1990)
	for i := 1990; i <= 2000; i++ {
		expectNext(t, r, uint64(i), record(i))
	}
}

func readErrors(t *testing.T, b Backend) {
	mustAppend(t, b, 0, "only")
	_, err := b.Read(bounded(t), 0, 0)
	expectError(t, err, log.ErrTrimmed)
	_, err = b.Read(bounded(t), 0, 3)
	expectError(t, err, log.ErrBeyond)
}

func contexts(t *testing.T, b Backend) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Append(ended, 0, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("Append: %v", err)
	}
	_, next, err := b.Bounds(bounded(t), 0) // an append that fails may stand in the log
	if err != nil {
		t.Fatal(err)
	}
	r := mustRead(t, b, 0, next)
	if _, _, err := r.Next(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("Next: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, _, err := r.Next(ctx)
		result <- err
	}()
	cancel()
	expectError(t, <-result, context.Canceled)
	// The reader is still good.
	o := mustAppend(t, b, 0, "after")
	expectNext(t, r, o, "after")
}

func closing(t *testing.T, b Backend) {
	r1, r2 := mustRead(t, b, 0, 1), mustRead(t, b, 1, 1)
	ctx := bounded(t)
	result := make(chan error, 2)
	for _, r := range []log.Reader{r1, r2} {
		go func() {
			_, _, err := r.Next(ctx)
			result <- err
		}()
	}
	if err := r1.Close(); err != nil {
		t.Fatal(err)
	}
	expectError(t, <-result, log.ErrClosed)
	s := b.Reopen(t)
	expectError(t, <-result, log.ErrClosed)
	_, _, err := r1.Next(ctx)
	expectError(t, err, log.ErrClosed)
	_, err = b.Append(ctx, 0, nil)
	expectError(t, err, log.ErrClosed)
	_, _, err = b.Get(ctx, "k")
	expectError(t, err, log.ErrClosed)
	_, err = b.Put(ctx, "k", nil, 0)
	expectError(t, err, log.ErrClosed)
	_, err = b.GetObject(ctx, "o")
	expectError(t, err, log.ErrClosed)
	mustAppend(t, s, 0, "new")
}

func reopenLog(t *testing.T, b Backend) {
	var s Store = b
	for i := 1; i <= 30; i++ {
		mustAppend(t, s, 0, record(i))
		mustAppend(t, s, 1, record(i))
	}
	if err := s.Trim(bounded(t), 0, 11); err != nil {
		t.Fatal(err)
	}
	if err := s.Trim(bounded(t), 1, 1000); err != nil { // all but the newest
		t.Fatal(err)
	}
	s = b.Reopen(t)
	expectBounds(t, s, 0, 11, 31)
	expectBounds(t, s, 1, 30, 31)
	expectBounds(t, s, 2, 1, 1)
	if o := mustAppend(t, s, 0, record(31)); o != 31 {
		t.Fatalf("the append after reopening got offset %d", o)
	}
	if o := mustAppend(t, s, 1, record(31)); o != 31 {
		t.Fatalf("the append after reopening got offset %d", o)
	}
	r := mustRead(t, s, 0, 11)
	for i := 11; i <= 31; i++ {
		expectNext(t, r, uint64(i), record(i))
	}
}
