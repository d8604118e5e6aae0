package checkpoint

import "slices"

// loc is where a record stands. Segment 0 means that it is lost.
type loc struct {
	segment uint32
	offset  uint32
	length  uint32 // of the data
}

// run is the index of the records [first, next) of one stream and kind. It
// costs 12 bytes a record, so MaxBytes bounds it.
type run struct {
	first, next uint64
	locs        []loc // of the records first.., after head dropped ones
	head        int
}

func (r *run) len() int { return len(r.locs) - r.head }

// reset makes the run [first, next) with every record lost until set says where.
func (r *run) reset(first, next uint64) {
	*r = run{first: first, next: next, locs: make([]loc, next-first)}
}

func (r *run) has(seq uint64) bool { return seq >= r.first && seq < r.next }

func (r *run) at(seq uint64) loc { return r.locs[r.head+int(seq-r.first)] }

func (r *run) set(seq uint64, l loc) { r.locs[r.head+int(seq-r.first)] = l }

func (r *run) push(l loc) {
	r.locs = append(r.locs, l)
	r.next++
}

// dropTo makes first the first record and hands the ones before it to f.
func (r *run) dropTo(first uint64, f func(loc)) {
	for r.first < first {
		f(r.locs[r.head])
		r.head++
		r.first++
	}
	switch {
	case r.head == len(r.locs):
		r.locs, r.head = nil, 0
	case r.head >= 1024 && r.head > len(r.locs)/2:
		r.locs, r.head = slices.Clone(r.locs[r.head:]), 0
	}
}

// segment is one file of the outbox.
type segment struct {
	number    uint32
	size      int64
	live      int   // records
	liveBytes int64 // with their headers
	damaged   bool  // set aside instead of deleted
}

// segmentSet knows the segment files and what is live in each.
type segmentSet struct {
	byNumber map[uint32]*segment
	order    []*segment // ascending; the last may be the one being written
	size     int64      // of all
}

func newSegmentSet() segmentSet { return segmentSet{byNumber: map[uint32]*segment{}} }

// add appends a segment with the highest number so far.
func (s *segmentSet) add(seg *segment) {
	s.byNumber[seg.number] = seg
	s.order = append(s.order, seg)
	s.size += seg.size
}

func (s *segmentSet) remove(seg *segment) {
	delete(s.byNumber, seg.number)
	s.order = slices.DeleteFunc(s.order, func(o *segment) bool { return o == seg })
	s.size -= seg.size
}

func (s *segmentSet) gained(l loc) {
	if seg := s.byNumber[l.segment]; seg != nil {
		seg.live++
		seg.liveBytes += recordBytes(int(l.length))
	}
}

func (s *segmentSet) lost(l loc) {
	seg := s.byNumber[l.segment]
	if seg == nil {
		return
	}
	seg.live--
	seg.liveBytes -= recordBytes(int(l.length))
	if seg.live < 0 || seg.liveBytes < 0 {
		panic("BUG: checkpoint: a segment has fewer than no live records")
	}
}

func (s *segmentSet) liveBytes() int64 {
	var n int64
	for _, seg := range s.order {
		n += seg.liveBytes
	}
	return n
}
