package aggregate

import (
	"cmp"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// topK counts the most frequent values: the space-saving algorithm (Metwally, Agrawal, El Abbadi 2005) in the
// form that merges (Agarwal, Cormode, Huang, Phillips, Wei, Yi: Mergeable
// Summaries, 2012). With up to capacity different values, counts are exact. Beyond that the
// least frequent are forgotten, and floor rises to the largest count forgotten. Then, of a slot of n rows and after any tree of merges,
//
//	count - error <= true count <= count    of the values held
//	true count <= floor                     of all others
//	error <= floor <= n / (capacity + 1)
//
// The last because of sum(count - floor) <= n - (capacity+1) floor over the values held: a row adds 1 to both sides,
// merging adds them up, and forgetting raises floor by d where at least capacity+1 values were d above it.
//
// A slot holds up to twice the capacity and then forgets down to capacity at once. Commutative; associative as long as
// nothing is forgotten, and within those bounds after; not idempotent. Which of equally frequent values are
// forgotten goes by their order, never by that of a table.
//
// The state is one Bytes column (see topk_state.go), empty without rows.
type topK[T int64 | string] struct {
	capacity int
	s        []topSlot[T]
	skip     present

	// values is as in timed; the values of all types but string and bytes are integers in the same order.
	values func(col *batch.Column, rows []uint32, n int) []T
	hash   func(v T) uint64
	codec  valueCodec[T]
}

// topSlot holds the values of a slot; from topScan on a table of their positions plus one.
type topSlot[T int64 | string] struct {
	entries []topEntry[T]
	table   []uint16
	floor   uint64
}

type topEntry[T int64 | string] struct {
	v            T
	tag          uint32 // of the hash
	count, error uint64
}

const (
	topScan        = 8
	maxTopCapacity = 1000
)

// topCapacity is the capacity for the k most frequent.
func topCapacity(k int) int { return max(100, 10*k) }

func (a *topK[T]) Grow(slots int) { a.s = grow(a.s, slots, topSlot[T]{}) }

func (a *topK[T]) Add(slots []uint32, col *batch.Column, _ []int64, rows []uint32) {
	slots, rows = a.skip.of(col, slots, rows)
	if len(slots) == 0 {
		return
	}
	values := a.values(col, rows, len(slots))
	for i, s := range slots {
		p, v := &a.s[s], values[i]
		a.count(p, v, 1, 0, p.floor)
		if len(p.entries) >= 2*a.capacity {
			a.forget(p)
		}
	}
}

// count adds to a value's count and error; one that is new starts at start.
func (a *topK[T]) count(p *topSlot[T], v T, count, error, start uint64) {
	tag := uint32(a.hash(v) >> 32)
	e := a.find(p, v, tag)
	if e == nil {
		p.entries = append(p.entries, topEntry[T]{v: v, tag: tag, count: start, error: start})
		e = &p.entries[len(p.entries)-1]
		if len(p.entries) > topScan {
			p.index(len(p.entries) - 1)
		}
	}
	e.count, e.error = addCounts(e.count, count), addCounts(e.error, error)
}

func (a *topK[T]) find(p *topSlot[T], v T, tag uint32) *topEntry[T] {
	if len(p.table) == 0 {
		for i := range p.entries {
			if e := &p.entries[i]; e.tag == tag && e.v == v {
				return e
			}
		}
		return nil
	}
	mask := uint32(len(p.table) - 1)
	for i := tag & mask; p.table[i] != 0; i = (i + 1) & mask {
		if e := &p.entries[p.table[i]-1]; e.tag == tag && e.v == v {
			return e
		}
	}
	return nil
}

// index puts the entry into the table, after making it large enough.
func (p *topSlot[T]) index(entry int) {
	if 2*len(p.entries) > len(p.table) {
		p.table = make([]uint16, max(4*topScan, 2*len(p.table)))
		for i := range p.entries {
			p.put(i)
		}
		return
	}
	p.put(entry)
}

func (p *topSlot[T]) put(entry int) {
	mask := uint32(len(p.table) - 1)
	i := p.entries[entry].tag & mask
	for p.table[i] != 0 {
		i = (i + 1) & mask
	}
	p.table[i] = uint16(entry + 1)
}

// byCount is the order of the result: the most frequent first, of equally frequent ones the smaller value.
func byCount[T int64 | string](a, b topEntry[T]) int {
	if a.count != b.count {
		return cmp.Compare(b.count, a.count)
	}
	return cmp.Compare(a.v, b.v)
}

// forget keeps the most frequent values.
func (a *topK[T]) forget(p *topSlot[T]) {
	if len(p.entries) <= a.capacity {
		return
	}
	slices.SortFunc(p.entries, byCount[T])
	p.floor = max(p.floor, p.entries[a.capacity].count)
	clear(p.entries[a.capacity:])
	p.entries = p.entries[:a.capacity]
	p.reindex()
}

func (p *topSlot[T]) reindex() {
	if clear(p.table); len(p.entries) <= topScan {
		p.table = nil
		return
	}
	for i := range p.entries {
		p.index(i)
	}
}

// merge takes in the entries and the floor of another slot.
func (a *topK[T]) merge(p *topSlot[T], entries []topEntry[T], floor uint64) {
	mine := p.floor
	if floor > 0 { // what the other has not may have occurred that often there
		for i := range p.entries {
			e := &p.entries[i]
			e.count, e.error = addCounts(e.count, floor), addCounts(e.error, floor)
		}
	}
	for i := range entries {
		b := &entries[i]
		if e := a.find(p, b.v, b.tag); e != nil {
			e.count, e.error = e.count-min(e.count, floor), e.error-min(e.error, floor)
		}
		a.count(p, b.v, b.count, b.error, mine)
	}
	p.floor = addCounts(mine, floor)
	if len(p.entries) >= 2*a.capacity {
		a.forget(p)
	}
}

func (a *topK[T]) MergeFrom(slots []uint32, from Accumulator, fromSlots []uint32) {
	o := peer(a, from)
	for i, s := range slots {
		b := o.s[fromSlots[i]]
		a.merge(&a.s[s], b.entries, b.floor)
	}
}

func (a *topK[T]) Clear(slots []uint32) {
	for _, s := range slots {
		p := &a.s[s]
		clear(p.entries)
		*p = topSlot[T]{entries: p.entries[:0]}
	}
}

func (a *topK[T]) SizeBytes() int {
	n := 56*cap(a.s) + a.skip.sizeBytes()
	for i := range a.s {
		p := &a.s[i]
		n += 40*cap(p.entries) + 2*cap(p.table)
		if a.codec.size != nil {
			for k := range p.entries {
				n += a.codec.size(p.entries[k].v)
			}
		}
	}
	return n
}

// top appends the k most frequent of each slot as JSON text; null without rows.
func (a *topK[T]) top(out *batch.Column, slots []uint32, k int) {
	var sorted []topEntry[T]
	var text []byte
	for _, s := range slots {
		p := &a.s[s]
		if len(p.entries) == 0 {
			out.AppendNull()
			continue
		}
		sorted = append(sorted[:0], p.entries...)
		slices.SortFunc(sorted, byCount[T])
		text = append(text[:0], '[')
		for i, e := range sorted[:min(k, len(sorted))] {
			if i > 0 {
				text = append(text, ',')
			}
			text = a.codec.json(append(text, `{"value":`...), e.v)
			text = appendMember(text, `,"count":`, e.count)
			text = append(appendMember(text, `,"error":`, e.error), '}')
		}
		putString(out, string(append(text, ']')))
	}
}
