package compile

import (
	"slices"

	"github.com/leatio/leat/engine/plan"
)

// split lays out the two fragments and the port between them: the edge has
// all up to the window's partial stage, the cloud the rest.
//
//	edge   where/project ... ─ partial window ─ port out      where/project ... ─ port out
//	cloud  port in ─ final window ─ where/project ... ─ sinks      port in ─ sinks
func (b *builder) split(sinks *value) {
	p := b.plan
	edge, cloud := &fragment{}, &fragment{}
	p.Spread = defaultSpread
	if b.window == nil {
		l := b.edge.layOut(b.edge.visible, nil, b.timeColumn())
		b.sourceFrom(l)
		rows := b.output()
		edge.add(l.nodes...)
		p.Ports = []*plan.Port{{Kind: plan.Port_ROWS, Schema: rows}}
		cloud.add(portIn(rows))
		edge.add(portOut(rows))
		cloud.addSinks(b.sinkNodes(sinks, rows))
	} else {
		partial := b.partialWindow(edge)
		if len(b.window.keys) == 0 {
			p.Spread = 1
		}
		edge.add(portOut(partial))
		cloud.add(portIn(partial))
		results := b.cur.columnsOf(upTo(b.cur.input))
		cloud.add(&plan.Node{Schema: results, Op: &plan.Node_FinalWindow{FinalWindow: b.window.plan}})
		final := append(slices.Clone(b.cur.visible), binding{plan.Revision, b.window.revision()})
		cloud.add(b.cur.layOut(final, nil, upTo(b.cur.input)).nodes...)
		cloud.addSinks(b.sinkNodes(sinks, cloud.schema()))
	}
	p.Edge, p.Cloud = &plan.Fragment{Nodes: edge.nodes}, &plan.Fragment{Nodes: cloud.nodes}
}

// partialWindow adds the edge's steps and the partial window; it gives the
// columns of partials.
func (b *builder) partialWindow(edge *fragment) []*plan.Column {
	w := b.window
	need := append(slices.Clone(w.args), b.edge.time)
	for _, k := range w.keys {
		need = append(need, k.col)
	}
	l := b.edge.layOut(nil, need, b.timeColumn())
	b.sourceFrom(l)
	edge.add(l.nodes...)
	position := l.position()
	for _, k := range w.keys {
		w.plan.KeyColumns = append(w.plan.KeyColumns, uint32(position(k.col)))
	}
	w.plan.TimeColumn = uint32(position(b.edge.time))
	for _, a := range w.plan.Accumulators {
		if a.Column >= 0 {
			a.Column = int32(position(int(a.Column)))
		}
	}
	partial, err := plan.PartialColumns(w.plan)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	edge.add(&plan.Node{Schema: partial, Op: &plan.Node_PartialWindow{PartialWindow: w.plan}})
	port := &plan.Port{Kind: plan.Port_PARTIALS, Schema: partial}
	for i := range w.keys {
		port.Keys = append(port.Keys, uint32(i))
	}
	b.plan.Ports = []*plan.Port{port}
	return partial
}

// sourceFrom puts the columns that are in use into the plan's source.
func (b *builder) sourceFrom(l laidOut) {
	src := b.source.plan
	for i, col := range l.input {
		src.Columns = append(src.Columns, b.source.all[col])
		if src.HasEventTime && col == b.edge.time {
			src.EventTime = uint32(i)
		}
	}
	b.plan.Source = src
}

func (b *builder) timeColumn() []int {
	if b.edge.time < 0 {
		return nil
	}
	return []int{b.edge.time}
}

// output is the view of the rows after the last step.
func (b *builder) output() []*plan.Column { return plan.ColumnsOf(b.cur.schema(b.cur.visible)) }

func portOut(s []*plan.Column) *plan.Node {
	return &plan.Node{Schema: s, Op: &plan.Node_PortOut{PortOut: &plan.PortOut{}}}
}

func portIn(s []*plan.Column) *plan.Node {
	return &plan.Node{Schema: s, Op: &plan.Node_PortIn{PortIn: &plan.PortIn{}}}
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// fragment numbers nodes as they are added.
type fragment struct{ nodes []*plan.Node }

// add appends nodes, each reading the one before it.
func (f *fragment) add(nodes ...*plan.Node) {
	for _, n := range nodes {
		n.Id = uint32(len(f.nodes))
		n.Input = int32(len(f.nodes)) - 1
		f.nodes = append(f.nodes, n)
	}
}

// addSinks appends nodes that all read the last one there is.
func (f *fragment) addSinks(nodes []*plan.Node) {
	parent := int32(len(f.nodes)) - 1
	f.add(nodes...)
	for _, n := range nodes {
		n.Input = parent
	}
}

func (f *fragment) schema() []*plan.Column { return f.nodes[len(f.nodes)-1].Schema }
