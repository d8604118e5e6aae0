package aggregate

import (
	"encoding/binary"
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// stateReader reads the numbers of a state. Once something is wrong, bad is set and all it gives is 0.
type stateReader struct {
	src []byte
	bad bool
}

func (r *stateReader) fail() {
	r.src, r.bad = nil, true
}

func (r *stateReader) byte() byte {
	if len(r.src) == 0 {
		r.fail()
		return 0
	}
	b := r.src[0]
	r.src = r.src[1:]
	return b
}

func (r *stateReader) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 || v > most {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *stateReader) varint(least, most int64) int64 {
	v, n := binary.Varint(r.src)
	if n <= 0 || v < least || v > most {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *stateReader) bytes(n uint64) []byte {
	if n > uint64(len(r.src)) {
		r.fail()
		return nil
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

// CheckState tells whether Merge can read the encoded states in the rows (nil: all) of state columns
// from outside. Merge leaves out what it cannot read.
func CheckState(s Spec, state []batch.Column, rows []uint32) error {
	last := len(state) - 1
	if last < 0 || state[last].Type != batch.Bytes || s.Kind == First || s.Kind == Last {
		return nil
	}
	col := &state[last]
	n := col.Len()
	if rows != nil {
		n = len(rows)
	}
	for i := range n {
		if r := rowAt(rows, i); !col.Null(r) && !checkState(s, col.Blob(r)) {
			return fmt.Errorf("state of %s in row %d: %w", s, r, ErrState)
		}
	}
	return nil
}

func checkState(s Spec, src []byte) bool {
	if len(src) == 0 {
		return true
	}
	switch s.Kind {
	case Sum:
		var w wide
		rest, ok := w.addEncoded(src)
		return ok && len(rest) == 0
	case Moments:
		var w wide
		rest, ok := w.addEncoded(src)
		if ok {
			rest, ok = w.addEncoded(rest)
		}
		return ok && len(rest) == 0
	case DDSketch:
		var rare ddRare
		_, _, ok := decodeSketch(src, &rare, nil, nil)
		return ok
	case HyperLogLog:
		_, _, ok := hllDecode(src)
		return ok
	case SpaceSaving:
		return newTopK(s.In, int(s.Param)).(checker).check(src)
	case Increase:
		return newIncrease(s.In).(checker).check(src)
	}
	return false
}

type checker interface{ check(src []byte) bool }
