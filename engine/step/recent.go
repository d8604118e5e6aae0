package step

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Recent is the dedupe step and the sample step. It remembers, by key, the
// times of rows that it let through until the watermark has passed them by width, and
// drops rows less than width away from one of these.
//
//	dedupe   the time of a row is its event time, width is `within`
//	sample   it is the start of the interval that it falls into, width is `every`
//
// A row that the watermark has passed by width is compared with what is left:
// dedupe lets it through if nothing is, sample drops and counts it as late.
type Recent struct {
	*memory
	in     batch.Schema
	time   int
	width  int64
	sample bool

	watermark int64
	last      []int64            // by slot: the largest time let through
	older     map[uint32][]int64 // by slot: the others, ascending
	timers    deadlines
	due       []int64 // by slot: its earliest deadline among timers; none = noDeadline
	sel       []uint32
	out       batch.Batch
}

// NewDedupe makes the step that drops repeated rows.
func NewDedupe(d *plan.Dedupe, in batch.Schema, cfg Config) (*Recent, error) {
	return newRecent(d.GetKeys(), d.GetTimeColumn(), d.GetWithinMicros(), false, in, cfg)
}

// NewSample makes the step that lets one row of each key and interval through.
func NewSample(s *plan.Sample, in batch.Schema, cfg Config) (*Recent, error) {
	return newRecent(s.GetKeys(), s.GetTimeColumn(), s.GetEveryMicros(), true, in, cfg)
}

// maxDuration bounds durations, so that they can be added to times.
const maxDuration = int64(1) << 60

func newRecent(by []uint32, timeAt uint32, width int64, sample bool, in batch.Schema, cfg Config) (*Recent, error) {
	if width <= 0 || width > maxDuration {
		return nil, fmt.Errorf("%w: a duration of %d us", ErrPlan, width)
	}
	r := &Recent{in: in, width: width, sample: sample, watermark: NoWatermark, older: map[uint32][]int64{}, sel: make([]uint32, 0, 1)}
	var err error
	if r.time, err = timeColumn(in, timeAt); err != nil {
		return nil, err
	}
	state := batch.Schema{{Name: "_last", Type: batch.Timestamp}, {Name: "_older", Type: batch.Bytes}}
	if r.memory, err = newMemory(in, by, state, cfg, r); err != nil {
		return nil, err
	}
	r.evicts = true
	return r, nil
}

// Process lets rows through.
func (r *Recent) Process(b *batch.Batch, watermarks []int64, emit Emit) error {
	if err := checkRows(b, r.in, watermarks); err != nil {
		return err
	}
	col := &b.Cols[r.time]
	r.sel = r.sel[:0]
	for n := range b.Len() {
		i := rowOf(b, n)
		if wm := watermarkAt(watermarks, i, r.watermark); wm > r.watermark {
			r.moveTo(wm)
		}
		if col.Null(i) {
			r.rejectRow(b, i, noTime)
			continue
		}
		if r.passes(b, i, col.Ints[i]) {
			r.sel = append(r.sel, uint32(i))
		}
	}
	if len(r.sel) == 0 {
		return nil
	}
	r.out = *b
	r.out.Sel = r.sel
	return emit(&r.out, watermarks)
}

// passes tells whether the row i with event time t is let through.
func (r *Recent) passes(b *batch.Batch, i int, t int64) bool {
	if r.sample {
		rest := t % r.width
		if rest < 0 {
			rest += r.width
		}
		if t -= rest; !r.lasts(t) {
			r.stats.Late++
			return false
		}
	}
	if !r.lasts(t) {
		// It would be forgotten at once.
		slot, known := r.index.Find(b, i)
		return !known || !r.near(slot, t)
	}
	slot, fresh := r.slot(b, i)
	if !fresh && r.near(slot, t) {
		return false
	}
	r.remember(slot, t, fresh)
	return true
}

// lasts tells whether the watermark has not passed a time by width.
func (r *Recent) lasts(t int64) bool { return r.watermark == NoWatermark || t > r.watermark-r.width }

// near tells whether a time is less than width away from one of the slot's.
func (r *Recent) near(slot uint32, t int64) bool {
	if d := t - r.last[slot]; d < r.width && d > -r.width {
		return true
	}
	if len(r.older) > 0 {
		for _, o := range r.older[slot] {
			if d := t - o; d < r.width && d > -r.width {
				return true
			}
		}
	}
	return false
}

