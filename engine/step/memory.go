package step

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/keys"
)

// memory is the keys that a step knows, in order of first sight, and what
// Changes has to tell of them. What is remembered of a key belongs to the step
// (states); both are indexed by slot.
type memory struct {
	// constant
	schema batch.Schema // of the state
	nkeys  int
	max    int
	reject RejectFunc
	states states

	index *keys.Index
	born  []uint64 // by slot: when the key was first seen
	next  uint64

	evicts   bool       // forgets the oldest key where there is no room; else new keys are refused
	queue    []newcomer // in order of born; entries of keys that are gone are passed over
	head     int
	restored bool // queue is to be sorted first

	// What Changes tells. Nothing is noted before somebody asked.
	noting  bool
	flags   []uint8 // by slot
	changed []uint32
	gone    keyList

	stats Stats
}

// states is what a step remembers, by slot.
type states interface {
	// grow makes slots [0, n) usable.
	grow(n int)
	// begin makes a slot that of a key not seen before.
	begin(slot uint32)
	// end lets go of a slot's memory.
	end(slot uint32)
	// save appends a slot's state to the columns behind the key.
	save(cols []batch.Column, slot uint32)
	// load is the inverse of save, for a row of columns that check let pass.
	load(cols []batch.Column, row int, slot uint32)
	// check tells whether row is one that save gives.
	check(cols []batch.Column, row int) error
}

// bornColumn follows the keys of a state: the order in which keys were first seen.
const bornColumn = "_born"

type newcomer struct {
	slot uint32
	born uint64
}

// Flags of a slot.
const (
	noted  = 1 << iota // in changed
	stored             // somebody has it from Changes or gave it to Restore
)

// keyList is keys one after the other.
type keyList struct {
	bytes []byte
	ends  []int
}

func (l *keyList) add(k []byte) {
	l.bytes = append(l.bytes, k...)
	l.ends = append(l.ends, len(l.bytes))
}

func (l *keyList) each(f func(k []byte)) {
	from := 0
	for _, end := range l.ends {
		f(l.bytes[from:end])
		from = end
	}
}

func (l *keyList) reset() { l.bytes, l.ends = l.bytes[:0], l.ends[:0] }

// newMemory checks the key columns of a step. state are the columns behind the keys.
func newMemory(in batch.Schema, by []uint32, state batch.Schema, cfg Config, s states) (*memory, error) {
	m := &memory{nkeys: len(by), max: cfg.MaxKeys, reject: cfg.Reject, states: s}
	if m.max <= 0 {
		m.max = DefaultMaxKeys
	}
	at := make([]int, len(by))
	for i, k := range by {
		if int64(k) >= int64(len(in)) || slices.Contains(at[:i], int(k)) {
			return nil, fmt.Errorf("%w: key %d is column %d of %d, or stands there twice", ErrPlan, i, k, len(in))
		}
		at[i] = int(k)
		m.schema = append(m.schema, in[k])
	}
	m.schema = append(append(append(m.schema, batch.Field{Name: bornColumn, Type: batch.Int}), state...), batch.Field{Name: GoneColumn, Type: batch.Bool})
	m.index = keys.NewIndex(in, at)
	return m, nil
}

// slot is the slot of row i's key. If the key is new and there is no room for
// it, the oldest other key is forgotten.
func (m *memory) slot(b *batch.Batch, i int) (slot uint32, fresh bool) {
	slot, fresh = m.index.Slot(b, i)
	if fresh {
		m.begin(slot, m.next+1)
		for m.index.Len() > m.max {
			m.forgetOldest()
		}
	}
	return slot, fresh
}

// slotIfRoom is slot for those who forget nothing: ok is false if the key is new and there
// is no room for it.
func (m *memory) slotIfRoom(b *batch.Batch, i int) (slot uint32, fresh, ok bool) {
	if m.index.Len() >= m.max {
		if slot, ok = m.index.Find(b, i); !ok {
			m.stats.Refused++
		}
		return slot, false, ok
	}
	slot, fresh = m.index.Slot(b, i)
	if fresh {
		m.begin(slot, m.next+1)
	}
	return slot, fresh, true
}

