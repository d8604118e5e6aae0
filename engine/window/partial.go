package window

import (
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// Partial makes rows into partials, one per key and slice (or session), on the edge. Rows that it
// is told to forward, or that are not worth it, it keeps as they are.
type Partial struct {
	// constant
	shape     *shape
	cfg       PartialConfig
	in        batch.Schema
	by        []int // key columns of the row batch
	time      int   // its event time
	maxGroups int   // in a slice; of sessions: in all
	reject    bool  // rows of groups beyond maxGroups are rejected, not forwarded
	always    bool  // all rows are forwarded

	keys     *keyTable
	states   *states
	next     int         // slots [0, next) are in use, or free in sessions
	groupOf  []uint32    // by slot
	slices   *sliceSet   // unless there are sessions
	sessions *sessionSet // nil = none
	rowKeys  rowKeys     // of rows
	backKeys rowKeys     // of partials that are taken back
	forward  rowBuffer
	saving   saving

	groups []uint32 // of rowKeys, by counting row
	slots  []uint32 // scratch: slot by counted row
	rows   []uint32 // scratch: the counted rows
	order  []uint32 // scratch
	moved  []uint32 // scratch
	clock  rowTimes
	away   forwarded
	lates  lateRows
	counts PartialCounts
	newest int64 // of sessions: largest end ever
}

// PartialCounts counts rows since the Partial was made.
type PartialCounts struct {
	Late      int64 // dropped, since late for all their windows
	LateSome  int64 // late for some of their windows, and counted in the others
	Between   int64 // dropped, since between windows that hop further than they are long
	Invalid   int64 // dropped for a null or absurd event time, which the caller should have rejected
	Rejected  int64 // of new groups beyond the bound, given to OnOverflow
	Forwarded int64 // kept as rows
	KeyResets int64 // times that the known keys were forgotten because they grew beyond KeepKeys or KeepKeyBytes
}

// NewPartial checks the window against the schema of the rows that it will be given. z has the rules of
// the window's time zone; nil where it has none.
func NewPartial(w *plan.Window, z *zone.Zone, in batch.Schema, cfg PartialConfig) (*Partial, error) {
	s, err := newShape(w, z)
	if err != nil {
		return nil, err
	}
	p := &Partial{shape: s, cfg: cfg.withDefaults(), in: in, time: int(w.TimeColumn), newest: math.MinInt64,
		maxGroups: defaultMaxGroups, reject: w.Overflow == plan.Overflow_OVERFLOW_REJECT, always: w.ForwardRows}
	if w.MaxGroups > 0 && w.MaxGroups < defaultMaxGroups {
		p.maxGroups = int(w.MaxGroups)
	}
	if w.ForwardRows && !cfg.CanForward {
		return nil, fmt.Errorf("%w: the window forwards its rows, and nothing takes them", ErrPlan)
	}
	if err := p.columns(w, in); err != nil {
		return nil, err
	}
	if s.gap != 0 {
		p.sessions = &sessionSet{}
	} else {
		p.slices = newSliceSet(s)
	}
	p.keys, p.forward, p.saving = newKeyTable(s.keys, byBytes), newRowBuffer(s.rows), saving{can: cfg.CanForward && !w.ForwardRows}
	p.states, err = newStates(s)
	return p, err
}

func (p *Partial) columns(w *plan.Window, in batch.Schema) error {
	s := p.shape
	if p.time >= len(in) || in[p.time].Type != batch.Timestamp {
		return fmt.Errorf("%w: event time is column %d, which is no timestamp of the input", ErrPlan, p.time)
	}
	if len(w.KeyColumns) != len(s.keys) {
		return fmt.Errorf("%w: %d key columns for %d keys", ErrPlan, len(w.KeyColumns), len(s.keys))
	}
	for i, k := range w.KeyColumns {
		if int(k) >= len(in) || in[k].Type != s.keys[i].Type {
			return fmt.Errorf("%w: key %q is column %d, which is no %s of the input", ErrPlan, s.keys[i].Name, k, s.keys[i].Type)
		}
		p.by = append(p.by, int(k))
	}
	for i, a := range s.accs {
		if a.column >= 0 && (a.column >= len(in) || in[a.column].Type != a.spec.In) {
			return fmt.Errorf("%w: accumulator %d takes column %d, which is no %s of the input", ErrPlan, i, a.column, a.spec.In)
		}
	}
	return nil
}

// Process takes the counting rows of b in. watermarks[i] is the watermark that
// the rows before row i (of b.N) made at their source, math.MinInt64 for none;
// nil = none for any row. Late rows are counted and given to OnLate.
func (p *Partial) Process(b *batch.Batch, watermarks []int64) error {
	if len(b.Cols) < len(p.in) {
		return fmt.Errorf("%w: %d columns, want %d", ErrBatch, len(b.Cols), len(p.in))
	}
	for i := range p.in {
		if b.Cols[i].Type != p.in[i].Type {
			return fmt.Errorf("%w: column %d (%s) is %s, want %s", ErrBatch, i, p.in[i].Name, b.Cols[i].Type, p.in[i].Type)
		}
	}
	if watermarks != nil && len(watermarks) < b.N {
		return fmt.Errorf("%w: %d watermarks for %d rows", ErrBatch, len(watermarks), b.N)
	}
	slots, rows := p.assign(b, watermarks)
	p.states.grow(p.next)
	p.states.add(slots, b, b.Cols[p.time].Ints, rows)
	p.saving.rows += int64(len(slots))
	p.unite()
	if len(p.away.rows) > 0 {
		p.counts.Forwarded += int64(len(p.away.rows))
		p.forward.add(b, p.by, p.time, p.shape.arguments, &p.away)
	}
	if len(p.lates.rows) > 0 {
		p.lates.emit(b, len(p.in), p.cfg.OnLate)
	}
	return nil
}

// unite merges the states of the sessions that became one, and ends each change.
func (p *Partial) unite() {
	if p.sessions != nil && len(p.sessions.unions) > 0 {
		p.order, p.moved = p.sessions.unite(p.states, p.order, p.moved)
	}
	if invariants {
		p.check()
	}
}

// Full asks the caller to drain before the next Process: MaxGroups is reached.
func (p *Partial) Full() bool {
	return p.next >= p.cfg.MaxGroups || p.keys.len() >= p.cfg.MaxGroups || p.forward.b.N >= p.cfg.MaxGroups || p.sessions != nil && p.sessions.crowd
}

// Rows is the number of pending partials.
func (p *Partial) Rows() int {
	if p.sessions != nil {
		return p.next - len(p.sessions.free)
	}
	return p.next
}

// ForwardedRows is the number of pending rows.
func (p *Partial) ForwardedRows() int { return p.forward.b.N }

// Ended is the number of pending partials whose slices end at or before the watermark: rows that are
// in time do not change them any more.
func (p *Partial) Ended(watermark int64) (n int) {
	if p.slices == nil {
		return 0
	}
	for _, s := range p.slices.list {
		if s.end <= watermark {
			n += len(s.slots)
		}
	}
	return n
}

// EarliestPending is the least end of a window that something pending may change; ok is false where
// nothing is pending. A frame that leaves it behind must carry a watermark below it.
func (p *Partial) EarliestPending() (end int64, ok bool) {
	end, ok = p.forward.earliest, p.forward.b.N > 0
	if p.sessions != nil {
		if t, any := p.sessions.earliest(); any && (!ok || t < end) {
			end, ok = t+1, true // it may belong to a session that ends right behind its start
		}
		return end, ok
	}
	for _, s := range p.slices.list {
		if len(s.slots) > 0 && (!ok || s.end < end) {
			end, ok = s.end, true
		}
	}
	return end, ok
}

// NewestSliceEnd is the largest slice end of the rows so far, drained ones included; math.MinInt64 if there were none.
func (p *Partial) NewestSliceEnd() int64 {
	if p.slices != nil {
		return p.slices.newest
	}
	return p.newest
}

// Saw tells of a row that was taken before a restart.
func (p *Partial) Saw(eventTime int64) {
	sl, ok := p.shape.sliceOf(eventTime)
	switch {
	case !ok:
	case p.slices != nil:
		p.slices.newest = max(p.slices.newest, sl.end)
	default:
		p.newest = max(p.newest, sl.end)
	}
}

// Counts counts the rows that took other ways than into a partial.
func (p *Partial) Counts() PartialCounts { return p.counts }

// SizeBytes estimates the memory held.
func (p *Partial) SizeBytes() int {
	n := p.keys.sizeBytes() + p.states.sizeBytes() + p.forward.sizeBytes() + p.rowKeys.sizeBytes() + p.backKeys.sizeBytes()
	for _, s := range [][]uint32{p.groupOf, p.slots, p.rows, p.order, p.moved, p.away.rows, p.lates.rows} {
		n += 4 * cap(s)
	}
	n += 8 * (cap(p.clock.selected) + cap(p.clock.read) + cap(p.clock.never))
	if p.sessions != nil {
		return n + p.sessions.sizeBytes()
	}
	return n + p.slices.sizeBytes()
}

func firstColumns(n int) []int {
	by := make([]int, n)
	for i := range by {
		by[i] = i
	}
	return by
}
