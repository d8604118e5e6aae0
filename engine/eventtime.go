package engine

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// NoWatermark is the watermark of a source that has not given a row yet.
const NoWatermark = math.MinInt64

// eventTime follows the watermark of one source: the largest event time seen
// minus max_disorder. It judges each row by the rows before it, so that
// batch size never shows in results.
type eventTime struct {
	column    int
	disorder  int64 // microseconds
	maxFuture int64 // 0 = no bound
	watermark int64 // as of the last row; only rises
	before    []int64
	sel       []uint32
	out       batch.Batch
}

func newEventTime(column int, disorder, maxFuture int64) *eventTime {
	return &eventTime{column: column, disorder: disorder, maxFuture: maxFuture, watermark: NoWatermark, sel: make([]uint32, 0, 1)}
}

// Bounds of usable event times: years 1 to 9999. Beyond them timestamps can
// be neither printed nor safely added to.
const (
	minEventTime = -62135596800_000000
	maxEventTime = 253402300799_999999
)

// EndOfTime is the final watermark of a bounded source: later than every
// usable event time, and early enough that durations can be added to it.
const EndOfTime = maxEventTime + 1 + 366*24*3600*1_000_000

// observe fills before (the watermark before each row), raises the watermark
// and returns the batch without the rows that have no usable event time.
// now is the cloud's time, or 0 where it is unknown or rows are replayed.
func (t *eventTime) observe(b *batch.Batch, now int64, env *rowEnv) *batch.Batch {
	limit := int64(maxEventTime)
	if now > 0 && t.maxFuture > 0 && now+t.maxFuture < limit {
		limit = now + t.maxFuture
	}
	col := &b.Cols[t.column]
	times := col.Ints
	if cap(t.before) < b.N {
		t.before = make([]int64, b.N, max(b.N, 4096))
	}
	t.before = t.before[:b.N]
	if b.Sel != nil || col.Valid != nil {
		return t.observeSome(b, col, limit, env)
	}
	wm, disorder := t.watermark, t.disorder
	for i, ts := range times[:b.N] {
		t.before[i] = wm
		if ts > limit || ts < minEventTime {
			return t.observeSome(b, col, limit, env)
		}
		if w := ts - disorder; w > wm {
			wm = w
		}
	}
	t.watermark = wm
	return b
}

// newest is the largest event time seen, or 0 before the first.
func (t *eventTime) newest() int64 {
	if t.watermark == NoWatermark {
		return 0
	}
	return t.watermark + t.disorder
}

// observeSome is observe for batches with a selection, nulls or bad times.
func (t *eventTime) observeSome(b *batch.Batch, col *batch.Column, limit int64, env *rowEnv) *batch.Batch {
	t.sel = t.sel[:0]
	wm := t.watermark
	row := func(r uint32) {
		i := int(r)
		t.before[i] = wm
		if col.Null(i) {
			env.rejectRow(b, i, "no event time: the column is missing or null")
			return
		}
		ts := col.Ints[i]
		switch {
		case ts < minEventTime || ts > maxEventTime:
			env.rejectRow(b, i, "event time is outside the years 1 to 9999; check the unit of the timestamp column")
			return
		case ts > limit:
			env.rejectRow(b, i, "event time is further in the future than max_future allows; check the sender's clock")
			return
		}
		wm = max(wm, ts-t.disorder)
		t.sel = append(t.sel, r)
	}
	if b.Sel != nil {
		for _, r := range b.Sel {
			row(r)
		}
	} else {
		for i := range b.N {
			row(uint32(i))
		}
	}
	t.watermark = wm
	t.out = *b
	t.out.Sel = t.sel
	return &t.out
}
