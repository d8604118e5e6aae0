package expr

import (
	"math"

	"github.com/leatio/leat/engine/batch"
)

// textCall is one call of a string function: its arguments and its result.
type textCall struct {
	s []string // arguments, by position
	i []int64
	// The result, by type. Strings are appended to buf.
	buf    []byte
	n      int64
	d      float64
	b      bool
	reason string // why the row fails; empty = it does not
}

type textFunc func(c *textCall)

// States of a remembered result. For bool results they are the value.
const (
	unknown = iota
	isFalse
	isTrue
)

// textNode is a function with at least one string argument. Where exactly one
// argument varies, and is a string, it computes once for each distinct (Dict,
// code) and remembers the result.
type textNode struct {
	typ   batch.Type
	f     textFunc
	args  []node
	nulls bool // the function takes a null as an empty string (concat)

	call    textCall
	cols    []*batch.Column
	varying int // the only argument that is not a literal, if it is a string; else -1
	out     result
	memo    memo
}

// memo keeps results by code of src: their state and, as 64 bits, their value.
// String results are codes of dst.
type memo struct {
	src, dst *batch.Dict
	state    []uint8
	value    []uint64
}

func newTextNode(typ batch.Type, f textFunc, args ...node) *textNode {
	t := &textNode{typ: typ, f: f, args: args, varying: -1}
	t.call.s, t.call.i = make([]string, len(args)), make([]int64, len(args))
	t.cols = make([]*batch.Column, len(args))
	n := 0
	for k, a := range args {
		if _, ok := a.(*literal); !ok {
			t.varying = k
			n++
		}
	}
	if n != 1 {
		t.varying = -1
	}
	return t
}

func (t *textNode) eval(r *run, rows []uint32) *batch.Column {
	t.prepare(r, rows)
	c := &t.out.col
	src := t.remembered()
	for _, i := range r.all(rows) {
		if c.Null(int(i)) {
			continue
		}
		if src != nil && !src.Null(int(i)) {
			if code := src.Codes[i]; int(code) < len(t.memo.state) && t.memo.state[code] != unknown {
				t.recall(int(i), code)
				continue
			}
		}
		t.compute(r, int(i))
	}
	return c
}

// filter of a bool function reads the memo without making a column.
func (t *textNode) filter(r *run, rows, dst []uint32) []uint32 {
	t.prepare(r, rows)
	c := &t.out.col
	src := t.remembered()
	rows = r.all(rows)
	dst = resize(dst, len(rows))
	k := 0
	for _, i := range rows {
		dst[k] = i
		if c.Null(int(i)) {
			continue
		}
		if src != nil {
			if code := src.Codes[i]; int(code) < len(t.memo.state) && t.memo.state[code] != unknown {
				k += b2i(t.memo.state[code] == isTrue)
				continue
			}
		}
		t.compute(r, int(i))
		k += b2i(c.Bools[i] && !c.Null(int(i)))
	}
	return dst[:k]
}

// remembered is the column whose codes the memo knows, or nil.
func (t *textNode) remembered() *batch.Column {
	if t.varying < 0 || t.cols[t.varying].Type != batch.String {
		return nil
	}
	return t.cols[t.varying]
}

func (t *textNode) prepare(r *run, rows []uint32) {
	for k, a := range t.args {
		t.cols[k] = a.eval(r, rows)
	}
	t.out.reset(t.typ, r.n)
	if !t.nulls {
		t.out.validFrom(r.n, t.cols...)
	}
	var dst *batch.Dict
	if t.typ == batch.String {
		dst = r.dict
		t.out.col.Dict = dst
	}
	if src := t.remembered(); src != nil && (t.memo.src != src.Dict || t.memo.dst != dst) {
		t.memo.src, t.memo.dst = src.Dict, dst
		clear(t.memo.state)
	}
}

// recall writes a remembered result.
func (t *textNode) recall(i int, code uint32) {
	c := &t.out.col
	switch t.typ {
	case batch.Bool:
		c.Bools[i] = t.memo.state[code] == isTrue
	case batch.Double:
		c.Doubles[i] = math.Float64frombits(t.memo.value[code])
	case batch.String:
		c.Codes[i] = uint32(t.memo.value[code])
	default:
		c.Ints[i] = int64(t.memo.value[code])
	}
}

// compute calls the function for one row. Failures are not remembered.
func (t *textNode) compute(r *run, i int) {
	call := &t.call
	call.buf, call.reason = call.buf[:0], ""
	for k, c := range t.cols {
		switch {
		case c.Type != batch.String:
			call.i[k] = c.Ints[i]
		case c.Null(i):
			call.s[k] = ""
		default:
			call.s[k] = c.Str(i)
		}
	}
	t.f(call)
	c := &t.out.col
	state, value := uint8(isTrue), uint64(0)
	switch t.typ {
	case batch.Bool:
		c.Bools[i] = call.b
		if !call.b {
			state = isFalse
		}
	case batch.Double:
		c.Doubles[i] = call.d
		value = math.Float64bits(call.d)
	case batch.String:
		if call.reason == "" && r.dict.Full() {
			call.reason = reasonStringsFull
		}
		if call.reason == "" {
			c.Codes[i] = r.dict.Code(call.buf)
			value = uint64(c.Codes[i])
		}
	default:
		c.Ints[i] = call.n
		value = uint64(call.n)
	}
	if call.reason != "" {
		r.failRow(&t.out, i, call.reason)
		return
	}
	if src := t.remembered(); src != nil && !src.Null(i) {
		t.memo.put(src, src.Codes[i], state, value, t.typ != batch.Bool)
	}
}

func (m *memo) put(src *batch.Column, code uint32, state uint8, value uint64, keep bool) {
	if code >= maxMemo {
		return
	}
	if int(code) >= len(m.state) {
		n := min(maxMemo, src.Dict.Len())
		m.state = growTo(m.state, n)
		if keep {
			m.value = growTo(m.value, n)
		}
	}
	m.state[code] = state
	if keep {
		m.value[code] = value
	}
}
