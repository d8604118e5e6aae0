package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// rowsAt makes a batch of one timestamp column; 0 is a null.
func rowsAt(times ...int64) *batch.Batch {
	b := batch.New(batch.Schema{{Name: "ts", Type: batch.Timestamp}})
	for _, ts := range times {
		if ts == 0 {
			b.Cols[0].AppendNull()
		} else {
			b.Cols[0].Ints = append(b.Cols[0].Ints, ts)
			if b.Cols[0].Valid != nil {
				b.Cols[0].Valid = b.Cols[0].Valid.Append(b.N, true)
			}
		}
		b.N++
	}
	return b
}

func TestWatermarkBeforeEachRowDoesNotDependOnBatches(t *testing.T) {
	times := []int64{100, 90, 0, 120, 110, maxEventTime + 5, 130, 0, 125}
	run := func(sizes ...int) (before []int64, kept int, rejects []string) {
		e := newEventTime(0, 5, 0)
		env := &rowEnv{reject: func(_ string, _ []byte, reason string) { rejects = append(rejects, reason[:10]) }}
		for at := 0; at < len(times); {
			n := min(sizes[at%len(sizes)], len(times)-at)
			b := e.observe(rowsAt(times[at:at+n]...), 0, env)
			before = append(before, e.before...)
			kept += b.Len()
			at += n
		}
		return before, kept, rejects
	}
	want, kept, rejects := run(1)
	if kept != 6 || len(rejects) != 3 {
		t.Fatalf("%d rows kept, rejects %q", kept, rejects)
	}
	if want[0] != NoWatermark || want[1] != 95 || want[8] != 125 {
		t.Errorf("watermarks %v", want)
	}
	for _, sizes := range [][]int{{9}, {2}, {3, 1}, {5, 4, 2}} {
		got, k, r := run(sizes...)
		if !slices.Equal(got, want) || k != kept || !slices.Equal(r, rejects) {
			t.Errorf("batches of %v: %v, %d kept, %q; want %v, %d, %q", sizes, got, k, r, want, kept, rejects)
		}
	}
}

func TestOneWrongClockDoesNotPoisonTheWatermark(t *testing.T) {
	e := newEventTime(0, 0, 60)
	rejected := 0
	env := &rowEnv{reject: func(string, []byte, string) { rejected++ }}
	if b := e.observe(rowsAt(1000, 1061, 1060, 999_999), 1000, env); b.Len() != 2 || rejected != 2 || e.watermark != 1060 {
		t.Errorf("%d rows kept, %d rejected, watermark %d", b.Len(), rejected, e.watermark)
	}
	// Without the cloud's time nothing is too far ahead.
	if b := e.observe(rowsAt(999_999), 0, env); b.Len() != 1 {
		t.Error("a row was judged by a clock that is not known")
	}
}

func TestRejectsAreCountedAndSampledWithinABound(t *testing.T) {
	l := NewRejectLog(20)
	for i := range 1000 {
		l.Add(int64(i), "topic", fmt.Appendf(nil, "payload %d", i), fmt.Sprintf("reason %d", i%5))
	}
	for i := range 30 {
		l.Add(0, "t", nil, fmt.Sprintf("other %d", i))
	}
	if l.Total() != 1030 {
		t.Errorf("%d counted, want 1030", l.Total())
	}
	var sum int64
	rows := 0
	if err := l.Drain(func(port uint32, b *batch.Batch) error {
		rows = b.N
		for i := range b.N {
			sum += b.Cols[4].Ints[i]
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if sum != 1030 || rows > 21 {
		t.Errorf("%d rows stand for %d rejects, want at most 21 rows for 1030", rows, sum)
	}
	if l.Pending() != 0 {
		t.Error("drained samples are still there")
	}
	l.Add(1, "a", make([]byte, 1000), "r")
	if err := l.Journal(func(_ uint32, b *batch.Batch) error {
		if b.Len() != 1 || len(b.Cols[3].Blob(0)) != RejectSampleBytes {
			t.Errorf("journal: %d rows, sample of %d bytes", b.Len(), len(b.Cols[3].Blob(0)))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := l.Journal(func(uint32, *batch.Batch) error { t.Error("journalled twice"); return nil }); err != nil {
		t.Fatal(err)
	}
}
