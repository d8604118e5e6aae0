package columnar

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/huff0"
)

// reader reads a payload. After its first failure, which stays in err, every
// read gives zero values.
type reader struct {
	src    []byte
	err    error
	rows   int // still allowed
	budget int // bytes of values still allowed

	huff  *huff0.Scratch
	words []uint64 // scratch
	nums  []int64  // scratch
	buf   []byte   // scratch

	// Of the batch at hand, see lag.go.
	key    []uint32
	before []int32
	firsts int
	places placeTable
	last   []int32
}

// readers keeps scratch memory between calls; it holds no state.
var readers = sync.Pool{New: func() any { return new(reader) }}

func newReader(src []byte, lim Limits) *reader {
	lim = lim.withDefaults()
	r := readers.Get().(*reader)
	r.src, r.err, r.rows, r.budget = src, nil, lim.MaxRows, lim.MaxBytes
	return r
}

// maxScratch is the scratch memory, in values, that a reader keeps.
const maxScratch = 64 << 10

func (r *reader) release() {
	r.src, r.err, r.key = nil, nil, nil
	if cap(r.words) > maxScratch || cap(r.nums) > maxScratch || cap(r.buf) > 8*maxScratch {
		r.words, r.nums, r.buf, r.before, r.last, r.places = nil, nil, nil, nil, nil, placeTable{}
	}
	readers.Put(r)
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
	}
	r.src = nil
}

// charge takes n values of size bytes from the budget before they are allocated.
func (r *reader) charge(n, size int) bool {
	if r.err != nil {
		return false
	}
	if n > r.budget/size {
		r.err = fmt.Errorf("%w: its values take more memory than is allowed", ErrLimit)
		r.src = nil
		return false
	}
	r.budget -= n * size
	return true
}

func (r *reader) byte(what string) byte {
	if len(r.src) == 0 {
		r.fail("%s missing", what)
		return 0
	}
	b := r.src[0]
	r.src = r.src[1:]
	return b
}

func (r *reader) bytes(what string, n int) []byte {
	if n > len(r.src) {
		r.fail("%s of %d bytes, %d there", what, n, len(r.src))
		return nil
	}
	p := r.src[:n:n]
	r.src = r.src[n:]
	return p
}

func (r *reader) uvarint(what string) uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 {
		r.fail("%s is no number", what)
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *reader) varint(what string) int64 { return unzigzag(r.uvarint(what)) }

// count reads a number between 0 and limit.
func (r *reader) count(what string, limit int) int {
	v := r.uvarint(what)
	if r.err != nil {
		return 0
	}
	if limit < 0 || v > uint64(limit) {
		r.fail("%s is %d, at most %d is possible", what, v, limit)
		return 0
	}
	return int(v)
}

// scratch gives n zeroed words, valid until the next call.
func (r *reader) scratch(n int) []uint64 {
	if cap(r.words) < n {
		r.words = make([]uint64, n)
	}
	w := r.words[:n]
	clear(w)
	return w
}

// planeScratch gives n bytes, valid until the next call.
func (r *reader) planeScratch(n int) []byte {
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	return r.buf[:n]
}

// intScratch gives n integers, valid until the next call.
func (r *reader) intScratch(n int) []int64 {
	if cap(r.nums) < n {
		r.nums = make([]int64, n)
	}
	return r.nums[:n]
}
