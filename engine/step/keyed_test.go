package step

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// functions has one function under every name.
type functions struct{ f Function }

func (f functions) Keyed(string) (Function, error) { return f.f, nil }

// counter counts the rows of a key. Each row gives the count; a timer 10 s after a row tells
// that the key was quiet, sets itself again, and ends the key the third time. A value of 3 fails its
// row; 2.5 asks for a timer in the past.
type counter struct {
	calls  int
	spoil  func(c *Call)
	bigger int // bytes added to the state

	lenient bool // takes states that are not its own for none
}

func (*counter) Bind(in batch.Schema) ([]int, batch.Schema, error) {
	if in.Index("v") < 0 {
		return nil, nil, errors.New("it needs v")
	}
	return []int{in.Index("v"), in.Index("ts")}, batch.Schema{{Name: "what", Type: batch.String}, {Name: "count", Type: batch.Int}}, nil
}

func (f *counter) Call(c *Call) error {
	f.calls++
	give := func(group, row uint32, what string, n uint64) {
		o := c.Out.Rows
		if o.Cols[0].Dict == nil {
			o.Cols[0].Dict = batch.NewDict()
		}
		o.Cols[0].Codes = append(o.Cols[0].Codes, o.Cols[0].Dict.CodeString(what))
		o.Cols[1].Ints = append(o.Cols[1].Ints, int64(n))
		o.N++
		c.Out.Group, c.Out.Row = append(c.Out.Group, group), append(c.Out.Row, row)
	}
	for g := range uint32(c.Groups) {
		var n, quiet uint64
		if s := c.State[g]; s != nil && (len(s) >= 16 || !f.lenient) {
			n, quiet = binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
		}
		for r := c.RowStart[g]; r < c.RowStart[g+1]; r++ {
			v, ts := c.Rows[0].Doubles[r], c.Rows[1].Ints[r]
			if v == 3 && !c.Rows[0].Null(int(r)) {
				c.Out.Errors = append(c.Out.Errors, GroupError{g, "three"})
				continue
			}
			n, quiet = n+1, 0
			at := ts + 10*second
			if v == 2.5 {
				at = ts - 100*second
			}
			c.Out.Timers = append(c.Out.Timers, TimerChange{Group: g, Timer: Timer{EventTime, 7, at}})
			give(g, r, "row", n)
		}
		for _, t := range c.Timers[c.TimerStart[g]:c.TimerStart[g+1]] {
			quiet++
			give(g, NoRow, fmt.Sprint("quiet", quiet), n)
			if quiet < 3 {
				c.Out.Timers = append(c.Out.Timers, TimerChange{Group: g, Timer: Timer{t.Kind, t.ID, t.At + 4*second}})
			}
		}
		if quiet == 3 {
			c.Out.States = append(c.Out.States, StateChange{g, nil})
			continue
		}
		s := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, n), quiet)
		c.Out.States = append(c.Out.States, StateChange{g, append(s, make([]byte, f.bigger)...)})
	}
	if f.spoil != nil {
		f.spoil(c)
	}
	return nil
}

var countedSchema = batch.Schema{rowSchema[0], rowSchema[1], rowSchema[2], {Name: "what", Type: batch.String}, {Name: "count", Type: batch.Int}}

func newCounter(f *counter, ttl int64, cfg Config) (Step, error) {
	return NewKeyed(&plan.Keyed{Keys: byKeys, TimeColumn: 2, Function: "f", TtlMicros: ttl, MaxStateBytes: 100}, rowSchema, countedSchema, functions{f}, cfg)
}

// TestKeyedDoesNotDependOnBatches has timers that set themselves, failing rows and a ttl.
func TestKeyedDoesNotDependOnBatches(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 8))
		rows := randomRows(rng, 600, 1+rng.IntN(8), []int64{second / 5, 2 * second}[seed%2], 3*second)
		ttl := []int64{0, 13 * second, 60 * second}[seed%3]
		same(t, fmt.Sprint("seed ", seed), func() (Step, error) { return newCounter(&counter{}, ttl, Config{}) }, rows, nil)
	}
}

