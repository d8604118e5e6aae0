package window

import (
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/zone"
)

// Final merges partials into the states of windows and fires them, in the
// cloud. After an error of Restore, or of Advance (which is emit's), its state
// is unspecified: start again from a snapshot.
type Final struct {
	// constant
	cfg FinalConfig

	*store
	windows windows
	tooLate int64
	begun   bool // a header was restored
	out     resultBatch
}

// windows are the windows of a Final by their nature.
type windows interface {
	// fresh tells how many states of a batch of partials, or of rows, are new.
	fresh(b *batch.Batch, rows bool) int
	// merge and addRows take a checked batch in and give the rows that came too late.
	merge(b *batch.Batch) (late []uint32)
	addRows(b *batch.Batch) (late []uint32)
	advance(fire, keep int64, out *resultBatch) error
	fireable() (watermark int64, ok bool)
	// What a snapshot holds, by section behind the header.
	sections() []batch.Schema
	rowKeys() []int
	era() int64
	snapshot(full bool, emit func(section int, b *batch.Batch) error) error
	begin(epoch int64) // a snapshot to be restored
	restore(section int, b *batch.Batch) error
	resume(fire, keep int64)
	sizeBytes() int
}

// NewFinal checks the window, whose zone is z (nil = UTC).
func NewFinal(w *plan.Window, z *zone.Zone, cfg FinalConfig) (*Final, error) {
	s, err := newShape(w, z)
	if err != nil {
		return nil, err
	}
	return newFinal(s, cfg)
}

func newFinal(s *shape, cfg FinalConfig) (*Final, error) {
	cfg = cfg.withDefaults()
	st, err := newStore(s, cfg.MaxStates)
	if err != nil {
		return nil, err
	}
	f := &Final{cfg: cfg, store: st}
	f.out = resultBatch{store: st, completeness: cfg.Completeness, out: batch.New(s.resultCols)}
	if s.gap != 0 {
		f.windows = newSessions(st, cfg)
	} else {
		f.windows = newSliced(st, cfg)
	}
	return f, nil
}

// Merge takes a batch of the partial schema in. Partials that can change no window any more
// are dropped and counted. On an error nothing was taken.
func (f *Final) Merge(b *batch.Batch) error {
	if err := f.shape.checkPartials(b, f.shape.partial); err != nil {
		return err
	}
	if err := f.checkRoom(b, false); err != nil {
		return err
	}
	if late := f.windows.merge(b); late != nil {
		f.dropped(&batch.Batch{Cols: b.Cols, N: b.N, Sel: late})
	}
	return nil
}

// AddRows takes a batch of forwarded rows in; they count as if they had come
// as partials. On an error nothing was taken.
func (f *Final) AddRows(b *batch.Batch) error {
	if err := f.shape.checkRows(b); err != nil {
		return err
	}
	if err := f.checkRoom(b, true); err != nil {
		return err
	}
	if late := f.windows.addRows(b); late != nil {
		f.dropped(f.asPartials(b, late))
	}
	return nil
}

// checkRoom tells whether the states of b fit below MaxStates.
func (f *Final) checkRoom(b *batch.Batch, rows bool) error {
	if f.held+b.Len() <= f.max {
		return nil
	}
	return f.room(f.windows.fresh(b, rows))
}

// dropped counts partials that came too late.
func (f *Final) dropped(b *batch.Batch) {
	f.tooLate += int64(b.Len())
	if f.cfg.OnTooLate != nil {
		f.cfg.OnTooLate(b)
	}
}

// asPartials makes a partial of each of the rows.
func (f *Final) asPartials(b *batch.Batch, rows []uint32) *batch.Batch {
	out, nk := batch.New(f.shape.partial), len(f.shape.keys)
	slots := make([]uint32, len(rows))
	for i, r := range rows {
		for k := range nk {
			out.Cols[k].AppendFrom(&b.Cols[k], int(r))
		}
		id := f.shape.paneOfRow(b, int(r))
		appendInts(&out.Cols[nk], id.start, 1)
		appendInts(&out.Cols[nk+1], id.end, 1)
		if f.shape.firstEnd >= 0 {
			appendInts(&out.Cols[f.shape.firstEnd], id.first, 1)
		}
		slots[i] = f.slot()
	}
	f.store.addRows(slots, b, b.Cols[nk].Ints, rows)
	f.states.appendTo(out.Cols, slots)
	f.release(slots)
	out.N = len(rows)
	return out
}

// Advance moves the watermarks, which never go back, and emits the results of every
// window that ends at or before fire and changed since it was emitted last. The first time a window
// has a row for each key with a state in it and revision 1; each further time its revision is one higher and it has
// rows for the keys that changed. Then Advance forgets the
// windows that end at least the allowed lateness before keep; these fire before, whatever fire says. Batches have up to 4,096 rows
// and come in order of window end, then start, then the keys in SQL's order (nulls last), those of windows
// that fire again first; a batch is valid until emit returns.
func (f *Final) Advance(fire, keep int64, emit func(*batch.Batch) error) error {
	f.out.emit = emit
	err := f.windows.advance(fire, keep, &f.out)
	if err == nil {
		err = f.out.flush()
	}
	f.out.emit = nil
	return err
}

// FireableAt is the lowest fire watermark at which Advance has something to emit.
func (f *Final) FireableAt() (watermark int64, ok bool) { return f.windows.fireable() }

// TooLate counts the partials dropped because their windows were forgotten.
func (f *Final) TooLate() int64 { return f.tooLate }

// States is the number of states held: of keys and slices, or of sessions.
func (f *Final) States() int { return f.held }

// SizeBytes estimates the memory held.
func (f *Final) SizeBytes() int { return f.windows.sizeBytes() + f.out.out.SizeBytes() }
