package aggregate

import (
	"math"
	"slices"
)

// ddStore holds the counts of the bins of one sign in one of three forms: one
// or four bytes for each of 1<<class bins from lo on, or, where values are
// far apart or counts huge, a sorted list of n entries (index above ddLeast, count).
type ddStore struct {
	at    uint32 // run in the arena of the form
	lo    int32
	n     uint16 // entries of the list
	class uint8
	form  uint8
}

const (
	ddNone = iota
	dd8
	dd32
	ddList

	// A store begins with 1<<ddFirst bins of a byte each, a factor of 1.9, and doubles up to 1<<ddSmall before
	// anything else is tried.
	ddFirst = 5
	ddSmall = 7

	// Counts of a list have ddCountBits; more than 10^13 values in a bin count as so many.
	ddCountBits = 46
	ddMaxCount  = 1<<ddCountBits - 1
)

// ddBin is a bin that is not empty.
type ddBin struct {
	index int32
	count uint64
}

func ddEntry(b ddBin) uint64 { return uint64(b.index-ddLeast)<<ddCountBits | min(b.count, ddMaxCount) }

func ddBinOf(entry uint64) ddBin {
	return ddBin{int32(entry>>ddCountBits) + ddLeast, entry & ddMaxCount}
}

// stored appends the bins of p that are not empty, in ascending order.
func (a *ddsketch) stored(p *ddStore, dst []ddBin) []ddBin {
	switch p.form {
	case dd8:
		for k, c := range a.a8.run(p.at, p.class) {
			if c != 0 {
				dst = append(dst, ddBin{p.lo + int32(k), uint64(c)})
			}
		}
	case dd32:
		for k, c := range a.a32.run(p.at, p.class) {
			if c != 0 {
				dst = append(dst, ddBin{p.lo + int32(k), uint64(c)})
			}
		}
	case ddList:
		for _, e := range a.a64.run(p.at, p.class)[:p.n] {
			dst = append(dst, ddBinOf(e))
		}
	}
	return dst
}

// bins is stored with the bins that are too far below the highest in one.
func (a *ddsketch) bins(p *ddStore, dst []ddBin) []ddBin {
	n := len(dst)
	dst = a.stored(p, dst)
	return dst[:n+len(collapsed(dst[n:]))]
}

// collapsed moves the counts of all bins more than ddBins below the highest to the last one that is not. Which
// bins these are depends on the highest alone, so that it does not matter when it is done.
func collapsed(bins []ddBin) []ddBin {
	if len(bins) == 0 {
		return bins
	}
	least := bins[len(bins)-1].index - (ddBins - 1)
	if bins[0].index >= least {
		return bins
	}
	k, below := 0, uint64(0)
	for bins[k].index < least {
		below = addCounts(below, bins[k].count)
		k++
	}
	if bins[k].index == least {
		bins[k].count = addCounts(bins[k].count, below)
		return append(bins[:0], bins[k:]...)
	}
	bins[k-1] = ddBin{least, below}
	return append(bins[:0], bins[k-1:]...)
}

// add adds to a bin where the store must change for it, or may have to.
func (a *ddsketch) add(p *ddStore, index int32, count uint64) {
	if p.form == ddNone || p.form == dd8 && p.class < ddSmall {
		if a.widen(p, index) && count == 1 {
			a.a8.mem[int(p.at)<<minRun+int(index-p.lo)]++
			return
		}
	}
	if p.form == dd8 || p.form == dd32 {
		top := p.lo + int32(1)<<p.class
		if p.class == maxRun && index < p.lo {
			index = p.lo // more than ddBins below the highest; see rebuild
		}
		if index >= p.lo && index < top && a.addAt(p, int(index-p.lo), count) {
			return
		}
	}
	if p.form == ddList && a.addToList(p, index, count) {
		return
	}
	bins := a.stored(p, a.buf[:0])
	at, found := slices.BinarySearchFunc(bins, index, func(b ddBin, i int32) int { return int(b.index) - int(i) })
	if found {
		bins[at].count = addCounts(bins[at].count, count)
	} else {
		bins = slices.Insert(bins, at, ddBin{index, count})
	}
	a.buf = bins
	a.rebuild(p, collapsed(bins))
}