func (r *Recent) remember(slot uint32, t int64, fresh bool) {
	r.touch(slot)
	switch {
	case fresh:
		r.last[slot] = t
	case t > r.last[slot]:
		if r.lasts(r.last[slot]) {
			r.older[slot] = append(r.older[slot], r.last[slot])
		}
		r.last[slot] = t
	default:
		list := append(r.older[slot], t)
		for k := len(list) - 1; k > 0 && list[k] < list[k-1]; k-- {
			list[k], list[k-1] = list[k-1], list[k]
		}
		r.older[slot] = list
	}
	r.wake(slot, t)
}

// wake sees to it that a time of a slot is forgotten in time.
func (r *Recent) wake(slot uint32, t int64) {
	if at := t + r.width; at < r.due[slot] {
		r.due[slot] = at
		r.timers.push(deadline{at, r.born[slot], slot})
	}
}

// moveTo moves the watermark and forgets what it has passed.
func (r *Recent) moveTo(watermark int64) {
	r.watermark = watermark
	for r.timers.due(watermark) {
		top := r.timers[0]
		slot := top.slot
		if top.at != r.due[slot] {
			r.timers.pop() // an earlier one took its place
			continue
		}
		if live := r.index.Live(slot); !live || !r.lasts(r.last[slot]) {
			r.timers.pop()
			r.due[slot] = noDeadline
			if live {
				r.forget(slot)
			}
			continue
		}
		r.expire(slot)
		next := r.last[slot]
		if list := r.older[slot]; len(list) > 0 {
			next = list[0]
		}
		r.due[slot] = next + r.width
		r.timers.delay(r.due[slot])
	}
}

// expire forgets the times of a slot that the watermark has passed, but the last.
func (r *Recent) expire(slot uint32) {
	list, ok := r.older[slot]
	if !ok {
		return
	}
	k := 0
	for k < len(list) && !r.lasts(list[k]) {
		k++
	}
	if k == len(list) {
		delete(r.older, slot)
	} else {
		r.older[slot] = append(list[:0], list[k:]...)
	}
	r.touch(slot)
}

// Advance moves the watermark; nothing is emitted.
func (r *Recent) Advance(watermark int64, _ Emit) error {
	if watermark > r.watermark {
		r.moveTo(watermark)
	}
	return nil
}

// Resume sets the watermark.
func (r *Recent) Resume(watermark int64) { r.watermark = max(r.watermark, watermark) }

// Stats gives the counters.
func (r *Recent) Stats() Stats {
	s := r.stats
	s.Keys = r.index.Len()
	s.SizeBytes = r.sizeBytes() + 16*cap(r.last) + 24*cap(r.timers)
	for _, list := range r.older {
		s.SizeBytes += 64 + 8*cap(list)
	}
	return s
}

func (r *Recent) grow(n int) {
	r.last = append(r.last, make([]int64, n-len(r.last))...)
	for len(r.due) < n {
		r.due = append(r.due, noDeadline)
	}
}

func (r *Recent) begin(slot uint32) { r.last[slot] = 0 }
func (r *Recent) end(slot uint32)   { delete(r.older, slot) }

func (r *Recent) save(cols []batch.Column, slot uint32) {
	cols[0].Ints = append(cols[0].Ints, r.last[slot])
	var b []byte
	for _, t := range r.older[slot] {
		b = appendInt64(b, t)
	}
	cols[1].AppendBlob(b)
}

func (r *Recent) check(cols []batch.Column, row int) error {
	if cols[0].Null(row) || cols[1].Null(row) || len(cols[1].Blob(row))%8 != 0 {
		return fmt.Errorf("no times")
	}
	return nil
}

func (r *Recent) load(cols []batch.Column, row int, slot uint32) {
	r.last[slot] = cols[0].Ints[row]
	delete(r.older, slot)
	first := r.last[slot]
	for b := cols[1].Blob(row); len(b) > 0; b = b[8:] {
		r.older[slot] = append(r.older[slot], int64At(b))
	}
	if list := r.older[slot]; len(list) > 0 {
		first = list[0]
	}
	r.wake(slot, first)
}
