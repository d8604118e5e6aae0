package compile

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/plan"
)

// laidOut is the outcome of layOut: nodes without ids, and where columns went.
type laidOut struct {
	nodes []*plan.Node
	input []int // columns of the input that are used, ascending
	last  []int // columns after the last node, by position
}

// layOut turns the logical steps of r into nodes whose batches hold only
// columns that are still in use: a backward pass over the steps finds, for each
// place between two steps, the columns that something after it reads.
//
// At the end, final gives the columns and names of the output in order. If it is nil, the
// columns of need are there in some order, told by laidOut.last. keep are
// columns of the input that stay in it even if no step reads them.
func (r *rows) layOut(final []binding, need, keep []int) laidOut {
	live := make([]bool, len(r.columns))
	for _, b := range final {
		live[b.col] = true
	}
	for _, c := range need {
		live[c] = true
	}
	after := make([][]int, len(r.steps)) // live columns after each step, ascending
	for i := len(r.steps) - 1; i >= 0; i-- {
		after[i] = trueAt(live)
		s := &r.steps[i]
		if s.where != nil {
			mark(live, s.where)
			continue
		}
		for k, e := range s.exprs {
			if live[s.base+k] {
				mark(live, e)
				live[s.base+k] = false
			}
		}
	}
	for _, c := range keep {
		live[c] = true
	}
	out := laidOut{input: trueAt(live)}
	out.last = out.input
	for i := range r.steps {
		out.add(r, &r.steps[i], after[i])
	}
	if final != nil {
		out.finish(r, final)
	}
	return out
}

func trueAt(set []bool) []int {
	var at []int
	for i, in := range set {
		if in {
			at = append(at, i)
		}
	}
	return at
}

func mark(live []bool, e *plan.Expr) {
	walkExpr(e, func(x *plan.Expr) {
		if col, ok := bare(x); ok {
			live[col] = true
		}
	})
}

// add appends the node of one logical step, if any of it is in use.
func (l *laidOut) add(r *rows, s *step, live []int) {
	position := l.position()
	if s.where != nil {
		l.nodes = append(l.nodes, &plan.Node{
			Schema: r.columnsOf(l.last),
			Op:     &plan.Node_Where{Where: &plan.Where{Condition: moved(s.where, position)}},
		})
		return
	}
	made := func(col int) bool { return col >= s.base && col < s.base+len(s.exprs) }
	if !slices.ContainsFunc(live, made) {
		return
	}
	p := &plan.Project{}
	for _, col := range live {
		if made(col) {
			p.Columns = append(p.Columns, moved(s.exprs[col-s.base], position))
		} else {
			p.Columns = append(p.Columns, columnRef(position(col), r.columns[col].typ))
		}
	}
	l.last = live
	l.nodes = append(l.nodes, &plan.Node{Schema: r.columnsOf(live), Op: &plan.Node_Project{Project: p}})
}

// position gives where a column stands after the nodes so far.
func (l *laidOut) position() func(int) int {
	at := make(map[int]int, len(l.last))
	for i, col := range l.last {
		at[col] = i
	}
	return func(col int) int {
		i, ok := at[col]
		if !ok {
			panic(fmt.Sprintf("BUG: column %d is used after it was pruned", col))
		}
		return i
	}
}

// finish puts the columns into their final order under their final names: by
// the last projection where there is one, else by one more, unless they stand so already.
func (l *laidOut) finish(r *rows, final []binding) {
	cols := make([]*plan.Column, len(final))
	order := make([]int, len(final))
	position := l.position()
	same := len(final) == len(l.last)
	for i, b := range final {
		cols[i] = &plan.Column{Name: b.name, Type: uint32(r.columns[b.col].typ)}
		order[i] = b.col
		same = same && position(b.col) == i && r.columns[b.col].name == b.name
	}
	if same {
		return
	}
	if n := len(l.nodes); n > 0 && l.nodes[n-1].GetProject() != nil {
		p := l.nodes[n-1].GetProject()
		exprs := make([]*plan.Expr, len(final))
		for i, b := range final {
			exprs[i] = moved(p.Columns[position(b.col)], func(c int) int { return c })
		}
		p.Columns, l.nodes[n-1].Schema = exprs, cols
	} else {
		p := &plan.Project{}
		for _, b := range final {
			p.Columns = append(p.Columns, columnRef(position(b.col), r.columns[b.col].typ))
		}
		l.nodes = append(l.nodes, &plan.Node{Schema: cols, Op: &plan.Node_Project{Project: p}})
	}
	l.last = order
}

// columnsOf names columns for a node between the input and the output. A
// dropped column may still flow beside a new one of its name; it gets a mark.
func (r *rows) columnsOf(cols []int) []*plan.Column {
	out := make([]*plan.Column, len(cols))
	used := make(map[string]bool, len(cols))
	for i := len(cols) - 1; i >= 0; i-- {
		c := r.columns[cols[i]]
		name := c.name
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s#%d", c.name, n)
		}
		used[name] = true
		out[i] = &plan.Column{Name: name, Type: uint32(c.typ)}
	}
	return out
}
