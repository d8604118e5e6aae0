package batch

import (
	"github.com/cespare/xxhash/v2"
)

// Bounds of a Dict. A decoder that finds its Dict full starts a new one.
const (
	MaxDictEntries = 1 << 20
	MaxDictBytes   = 64 << 20
)

// Dict gives each different string a small number, in order of first sight.
// It only grows, so a (Dict, code) pair means the same string for ever. One goroutine
// uses a Dict at a time.
//
// It is an open-addressing table of codes, probed linearly; the table stores
// the upper half of each hash beside the code, so that a probe reads the
// string only when it is very likely the one.
type Dict struct {
	table  []dictSlot // a power of two long
	values []string
	bytes  int
}

type dictSlot struct {
	tag  uint32 // upper half of the hash
	code uint32 // code+1; 0 = free
}

// NewDict returns an empty Dict.
func NewDict() *Dict { return &Dict{table: make([]dictSlot, 64)} }

// Code returns the code of s and takes it in if it is new. s is copied.
func (d *Dict) Code(s []byte) uint32 {
	h := xxhash.Sum64(s)
	mask := uint64(len(d.table) - 1)
	tag := uint32(h >> 32)
	for i := h & mask; ; i = (i + 1) & mask {
		slot := d.table[i]
		if slot.code == 0 {
			return d.insert(i, tag, string(s))
		}
		if slot.tag == tag && d.values[slot.code-1] == string(s) {
			return slot.code - 1
		}
	}
}

// CodeString is Code for a string.
func (d *Dict) CodeString(s string) uint32 {
	h := xxhash.Sum64String(s)
	mask := uint64(len(d.table) - 1)
	tag := uint32(h >> 32)
	for i := h & mask; ; i = (i + 1) & mask {
		slot := d.table[i]
		if slot.code == 0 {
			return d.insert(i, tag, s)
		}
		if slot.tag == tag && d.values[slot.code-1] == s {
			return slot.code - 1
		}
	}
}

func (d *Dict) insert(at uint64, tag uint32, s string) uint32 {
	code := uint32(len(d.values))
	d.values = append(d.values, s)
	d.bytes += len(s) + 16 + 8
	d.table[at] = dictSlot{tag, code + 1}
	if 2*len(d.values) > len(d.table) {
		d.grow()
	}
	return code
}

func (d *Dict) grow() {
	d.table = make([]dictSlot, 4*len(d.table))
	mask := uint64(len(d.table) - 1)
	for code, s := range d.values {
		h := xxhash.Sum64String(s)
		i := h & mask
		for d.table[i].code != 0 {
			i = (i + 1) & mask
		}
		d.table[i] = dictSlot{uint32(h >> 32), uint32(code) + 1}
	}
}

// Value is the string of a code that this Dict gave out.
func (d *Dict) Value(code uint32) string { return d.values[code] }

// Values are the strings by code; the caller must not change them.
func (d *Dict) Values() []string { return d.values }

// Len is the number of strings.
func (d *Dict) Len() int { return len(d.values) }

// SizeBytes estimates the memory held.
func (d *Dict) SizeBytes() int { return d.bytes + 8*len(d.table) }

// Full tells whether a bound is reached and the owner should go on with a new
// Dict from the next batch on.
func (d *Dict) Full() bool { return len(d.values) >= MaxDictEntries || d.bytes >= MaxDictBytes }
