package step

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// TimerResolution is the step in which event time moves on for a keyed
// function. Rows between two full seconds of the watermark see the same time,
// and may be worked on in one call or in many without a difference.
const TimerResolution = 1_000_000

// Bounds of what a keyed function may hold.
const (
	DefaultMaxState = 64 << 10 // bytes of one key, unless the plan says otherwise
	MaxTimers       = 1024     // of one key
)

// Keyed runs a Function with state and timers by key.
//
//	rows of one second of the watermark ─┐
//	                                     ├─ grouped by key ──▶ Call ──▶ rows, in order of arrival
//	timers due at that second ───────────┘                      └────▶ states, timers
//
// A timer fires at the first full second of the watermark at or after its
// time, and never in the second in which it was set. A group that fails is
// worked on again row by row; what fails then is rejected and leaves nothing
// behind. A key is forgotten when it has neither state nor timers, or no row came for ttl of event time.
// Rows of keys beyond the bound are rejected.
type Keyed struct {
	*memory
	in       batch.Schema
	by       []int
	time     int
	ttl      int64
	maxState int
	fn       Function
	take     []int

	now    int64 // full seconds of the watermark; NoWatermark = none
	ended  bool  // at EndOfTime: timers fire, and no more are set
	clock  int64
	slots  []keyedState
	timers deadlines // of event time
	clocks deadlines // of processing time

	chunk   []uint32 // rows that wait for a call
	wms     []int64  // the watermark before each
	call    Call
	groups  []uint32 // slots of the call
	groupOf []uint32 // by slot: group+1 in the call that is made
	order   []uint32 // scratch: group + 1 by row of the chunk
	places  []uint32 // scratch: place in the chunk by row of the call
	starts  []uint32 // scratch
	due     []uint32 // scratch: slots
	failed  []uint32 // groups
	made    made
}

// keyedState is what is known of a key.
type keyedState struct {
	state    []byte
	has      bool // a state, though it may be empty
	newest   int64
	timers   []setTimer
	due      int64 // earliest entry among Keyed.timers; noDeadline = none
	clockDue int64 // likewise of Keyed.clocks
}

// setTimer is a timer and when it is due: event time in full seconds, or processing time.
type setTimer struct {
	Timer
	due int64
}

// NewKeyed makes the step; out is the schema of its node: the keys, the event
// time, the columns that the function gives.
func NewKeyed(k *plan.Keyed, in, out batch.Schema, fns Functions, cfg Config) (*Keyed, error) {
	s := &Keyed{in: in, ttl: k.GetTtlMicros(), maxState: DefaultMaxState, now: NoWatermark}
	if s.ttl < 0 || s.ttl > maxDuration || k.GetMaxStateBytes() > 1<<30 {
		return nil, fmt.Errorf("%w: a ttl of %d us, a state of %d bytes", ErrPlan, s.ttl, k.GetMaxStateBytes())
	}
	if k.GetMaxStateBytes() > 0 {
		s.maxState = int(k.MaxStateBytes)
	}
	var err error
	if s.time, err = timeColumn(in, k.GetTimeColumn()); err != nil {
		return nil, err
	}
	state := batch.Schema{{Name: "_newest", Type: batch.Timestamp}, {Name: "_state", Type: batch.Bytes}, {Name: "_timers", Type: batch.Bytes}}
	if s.memory, err = newMemory(in, k.GetKeys(), state, cfg, s); err != nil {
		return nil, err
	}
	for _, at := range k.GetKeys() {
		s.by = append(s.by, int(at))
	}
	if fns == nil {
		return nil, fmt.Errorf("%w: there are no keyed functions here, %q is called", ErrPlan, k.GetFunction())
	}
	if s.fn, err = fns.Keyed(k.GetFunction()); err != nil {
		return nil, fmt.Errorf("function %s: %w", k.GetFunction(), err)
	}
	give, err := s.bind()
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", k.GetFunction(), err)
	}
	want := append(append(slices.Clone(s.schema[:s.nkeys]), in[s.time]), give...)
	if !slices.Equal(out, want) {
		return nil, fmt.Errorf("%w: function %s: the step gives %v, the plan says %v", ErrPlan, k.GetFunction(), want, out)
	}
	s.made = newMade(out, s.nkeys, give)
	s.call.Keys = batch.New(s.schema[:s.nkeys]).Cols
	return s, nil
}

func (s *Keyed) bind() (batch.Schema, error) {
	take, give, err := s.fn.Bind(s.in)
	if err != nil {
		return nil, err
	}
	s.take = take
	var taken batch.Schema
	for _, at := range take {
		if at < 0 || at >= len(s.in) {
			return nil, fmt.Errorf("%w: it takes column %d of %d", ErrFunction, at, len(s.in))
		}
		taken = append(taken, s.in[at])
	}
	s.call.Rows = batch.New(taken).Cols
	s.call.Out.Rows = batch.New(give)
	return give, nil
}