// begin prepares the slot of a new key.
func (m *memory) begin(slot uint32, born uint64) {
	if n := m.index.Slots(); n > len(m.born) {
		m.born = append(m.born, make([]uint64, n-len(m.born))...)
		m.flags = append(m.flags, make([]uint8, n-len(m.flags))...)
		m.states.grow(n)
	}
	m.next = max(m.next, born)
	m.born[slot] = born
	if m.evicts {
		m.queue = append(m.queue, newcomer{slot, born})
	}
	m.states.begin(slot)
}

func (m *memory) forgetOldest() {
	if m.restored {
		slices.SortFunc(m.queue[m.head:], func(a, b newcomer) int { return compare(a.born, b.born) })
		m.restored = false
	}
	for {
		oldest := m.queue[m.head]
		m.head++
		if m.isNow(oldest) {
			m.stats.Forgotten++
			m.forget(oldest.slot)
			return
		}
	}
}

// isNow tells whether a newcomer is still there.
func (m *memory) isNow(n newcomer) bool {
	return m.index.Live(n.slot) && m.born[n.slot] == n.born
}

// forget deletes a key.
func (m *memory) forget(slot uint32) {
	if m.flags[slot]&stored != 0 {
		m.gone.add(m.index.Key(slot))
	}
	m.drop(slot)
}

func (m *memory) drop(slot uint32) {
	m.flags[slot] = 0
	m.states.end(slot)
	m.index.Delete(slot)
	// Those who forget by the watermark would let the queue grow.
	if live := m.index.Len(); m.evicts && (len(m.queue)-m.head > 2*live+1024 || m.head > 2*live+1024) {
		m.queue = append(m.queue[:0], m.queue[m.head:]...)
		m.queue = slices.DeleteFunc(m.queue, func(n newcomer) bool { return !m.isNow(n) })
		m.head = 0
	}
}

// touch notes that the state of a slot changed.
func (m *memory) touch(slot uint32) {
	if m.noting && m.flags[slot]&noted == 0 {
		m.flags[slot] |= noted
		m.changed = append(m.changed, slot)
	}
}

func (m *memory) StateSchema() batch.Schema { return m.schema }
func (m *memory) StateKeys() int            { return m.nkeys }

// Changes gives the keys that are gone, then the changed ones in order of first sight.
func (m *memory) Changes(full bool, dst *batch.Batch) {
	if full || !m.noting {
		m.noting = true
		m.gone.reset()
		m.changed = m.changed[:0]
		for s := range m.flags {
			if m.index.Live(uint32(s)) {
				m.flags[s] |= noted
				m.changed = append(m.changed, uint32(s))
			}
		}
	}
	last := len(dst.Cols) - 1
	m.gone.each(func(k []byte) {
		keys.AppendColumns(dst.Cols[:m.nkeys], k)
		for i := m.nkeys; i < last; i++ {
			dst.Cols[i].AppendZero()
		}
		dst.Cols[last].Bools = append(dst.Cols[last].Bools, true)
		dst.N++
	})
	m.gone.reset()
	// A slot may stand there twice, if its key was forgotten and another came.
	m.changed = slices.DeleteFunc(m.changed, func(s uint32) bool {
		due := m.flags[s]&noted != 0
		m.flags[s] &^= noted
		return !due
	})
	slices.SortFunc(m.changed, func(a, b uint32) int { return compare(m.born[a], m.born[b]) })
	for _, s := range m.changed {
		m.flags[s] |= stored
		keys.AppendColumns(dst.Cols[:m.nkeys], m.index.Key(s))
		dst.Cols[m.nkeys].Ints = append(dst.Cols[m.nkeys].Ints, int64(m.born[s]))
		m.states.save(dst.Cols[m.nkeys+1:last], s)
		dst.Cols[last].Bools = append(dst.Cols[last].Bools, false)
		dst.N++
	}
	m.changed = m.changed[:0]
}

