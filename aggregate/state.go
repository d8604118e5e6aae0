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
	check := checkerOf(s)
	for i := range n {
		if r := rowAt(rows, i); !col.Null(r) && col.Offsets[r] < col.Offsets[r+1] && !check(col.Blob(r)) {
			return fmt.Errorf("state of %s in row %d: %w", s, r, ErrState)
		}
	}
	return nil
}

// checkerOf gives what tells states that are not empty.
func checkerOf(s Spec) func(src []byte) bool {
	switch s.Kind {
	case Sum:
		return func(src []byte) bool { return checkWides(src, 1) }
	case Moments:
		return func(src []byte) bool { return checkWides(src, 2) }
	case DDSketch:
		return func(src []byte) bool {
			var rare ddRare
			_, _, ok := decodeSketch(src, &rare, nil, nil)
			return ok
		}
	case HyperLogLog:
		return func(src []byte) bool {
			_, _, ok := hllDecode(src)
			return ok
		}
	default:
		return build(s).(checker).check
	}
}

func checkWides(src []byte, n int) bool {
	for range n {
		var w wide
		rest, ok := w.addEncoded(src)
		if !ok {
			return false
		}
		src = rest
	}
	return len(src) == 0
}

type checker interface{ check(src []byte) bool }
