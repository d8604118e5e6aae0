package expr

import (
	"github.com/leatio/leat/engine/batch"
)

// literal is a constant. Kernels that have a form for constants look at it
// when they are compiled; the others read it as a column of equal values,
// which is filled once and kept.
type literal struct {
	typ  batch.Type
	null bool
	b    bool
	i    int64
	d    float64
	s    string
	p    []byte

	out    result
	filled int
}

func (l *literal) eval(r *run, _ []uint32) *batch.Column {
	if l.out.col.Type == 0 || l.filled < r.n || (l.typ == batch.String && l.out.col.Dict != r.dict) {
		l.broadcast(r)
	}
	l.trim(r.n)
	return &l.out.col
}

// trim makes the column n rows long, of the filled ones.
func (l *literal) trim(n int) {
	c := &l.out.col
	switch l.typ {
	case batch.Bool:
		c.Bools = c.Bools[:n]
	case batch.Double:
		c.Doubles = c.Doubles[:n]
	case batch.String:
		c.Codes = c.Codes[:n]
	case batch.Bytes:
		c.Offsets = c.Offsets[:n+1]
	default:
		c.Ints = c.Ints[:n]
	}
}

func (l *literal) broadcast(r *run) {
	n := r.n
	l.filled = n
	l.out.reset(l.typ, n)
	c := &l.out.col
	switch l.typ {
	case batch.Bool:
		repeat(c.Bools, l.b)
	case batch.Double:
		repeat(c.Doubles, l.d)
	case batch.String:
		c.Dict = r.dict
		repeat(c.Codes, r.dict.CodeString(l.s))
	case batch.Bytes:
		for range n {
			c.AppendBlob(l.p)
		}
	default:
		repeat(c.Ints, l.i)
	}
	if l.null {
		l.out.fill(n, false)
	}
}

func repeat[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// constant tells whether nd is a literal other than null.
func constant(nd node) (*literal, bool) {
	l, ok := nd.(*literal)
	return l, ok && !l.null
}
