package expr

import (
	"bytes"
	"strings"

	"github.com/leatio/leat/engine/batch"
)

// relation is one of three tests. The other comparisons are their negations,
// because every type has a total order: NaN equals itself and is above all.
type relation uint8

const (
	less relation = iota
	lessEqual
	equal
)

// comparison is a relation, negated or not.
type comparison struct {
	rel relation
	neg bool
}

var comparisons = [...]struct {
	op string
	comparison
}{
	{"=", comparison{equal, false}}, {"<>", comparison{equal, true}},
	{"<", comparison{less, false}}, {">=", comparison{less, true}},
	{"<=", comparison{lessEqual, false}}, {">", comparison{lessEqual, true}},
}

func comparisonOf(op string) (comparison, bool) {
	for _, c := range comparisons {
		if c.op == op {
			return c.comparison, true
		}
	}
	return comparison{}, false
}

// mirrored is the comparison with its sides exchanged.
func (c comparison) mirrored() comparison {
	switch c.rel {
	case less: // a < b is b > a
		return comparison{lessEqual, !c.neg}
	case lessEqual: // a <= b is b >= a
		return comparison{less, !c.neg}
	default:
		return c
	}
}

// holds tells whether a result of a three-way comparison satisfies c.
func (c comparison) holds(order int) bool {
	switch c.rel {
	case less:
		return order < 0 != c.neg
	case lessEqual:
		return order <= 0 != c.neg
	default:
		return order == 0 != c.neg
	}
}

// compare compares two columns of one type.
type compare struct {
	comparison
	typ  batch.Type
	a, b node
	out  result
}

func (x *compare) eval(r *run, rows []uint32) *batch.Column {
	a, b := x.a.eval(r, rows), x.b.eval(r, rows)
	x.out.reset(batch.Bool, r.n)
	x.out.validFrom(r.n, a, b)
	x.columns(r, x.out.col.Bools, a, b, rows)
	return &x.out.col
}

func (c comparison) columns(r *run, dst []bool, a, b *batch.Column, rows []uint32) {
	switch a.Type {
	case batch.Bool:
		for _, i := range r.all(rows) {
			dst[i] = c.holds(b2i(a.Bools[i]) - b2i(b.Bools[i]))
		}
	case batch.Double:
		c.doubles(dst, a.Doubles, b.Doubles, rows)
	case batch.String:
		c.strings(r, dst, a, b, rows)
	case batch.Bytes:
		for _, i := range r.all(rows) {
			dst[i] = c.holds(bytes.Compare(a.Blob(int(i)), b.Blob(int(i))))
		}
	default:
		c.ints(dst, a.Ints, b.Ints, rows)
	}
}

func (c comparison) strings(r *run, dst []bool, a, b *batch.Column, rows []uint32) {
	if a.Dict == b.Dict && c.rel == equal {
		for _, i := range r.all(rows) {
			dst[i] = a.Codes[i] == b.Codes[i] != c.neg
		}
		return
	}
	for _, i := range r.all(rows) {
		if !a.Null(int(i)) && !b.Null(int(i)) {
			dst[i] = c.holds(strings.Compare(a.Str(int(i)), b.Str(int(i))))
		}
	}
}

func (c comparison) ints(dst []bool, a, b []int64, rows []uint32) {
	neg := c.neg
	if rows == nil {
		a, b = a[:len(dst)], b[:len(dst)]
		switch c.rel {
		case less:
			for i := range dst {
				dst[i] = a[i] < b[i] != neg
			}
		case lessEqual:
			for i := range dst {
				dst[i] = a[i] <= b[i] != neg
			}
		default:
			for i := range dst {
				dst[i] = a[i] == b[i] != neg
			}
		}
		return
	}
	switch c.rel {
	case less:
		for _, i := range rows {
			dst[i] = a[i] < b[i] != neg
		}
	case lessEqual:
		for _, i := range rows {
			dst[i] = a[i] <= b[i] != neg
		}
	default:
		for _, i := range rows {
			dst[i] = a[i] == b[i] != neg
		}
	}
}

// The order of doubles: NaN equals NaN and is above all numbers.

func lessDouble(a, b float64) bool      { return a < b || b != b && a == a }
func lessEqualDouble(a, b float64) bool { return a <= b || b != b }
func equalDouble(a, b float64) bool     { return a == b || a != a && b != b }

func (c comparison) doubles(dst []bool, a, b []float64, rows []uint32) {
	neg := c.neg
	if rows == nil {
		a, b = a[:len(dst)], b[:len(dst)]
		switch c.rel {
		case less:
			for i := range dst {
				dst[i] = lessDouble(a[i], b[i]) != neg
			}
		case lessEqual:
			for i := range dst {
				dst[i] = lessEqualDouble(a[i], b[i]) != neg
			}
		default:
			for i := range dst {
				dst[i] = equalDouble(a[i], b[i]) != neg
			}
		}
		return
	}
	switch c.rel {
	case less:
		for _, i := range rows {
			dst[i] = lessDouble(a[i], b[i]) != neg
		}
	case lessEqual:
		for _, i := range rows {
			dst[i] = lessEqualDouble(a[i], b[i]) != neg
		}
	default:
		for _, i := range rows {
			dst[i] = equalDouble(a[i], b[i]) != neg
		}
	}
}

