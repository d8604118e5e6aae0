package compile

import (
	"go.yaml.in/yaml/v3"

	"github.com/leatio/leat/engine/plan"
)

// lnode is one logical step: one thing that happens to the rows of a space.
// The steps of all branches make a tree. Columns are positions in the space.
type lnode struct {
	space  *space
	parent *lnode
	kids   []*lnode
	closed bool // branches begin here: nothing may be added to it
	cloud  bool // it runs in the cloud

	base, made int // columns that it makes: made ones from base on

	where  *plan.Expr   // a condition, or
	exprs  []*plan.Expr // columns computed over those before, or
	keyed  *keyedStep   // a step that remembers something, or a lookup, or
	window *windowPlan  // a window over the rows, or
	output *output      // sinks; none of them: the root of a space

	// Found by layOut:
	live  []bool // columns that something after it reads
	id    int32  // of its plan node, or of the one before it where it has none
	order []int  // columns of that node, by position
}

// keyedStep is alert, changed, sample, dedupe or lookup.
type keyedStep struct {
	name  string
	node  *yaml.Node
	keys  []int // columns
	uses  []int // columns that it reads, the keys and the time among them
	exprs []*plan.Expr
	// op makes the plan's node; position gives where a column stands in its input, live
	// which of the columns that it makes are in use.
	op func(position func(int) int, live []bool) *plan.Node
	// fixed says that all columns it makes are in its output, in use or not; remove that it
	// does nothing but make columns.
	fixed, remove bool
}

// output is where a branch ends, or the late rows of a window.
type output struct {
	branch string
	late   bool
	rows   *rows     // what the file sees there
	cols   []binding // what the sinks get
	sinks  []*sinkPlan
	at     *lnode
}

// edgeSinks and cloudSinks are the sinks of each side.
func (o *output) split() (edge, cloud []*sinkPlan) {
	for _, s := range o.sinks {
		if s.edge {
			edge = append(edge, s)
		} else {
			cloud = append(cloud, s)
		}
	}
	return edge, cloud
}

// sinkPlan is one sink.
type sinkPlan struct {
	plan *plan.Sink
	edge bool
}

// uses calls f for each column that a step reads itself, given what is live after it.
func (n *lnode) uses(f func(col int)) {
	mark := func(e *plan.Expr) {
		walkExpr(e, func(x *plan.Expr) {
			if col, ok := bare(x); ok {
				f(col)
			}
		})
	}
	mark(n.where)
	for i, e := range n.exprs {
		if n.live[n.base+i] {
			mark(e)
		}
	}
	if n.keyed != nil {
		for _, col := range n.keyed.uses {
			f(col)
		}
		for _, e := range n.keyed.exprs {
			mark(e)
		}
	}
	if n.window != nil {
		n.window.uses(f)
	}
	if n.output != nil {
		for _, b := range n.output.cols {
			f(b.col)
		}
	}
}

// makesLive tells whether something after the step reads a column that it makes.
func (n *lnode) makesLive() bool {
	for i := n.base; i < n.base+n.made; i++ {
		if n.live[i] {
			return true
		}
	}
	return false
}
