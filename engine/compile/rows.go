package compile

import (
	"maps"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
)

// column is one column that exists at run time, before the unused are pruned.
type column struct {
	name   string
	typ    batch.Type
	origin int    // see originNone
	made   *lnode // the step that makes it; nil = it comes with the space
	text   string // see rows.text
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
	col  int // position in space.columns
}

// space is the columns of the source's rows, or of a window's results, and all
// that steps make beside them. The list only grows, over all branches: a step that makes columns appends
// them, and select and drop only change what is visible. So positions stay the same
// from step to step, and the backward pass of prune.go takes out what nobody uses.
type space struct {
	columns []column
	input   int         // columns that come with the space
	window  *windowPlan // whose results these are; nil = the source's rows
}

// rows is what flows at one point of one branch.
type rows struct {
	*space
	c       *compiler
	at      *lnode    // the last step
	visible []binding // the columns of the file's view, in order
	hidden  []binding // usable in expressions besides
	time    int       // the event time's column; -1 = none

	// After mistakes:
	lost     bool            // the columns are not known: nothing can be checked
	timeLost bool            // the event time was given wrongly
	broken   map[string]bool // names whose columns are not known
}

func newRows(c *compiler, w *windowPlan) *rows {
	s := &space{window: w}
	return &rows{space: s, c: c, at: &lnode{space: s}, time: -1, broken: map[string]bool{}}
}

// fork is the same point at the head of a branch: what branches do from here
// on does not touch the steps before.
func (r *rows) fork() *rows {
	r.at.closed = true
	out := *r
	out.visible, out.hidden, out.broken = slices.Clone(r.visible), slices.Clone(r.hidden), maps.Clone(r.broken)
	return &out
}

// column adds a column that comes with the space.
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

// step appends a step.
func (r *rows) step(n *lnode) *lnode {
	n.space, n.parent, n.base = r.space, r.at, len(r.columns)
	n.cloud = n.cloud || r.at.cloud
	r.at.kids = append(r.at.kids, n)
	r.at = n
	return n
}

// makes appends a column that the last step makes.
func (r *rows) makes(name string, t batch.Type) int {
	r.columns = append(r.columns, column{name: name, typ: t, made: r.at})
	r.at.made++
	return len(r.columns) - 1
}

// extend appends a column made by e and gives its position. A bare column
// makes none. Columns made one after the other share a step as long as none
// needs another; cloud says where the step runs.
func (r *rows) extend(name string, e *plan.Expr, cloud bool) int {
	if col, ok := bare(e); ok {
		return col
	}
	cloud = cloud || r.at.cloud
	if n := r.at; n.exprs == nil || n.closed || n.cloud != cloud || usesFrom(e, n.base) {
		r.step(&lnode{cloud: cloud})
	}
	r.at.exprs = append(r.at.exprs, e)
	return r.makes(name, batch.Type(e.Type))
}

// computed is the column that a step has made by the same expression already, or -1.
func (r *rows) computed(e *plan.Expr) int {
	for n := r.at; n != nil; n = n.parent {
		for i, have := range n.exprs {
			if pb.Equal(have, e) {
				return n.base + i
			}
		}
	}
	return -1
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
