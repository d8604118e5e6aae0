package engine

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/keys"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/step"
	"github.com/leatio/leat/engine/window"
)

// edgeFinal is a window that ends on the edge: it takes the partials of the
// partial window before it, when one of its windows is due or its state is asked for. Its
// state goes by key, as an agent keeps it: sections get a column _gone.
type edgeFinal struct {
	*resultWindow
	final    *window.Final
	source   *edgeWindow
	partials *batch.Batch
	early    int64
	round    int64 // of early emissions: the watermark over early

	sections []keyedSection
	moves    bool // sessions move as they grow, so that old places are to be looked for each time
	fell     bool // windows may have been forgotten since the last changes
	epoch    int64
}

// keyedSection is what was given of one section of the state.
type keyedSection struct {
	nkeys int
	by    []int
	given keys.Table
	round []uint64 // by slot: of the last look at everything
	now   uint64
	out   *batch.Batch
	key   []byte
}

func (e *Edge) edgeFinal(t *tree, n *plan.Node, w *plan.Window) (operator, error) {
	source, ok := t.op(n.Input).(*edgeWindow)
	if !ok || source.ported {
		return nil, fmt.Errorf("a window ends on the edge that reads no partial window, or one with a port: %w", ErrPlan)
	}
	r, final, err := newFinalWindow(w, e.env, window.FinalConfig{LastOnly: e.cfg.LastOnly})
	if err != nil {
		return nil, err
	}
	source.local = true
	partial, err := window.PartialSchema(w)
	if err != nil {
		return nil, err
	}
	f := &edgeFinal{resultWindow: r, final: final, source: source, partials: batch.New(partial), early: w.EarlyMicros, moves: w.Session()}
	for _, s := range final.SnapshotSchemas() {
		k := keyedSection{nkeys: keysOf(s), out: batch.New(withGone(s))}
		for i := range k.nkeys {
			k.by = append(k.by, i)
		}
		f.sections = append(f.sections, k)
	}
	return f, nil
}

// keysOf is how many columns at the front of a section name a row: up to the last
// that is a place in time.
func keysOf(s batch.Schema) int {
	for i := len(s) - 1; i >= 0; i-- {
		if slices.Contains([]string{plan.FirstEnd, plan.SliceEnd, plan.WindowEnd}, s[i].Name) {
			return i + 1
		}
	}
	return 0
}

func withGone(s batch.Schema) batch.Schema {
	return append(slices.Clone(s), batch.Field{Name: step.GoneColumn, Type: batch.Bool})
}

// pull takes what the partial window has.
func (f *edgeFinal) pull() error {
	if f.source.fresh.Rows() == 0 {
		return nil
	}
	f.partials.Reset()
	f.source.fresh.Drain(f.partials)
	return f.final.Merge(f.partials)
}

func (f *edgeFinal) advance(fire, keep int64, emit Emit) error {
	at, due := f.final.FireableAt()
	end, pending := f.source.fresh.EarliestPending()
	due = due && at <= fire || pending && end <= fire || f.source.fresh.Full()
	if f.early > 0 && fire/f.early != f.round {
		due, f.round = true, fire/f.early
	}
	if !due {
		return nil
	}
	if err := f.pull(); err != nil {
		return err
	}
	f.fell = true
	return f.resultWindow.advance(fire, keep, emit)
}

func (f *edgeFinal) stateSchemas() []Section {
	var out []Section
	for i, s := range f.SnapshotSchemas() {
		out = append(out, Section{Schema: withGone(s), Keys: f.sections[i].nkeys, Gone: true})
	}
	return out
}

func (f *edgeFinal) changes(full bool, emit func(int, *batch.Batch) error) error {
	if err := f.pull(); err != nil {
		return err
	}
	for i := range f.sections {
		f.sections[i].begin(full)
	}
	err := f.Snapshot(full, func(i int, b *batch.Batch) error {
		f.sections[i].give(b)
		return nil
	})
	if err == nil && !full && (f.fell || f.moves) {
		err = f.lookForGone()
	}
	f.fell = false
	if err != nil {
		return err
	}
	if !full && !f.isNews() {
		return nil
	}
	for i := range f.sections {
		if err := emit(i, f.sections[i].out); err != nil {
			return err
		}
	}
	return nil
}

// isNews tells whether there is more to say than the header says every time.
func (f *edgeFinal) isNews() bool {
	epoch := f.epoch
	if head := f.sections[0].out; head.N > 0 {
		epoch = head.Cols[1].Ints[0]
	}
	news := epoch != f.epoch
	f.epoch = epoch
	for i := 1; i < len(f.sections); i++ {
		news = news || f.sections[i].out.N > 0
	}
	return news
}

// lookForGone goes through the whole state and says which rows are no more.
func (f *edgeFinal) lookForGone() error {
	for i := range f.sections {
		f.sections[i].now++
	}
	err := f.Snapshot(true, func(i int, b *batch.Batch) error {
		f.sections[i].see(b)
		return nil
	})
	for i := range f.sections {
		f.sections[i].sayGone()
	}
	return err
}

func (k *keyedSection) begin(full bool) {
	k.out.Reset()
	for i := range k.out.Cols {
		k.out.Cols[i].Dict = nil
	}
	if full {
		k.given.Clear()
		k.round = k.round[:0]
	}
}

// give appends rows to what is said.
func (k *keyedSection) give(b *batch.Batch) {
	k.see(b)
	last := len(k.out.Cols) - 1
	for c := range last {
		for n := range b.Len() {
			k.out.Cols[c].AppendFrom(&b.Cols[c], rowAt(b, n))
		}
	}
	k.out.Cols[last].Bools = append(k.out.Cols[last].Bools, make([]bool, b.Len())...)
	k.out.N += b.Len()
}

// see notes that rows are there.
func (k *keyedSection) see(b *batch.Batch) {
	for n := range b.Len() {
		k.key = batch.AppendKey(k.key[:0], b.Cols, k.by, rowAt(b, n))
		slot, _ := k.given.Insert(k.key)
		for int(slot) >= len(k.round) {
			k.round = append(k.round, 0)
		}
		k.round[slot] = k.now
	}
}

// sayGone appends the rows that the last look at everything did not see.
func (k *keyedSection) sayGone() {
	last := len(k.out.Cols) - 1
	for slot := range uint32(k.given.Slots()) {
		if !k.given.Live(slot) || k.round[slot] == k.now {
			continue
		}
		keys.AppendColumns(k.out.Cols[:k.nkeys], k.given.Key(slot))
		for c := k.nkeys; c < last; c++ {
			k.out.Cols[c].AppendZero()
		}
		k.out.Cols[last].Bools = append(k.out.Cols[last].Bools, true)
		k.out.N++
		k.given.Delete(slot)
	}
}

func (f *edgeFinal) restore(section int, b *batch.Batch) error {
	k := &f.sections[section]
	last := len(k.out.Cols) - 1
	if len(b.Cols) != last+1 || b.Cols[last].Type != batch.Bool || b.Cols[last].Len() != b.N {
		return fmt.Errorf("%w: section %d has no column %s", window.ErrBatch, section, step.GoneColumn)
	}
	rows := batch.Batch{Cols: b.Cols[:last], N: b.N, Sel: make([]uint32, 0, b.Len())}
	for n := range b.Len() {
		if r := rowAt(b, n); !b.Cols[last].Bools[r] {
			rows.Sel = append(rows.Sel, uint32(r))
		}
	}
	if rows.Len() == 0 {
		return nil
	}
	if err := f.Restore(section, &rows); err != nil {
		return err
	}
	k.see(&rows)
	return nil
}
