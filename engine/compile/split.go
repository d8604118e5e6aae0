package compile

import (
	"slices"

	"github.com/leatio/leat/engine/plan"
)

// layOut makes the two fragments and the ports between them of the logical
// steps: each step becomes a node of its side, with a port where the rows leave the edge.
//
//	edge   where/project ... ─ partial window ─┬ port out (partials)     where/project ─┬ sink
//	                                           ├ port out (rows)                        └ port out
//	                                           └ late ─ ...
//	cloud  port in ─ final window ─ where/project ... ─ sinks            port in ─ sinks
//	       port in ─ window rows
func (b *builder) layOut() {
	l := &layout{b: b, plan: b.plan, ports: map[portKey]*lnode{}}
	root := b.source.rows
	first := root.at
	for first.parent != nil {
		first = first.parent
	}
	prune(first)
	if root.time >= 0 {
		first.live[root.time] = true
	}
	if b.source.plan.Format == "senml" { // which rows there are depends on the schema, not on what is read of it
		for col, c := range b.source.all {
			first.live[col] = first.live[col] || c.Hidden == plan.Hidden_HIDDEN_NONE
		}
	}
	first.order = trueAt(first.live)
	first.id = -1
	b.sourceFrom(first.order)
	b.plan.Spread = defaultSpread
	l.kids(first)
	b.plan.Edge, b.plan.Cloud = &plan.Fragment{Nodes: l.edge.nodes}, &plan.Fragment{Nodes: l.cloud.nodes}
}

// sourceFrom puts the columns that are in use into the plan's source.
func (b *builder) sourceFrom(order []int) {
	src := b.source.plan
	for i, col := range order {
		src.Columns = append(src.Columns, b.source.all[col])
		if src.HasEventTime && col == b.source.rows.time {
			src.EventTime = uint32(i)
		}
	}
	b.plan.Source = src
}

// layout is what layOut has made so far.
type layout struct {
	b           *builder
	plan        *plan.Plan
	edge, cloud fragment
	ports       map[portKey]*lnode // the cloud's ends of ports of rows
}

// portKey tells ports of rows apart that leave the same step.
type portKey struct {
	from *lnode
	keys string
}

func (l *layout) side(cloud bool) *fragment {
	if cloud {
		return &l.cloud
	}
	return &l.edge
}

// kids lays out what follows a step.
func (l *layout) kids(n *lnode) {
	for _, k := range n.kids {
		from := n
		if k.cloud && !n.cloud && k.output == nil {
			from = l.cross(n, k)
		}
		l.node(k, from)
	}
}

// node lays out a step that reads from.
func (l *layout) node(n, from *lnode) {
	f, position := l.side(n.cloud), positionIn(from.order)
	switch {
	case n.where != nil:
		n.order = from.order
		n.id = f.add(from.id, &plan.Node{
			Schema: f.schemaOf(from), Op: &plan.Node_Where{Where: &plan.Where{Condition: moved(n.where, position)}},
		})
	case n.exprs != nil:
		l.project(n, from, position)
	case n.keyed != nil:
		l.keyed(n, from, position)
	case n.window != nil:
		l.window(n, from)
		return
	case n.output != nil:
		l.output(n.output, from, false)
		return
	}
	l.kids(n)
}

// project computes the columns of a step that are in use.
func (l *layout) project(n, from *lnode, position func(int) int) {
	n.order = trueAt(n.live)
	p := &plan.Project{}
	for _, col := range n.order {
		if col >= n.base && col < n.base+n.made {
			p.Columns = append(p.Columns, moved(n.exprs[col-n.base], position))
		} else {
			p.Columns = append(p.Columns, columnRef(position(col), n.space.columns[col].typ))
		}
	}
	n.id = l.side(n.cloud).add(from.id, &plan.Node{Schema: n.space.columnsOf(n.order), Op: &plan.Node_Project{Project: p}})
}

// keyed lays out a step whose columns come after those of its input.
func (l *layout) keyed(n, from *lnode, position func(int) int) {
	n.order = slices.Clone(from.order)
	for col := n.base; col < n.base+n.made; col++ {
		if n.live[col] || n.keyed.fixed {
			n.order = append(n.order, col)
		}
	}
	node := n.keyed.op(position, n.live)
	node.Schema = n.space.columnsOf(n.order)
	n.id = l.side(n.cloud).add(from.id, node)
	if n.cloud && n.keyed.name != "lookup" {
		l.plan.OneLane = true
		l.together(n)
	}
}

// together makes sure that rows of a cloud step's key meet in one partition:
// where the port does not split the rows by its keys, there is one partition.
func (l *layout) together(n *lnode) {
	split := n
	for p := n; p != nil && p.cloud; p = p.parent {
		if p.keyed != nil && p.keyed.name != "lookup" {
			split = p
		}
	}
	for _, k := range split.keyed.keys {
		if !slices.Contains(n.keyed.keys, k) {
			l.plan.Spread = 1
		}
	}
	if len(split.keyed.keys) == 0 {
		l.plan.Spread = 1
	}
}

// fragment numbers nodes as they are added.
type fragment struct{ nodes []*plan.Node }

// add appends a node that reads another, and gives its number.
func (f *fragment) add(input int32, n *plan.Node) int32 {
	n.Id, n.Input = uint32(len(f.nodes)), input
	f.nodes = append(f.nodes, n)
	return int32(n.Id)
}

// schemaOf are the columns that a laid out step gives.
func (f *fragment) schemaOf(n *lnode) []*plan.Column {
	if n.id < 0 {
		return n.space.columnsOf(n.order)
	}
	return f.nodes[n.id].Schema
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
