package worker

import (
	"cmp"
	"slices"

	"github.com/leatio/leat/cloud/record"
)

// LaneKey names a sequence of frames.
type LaneKey struct {
	Agent    string
	Epoch    uint64
	Pipeline string
	Version  uint64
	Lane     uint32
}

// lane is what the worker knows of one sequence of frames.
type lane struct {
	last      uint64
	sum       uint32
	watermark int64
	idle      bool
	away      bool
	dirty     bool // changed since the last checkpoint
}

// verdict is what the sequence rule says of an entry.
type verdict uint8

const (
	apply verdict = iota
	duplicate
	gap      // numbers between are missing
	mismatch // the frame before is not the one that was applied
	fenced   // a lower store epoch than one already seen
)

// judge is the sequence rule.
func (l *lane) judge(e *record.Entry) verdict {
	switch {
	case e.To <= l.last:
		return duplicate
	case e.From != l.last+1:
		return gap
	case e.Before != l.sum:
		return mismatch
	default:
		return apply
	}
}

// advance notes that e was applied.
func (l *lane) advance(e *record.Entry) {
	l.last, l.sum = e.To, e.Sum
	l.idle = e.Flags&record.FlagIdle != 0
	l.away = false
	l.watermark = max(l.watermark, e.Watermark)
	l.dirty = true
}

// laneSet holds the lanes of one pipeline version, and of all of them in order
// for checkpoints.
type laneSet map[LaneKey]*lane

// get gives a lane, new if need be.
func (s laneSet) get(k LaneKey) *lane {
	l := s[k]
	if l == nil {
		l = &lane{watermark: record.NoWatermark}
		s[k] = l
	}
	return l
}

// sorted gives the keys in a fixed order.
func (s laneSet) sorted() []LaneKey {
	keys := make([]LaneKey, 0, len(s))
	for k := range s {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b LaneKey) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Pipeline, b.Pipeline),
			cmp.Compare(a.Version, b.Version), cmp.Compare(a.Lane, b.Lane))
	})
	return keys
}

// watermarks gives the watermark up to which windows fire and the one below
// which state can be forgotten.
//
//	fire: the lowest of the active lanes; where none is active, the highest of the idle ones
//	keep: the lowest of all lanes that may still hold rows: active and away ones
//
// Lanes without a watermark have seen no row and hold up nothing.
func (s laneSet) watermarks() (fire, keep int64) {
	const none = record.NoWatermark
	active, idle, away := int64(none), int64(none), int64(none)
	lower := func(a, b int64) int64 {
		if a == none {
			return b
		}
		return min(a, b)
	}
	for _, l := range s {
		switch {
		case l.watermark == none:
		case l.away:
			away = lower(away, l.watermark)
		case l.idle:
			idle = max(idle, l.watermark)
		default:
			active = lower(active, l.watermark)
		}
	}
	fire = active
	if fire == none {
		fire = idle
	}
	keep = fire
	if away != none && keep != none {
		keep = min(keep, away)
	}
	return fire, keep
}
