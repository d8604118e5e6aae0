package expr

import (
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// maxFolded bounds the strings that are made while compiling: a plan from outside must not
// keep the compiler busy.
const maxFolded = 4096

// fold computes an operation on literals. What fails stays as it is and fails
// its rows, if it is evaluated for any.
func fold(n node, t batch.Type, args []node) node {
	for _, a := range args {
		if l, ok := a.(*literal); !ok || len(l.s)+len(l.p) > maxFolded {
			return n
		}
	}
	r := run{b: &batch.Batch{N: 1}, n: 1, dict: batch.NewDict(), batch: 1}
	c := n.eval(&r, nil)
	if r.anyFailed || r.err != nil {
		return n
	}
	l := &literal{typ: t}
	switch {
	case c.Null(0):
		l.null = true
	case t == batch.Bool:
		l.b = c.Bools[0]
	case t == batch.Double:
		l.d = c.Doubles[0]
	case t == batch.String:
		l.s = c.Str(0)
	case t == batch.Bytes:
		l.p = slices.Clone(c.Blob(0))
	default:
		l.i = c.Ints[0]
	}
	if len(l.s)+len(l.p) > maxFolded {
		return n
	}
	return l
}

// decided tells whether a condition is a literal, and whether that is true;
// null is not.
func decided(n node) (isTrue, ok bool) {
	l, ok := n.(*literal)
	return ok && !l.null && l.b, ok
}

// simplerChoice leaves out the branches of a CASE that no row takes.
func simplerChoice(x *choice) node {
	var conds, vals []node
	for i, cond := range x.conds {
		isTrue, ok := decided(cond)
		if ok && isTrue {
			x.vals = append(slices.Clone(vals), x.vals[i]) // it is the ELSE
			x.conds = conds
			return alone(x)
		}
		if !ok {
			conds, vals = append(conds, cond), append(vals, x.vals[i])
		}
	}
	x.vals = append(vals, x.vals[len(x.conds):]...)
	x.conds = conds
	return alone(x)
}

// alone is the ELSE of a CASE that has nothing else.
func alone(x *choice) node {
	switch {
	case len(x.conds) > 0:
		return x
	case len(x.vals) == 0:
		return &literal{typ: x.typ, null: true}
	}
	return x.vals[0]
}

// simplerCoalesce leaves out nulls and what stands after a literal.
func simplerCoalesce(x *coalesce) node {
	var args []node
	for _, a := range x.args {
		l, ok := a.(*literal)
		if ok && l.null {
			continue
		}
		if args = append(args, a); ok {
			break
		}
	}
	switch len(args) {
	case 0:
		return &literal{typ: x.typ, null: true}
	case 1:
		return args[0]
	}
	x.args = args
	return x
}

// simplerJunction leaves out conditions that decide nothing, and those after one that
// decides all.
func simplerJunction(x *junction) node {
	var args []node
	for _, a := range x.args {
		l, ok := constant(a)
		if !ok {
			args = append(args, a)
			continue
		}
		if l.b == x.dominant {
			args = append(args, a)
			break
		}
	}
	switch len(args) {
	case 0:
		return &literal{typ: batch.Bool, b: !x.dominant}
	case 1:
		return args[0]
	}
	x.args = args
	if !x.dominant {
		x.args = joinRanges(args)
	}
	if len(x.args) == 1 {
		return x.args[0]
	}
	return x
}
