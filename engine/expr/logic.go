package expr

import (
	"maps"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// junction is AND (dominant false) or OR (dominant true) of two or more
// conditions, evaluated from the left: a condition sees only the rows that
// those before it have not decided.
type junction struct {
	dominant bool
	args     []node
	out      result
	live     []uint32
}

func (x *junction) eval(r *run, rows []uint32) *batch.Column {
	first := x.args[0].eval(r, rows)
	x.out.reset(batch.Bool, r.n)
	x.out.validFrom(r.n, first)
	copy(x.out.col.Bools, first.Bools[:r.n])
	live := rows
	for _, arg := range x.args[1:] {
		live = x.undecided(r.n, live)
		if len(live) == 0 {
			break
		}
		x.join(r.n, arg.eval(r, live), live)
	}
	return &x.out.col
}

// undecided lists the rows whose value is not the dominant one. rows may be
// x.live.
func (x *junction) undecided(n int, rows []uint32) []uint32 {
	c := &x.out.col
	open, k := !x.dominant, 0
	if rows == nil {
		x.live = resize(x.live, n)
		for i, v := range c.Bools[:n] {
			x.live[k] = uint32(i)
			k += b2i(v == open || c.Null(i))
		}
		return x.live[:k]
	}
	live := resize(x.live, len(rows))
	x.live = live
	for _, i := range rows {
		live[k] = i
		k += b2i(c.Bools[i] == open || c.Null(int(i)))
	}
	return live[:k]
}

// join takes in the values of one more condition at the live rows.
func (x *junction) join(n int, c *batch.Column, live []uint32) {
	out := &x.out.col
	for _, i := range live {
		switch {
		case c.Null(int(i)):
			x.out.setNull(n, int(i))
		case c.Bools[i] == x.dominant:
			out.Bools[i] = x.dominant
			if out.Valid != nil {
				out.Valid.Set(int(i))
			}
		}
	}
}

// filter of an AND narrows the selection condition by condition. A row whose
// earlier condition is null is never true, so that it is not looked at again.
func (x *junction) filter(r *run, rows, dst []uint32) []uint32 {
	if x.dominant {
		return truth(x.eval(r, rows), r.n, rows, dst)
	}
	dst = filterRows(x.args[0], r, rows, dst)
	for _, arg := range x.args[1:] {
		if len(dst) == 0 {
			break
		}
		dst = filterRows(arg, r, dst, dst)
	}
	return dst
}

// not is the negation; not null is null.
type not struct {
	a   node
	out result
}

func (x *not) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Bool, r.n)
	x.out.validFrom(r.n, a)
	dst := x.out.col.Bools
	for i, v := range a.Bools[:r.n] {
		dst[i] = !v
	}
	return &x.out.col
}

// isNull is IS NULL, or IS NOT NULL when want is false.
type isNull struct {
	a    node
	want bool
	out  result
}

func (x *isNull) eval(r *run, rows []uint32) *batch.Column {
	a := x.a.eval(r, rows)
	x.out.reset(batch.Bool, r.n)
	dst := x.out.col.Bools
	if a.Valid == nil {
		repeat(dst, !x.want)
		return &x.out.col
	}
	for i := range dst {
		dst[i] = !a.Valid.Get(i) == x.want
	}
	return &x.out.col
}

// in is x IN (a, b, ...): true where x equals an element, else null where x or
// an element is null. Elements are evaluated only for the rows still open, among them
// those where x is null, as in x = a OR x = b.
type in struct {
	x, first node
	rest     []node
	out      result
	hit      []bool
	live     []uint32
}

func (x *in) eval(r *run, rows []uint32) *batch.Column {
	v := x.x.eval(r, rows)
	x.out.reset(batch.Bool, r.n)
	x.out.validFrom(r.n, v)
	dst := x.out.col.Bools
	live := x.live[:0]
	for _, i := range r.all(rows) {
		dst[i] = false
		live = append(live, i)
	}
	x.live = live
	x.hit = resize(x.hit, r.n)
	for e := -1; e < len(x.rest) && len(live) > 0; e++ {
		elem := x.first
		if e >= 0 {
			elem = x.rest[e]
		}
		c := elem.eval(r, live)
		comparison{rel: equal}.columns(r, x.hit, v, c, live)
		k := 0
		for _, i := range live {
			live[k] = i
			switch {
			case c.Null(int(i)) || v.Null(int(i)):
				x.out.setNull(r.n, int(i))
				k++
			case x.hit[i]:
				dst[i] = true
				if x.out.col.Valid != nil {
					x.out.col.Valid.Set(int(i))
				}
			default:
				k++
			}
		}
		live = live[:k]
	}
	return &x.out.col
}

// inNumbers is IN over constants of a numeric type; nulls tells whether the list has a null.
type inNumbers[T number] struct {
	x     node
	set   map[T]struct{}
	short []T  // the set, if it is small enough to be tried one by one
	nan   bool // the list has a NaN
	nulls bool
	out   result
}

func (x *inNumbers[T]) eval(r *run, rows []uint32) *batch.Column {
	a := x.x.eval(r, rows)
	x.out.reset(batch.Bool, r.n)
	x.out.validFrom(r.n, a)
	dst, v := x.out.col.Bools, values[T](a, r.n)
	rows = r.all(rows)
	if x.short != nil {
		for _, i := range rows {
			hit := 0
			for _, c := range x.short {
				hit |= b2i(v[i] == c)
			}
			dst[i] = hit != 0
		}
	} else {
		for _, i := range rows {
			_, dst[i] = x.set[v[i]]
		}
	}
	if !x.nan && !x.nulls {
		return &x.out.col
	}
	for _, i := range rows {
		dst[i] = dst[i] || x.nan && v[i] != v[i]
		if x.nulls && !dst[i] {
			x.out.setNull(r.n, int(i))
		}
	}
	return &x.out.col
}

// maxShort is how many constants are compared one by one faster than they are looked up.
const maxShort = 8

func (x *inNumbers[T]) settle() node {
	if len(x.set) <= maxShort {
		x.short = slices.Collect(maps.Keys(x.set))
	}
	return x
}
