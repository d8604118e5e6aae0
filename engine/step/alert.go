package step

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/expr"
	"github.com/leatio/leat/engine/plan"
)

// What an alert says of its key.
const (
	Raised  = "raised"
	Cleared = "cleared"
	Silent  = "silent"
)

// Alert turns rows into rows about a condition, by key.
//
//	        when, for at least `for`
//	quiet ──────────────────────────▶ raised
//	  ▲             (raised)             │
//	  └──────────────────────────────────┘
//	            clear (cleared)
//
// No row for `silent`: a silent row, once; the next row of the key then gives
// cleared, unless the alert is raised or clears by that row. Rows older than the newest of their key
// are passed over. A condition that is null changes nothing.
type Alert struct {
	*memory
	in      batch.Schema
	time    int
	when    *expr.Program
	clear   *expr.Program // nil: when is false
	hold    int64
	silence int64
	from    []int // by output column but the last two: the input column
	keyAt   []int // by output column: which key it is, or -1

	eventTime func() int64 // nil = 0
	watermark int64
	slots     []alertState
	timers    deadlines // of silence; one entry per slot

	failed  map[int]bool // rows that an expression failed on
	b       *batch.Batch // for fail
	failRow func(row int, reason string)

	out        *batch.Batch
	watermarks []int64
	codes      [3]uint32 // of the words in the dictionary of the output
}

// alertState is what is known of a key.
type alertState struct {
	newest int64 // event time of the newest row
	since  int64 // of the first row for which when is true without a break; NoWatermark = not true
	raised bool
	silent bool // since newest
	armed  bool // an entry stands among timers
}

// NewAlert makes the step; out is the schema of its node.
func NewAlert(a *plan.Alert, in, out batch.Schema, cfg Config) (*Alert, error) {
	s := &Alert{in: in, hold: a.GetForMicros(), silence: a.GetSilentMicros(), watermark: NoWatermark, eventTime: cfg.EventTime, failed: map[int]bool{}}
	if s.hold < 0 || s.hold > maxDuration || s.silence < 0 || s.silence > maxDuration {
		return nil, fmt.Errorf("%w: a duration of %d or %d us", ErrPlan, s.hold, s.silence)
	}
	var err error
	if s.time, err = timeColumn(in, a.GetTimeColumn()); err != nil {
		return nil, err
	}
	if s.when, err = condition(a.GetWhen(), in, cfg.Env); err != nil {
		return nil, fmt.Errorf("when: %w", err)
	}
	if a.GetClear() != nil {
		if s.clear, err = condition(a.Clear, in, cfg.Env); err != nil {
			return nil, fmt.Errorf("clear: %w", err)
		}
	}
	if err := s.columns(a.GetKeys(), in, out); err != nil {
		return nil, err
	}
	state := batch.Schema{{Name: "_newest", Type: batch.Timestamp}, {Name: "_since", Type: batch.Timestamp}, {Name: "_raised", Type: batch.Bool}, {Name: "_silent", Type: batch.Bool}}
	s.memory, err = newMemory(in, a.GetKeys(), state, cfg, s)
	s.failRow = func(row int, reason string) {
		if !s.failed[row] {
			s.failed[row] = true
			s.rejectRow(s.b, row, reason)
		}
	}
	return s, err
}

func condition(e *plan.Expr, in batch.Schema, env expr.Env) (*expr.Program, error) {
	p, err := expr.Compile(e, in, env)
	if err != nil {
		return nil, err
	}
	if p.Type() != batch.Bool {
		return nil, fmt.Errorf("%w: a condition of the type %s", ErrPlan, p.Type())
	}
	return p, nil
}

// columns finds the input column of each output column.
func (s *Alert) columns(by []uint32, in, out batch.Schema) error {
	n := len(out) - 2
	if n < 0 || out[n].Type != batch.String || out[n+1].Type != batch.Timestamp {
		return fmt.Errorf("%w: an alert gives its input's columns, then a string and a timestamp", ErrPlan)
	}
	for _, f := range out[:n] {
		at := in.Index(f.Name)
		if at < 0 || in[at].Type != f.Type {
			return fmt.Errorf("%w: an alert gives column %q (%s), which is none of its input", ErrPlan, f.Name, f.Type)
		}
		key := -1
		for i, k := range by {
			if int(k) == at {
				key = i
			}
		}
		s.from, s.keyAt = append(s.from, at), append(s.keyAt, key)
	}
	s.out = batch.New(out)
	return nil
}