// number is what compareConstant compares. A double constant is never NaN, so
// that Go's operators and the total order agree.
type number interface{ ~int64 | ~float64 }

// compareConstant compares a numeric column with a constant. As a filter it
// writes the selection directly.
type compareConstant[T number] struct {
	comparison
	a   node
	c   T
	out result
}

func newCompareConstant(cmp comparison, typ batch.Type, a node, c *literal) node {
	if typ == batch.Double {
		return &compareConstant[float64]{comparison: cmp, a: a, c: c.d}
	}
	return &compareConstant[int64]{comparison: cmp, a: a, c: c.i}
}

// values are the values of a numeric column as the kernel wants them.
func values[T number](c *batch.Column, n int) []T {
	var v any = &c.Ints
	if c.Type == batch.Double {
		v = &c.Doubles
	}
	return (*v.(*[]T))[:n]
}

func (x *compareConstant[T]) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Bool, r.n)
	x.out.validFrom(r.n, a)
	dst := x.out.col.Bools
	constantBools(x.comparison, dst, values[T](a, r.n), x.c, rows)
	return &x.out.col
}

func (x *compareConstant[T]) filter(r *run, rows, dst []uint32) []uint32 {
	a := x.a.eval(r, rows)
	v := values[T](a, r.n)
	if rows == nil {
		dst = filterDense(x.comparison, resize(dst, r.n), v, x.c)
	} else {
		dst = filterRowsBy(x.comparison, resize(dst, len(rows)), v, x.c, rows)
	}
	return present(a, dst)
}

func constantBools[T number](cmp comparison, dst []bool, a []T, c T, rows []uint32) {
	neg := cmp.neg
	if rows == nil {
		a = a[:len(dst)]
		switch cmp.rel {
		case less:
			for i := range dst {
				dst[i] = a[i] < c != neg
			}
		case lessEqual:
			for i := range dst {
				dst[i] = a[i] <= c != neg
			}
		default:
			for i := range dst {
				dst[i] = a[i] == c != neg
			}
		}
		return
	}
	switch cmp.rel {
	case less:
		for _, i := range rows {
			dst[i] = a[i] < c != neg
		}
	case lessEqual:
		for _, i := range rows {
			dst[i] = a[i] <= c != neg
		}
	default:
		for _, i := range rows {
			dst[i] = a[i] == c != neg
		}
	}
}

// filterDense writes the numbers of the rows that satisfy the comparison to
// dst, which is as long as a. There is no branch on the data.
func filterDense[T number](cmp comparison, dst []uint32, a []T, c T) []uint32 {
	k, neg := 0, b2i(cmp.neg)
	switch cmp.rel {
	case less:
		for i, v := range a {
			dst[k] = uint32(i)
			k += b2i(v < c) ^ neg
		}
	case lessEqual:
		for i, v := range a {
			dst[k] = uint32(i)
			k += b2i(v <= c) ^ neg
		}
	default:
		for i, v := range a {
			dst[k] = uint32(i)
			k += b2i(v == c) ^ neg
		}
	}
	return dst[:k]
}

// filterRowsBy is filterDense for the listed rows. dst may be rows.
func filterRowsBy[T number](cmp comparison, dst []uint32, a []T, c T, rows []uint32) []uint32 {
	k, neg := 0, b2i(cmp.neg)
	switch cmp.rel {
	case less:
		for _, i := range rows {
			dst[k] = i
			k += b2i(a[i] < c) ^ neg
		}
	case lessEqual:
		for _, i := range rows {
			dst[k] = i
			k += b2i(a[i] <= c) ^ neg
		}
	default:
		for _, i := range rows {
			dst[k] = i
			k += b2i(a[i] == c) ^ neg
		}
	}
	return dst[:k]
}

// compareRow is the three-way comparison of one row of two columns of one type.
func compareRow(a, b *batch.Column, i int) int {
	switch a.Type {
	case batch.Bool:
		return b2i(a.Bools[i]) - b2i(b.Bools[i])
	case batch.Double:
		x, y := a.Doubles[i], b.Doubles[i]
		return b2i(lessDouble(y, x)) - b2i(lessDouble(x, y))
	case batch.String:
		return strings.Compare(a.Str(i), b.Str(i))
	case batch.Bytes:
		return bytes.Compare(a.Blob(i), b.Blob(i))
	default:
		return b2i(a.Ints[i] > b.Ints[i]) - b2i(a.Ints[i] < b.Ints[i])
	}
}
