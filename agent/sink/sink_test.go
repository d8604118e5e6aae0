package sink

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatio/leat/engine/batch"
)

func schema() batch.Schema {
	return batch.Schema{{Name: "device", Type: batch.String}, {Name: "temp", Type: batch.Double}, {Name: "n", Type: batch.Int}}
}

func rows(devices ...string) *batch.Batch {
	b := batch.New(schema())
	b.Cols[0].Dict = batch.NewDict()
	for i, d := range devices {
		b.Cols[0].Codes = append(b.Cols[0].Codes, b.Cols[0].Dict.CodeString(d))
		b.Cols[1].Doubles = append(b.Cols[1].Doubles, 20.5+float64(i))
		b.Cols[2].Ints = append(b.Cols[2].Ints, int64(i))
		b.N++
	}
	return b
}

func TestRender(t *testing.T) {
	r, err := NewRenderer("edge-1/alarms", "alarms/{device}/{n}", schema())
	if err != nil {
		t.Fatal(err)
	}
	b := rows("a", "no/such+level#\x01\xff", "c", "")
	b.Sel = []uint32{0, 1, 3}
	want := []Message{
		{"alarms/a/0", []byte(`{"_id":"edge-1/alarms/7/0","device":"a","temp":20.5,"n":0}`)},
		{"alarms/no_such_level___/1", []byte(`{"_id":"edge-1/alarms/7/1","device":"no/such+level#\u0001�","temp":21.5,"n":1}`)},
		{"alarms/_/3", []byte(`{"_id":"edge-1/alarms/7/2","device":"","temp":23.5,"n":3}`)},
	}
	got := r.Append(nil, 7, b)
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	none, err := NewRenderer("x", "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if m := none.Append(nil, 1, &batch.Batch{N: 1}); string(m[0].Payload) != `{"_id":"x/1/0"}` || m[0].Topic != "t" {
		t.Errorf("without columns: %q", m)
	}
	back, err := ParseMessages(AppendMessages(nil, got))
	if err != nil || !reflect.DeepEqual(back, got) {
		t.Errorf("the record gives %q, %v", back, err)
	}
}

func TestTemplateMistakes(t *testing.T) {
	for text, want := range map[string]string{"a/{b": "not closed", "a/{nobody}": `no column "nobody"`} {
		if _, err := ParseTemplate(text, schema()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
}

func FuzzParseMessages(f *testing.F) {
	f.Add(AppendMessages(nil, []Message{{"a", []byte("b")}, {"", nil}}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessages(b)
		if err != nil {
			return
		}
		again, err := ParseMessages(AppendMessages(nil, m))
		if err != nil || len(again) != len(m) {
			t.Fatalf("%d messages become %d, %v", len(m), len(again), err)
		}
	})
}

// queue is a stream in memory.
type queue struct {
	mu      sync.Mutex
	records map[uint64][]byte
	first   uint64
	next    uint64
	changed chan struct{}
}

func newQueue() *queue {
	return &queue{records: map[uint64][]byte{}, first: 1, next: 1, changed: make(chan struct{})}
}

func (q *queue) put(b []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.records[q.next] = b
	q.next++
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *queue) First() uint64 { q.mu.Lock(); defer q.mu.Unlock(); return q.first }
func (q *queue) Next() uint64  { q.mu.Lock(); defer q.mu.Unlock(); return q.next }

func (q *queue) Wait(ctx context.Context, seq uint64) error {
	for {
		q.mu.Lock()
		there, changed := seq < q.next, q.changed
		q.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *queue) Read(seq uint64) ([]byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if b := q.records[seq]; b != nil && seq >= q.first {
		return b, nil
	}
	return nil, fmt.Errorf("record %d is gone", seq)
}

func (q *queue) Ack(upTo uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.first = max(q.first, upTo+1)
	return nil
}

// outlet fails as long as broken holds an error.
type outlet struct {
	mu     sync.Mutex
	broken error
	got    []string
	closed bool
}

func (o *outlet) Deliver(_ context.Context, m []Message) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, o.broken)
	}
	for i, x := range m {
		if strings.Contains(string(x.Payload), "poison") {
			return max(i-1, 0), errors.New("the connection is lost") // the one before is not acknowledged any more
		}
		o.got = append(o.got, string(x.Payload))
	}
	return len(m), nil
}

func (o *outlet) Close() error { o.closed = true; return nil }

func (o *outlet) delivered() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.got)
}

func (o *outlet) mend(err error) { o.mu.Lock(); o.broken = err; o.mu.Unlock() }