func TestKeyedTells(t *testing.T) {
	f := &counter{}
	var rejected []string
	s, err := newCounter(f, 0, Config{Reject: func(_ *batch.Batch, row int, reason string) {
		rejected = append(rejected, fmt.Sprint(row, " ", reason))
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	emit := func(b *batch.Batch, wms []int64) error {
		for i, l := range textOf(b) {
			got = append(got, fmt.Sprintf("%s @%d", l, wms[i]))
		}
		return nil
	}
	b, wms := batchOf([]row{
		{site: "a", ts: 1 * second, wm: NoWatermark}, {site: "b", ts: 1 * second, wm: second}, {site: "a", ts: 2*second + 1, v: 1, wm: second},
		{site: "a", ts: 2 * second, v: 3, wm: second}, {site: "a", ts: 2 * second, v: 2.5, wm: second + 1}, {site: "b", ts: 4*second + 1, wm: 2 * second},
	}, batch.NewDict(), batch.NewDict())
	if err := s.Process(b, wms, emit); err != nil {
		t.Fatal(err)
	}
	if f.calls != 7 { // the first row; a second, of which one group fails: again in three; a timer; the last row
		t.Errorf("%d calls", f.calls)
	}
	if err := s.Advance(100*second+5, emit); err != nil {
		t.Fatal(err)
	}
	// The timer of the past of a fired before the row at second 2, and its successors follow the time it was set for.
	diff(t, "story", got, []string{
		"a 0 1000000 row 1 @-9223372036854775808",
		"b 0 1000000 row 1 @1000000",
		"a 0 2000001 row 2 @1000000",
		"a 0 2000000 row 3 @1000001",
		"a 0 -98000000 quiet1 3 @2000000",
		"b 0 4000001 row 2 @2000000",
		"a 0 -94000000 quiet2 3 @3000000",
		"a 0 -90000000 quiet3 3 @4000000",
		"b 0 14000001 quiet1 2 @15000000",
		"b 0 18000001 quiet2 2 @19000000",
		"b 0 22000001 quiet3 2 @23000000",
	})
	if len(rejected) != 1 || rejected[0] != "3 keyed: three" {
		t.Errorf("rejected %q", rejected)
	}
	if s.Stats().Keys != 0 {
		t.Errorf("%d keys are left of which nothing is left", s.Stats().Keys)
	}
}

// TestTimersFireAtTheEnd fires what was set, and nothing that is set then.
func TestTimersFireAtTheEnd(t *testing.T) {
	s, err := newCounter(&counter{}, 20*second, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	emit := func(b *batch.Batch, _ []int64) error { got = append(got, textOf(b)...); return nil }
	b, wms := batchOf([]row{{site: "a", ts: second, wm: NoWatermark}, {site: "b", ts: 2 * second, wm: NoWatermark}}, batch.NewDict(), batch.NewDict())
	if err := errors.Join(s.Process(b, wms, emit), s.Advance(EndOfTime, emit)); err != nil {
		t.Fatal(err)
	}
	diff(t, "the end", got, []string{"a 0 1000000 row 1", "b 0 2000000 row 1", "a 0 11000000 quiet1 1", "b 0 12000000 quiet1 1"})
}

func TestKeysExpire(t *testing.T) {
	s, err := newCounter(&counter{}, 5*second, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	emit := func(b *batch.Batch, _ []int64) error { got = append(got, textOf(b)...); return nil }
	give := func(ts, wm int64) {
		b, wms := batchOf([]row{{site: "a", ts: ts, wm: wm}, {site: "a", ts: ts, wm: wm}}, batch.NewDict(), batch.NewDict())
		if err := s.Process(b, wms, emit); err != nil {
			t.Fatal(err)
		}
	}
	give(second, NoWatermark)
	give(5*second, 5*second)
	give(9*second, 9*second)
	give(20*second, 20*second)
	diff(t, "rows", got, []string{"a 0 1000000 row 1", "a 0 1000000 row 2", "a 0 5000000 row 3", "a 0 5000000 row 4",
		"a 0 9000000 row 5", "a 0 9000000 row 6", "a 0 20000000 row 1", "a 0 20000000 row 2"})
	c := batch.New(s.StateSchema())
	s.Changes(true, c)
	c.Reset()
	if err := s.Advance(25*second, emit); err != nil {
		t.Fatal(err)
	}
	if s.Changes(false, c); c.N != 1 || !c.Cols[6].Bools[0] || c.Cols[0].Str(0) != "a" {
		t.Fatalf("changes after the key expired: %v", textOf(c))
	}
}

// clockwork sets a timer of processing time with each row.
type clockwork struct{ counter }

func (f *clockwork) Call(c *Call) error {
	err := f.counter.Call(c)
	for i := range c.Out.Timers {
		t := &c.Out.Timers[i].Timer
		t.Kind, t.At = ProcessingTime, c.Clock+100+int64(c.Rows[0].Len())
	}
	return err
}

func TestProcessingTime(t *testing.T) {
	s, err := NewKeyed(&plan.Keyed{Keys: byKeys, TimeColumn: 2}, rowSchema, countedSchema, functions{&clockwork{}}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	emit := func(b *batch.Batch, _ []int64) error { got = append(got, textOf(b)...); return nil }
	if _, ok := s.NextClock(); ok {
		t.Error("a timer is due before the first row")
	}
	b, wms := batchOf([]row{{site: "a", ts: second, wm: NoWatermark}, {site: "b", ts: second, wm: NoWatermark}}, batch.NewDict(), batch.NewDict())
	err = errors.Join(s.AdvanceClock(1000, emit), s.Process(b, wms, emit), s.AdvanceClock(1101, emit), s.Advance(3600*second, emit))
	if at, ok := s.NextClock(); err != nil || !ok || at != 1102 {
		t.Fatalf("%v, next at %d, %t", err, at, ok)
	}
	// A restart keeps the timers.
	c := batch.New(s.StateSchema())
	s.Changes(true, c)
	s, _ = NewKeyed(&plan.Keyed{Keys: byKeys, TimeColumn: 2}, rowSchema, countedSchema, functions{&clockwork{}}, Config{})
	err = s.Restore(c)
	s.Resume(3600 * second)
	if err = errors.Join(err, s.AdvanceClock(1101, emit), s.AdvanceClock(1102, emit), s.AdvanceClock(1102, emit)); err != nil {
		t.Fatal(err)
	}
	diff(t, "clock", got, []string{"a 0 1000000 row 1", "b 0 1000000 row 1", "a 0 3600000000 quiet1 1", "b 0 3600000000 quiet1 1"})
	if at, ok := s.NextClock(); !ok || at != 1202 {
		t.Errorf("next at %d, %t", at, ok)
	}
}

func TestStatesTimersAndKeysAreBounded(t *testing.T) {
	var rejected []string
	cfg := Config{MaxKeys: 2, Reject: func(_ *batch.Batch, row int, reason string) {
		rejected = append(rejected, fmt.Sprint(row, " ", reason))
	}}
	f := &counter{bigger: 85}
	s, err := newCounter(f, 0, cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	emit := func(b *batch.Batch, _ []int64) error { n += b.Len(); return nil }
	give := func(sites ...string) {
		rows := []row{}
		for _, site := range sites {
			rows = append(rows, row{site: site, ts: second, wm: NoWatermark})
		}
		b, wms := batchOf(rows, batch.NewDict(), batch.NewDict())
		b.Sel = nil
		if err := s.Process(b, wms, emit); err != nil {
			t.Fatal(err)
		}
	}
	give("a", "a")
	if want := "[0 keyed: the state has 101 bytes, the limit is 100 1 keyed: the state has 101 bytes, the limit is 100]"; n != 0 || fmt.Sprint(rejected) != want || s.Stats().Keys != 0 {
		t.Fatalf("%d rows, rejected %q, %d keys", n, rejected, s.Stats().Keys)
	}
	f.bigger, rejected = 0, nil
	give("a", "b", "c", "a")
	if n != 3 || len(rejected) != 1 || !strings.HasPrefix(rejected[0], "2 keyed: more than 2 keys") || s.Stats().Refused != 1 {
		t.Fatalf("%d rows, rejected %q", n, rejected)
	}
	rejected, n = nil, 0
	f.spoil = func(c *Call) {
		for i := range uint32(MaxTimers) {
			c.Out.Timers = append(c.Out.Timers, TimerChange{Timer: Timer{ID: 100 + i, At: math.MaxInt64}})
		}
	}
	if give("a", "b"); n != 1 || len(rejected) != 1 || !strings.HasPrefix(rejected[0], "0 keyed: more than 1024 timers") {
		t.Fatalf("%d rows, rejected %q", n, rejected)
	}
}

func TestAnswersAreChecked(t *testing.T) {
	for name, spoil := range map[string]func(c *Call){
		"no rows":           func(c *Call) { c.Out.Rows = nil },
		"no groups":         func(c *Call) { c.Out.Group = nil },
		"another type":      func(c *Call) { c.Out.Rows.Cols[1].Type = batch.Double },
		"too few values":    func(c *Call) { c.Out.Rows.N++; c.Out.Group = append(c.Out.Group, 0); c.Out.Row = append(c.Out.Row, 0) },
		"a group too many":  func(c *Call) { c.Out.Group[0] = 5 },
		"a row too many":    func(c *Call) { c.Out.Row[0] = 5 },
		"another's row":     func(c *Call) { c.Out.Row[0] = 1 },
		"a state too many":  func(c *Call) { c.Out.States[0].Group = 2 },
		"a timer too many":  func(c *Call) { c.Out.Timers[0].Group = 2 },
		"an unknown clock":  func(c *Call) { c.Out.Timers[0].Timer.Kind = 2 },
		"an error too many": func(c *Call) { c.Out.Errors = []GroupError{{2, ""}} },
	} {
		s, err := newCounter(&counter{spoil: spoil}, 0, Config{})
		if err != nil {
			t.Fatal(err)
		}
		b, wms := batchOf([]row{{site: "a", ts: second, wm: NoWatermark}, {site: "b", ts: second, wm: NoWatermark}}, batch.NewDict(), batch.NewDict())
		if err := s.Process(b, wms, func(*batch.Batch, []int64) error { return nil }); !errors.Is(err, ErrFunction) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyedPlansAreChecked(t *testing.T) {
	good := &plan.Keyed{Keys: byKeys, TimeColumn: 2}
	for name, c := range map[string]struct {
		p   *plan.Keyed
		fns Functions
		out batch.Schema
	}{
		"no functions":   {good, nil, countedSchema},
		"another schema": {good, functions{&counter{}}, countedSchema[1:]},
		"no time":        {&plan.Keyed{TimeColumn: 3}, functions{&counter{}}, countedSchema},
		"a ttl":          {&plan.Keyed{Keys: byKeys, TimeColumn: 2, TtlMicros: -1}, functions{&counter{}}, countedSchema},
		"a key twice":    {&plan.Keyed{Keys: []uint32{0, 0}, TimeColumn: 2}, functions{&counter{}}, countedSchema},
	} {
		if _, err := NewKeyed(c.p, rowSchema, c.out, c.fns, Config{}); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewKeyed(good, rowSchema[:3], countedSchema, functions{&counter{}}, Config{}); err == nil || !strings.Contains(err.Error(), "it needs v") {
		t.Errorf("a function that cannot work on the rows: %v", err)
	}
}
