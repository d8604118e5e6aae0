package window

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
)

// store holds the keys and the accumulators of a Final, by slot. A slot is a
// state of a key, or scratch.
type store struct {
	shape     *shape
	max       int   // states
	forwarded []int // by accumulator: its column in forwarded rows; -1 = none

	keys   *keyTable
	codes  codeCache // group by code of a single string key
	refs   []uint32  // by group: states of it
	live   int       // groups with states
	states *states
	group  []uint32 // by slot
	free   []uint32 // slots
	grown  int      // slots that the accumulators have
	held   int      // states
	by     []int
	key    []byte // scratch
}

func newStore(s *shape, limit int) (*store, error) {
	st := &store{shape: s, max: limit, keys: newKeyTable(s.keys, bySQL), by: firstColumns(len(s.keys))}
	for _, a := range s.accs {
		at := slices.Index(s.arguments, a.column)
		if at >= 0 {
			at += len(s.keys) + 2
		}
		st.forwarded = append(st.forwarded, at)
	}
	var err error
	st.states, err = newStates(s)
	return st, err
}

// slot gives a slot that is not in use, in the identity state.
func (st *store) slot() uint32 {
	if n := len(st.free); n > 0 {
		slot := st.free[n-1]
		st.free = st.free[:n-1]
		return slot
	}
	st.group = append(st.group, 0)
	if n := len(st.group); n > st.grown { // not for each slot anew
		st.grown = n + n/8 + 64
		st.states.grow(st.grown)
	}
	return uint32(len(st.group) - 1)
}

// release clears slots and gives them back.
func (st *store) release(slots []uint32) {
	st.states.clear(slots)
	st.free = append(st.free, slots...)
}

// hold gives a slot for a state of a group.
func (st *store) hold(group uint32) uint32 {
	slot := st.slot()
	st.group[slot] = group
	for int(group) >= len(st.refs) {
		st.refs = append(st.refs, 0)
	}
	if st.refs[group]++; st.refs[group] == 1 {
		st.live++
	}
	st.held++
	return slot
}

// drop gives slots of states back.
func (st *store) drop(slots []uint32) {
	for _, s := range slots {
		g := st.group[s]
		if st.refs[g]--; st.refs[g] == 0 {
			st.live--
		}
	}
	st.held -= len(slots)
	st.release(slots)
}

// groupOf is the group of the key in row r of b, whose first columns are the keys.
func (st *store) groupOf(b *batch.Batch, r int) uint32 {
	if len(st.by) != 1 || b.Cols[0].Type != batch.String || b.Cols[0].Null(r) {
		st.key = batch.AppendKey(st.key[:0], b.Cols, st.by, r)
		return st.keys.group(st.key)
	}
	if d := b.Cols[0].Dict; st.codes.dict != d {
		st.codes.renew(d)
	}
	code := b.Cols[0].Codes[r]
	if known := st.codes.code; int(code) < len(known) && known[code] != 0 {
		return known[code] - 1
	}
	st.key = batch.AppendKey(st.key[:0], b.Cols, st.by, r)
	group := st.keys.group(st.key)
	st.codes.set(code, group)
	return group
}

// find is the group of the key in row r of b, if it is known.
func (st *store) find(b *batch.Batch, r int) (group uint32, ok bool) {
	st.key = batch.AppendKey(st.key[:0], b.Cols, st.by, r)
	return st.keys.find(st.key)
}

// room tells whether fresh more states fit.
func (st *store) room(fresh int) error {
	if st.held+fresh <= st.max {
		return nil
	}
	return fmt.Errorf("%w: %d held, %d more, the limit is %d: use larger windows or fewer keys, or raise the limit", ErrFull, st.held, fresh, st.max)
}

// crowded asks for compact: most known keys have no states.
func (st *store) crowded() bool { return st.keys.len() > 1024+2*st.live }