func commit(t *testing.T, r *Runner, q *queue, payload string) {
	t.Helper()
	b := AppendMessages(nil, []Message{{"t", []byte(payload)}})
	r.Add(len(b), 1)
	q.put(b)
	if err := r.Trim(); err != nil {
		t.Fatal(err)
	}
}

func TestRunnerDeliversOnceMoreUntilItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, o := newQueue(), &outlet{broken: errors.New("no broker")}
		r, err := New(Config{Name: "s", Queue: q, Outlet: o})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		for i := range 3 {
			commit(t, r, q, fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		if s := r.Stats(); s.Failures < 3 || s.Waiting != 3 || s.Error != "it cannot be reached: no broker" || s.Delivered != 0 {
			t.Errorf("while the broker is away: %+v", s)
		}
		o.mend(nil)
		time.Sleep(time.Minute)
		if s := r.Stats(); s.Delivered != 3 || s.Waiting != 0 || s.Bytes != 0 || s.Error != "" || q.First() != 4 {
			t.Errorf("after it came back: %+v, first %d", s, q.First())
		}
		if got := o.delivered(); !reflect.DeepEqual(got, []string{"0", "1", "2"}) {
			t.Errorf("delivered %v", got)
		}
		cancel()
		if err := <-done; err != nil || !o.closed {
			t.Errorf("Run gives %v, closed %v", err, o.closed)
		}
	})
}

func TestRunnerDropsTheOldestBeyondItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, o := newQueue(), &outlet{broken: errors.New("no broker")}
		r, err := New(Config{Name: "s", Queue: q, Outlet: o, BudgetBytes: 40})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		for i := range 10 { // of 12 bytes
			commit(t, r, q, fmt.Sprintf("number %d", i%10))
			synctest.Wait()
		}
		s := r.Stats()
		if s.Waiting+s.Dropped != 10 || s.Bytes > 40 || s.Dropped == 0 || q.First() != s.Dropped+1 {
			t.Errorf("%+v, first %d", s, q.First())
		}
		// What is left survives a restart.
		again, err := New(Config{Name: "s", Queue: q, Outlet: o, BudgetBytes: 40})
		if err != nil || again.Stats().Waiting != s.Waiting || again.Stats().Bytes != s.Bytes {
			t.Errorf("after a restart: %+v, %v", again.Stats(), err)
		}
		o.mend(nil)
		time.Sleep(time.Minute)
		if got := o.delivered(); len(got) != int(s.Waiting) || got[len(got)-1] != "number 9" {
			t.Errorf("delivered %v, want the newest %d", got, s.Waiting)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRunnerGoesOnBehindADamagedRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, o := newQueue(), &outlet{}
		r, err := New(Config{Name: "s", Queue: q, Outlet: o})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = r.Run(ctx) }()
		r.Add(3, 2)
		q.put([]byte{9, 9, 9})
		commit(t, r, q, "behind")
		synctest.Wait()
		if s := r.Stats(); s.Dropped != 2 || s.Delivered != 1 || q.First() != 3 {
			t.Errorf("%+v, first %d", s, q.First())
		}
		cancel()
		synctest.Wait()
	})
}

// A message that the other side never takes is given up; the others of its record arrive.
func TestRunnerGivesUpAMessageThatAlwaysFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, o := newQueue(), &outlet{}
		r, err := New(Config{Name: "s", Queue: q, Outlet: o})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = r.Run(ctx) }()
		b := AppendMessages(nil, []Message{{"t", []byte("1")}, {"t", []byte("2")}, {"t", []byte("poison")}, {"t", []byte("3")}})
		r.Add(len(b), 4)
		q.put(b)
		commit(t, r, q, "4")
		time.Sleep(10 * time.Minute)
		got := o.delivered()
		if s := r.Stats(); s.Dropped != 1 || s.Delivered != 4 || s.Waiting != 0 || got[len(got)-1] != "4" || !slices.Contains(got, "3") {
			t.Errorf("%+v, delivered %v", s, got)
		}
		cancel()
		synctest.Wait()
	})
}

// A damaged record in the queue at the start holds up nothing.
func TestRunnerBeginsWithADamagedRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, o := newQueue(), &outlet{}
		q.put([]byte{9, 9, 9})
		q.put(AppendMessages(nil, []Message{{"t", []byte("behind")}}))
		r, err := New(Config{Name: "s", Queue: q, Outlet: o})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = r.Run(ctx) }()
		synctest.Wait()
		if s := r.Stats(); s.Dropped != 1 || s.Delivered != 1 {
			t.Errorf("%+v", s)
		}
		cancel()
		synctest.Wait()
	})
}
