package gateway

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/leatio/leat/cloud/log/memory"
	"github.com/leatio/leat/cloud/record"
)

func TestFullQueueHoldsSendersUntilTheLogTakesMore(t *testing.T) {
	l := memory.New(memory.Config{Partitions: 1})
	a := newAppender(0, l, slog.New(slog.DiscardHandler))
	big := item{entry: record.Entry{Agent: "a", Payload: make([]byte, 1<<20)}}
	queued := 0
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := a.put(ctx, big)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if queued++; queued > 2*maxQueueBytes>>20 {
			t.Fatal("the queue has no bound")
		}
	}
	if queued < 10 {
		t.Errorf("only %d MiB fit", queued)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	if err := a.put(t.Context(), big); err != nil { // blocks until there is room
		t.Fatal(err)
	}
	cancel()
	<-done
}

func TestBundlesShareAnAppendAndKeepTheirOrder(t *testing.T) {
	l := memory.New(memory.Config{Partitions: 1})
	a := newAppender(0, l, slog.New(slog.DiscardHandler))
	last := make(chan struct{})
	for i := range 100 {
		it := item{entry: record.Entry{Agent: "a", From: uint64(i + 1), To: uint64(i + 1)}}
		if i == 50 {
			it = item{alone: &record.Record{Kind: record.KindMembership, Writer: 3, Members: []record.Member{{Agent: "b", State: record.Passed}}}}
		}
		if i == 99 {
			it.done = func() { close(last) }
		}
		if err := a.put(t.Context(), it); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	<-last
	cancel()
	<-done
	r, err := l.Read(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []record.Kind
	var seen []uint64
	var previous uint32
	for len(seen) < 99 {
		_, b, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rec, err := record.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Previous != previous {
			t.Errorf("record %d names %08x as its predecessor, want %08x", len(kinds), rec.Previous, previous)
		}
		previous = rec.Checksum
		kinds = append(kinds, rec.Kind)
		for _, e := range rec.Entries {
			seen = append(seen, e.From)
		}
	}
	if len(kinds) != 3 || kinds[1] != record.KindMembership {
		t.Errorf("records of kinds %v, want bundle, membership, bundle", kinds)
	}
	for i := 1; i < len(seen); i++ {
		if seen[i] <= seen[i-1] {
			t.Fatalf("entries out of order: %v", seen)
		}
	}
}