// compact starts new keys, with those that have states or are kept. It gives the new groups by old group.
func (st *store) compact(kept func(group uint32) bool) (moved []uint32) {
	old, oldRefs := st.keys, st.refs
	st.keys, st.refs, st.codes = newKeyTable(st.shape.keys, bySQL), nil, codeCache{}
	moved = make([]uint32, old.len())
	for g := range old.len() {
		refs := uint32(0)
		if g < len(oldRefs) {
			refs = oldRefs[g]
		}
		if refs > 0 || kept(uint32(g)) {
			moved[g] = st.keys.group(old.bytes(uint32(g)))
			st.refs = append(st.refs, refs)
		}
	}
	return moved
}

// addRows adds rows of the schema of forwarded rows to slots.
func (st *store) addRows(slots []uint32, b *batch.Batch, times []int64, rows []uint32) {
	for i, a := range st.states.accs {
		var col *batch.Column
		if k := st.forwarded[i]; k >= 0 {
			col = &b.Cols[k]
		}
		a.Add(slots, col, times, rows)
	}
}

// mergeSlots merges the states of from into those of slots, one by one.
func (st *store) mergeSlots(slots, from []uint32) {
	if len(slots) > 0 {
		st.states.mergeSlots(slots, from)
	}
}

func (st *store) sizeBytes() int {
	return st.keys.sizeBytes() + st.states.sizeBytes() + 4*(cap(st.refs)+cap(st.group)+cap(st.free)+cap(st.codes.code))
}

// resultBatch gathers results and gives them on in batches of at most 4,096 rows.
type resultBatch struct {
	store        *store
	completeness func(windowEnd int64) (seen, expected int64)
	out          *batch.Batch
	emit         func(*batch.Batch) error
}

// resultRows bounds the rows of a result batch.
const resultRows = 4096

// add appends results of one window: of the keys of groups from slots, all of one revision.
func (r *resultBatch) add(w span, groups, slots []uint32, revision int64) error {
	for len(slots) > 0 {
		n := min(len(slots), resultRows-r.out.N)
		if err := r.append(w, groups[:n], slots[:n], revision); err != nil {
			return err
		}
		groups, slots = groups[n:], slots[n:]
		if r.out.N == resultRows {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *resultBatch) append(w span, groups, slots []uint32, revision int64) error {
	r.begin(w, groups)
	cols, nk := r.out.Cols, len(r.store.shape.keys)
	for i, res := range r.store.shape.results {
		if err := aggregate.Finish(res.function, res.param, r.store.states.args[i], slots, &cols[2+nk+i]); err != nil {
			return err
		}
	}
	r.end(w, len(groups), revision)
	for i := range slots {
		if r.out.Deleted != nil {
			r.out.Deleted = r.out.Deleted.Append(r.out.N+i, false)
		}
	}
	r.out.N += len(slots)
	return nil
}

// remove appends rows that take results back.
func (r *resultBatch) remove(w span, groups []uint32, revision int64) error {
	for _, g := range groups {
		r.begin(w, []uint32{g})
		nk := len(r.store.shape.keys)
		for i := range r.store.shape.results {
			r.out.Cols[2+nk+i].AppendNull()
		}
		r.end(w, 1, revision)
		if r.out.Deleted == nil {
			r.out.Deleted = batch.NewBitmap(r.out.N, false)
		}
		r.out.Deleted = r.out.Deleted.Append(r.out.N, true)
		if r.out.N++; r.out.N == resultRows {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin appends the columns before the results.
func (r *resultBatch) begin(w span, groups []uint32) {
	if r.out.N == 0 {
		renewDicts(r.out)
	}
	appendInts(&r.out.Cols[0], w.start, len(groups))
	appendInts(&r.out.Cols[1], w.end, len(groups))
	r.store.keys.appendKeys(r.out.Cols[2:], groups, nil)
}

// end appends the columns behind the results.
func (r *resultBatch) end(w span, n int, revision int64) {
	cols := r.out.Cols
	if r.store.shape.complete {
		seen, expected := int64(1), int64(1)
		if r.completeness != nil {
			seen, expected = r.completeness(w.end)
		}
		appendInts(&cols[len(cols)-3], seen, n)
		appendInts(&cols[len(cols)-2], expected, n)
	}
	appendInts(&cols[len(cols)-1], revision, n)
}

func (r *resultBatch) flush() error {
	if r.out.N == 0 {
		return nil
	}
	err := r.emit(r.out)
	r.out.Reset()
	return err
}
