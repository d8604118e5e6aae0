package compile

import (
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// column is one column that exists at run time, before the unused are pruned.
type column struct {
	name   string
	typ    batch.Type
	origin int // see originNone
}

// What a column of a window's result identifies, if anything.
const (
	originNone = iota
	originStart
	originEnd
	originKey // originKey+i: key i
)

// binding gives a column the name by which the file knows it.
type binding struct {
	name string
	col  int // position in rows.columns
}

// rows is what flows at one point of the steps. The list of columns only
// grows: a step that makes columns appends them, and select and drop only
// change what is visible. So positions stay the same from step to step, and the
// backward pass of prune.go takes out what nobody uses.
type rows struct {
	c       *compiler
	columns []column
	visible []binding // the columns of the file's view, in order
	hidden  []binding // usable in expressions besides
	time    int       // the event time's column; -1 = none
	steps   []step    // logical steps so far
	input   int       // columns before the first step

	// After mistakes:
	lost     bool            // the columns are not known: nothing can be checked
	timeLost bool            // the event time was given wrongly
	broken   map[string]bool // names whose columns are not known
}

// step is one logical step: a condition, or columns appended to those before.
type step struct {
	where *plan.Expr
	base  int          // columns before this step
	exprs []*plan.Expr // over the base columns
	cols  []column     // what they make
}

func newRows(c *compiler) *rows { return &rows{c: c, time: -1, broken: map[string]bool{}} }

// column adds a column of the input.
func (r *rows) column(name string, t batch.Type) int {
	r.columns = append(r.columns, column{name: name, typ: t})
	r.input = len(r.columns)
	return len(r.columns) - 1
}

func (r *rows) show(name string, col int) { r.visible = append(r.visible, binding{name, col}) }

// bindings are all names that an expression may use; visible ones come first.
func (r *rows) bindings() []binding {
	all := append([]binding(nil), r.visible...)
	for _, h := range r.hidden {
		if find(r.visible, h.name) < 0 {
			all = append(all, h)
		}
	}
	return all
}

func find(bs []binding, name string) int {
	for i := range bs {
		if bs[i].name == name {
			return i
		}
	}
	return -1
}

func (r *rows) names() []string {
	out := make([]string, len(r.visible))
	for i, b := range r.visible {
		out[i] = b.name
	}
	return out
}

// schema is the view of the given bindings for the expression compiler.
func (r *rows) schema(bs []binding) batch.Schema {
	s := make(batch.Schema, len(bs))
	for i, b := range bs {
		s[i] = batch.Field{Name: b.name, Type: r.columns[b.col].typ}
	}
	return s
}

// filter appends a condition.
func (r *rows) filter(cond *plan.Expr) {
	r.steps = append(r.steps, step{where: cond, base: len(r.columns)})
}

// extend appends a column made by e and gives its position. A bare column
// makes none. Columns made one after the other share a step as long as none
// needs another.
func (r *rows) extend(name string, e *plan.Expr) int {
	if col, ok := bare(e); ok {
		return col
	}
	last := len(r.steps) - 1
	if last < 0 || r.steps[last].where != nil || usesFrom(e, r.steps[last].base) {
		r.steps = append(r.steps, step{base: len(r.columns)})
		last++
	}
	s := &r.steps[last]
	made := column{name: name, typ: batch.Type(e.Type)}
	s.exprs, s.cols = append(s.exprs, e), append(s.cols, made)
	r.columns = append(r.columns, made)
	return len(r.columns) - 1
}

func bare(e *plan.Expr) (int, bool) {
	c, ok := e.Kind.(*plan.Expr_Column)
	if !ok {
		return 0, false
	}
	return int(c.Column), true
}

// usesFrom tells whether e uses a column at or after position base.
func usesFrom(e *plan.Expr, base int) bool {
	found := false
	walkExpr(e, func(x *plan.Expr) {
		if col, ok := bare(x); ok && col >= base {
			found = true
		}
	})
	return found
}

// moved is a copy of e whose column i is to[i].
func moved(e *plan.Expr, to func(int) int) *plan.Expr {
	if e == nil {
		return nil
	}
	out := &plan.Expr{Type: e.Type, Kind: e.Kind}
	switch k := e.Kind.(type) {
	case *plan.Expr_Column:
		out.Kind = &plan.Expr_Column{Column: uint32(to(int(k.Column)))}
	case *plan.Expr_Call:
		call := &plan.Call{Op: k.Call.Op, Args: make([]*plan.Expr, len(k.Call.Args))}
		for i, a := range k.Call.Args {
			call.Args[i] = moved(a, to)
		}
		out.Kind = &plan.Expr_Call{Call: call}
	}
	return out
}

func columnRef(col int, t batch.Type) *plan.Expr {
	return &plan.Expr{Type: uint32(t), Kind: &plan.Expr_Column{Column: uint32(col)}}
}