func compare[T uint64 | int64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Restore takes a batch of Changes back in, whatever the order of its keys.
func (m *memory) Restore(b *batch.Batch) error {
	if err := m.checkState(b); err != nil {
		return err
	}
	m.noting = true
	last := len(b.Cols) - 1
	by := make([]int, m.nkeys)
	for i := range by {
		by[i] = i
	}
	var key []byte
	for n := range b.Len() {
		r := rowOf(b, n)
		key = batch.AppendKey(key[:0], b.Cols, by, r)
		if b.Cols[last].Bools[r] {
			if slot, ok := m.index.Table.Find(key); ok {
				m.drop(slot)
			}
			continue
		}
		born := uint64(b.Cols[m.nkeys].Ints[r])
		slot, fresh := m.index.Insert(key)
		if fresh || m.born[slot] != born {
			m.begin(slot, born)
			m.restored = true
		}
		m.flags[slot] |= stored
		m.states.load(b.Cols[m.nkeys+1:last], r, slot)
	}
	return nil
}

// checkState tells whether a batch is of the state's schema.
func (m *memory) checkState(b *batch.Batch) error {
	if len(b.Cols) != len(m.schema) {
		return fmt.Errorf("%w: %d columns, want %d", ErrState, len(b.Cols), len(m.schema))
	}
	for i := range b.Cols {
		if c := &b.Cols[i]; c.Type != m.schema[i].Type || c.Len() != b.N {
			return fmt.Errorf("%w: column %q is %s with %d rows, want %s with %d", ErrState, m.schema[i].Name, c.Type, c.Len(), m.schema[i].Type, b.N)
		}
	}
	last := len(b.Cols) - 1
	for n := range b.Len() {
		r := rowOf(b, n)
		if b.Cols[last].Null(r) {
			return fmt.Errorf("%w: row %d does not say whether it is gone", ErrState, r)
		}
		if b.Cols[last].Bools[r] {
			continue
		}
		if b.Cols[m.nkeys].Null(r) || b.Cols[m.nkeys].Ints[r] <= 0 {
			return fmt.Errorf("%w: row %d does not say when its key came", ErrState, r)
		}
		if err := m.states.check(b.Cols[m.nkeys+1:last], r); err != nil {
			return fmt.Errorf("%w: row %d: %w", ErrState, r, err)
		}
	}
	return nil
}

// rejectRow gives a row that cannot be worked on to whom it concerns.
func (m *memory) rejectRow(b *batch.Batch, row int, reason string) {
	if m.reject != nil {
		m.reject(b, row, reason)
	}
}

// noTime is the reason why a row without an event time is rejected.
const noTime = "no event time: the column is null"

// sizeBytes estimates the memory held, but that of the states.
func (m *memory) sizeBytes() int {
	return m.index.SizeBytes() + 9*cap(m.born) + 16*cap(m.queue) + 4*cap(m.changed) + cap(m.gone.bytes) + 8*cap(m.gone.ends)
}

// rowOf is the n-th row of b that counts.
func rowOf(b *batch.Batch, n int) int {
	if b.Sel != nil {
		return int(b.Sel[n])
	}
	return n
}

// watermarkAt is the watermark before row r.
func watermarkAt(watermarks []int64, r int, current int64) int64 {
	if watermarks == nil {
		return current
	}
	return max(current, watermarks[r])
}

// checkRows tells whether b has the columns that the step reads.
func checkRows(b *batch.Batch, in batch.Schema, watermarks []int64) error {
	if len(b.Cols) < len(in) {
		return fmt.Errorf("%w: %d columns, want %d", ErrPlan, len(b.Cols), len(in))
	}
	for i := range in {
		if b.Cols[i].Type != in[i].Type {
			return fmt.Errorf("%w: column %q is %s, want %s", ErrPlan, in[i].Name, b.Cols[i].Type, in[i].Type)
		}
	}
	if watermarks != nil && len(watermarks) < b.N {
		return fmt.Errorf("%w: %d watermarks for %d rows", ErrPlan, len(watermarks), b.N)
	}
	return nil
}

// timeColumn checks the column of the event time.
func timeColumn(in batch.Schema, at uint32) (int, error) {
	if int64(at) >= int64(len(in)) || in[at].Type != batch.Timestamp {
		return 0, fmt.Errorf("%w: event time is column %d, which is no timestamp of the input", ErrPlan, at)
	}
	return int(at), nil
}

// keyColumns are the values of a key as columns of one row.

func keyColumns(s batch.Schema, key []byte) []batch.Column {
	cols := batch.New(s).Cols
	keys.AppendColumns(cols, key)
	return cols
}