// Process looks at rows.
func (s *Alert) Process(b *batch.Batch, watermarks []int64, emit Emit) error {
	if err := checkRows(b, s.in, watermarks); err != nil {
		return err
	}
	s.b = b
	clear(s.failed)
	s.setEventTime()
	when, err := s.when.Eval(b, s.failRow)
	if err != nil {
		return fmt.Errorf("when: %w", err)
	}
	var cleared *batch.Column
	if s.clear != nil {
		if cleared, err = s.clear.Eval(b, s.failRow); err != nil {
			return fmt.Errorf("clear: %w", err)
		}
	}
	s.startRows()
	col := &b.Cols[s.time]
	for n := range b.Len() {
		i := rowOf(b, n)
		if wm := watermarkAt(watermarks, i, s.watermark); wm > s.watermark {
			s.moveTo(wm)
		}
		if len(s.failed) > 0 && s.failed[i] {
			continue
		}
		if col.Null(i) {
			s.rejectRow(b, i, noTime)
			continue
		}
		s.row(b, i, col.Ints[i], truthOf(when, i), s.isClear(cleared, when, i))
	}
	s.b = nil
	return s.flush(emit)
}

func (s *Alert) setEventTime() {
	if s.eventTime == nil {
		return
	}
	s.when.SetEventTime(s.eventTime())
	if s.clear != nil {
		s.clear.SetEventTime(s.eventTime())
	}
}

// truth is one of three values.
type truth int8

const (
	unknown truth = iota
	no
	yes
)

func truthOf(c *batch.Column, i int) truth {
	switch {
	case c.Null(i):
		return unknown
	case c.Bools[i]:
		return yes
	default:
		return no
	}
}

func (s *Alert) isClear(cleared, when *batch.Column, i int) bool {
	if cleared == nil {
		return truthOf(when, i) == no
	}
	return truthOf(cleared, i) == yes
}

// row moves the state of a key on.
func (s *Alert) row(b *batch.Batch, i int, t int64, when truth, isClear bool) {
	slot, fresh, ok := s.slotIfRoom(b, i)
	if !ok {
		s.rejectRow(b, i, fmt.Sprintf("alert: more than %d keys; choose keys with fewer values", s.max))
		return
	}
	a := &s.slots[slot]
	if !fresh && t < a.newest {
		return
	}
	wasSilent, silentSince := a.silent, a.newest
	a.newest, a.silent = t, false
	if s.silence > 0 && !a.armed {
		a.armed = true
		s.timers.push(deadline{t + s.silence, s.born[slot], slot})
	}
	s.touch(slot)
	said := false
	switch {
	case a.raised && isClear:
		s.say(b, i, 1, a.since)
		a.raised, a.since, said = false, NoWatermark, true
		if when == yes {
			a.since = t
		}
	case a.raised, when == unknown:
	case when == no:
		a.since = NoWatermark
	default:
		if a.since == NoWatermark {
			a.since = t
		}
		if t-a.since >= s.hold {
			a.raised, said = true, true
			s.say(b, i, 0, a.since)
		}
	}
	if wasSilent && !said && !a.raised {
		s.say(b, i, 1, silentSince)
	}
}

// moveTo moves the watermark and tells which keys it finds silent.
func (s *Alert) moveTo(watermark int64) {
	before := s.watermark
	s.watermark = watermark
	if watermark >= EndOfTime {
		return // the source has ended; that is no silence
	}
	for s.timers.due(watermark) {
		slot := s.timers[0].slot
		a := &s.slots[slot]
		if at := a.newest + s.silence; at > s.timers[0].at && !a.silent {
			s.timers.delay(at)
			continue
		}
		s.timers.pop()
		a.armed = false
		if !a.silent {
			a.silent = true
			s.touch(slot)
			s.saySilent(slot, a.newest, max(before, a.newest+s.silence))
		}
	}
}

