package window

import (
	"cmp"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// paneID names a pane: the slice, and the end of the first window that counts it.
type paneID struct {
	span
	first int64
}

func (a paneID) compare(b paneID) int {
	return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), cmp.Compare(a.first, b.first))
}

// sliceColumns is how many columns of a partial name its key and slice.
func (s *shape) sliceColumns() int {
	if s.firstEnd >= 0 {
		return s.firstEnd + 1
	}
	return len(s.keys) + 2
}

// paneOfPartial is where row r of a batch of partials belongs.
func (s *shape) paneOfPartial(b *batch.Batch, r int) paneID {
	nk := len(s.keys)
	id := paneID{span: span{b.Cols[nk].Ints[r], b.Cols[nk+1].Ints[r]}}
	if id.first = id.end; s.firstEnd >= 0 {
		id.first = b.Cols[s.firstEnd].Ints[r]
	}
	return id
}

// paneOfRow is where row r of a batch of forwarded rows belongs.
func (s *shape) paneOfRow(b *batch.Batch, r int) paneID {
	nk := len(s.keys)
	sl, _ := s.sliceOf(b.Cols[nk].Ints[r]) // checkRows saw to its being a time
	id := paneID{sl, sl.end}
	if s.firstEnd >= 0 {
		id.first = b.Cols[nk+1].Ints[r]
	}
	return id
}

// pane holds the states of one slice that count for the windows that contain it and end at first or later.
type pane struct {
	paneID
	last    int64 // end of the last window that contains it
	index   groupIndex
	slots   []uint32
	fresh   []uint32 // slots that changed since the last Advance, where windows of it may have been emitted
	changed []uint32 // slots that changed since the last snapshot
}

// emitted is a window that was emitted, or should have been.
type emitted struct {
	span
	revision int64 // 0 = never emitted
	epoch    int64 // of the last time
	changed  bool  // since the last snapshot
	due      bool  // it stands in sliced.due
	// dirty are the groups that changed since; inDirty is the set of them. They mean nothing while revision is 0.
	dirty   []uint32
	inDirty groupIndex
}

func (e *emitted) mark(group uint32) {
	if _, ok := e.inDirty.get(group); !ok {
		e.inDirty.put(group, 0)
		e.dirty = append(e.dirty, group)
	}
}

func (e *emitted) clean() { e.dirty, e.inDirty = nil, groupIndex{} }

// sorted is a list in order, to whose end most is added and from whose beginning all is taken.
type sorted[K any, E interface{ id() K }] struct {
	items   []E
	compare func(a, b K) int
}

func (p *pane) id() paneID { return p.paneID }

func (e *emitted) id() span { return e.span }

// search is where the first item stands that is not below k.
func (s *sorted[K, E]) search(k K) int {
	i, _ := slices.BinarySearchFunc(s.items, k, func(e E, k K) int { return s.compare(e.id(), k) })
	return i
}

func (s *sorted[K, E]) get(k K) (e E, ok bool) {
	if i := s.search(k); i < len(s.items) && s.compare(s.items[i].id(), k) == 0 {
		return s.items[i], true
	}
	return e, false
}

func (s *sorted[K, E]) insert(e E) {
	if n := len(s.items); n == 0 || s.compare(s.items[n-1].id(), e.id()) < 0 {
		s.items = append(s.items, e)
		return
	}
	s.items = slices.Insert(s.items, s.search(e.id()), e)
}

// drop takes the first n away.
func (s *sorted[K, E]) drop(n int) {
	clear(s.items[:n])
	s.items = s.items[n:]
}
