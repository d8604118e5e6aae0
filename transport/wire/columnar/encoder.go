package columnar

import (
	"sync"

	"github.com/klauspost/compress/huff0"
)

// encoder is the scratch memory of one Append.
type encoder struct {
	rows   []uint32
	words  []uint64
	sample []uint64
	plane  []byte
	huff   huff0.Scratch

	ints, decimals, binaries []int64
	exceptions               [2][]int
	doubles                  []float64

	// Of the batch at hand, see lag.go.
	hasKey       bool
	before, last []int32
	firsts       []int64

	places       placeTable
	distinct     []string
	direct       []string
	codes        []int64
	numbers      []int64
	shared, rest []int64
	text         []byte
}

// encoders keeps scratch memory between calls; it holds no state.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

// release drops what keeps others' memory alive and gives the encoder back.
func (e *encoder) release() {
	clear(e.distinct[:cap(e.distinct)])
	clear(e.direct[:cap(e.direct)])
	encoders.Put(e)
}

// placeTable numbers codes in order of first sight. It is an open-addressing
// table of code+1 and place, probed linearly, whose size follows the rows, not the
// dictionary: an agent's dictionary may hold a million strings.
type placeTable struct {
	slots []placeSlot
	shift uint
}

type placeSlot struct{ code, place uint32 } // code+1; 0 = free

func (t *placeTable) reset(rows int) {
	bits := width(uint64(2*rows)) + 1
	if n := 1 << bits; cap(t.slots) < n {
		t.slots = make([]placeSlot, n)
	} else {
		t.slots = t.slots[:n]
		clear(t.slots)
	}
	t.shift = 32 - bits
}

// place gives the place of a code, and fresh where it has none yet.
func (t *placeTable) place(code, fresh uint32) (place uint32, found bool) {
	mask := uint32(len(t.slots) - 1)
	for i := code * 0x9E3779B1 >> t.shift; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.code == code+1 {
			return s.place, true
		}
		if s.code == 0 {
			*s = placeSlot{code + 1, fresh}
			return fresh, false
		}
	}
}