// Advance tells which keys are silent.
func (s *Alert) Advance(watermark int64, emit Emit) error {
	if watermark <= s.watermark {
		return nil
	}
	s.startRows()
	s.moveTo(watermark)
	return s.flush(emit)
}

// startRows empties the output.
func (s *Alert) startRows() {
	s.out.Reset()
	s.watermarks = s.watermarks[:0]
	n := len(s.out.Cols) - 2
	c := &s.out.Cols[n]
	if c.Dict == nil {
		c.Dict = batch.NewDict()
		for i, w := range []string{Raised, Cleared, Silent} {
			s.codes[i] = c.Dict.CodeString(w)
		}
	}
	for i := range s.out.Cols[:n] {
		if c := &s.out.Cols[i]; c.Dict != nil && c.Dict.Full() {
			c.Dict = nil
		}
	}
}

func (s *Alert) flush(emit Emit) error {
	if s.out.N == 0 {
		return nil
	}
	return emit(s.out, s.watermarks)
}

// say appends the row i with what it says of its key.
func (s *Alert) say(b *batch.Batch, i, word int, since int64) {
	for k, at := range s.from {
		s.out.Cols[k].AppendFrom(&b.Cols[at], i)
	}
	s.endRow(word, since, s.watermark)
}

// saySilent appends a row of the key, the time at which it was silent for long
// enough, and nulls. Its place in time is that time, wherever the watermark jumped to.
func (s *Alert) saySilent(slot uint32, newest, watermark int64) {
	key := keyColumns(s.schema[:s.nkeys], s.index.Key(slot))
	for k, at := range s.from {
		c := &s.out.Cols[k]
		switch {
		case s.keyAt[k] >= 0:
			c.AppendFrom(&key[s.keyAt[k]], 0)
		case at == s.time:
			c.AppendFrom(&batch.Column{Type: batch.Timestamp, Ints: []int64{newest + s.silence}}, 0)
		default:
			c.AppendNull()
		}
	}
	s.endRow(2, newest, watermark)
}

func (s *Alert) endRow(word int, since, watermark int64) {
	n := len(s.out.Cols) - 2
	s.out.Cols[n].Codes = append(s.out.Cols[n].Codes, s.codes[word])
	s.out.Cols[n+1].Ints = append(s.out.Cols[n+1].Ints, since)
	s.out.N++
	s.watermarks = append(s.watermarks, watermark)
}

// Resume sets the watermark.
func (s *Alert) Resume(watermark int64) { s.watermark = max(s.watermark, watermark) }

// Stats gives the counters.
func (s *Alert) Stats() Stats {
	st := s.stats
	st.Keys, st.SizeBytes = s.index.Len(), s.sizeBytes()+24*cap(s.slots)+24*cap(s.timers)
	return st
}

func (s *Alert) grow(n int) { s.slots = append(s.slots, make([]alertState, n-len(s.slots))...) }

func (s *Alert) begin(slot uint32) {
	s.slots[slot] = alertState{since: NoWatermark, armed: s.slots[slot].armed}
}

func (s *Alert) end(uint32) {}

func (s *Alert) save(cols []batch.Column, slot uint32) {
	a := &s.slots[slot]
	cols[0].Ints = append(cols[0].Ints, a.newest)
	cols[1].Ints = append(cols[1].Ints, a.since)
	cols[2].Bools = append(cols[2].Bools, a.raised)
	cols[3].Bools = append(cols[3].Bools, a.silent)
}

func (s *Alert) check(cols []batch.Column, row int) error {
	for i := range cols {
		if cols[i].Null(row) {
			return fmt.Errorf("an alert without its %s", s.schema[s.nkeys+i].Name)
		}
	}
	return nil
}

func (s *Alert) load(cols []batch.Column, row int, slot uint32) {
	a := &s.slots[slot]
	a.newest, a.since = cols[0].Ints[row], cols[1].Ints[row]
	a.raised, a.silent = cols[2].Bools[row], cols[3].Bools[row]
	if s.silence > 0 && !a.armed && !a.silent {
		a.armed = true
		s.timers.push(deadline{a.newest + s.silence, s.born[slot], slot})
	}
}
