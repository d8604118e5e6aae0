package compile

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/plan"
)

// prune finds, for each step, the columns of its space that something after it
// reads, over all branches, and takes out the steps that only make columns that nobody reads.
func prune(n *lnode) {
	n.live = make([]bool, len(n.space.columns))
	for i := 0; i < len(n.kids); {
		kid := n.kids[i]
		if w := kid.window; w != nil {
			pruneResults(w)
		}
		prune(kid)
		if kid.idle() {
			for _, k := range kid.kids {
				k.parent = n
			}
			n.kids = slices.Replace(n.kids, i, i+1, kid.kids...)
			for _, k := range kid.kids {
				k.reads(n.live)
			}
			i += len(kid.kids)
			continue
		}
		kid.reads(n.live)
		i++
	}
}

// pruneResults keeps all columns that the window's node gives.
func pruneResults(w *windowPlan) {
	prune(w.out)
	for i := range w.out.space.input {
		w.out.live[i] = true
	}
}

// idle tells whether a step does nothing but make columns that nobody reads.
func (n *lnode) idle() bool {
	makes := n.exprs != nil || n.keyed != nil && n.keyed.remove
	return makes && !n.makesLive()
}

// reads marks what must be there before the step: what it reads itself, and
// what something after it reads and it does not make.
func (n *lnode) reads(live []bool) {
	for col, in := range n.live {
		if in && (col < n.base || col >= n.base+n.made) {
			live[col] = true
		}
	}
	n.uses(func(col int) { live[col] = true })
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

// positionIn gives where a column stands in a node's output.
func positionIn(order []int) func(int) int {
	at := make(map[int]int, len(order))
	for i, col := range order {
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

// columnsOf names columns for a node between the input and the output. A
// dropped column may still flow beside a new one of its name; it gets a mark.
func (s *space) columnsOf(cols []int) []*plan.Column {
	out := make([]*plan.Column, len(cols))
	used := make(map[string]bool, len(cols))
	for i := len(cols) - 1; i >= 0; i-- {
		c := s.columns[cols[i]]
		name := c.name
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s#%d", c.name, n)
		}
		used[name] = true
		out[i] = &plan.Column{Name: name, Type: uint32(c.typ)}
	}
	return out
}
