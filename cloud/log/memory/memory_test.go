package memory_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/leatio/leat/cloud/log"
	"github.com/leatio/leat/cloud/log/logtest"
	"github.com/leatio/leat/cloud/log/memory"
)

func TestConformance(t *testing.T) {
	logtest.Run(t, func(*testing.T) logtest.Backend {
		s := memory.New(memory.Config{Partitions: logtest.Partitions, PartitionBytes: logtest.PartitionBytes, MaxRecordBytes: logtest.MaxRecordBytes})
		return logtest.Backend{Store: s, Reopen: func(*testing.T) logtest.Store { return s.Reopen() }}
	})
}

func TestCloseTwice(t *testing.T) {
	s := memory.New(memory.Config{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, log.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

// TestFaults appends a..e with one fault each and looks at what stands in the log.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults []memory.Fault
		want   string
	}{
		{"none", []memory.Fault{memory.None, memory.None, memory.None}, "abc"},
		{"fail", []memory.Fault{memory.None, memory.Fail, memory.None}, "ac"},
		{"unknown", []memory.Fault{memory.None, memory.Unknown, memory.None}, "abc"},
		{"late", []memory.Fault{memory.Late, memory.None, memory.None}, "bac"},
		{"late twice", []memory.Fault{memory.Late, memory.Late, memory.None}, "cab"},
		{"late and lost", []memory.Fault{memory.None, memory.None, memory.Late}, "ab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			s := memory.New(memory.Config{Partitions: 1, Fault: func(call memory.Call) memory.Fault {
				if call != (memory.Call{Op: memory.OpAppend}) {
					t.Errorf("asked about %v", call)
				}
				n++
				return c.faults[n-1]
			}})
			for i, f := range c.faults {
				_, err := s.Append(t.Context(), 0, []byte{'a' + byte(i)})
				if (f == memory.None) != (err == nil) || err != nil && !errors.Is(err, memory.ErrInjected) {
					t.Fatalf("append %d: %v", i, err)
				}
			}
			s = s.Reopen()
			r, err := s.Read(t.Context(), 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			_, next, err := s.Bounds(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			for range next - 1 {
				_, p, err := r.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, p...)
			}
			if string(got) != c.want {
				t.Fatalf("the log holds %q, want %q", got, c.want)
			}
		})
	}
}

func TestFaultsOfKeysAndObjects(t *testing.T) {
	var fault memory.Fault
	var asked []memory.Op
	s := memory.New(memory.Config{Fault: func(c memory.Call) memory.Fault { asked = append(asked, c.Op); return fault }})
	ctx := t.Context()
	for _, fault = range []memory.Fault{memory.Fail, memory.Late} {
		if _, err := s.Put(ctx, "k", nil, 0); !errors.Is(err, memory.ErrInjected) {
			t.Fatal(err)
		}
		if _, _, err := s.Get(ctx, "k"); !errors.Is(err, log.ErrNotFound) {
			t.Fatal(err)
		}
		if err := s.PutObject(ctx, "o", nil); !errors.Is(err, memory.ErrInjected) {
			t.Fatal(err)
		}
		if _, err := s.GetObject(ctx, "o"); !errors.Is(err, log.ErrNotFound) {
			t.Fatal(err)
		}
	}
	fault = memory.Unknown
	if _, err := s.Put(ctx, "k", []byte("v"), 0); !errors.Is(err, memory.ErrInjected) {
		t.Fatal(err)
	}
	v, rev, err := s.Get(ctx, "k")
	if err != nil || string(v) != "v" {
		t.Fatal(string(v), err)
	}
	if err := s.Delete(ctx, "k", rev); !errors.Is(err, memory.ErrInjected) {
		t.Fatal(err)
	}
	if _, _, err := s.Get(ctx, "k"); !errors.Is(err, log.ErrNotFound) {
		t.Fatal(err)
	}
	want := []memory.Op{memory.OpPut, memory.OpPutObject, memory.OpPut, memory.OpPutObject, memory.OpPut, memory.OpDelete}
	if !slices.Equal(asked, want) {
		t.Fatalf("asked about %v, want %v", asked, want)
	}
}