// widen makes the array of a store of few values wide enough for index, unless that takes more than ddSmall.
func (a *ddsketch) widen(p *ddStore, index int32) bool {
	if p.form == ddNone {
		*p = ddStore{at: a.a8.take(ddFirst), class: ddFirst, form: dd8, lo: index - 1<<ddFirst/2}
		return true
	}
	size := int64(1) << p.class
	if index >= p.lo && int64(index) < int64(p.lo)+size {
		return false // the counter is too narrow
	}
	class, lo := p.class, int64(p.lo)
	for int64(index) < lo || int64(index) >= lo+size {
		if class == ddSmall {
			return false
		}
		class++
		if size *= 2; int64(index) < lo {
			lo -= size / 2
		}
	}
	at := a.a8.take(class)
	copy(a.a8.run(at, class)[int64(p.lo)-lo:], a.a8.run(p.at, p.class))
	a.a8.give(p.at, p.class)
	p.at, p.class, p.lo = at, class, int32(lo)
	return true
}

// addAt adds to a counter of the array unless it is too narrow.
func (a *ddsketch) addAt(p *ddStore, k int, count uint64) bool {
	at := int(p.at)<<minRun + k
	if p.form == dd8 {
		c := &a.a8.mem[at]
		if uint64(*c)+min(count, math.MaxUint8+1) > math.MaxUint8 {
			return false
		}
		*c += uint8(count)
		return true
	}
	c := &a.a32.mem[at]
	if uint64(*c)+min(count, math.MaxUint32+1) > math.MaxUint32 {
		return false
	}
	*c += uint32(count)
	return true
}

// addToList adds to an entry that is there, or where there is room for one more.
func (a *ddsketch) addToList(p *ddStore, index int32, count uint64) bool {
	run := a.a64.run(p.at, p.class)
	list := run[:p.n]
	index = max(index, ddBinOf(list[len(list)-1]).index-(ddBins-1))
	at, _ := slices.BinarySearch(list, ddEntry(ddBin{index, 0}))
	if at < len(list) {
		if b := ddBinOf(list[at]); b.index == index {
			b.count = addCounts(b.count, count)
			list[at] = ddEntry(b)
			return true
		}
	}
	if len(list) == len(run) {
		return false
	}
	copy(run[at+1:], run[at:len(list)])
	run[at] = ddEntry(ddBin{index, count})
	p.n++
	return true
}

// rebuild stores bins, which are not empty, in the form that suits them.
func (a *ddsketch) rebuild(p *ddStore, bins []ddBin) {
	a.release(p)
	lo, hi := bins[0].index, bins[len(bins)-1].index
	span := int(hi-lo) + 1
	most := uint64(0)
	for _, b := range bins {
		most = max(most, b.count)
	}
	// Room on both sides; arrays that cannot hold more than ddBins on one side only, see add.
	class := runClass(span)
	p.lo = lo - int32(1<<class-span)/2
	if class == maxRun-1 {
		class, p.lo = maxRun, hi-(ddBins-1)
	}
	p.class = class
	list := 8 << runClass(len(bins))
	switch {
	case most <= math.MaxUint8 && 1<<class <= 4*list:
		p.form, p.at = dd8, a.a8.take(class)
		run := a.a8.run(p.at, class)
		for _, b := range bins {
			run[b.index-p.lo] = uint8(b.count)
		}
	case most <= math.MaxUint32 && 4<<class <= 4*list:
		p.form, p.at = dd32, a.a32.take(class)
		run := a.a32.run(p.at, class)
		for _, b := range bins {
			run[b.index-p.lo] = uint32(b.count)
		}
	default:
		p.form, p.class, p.lo, p.n = ddList, runClass(len(bins)), 0, uint16(len(bins))
		p.at = a.a64.take(p.class)
		run := a.a64.run(p.at, p.class)
		for i, b := range bins {
			run[i] = ddEntry(b)
		}
	}
}

func (a *ddsketch) release(p *ddStore) {
	switch p.form {
	case dd8:
		a.a8.give(p.at, p.class)
	case dd32:
		a.a32.give(p.at, p.class)
	case ddList:
		a.a64.give(p.at, p.class)
	}
	*p = ddStore{}
}