// secondOf is the full second that a watermark has reached.
func secondOf(watermark int64) int64 {
	if watermark == NoWatermark {
		return NoWatermark
	}
	r := watermark % TimerResolution
	if r < 0 {
		r += TimerResolution
	}
	return watermark - r
}

// Process gives rows to the function.
func (s *Keyed) Process(b *batch.Batch, watermarks []int64, emit Emit) error {
	if err := checkRows(b, s.in, watermarks); err != nil {
		return err
	}
	for n := range b.Len() {
		i := rowOf(b, n)
		wm := watermarkAt(watermarks, i, s.now)
		if second := secondOf(wm); second > s.now {
			if err := s.callRows(b, emit); err != nil {
				return err
			}
			if err := s.moveTo(second, emit); err != nil {
				return err
			}
		}
		s.chunk, s.wms = append(s.chunk, uint32(i)), append(s.wms, wm)
	}
	return s.callRows(b, emit)
}

// Advance fires timers and forgets keys.
func (s *Keyed) Advance(watermark int64, emit Emit) error {
	if second := secondOf(watermark); second > s.now {
		return s.moveTo(second, emit)
	}
	return nil
}

// AdvanceClock moves the clock of processing time, microseconds, and fires its
// timers. What comes out depends on when it is called, so a worker calls it for
// records of its log; after a restart, with the last of them.
func (s *Keyed) AdvanceClock(now int64, emit Emit) error {
	if now <= s.clock {
		return nil
	}
	s.clock = now
	var due []uint32
	for s.clocks.due(now) {
		d := s.clocks.pop()
		k := &s.slots[d.slot]
		if d.at != k.clockDue {
			continue
		}
		k.clockDue = noDeadline
		if s.index.Live(d.slot) {
			due = append(due, d.slot)
		}
	}
	if err := s.callTimers(due, ProcessingTime, now, emit); err != nil {
		return err
	}
	for _, slot := range due {
		s.wake(slot)
	}
	return nil
}

// NextClock is when the next timer of processing time is due; ok is false where there is none.
func (s *Keyed) NextClock() (at int64, ok bool) {
	if len(s.clocks) == 0 {
		return 0, false
	}
	return s.clocks[0].at, true
}

// moveTo moves event time on to a full second, second by second as timers are due.
func (s *Keyed) moveTo(second int64, emit Emit) error {
	s.ended = second >= secondOf(EndOfTime)
	for s.timers.due(second) {
		s.now = max(s.now, s.timers[0].at)
		due := s.due[:0]
		for s.timers.due(s.now) {
			d := s.timers.pop()
			k := &s.slots[d.slot]
			if d.at != k.due {
				continue
			}
			k.due = noDeadline
			if s.index.Live(d.slot) {
				due = append(due, d.slot)
			}
		}
		s.due = due
		if err := s.callTimers(due, EventTime, s.now, emit); err != nil {
			return err
		}
		for _, slot := range due {
			s.wakeOrForget(slot)
		}
	}
	s.now = second
	return nil
}

// wakeOrForget follows the timers of a slot.
func (s *Keyed) wakeOrForget(slot uint32) {
	if !s.index.Live(slot) {
		return
	}
	k := &s.slots[slot]
	if s.ttl > 0 && !s.ended && s.expires(k) <= s.now {
		s.forget(slot)
		return
	}
	s.wake(slot)
}

// expires is when a key is forgotten, in full seconds.
func (s *Keyed) expires(k *keyedState) int64 { return ceilSecond(k.newest + s.ttl) }

func ceilSecond(t int64) int64 { return secondOf(t + TimerResolution - 1) }

// wake puts the next deadlines of a slot among the timers.
func (s *Keyed) wake(slot uint32) {
	if !s.index.Live(slot) {
		return
	}
	k := &s.slots[slot]
	next, clock := int64(noDeadline), int64(noDeadline)
	if s.ttl > 0 && !s.ended {
		next = s.expires(k)
	}
	for _, t := range k.timers {
		if t.Kind == EventTime {
			next = min(next, t.due)
		} else {
			clock = min(clock, t.due)
		}
	}
	if next < k.due {
		k.due = next
		s.timers.push(deadline{next, s.born[slot], slot})
	}
	if clock < k.clockDue {
		k.clockDue = clock
		s.clocks.push(deadline{clock, s.born[slot], slot})
	}
}

// Resume sets the watermark.
func (s *Keyed) Resume(watermark int64) { s.now = max(s.now, secondOf(watermark)) }

// Stats gives the counters.
func (s *Keyed) Stats() Stats {
	st := s.stats
	st.Keys, st.SizeBytes = s.index.Len(), s.sizeBytes()+80*cap(s.slots)+24*(cap(s.timers)+cap(s.clocks))
	for i := range s.slots {
		st.SizeBytes += cap(s.slots[i].state) + 32*cap(s.slots[i].timers)
	}
	return st
}
