package logtest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leatio/leat/cloud/log"
)

func mustPut(t *testing.T, s Store, key, value string, expect uint64) uint64 {
	t.Helper()
	rev, err := s.Put(bounded(t), key, []byte(value), expect)
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

func expectKey(t *testing.T, s Store, key, value string, revision uint64) {
	t.Helper()
	v, rev, err := s.Get(bounded(t), key)
	if err != nil || string(v) != value || rev != revision {
		t.Fatalf("key %q is %q at %d (%v), want %q at %d", key, v, rev, err, value, revision)
	}
}

func keysCAS(t *testing.T, b Backend) {
	ctx := bounded(t)
	_, _, err := b.Get(ctx, "a")
	expectError(t, err, log.ErrNotFound)
	_, err = b.Put(ctx, "a", nil, 7)
	expectError(t, err, log.ErrConflict)
	r1 := mustPut(t, b, "a", "one", 0)
	expectKey(t, b, "a", "one", r1)
	_, err = b.Put(ctx, "a", []byte("x"), 0)
	expectError(t, err, log.ErrConflict)
	other := mustPut(t, b, "b", "", 0)
	if other <= r1 {
		t.Fatalf("revision %d after %d", other, r1)
	}
	expectKey(t, b, "b", "", other)
	r2 := mustPut(t, b, "a", "two", r1)
	if r2 <= other {
		t.Fatalf("revision %d after %d", r2, other)
	}
	_, err = b.Put(ctx, "a", []byte("x"), r1)
	expectError(t, err, log.ErrConflict)
	expectKey(t, b, "a", "two", r2)
	_, err = b.Put(ctx, "a", make([]byte, MaxRecordBytes+1), r2)
	expectError(t, err, log.ErrTooLarge)
}

// keysConcurrent counts up by compare-and-set: no increment may get lost.
func keysConcurrent(t *testing.T, b Backend) {
	const workers, each = 8, 25
	ctx := bounded(t)
	mustPut(t, b, "n", "0", 0)
	var conflicts atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < each; {
				v, rev, err := b.Get(ctx, "n")
				if err != nil {
					t.Error(err)
					return
				}
				n, err := strconv.Atoi(string(v))
				if err != nil {
					t.Error(err)
					return
				}
				_, err = b.Put(ctx, "n", []byte(strconv.Itoa(n+1)), rev)
				switch {
				case err == nil:
					done++
				case errors.Is(err, log.ErrConflict):
					conflicts.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	v, _, err := b.Get(ctx, "n")
	if err != nil || string(v) != strconv.Itoa(workers*each) {
		t.Fatalf("counted %s, %v, want %d", v, err, workers*each)
	}
	t.Logf("%d conflicts", conflicts.Load())
	// Of many who make the same key, one succeeds.
	var made atomic.Int64
	for range workers {
		wg.Go(func() {
			_, err := b.Put(ctx, "once", nil, 0)
			if err == nil {
				made.Add(1)
			} else if !errors.Is(err, log.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Fatalf("%d of %d made the same key", made.Load(), workers)
	}
}

func keysDelete(t *testing.T, b Backend) {
	ctx := bounded(t)
	expectError(t, b.Delete(ctx, "a", 0), log.ErrConflict)
	expectError(t, b.Delete(ctx, "a", 1), log.ErrConflict)
	old := mustPut(t, b, "a", "one", 0)
	expectError(t, b.Delete(ctx, "a", old+1), log.ErrConflict)
	for range 5 {
		if err := b.Delete(ctx, "a", old); err != nil {
			t.Fatal(err)
		}
		_, _, err := b.Get(ctx, "a")
		expectError(t, err, log.ErrNotFound)
		expectError(t, b.Delete(ctx, "a", old), log.ErrConflict)
		_, err = b.Put(ctx, "a", nil, old)
		expectError(t, err, log.ErrConflict)
		rev := mustPut(t, b, "a", "again", 0)
		if rev <= old {
			t.Fatalf("revision %d after %d", rev, old)
		}
		old = rev
	}
	if err := b.Delete(ctx, "a", old); err != nil {
		t.Fatal(err)
	}
	s := b.Reopen(t)
	_, _, err := s.Get(ctx, "a")
	expectError(t, err, log.ErrNotFound)
	if rev := mustPut(t, s, "a", "", 0); rev <= old {
		t.Fatalf("revision %d after %d and reopening", rev, old)
	}
}

// strangeNames are names that a subject of NATS or a file could not have.
func strangeNames() []string {
	return []string{"a", "a.b", "a/b", ".", "..", "*", ">", "a b", "ü", "\x00", "\xff\xfe", "=", "=3d", "A", strings.Repeat("x", log.MaxNameBytes), strings.Repeat("*", log.MaxNameBytes)}
}

func keysNames(t *testing.T, b Backend) {
	names := strangeNames()
	for i, name := range names {
		mustPut(t, b, name, strconv.Itoa(i), 0)
	}
	rev := mustPut(t, b, "gone", "", 0)
	if err := b.Delete(bounded(t), "gone", rev); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		v, _, err := b.Get(bounded(t), name)
		if err != nil || string(v) != strconv.Itoa(i) {
			t.Fatalf("key %q: %q, %v", name, v, err)
		}
	}
	slices.Sort(names)
	expectList(t, b.List, "", names)
	expectList(t, b.List, "a", []string{"a", "a b", "a.b", "a/b"})
	expectList(t, b.List, "none", nil)
	for _, bad := range []string{"", strings.Repeat("x", log.MaxNameBytes+1)} {
		_, err := b.Put(bounded(t), bad, nil, 0)
		expectError(t, err, log.ErrBadName)
		_, _, err = b.Get(bounded(t), bad)
		expectError(t, err, log.ErrBadName)
		expectError(t, b.Delete(bounded(t), bad, 1), log.ErrBadName)
		expectError(t, b.PutObject(bounded(t), bad, nil), log.ErrBadName)
		_, err = b.GetObject(bounded(t), bad)
		expectError(t, err, log.ErrBadName)
		expectError(t, b.DeleteObject(bounded(t), bad), log.ErrBadName)
	}
}

func reopenKeys(t *testing.T, b Backend) {
	r1 := mustPut(t, b, "a", "one", 0)
	r2 := mustPut(t, b, "b", "two", 0)
	s := b.Reopen(t)
	expectKey(t, s, "a", "one", r1)
	expectKey(t, s, "b", "two", r2)
	_, err := s.Put(bounded(t), "a", nil, r2)
	expectError(t, err, log.ErrConflict)
	if r3 := mustPut(t, s, "a", "three", r1); r3 <= r2 {
		t.Fatalf("revision %d after %d", r3, r2)
	}
}

func randomBytes(t *testing.T, n int) []byte {
	p := make([]byte, n)
	if _, err := rand.NewChaCha8([32]byte{byte(n)}).Read(p); err != nil {
		t.Fatal(err)
	}
	return p
}

func expectObject(t *testing.T, s Store, name string, want []byte) {
	t.Helper()
	got, err := s.GetObject(bounded(t), name)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("object %q: got %d bytes, %v, want %d bytes", name, len(got), err, len(want))
	}
}

func objects(t *testing.T, b Backend) {
	ctx := bounded(t)
	_, err := b.GetObject(ctx, "none")
	expectError(t, err, log.ErrNotFound)
	if err := b.DeleteObject(ctx, "none"); err != nil {
		t.Fatal(err)
	}
	sizes := []int{0, 1, 100, 4<<20 - 1, 4 << 20, 4<<20 + 1, 5_000_000, 20_000_000}
	for _, n := range sizes {
		if err := b.PutObject(ctx, fmt.Sprintf("size/%d", n), randomBytes(t, n)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range sizes {
		expectObject(t, b, fmt.Sprintf("size/%d", n), randomBytes(t, n))
	}
	for _, name := range strangeNames() {
		if err := b.PutObject(ctx, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
		expectObject(t, b, name, []byte(name))
	}
	expectList(t, b.ListObjects, "size/5", []string{"size/5000000"})
	for _, name := range strangeNames() {
		if err := b.DeleteObject(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.DeleteObject(ctx, "size/20000000"); err != nil {
		t.Fatal(err)
	}
	_, err = b.GetObject(ctx, "size/20000000")
	expectError(t, err, log.ErrNotFound)
	expectList(t, b.ListObjects, "", []string{"size/0", "size/1", "size/100", "size/4194303", "size/4194304", "size/4194305", "size/5000000"})
}

// objectsReplace writes an object from several sides while it is read: every
// read gives one of the written values.
func objectsReplace(t *testing.T, b Backend) {
	ctx := bounded(t)
	values := [][]byte{[]byte("small"), randomBytes(t, 5_000_000), randomBytes(t, 9_000_000)}
	if err := b.PutObject(ctx, "o", values[0]); err != nil {
		t.Fatal(err)
	}
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			got, err := b.GetObject(ctx, "o")
			if err != nil {
				t.Error(err)
				return
			}
			if !slices.ContainsFunc(values, func(v []byte) bool { return bytes.Equal(v, got) }) {
				t.Errorf("read %d bytes that nobody wrote", len(got))
				return
			}
		}
	})
	for w := range 2 {
		writers.Go(func() {
			for i := range 6 {
				if err := b.PutObject(ctx, "o", values[(i+w)%3]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if err := b.PutObject(ctx, "o", values[2]); err != nil {
		t.Fatal(err)
	}
	expectObject(t, b, "o", values[2])
}

func reopenObjects(t *testing.T, b Backend) {
	ctx := bounded(t)
	for _, n := range []int{3, 5_000_000} {
		if err := b.PutObject(ctx, strconv.Itoa(n), randomBytes(t, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.PutObject(ctx, "gone", randomBytes(t, 5_000_000)); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteObject(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	s := b.Reopen(t)
	for _, n := range []int{3, 5_000_000} {
		expectObject(t, s, strconv.Itoa(n), randomBytes(t, n))
	}
	expectList(t, s.ListObjects, "", []string{"3", "5000000"})
}
