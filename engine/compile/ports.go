package compile

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
)

// port makes a port out of a node of the edge and the port's end in the cloud; it gives the latter's number.
func (l *layout) port(from int32, p *plan.Port) int32 {
	k := uint32(len(l.plan.Ports))
	l.plan.Ports = append(l.plan.Ports, p)
	l.edge.add(from, &plan.Node{Schema: p.Schema, Op: &plan.Node_PortOut{PortOut: &plan.PortOut{Port: k}}})
	return l.cloud.add(-1, &plan.Node{Schema: p.Schema, Op: &plan.Node_PortIn{PortIn: &plan.PortIn{Port: k}}})
}

// freshRows is the freshness of a port of rows: they know no window's end.
func (l *layout) freshRows(p *plan.Port) *plan.Port {
	if l.plan.FreshnessWindow {
		p.FreshnessMicros = defaultFreshness
	}
	return p
}

// cross leads the rows of an edge step to the step n in the cloud: the port
// carries what its steps in the cloud read, and is split by their keys.
func (l *layout) cross(from, n *lnode) *lnode {
	keys := splitKeys(n)
	key := portKey{from, fmt.Sprint(keys)}
	if have := l.ports[key]; have != nil {
		return have
	}
	live := make([]bool, len(from.space.columns))
	for _, k := range from.kids {
		if k.cloud && k.output == nil && slices.Equal(splitKeys(k), keys) {
			k.reads(live)
		}
	}
	order := trueAt(live)
	at := from
	if !slices.Equal(order, from.order) {
		at = l.narrow(from, order)
	}
	end := &lnode{space: from.space, cloud: true, order: order}
	schema := l.edge.schemaOf(at)
	port := &plan.Port{Kind: plan.Port_ROWS, Schema: schema, Keys: positions(keys, positionIn(order))}
	end.id = l.port(at.id, l.freshRows(port))
	l.ports[key] = end
	return end
}

// narrow keeps only some columns.
func (l *layout) narrow(from *lnode, order []int) *lnode {
	p, position := &plan.Project{}, positionIn(from.order)
	for _, col := range order {
		p.Columns = append(p.Columns, columnRef(position(col), from.space.columns[col].typ))
	}
	out := &lnode{space: from.space, order: order}
	out.id = l.edge.add(from.id, &plan.Node{Schema: from.space.columnsOf(order), Op: &plan.Node_Project{Project: p}})
	return out
}

// splitKeys are the columns by which rows must be split for a step in the
// cloud: those of the first step there that remembers something by key.
func splitKeys(n *lnode) []int {
	for n != nil {
		if n.keyed != nil && n.keyed.name != "lookup" {
			return n.keyed.keys
		}
		if len(n.kids) != 1 {
			return nil
		}
		n = n.kids[0]
	}
	return nil
}

// window lays out a window and what follows it.
func (l *layout) window(n, from *lnode) {
	w, position := n.window, positionIn(from.order)
	p := w.plan
	p.TimeColumn = uint32(position(w.time))
	for _, k := range w.keys {
		p.KeyColumns = append(p.KeyColumns, uint32(position(k.col)))
	}
	for i, a := range p.Accumulators {
		if w.cols[i] >= 0 {
			a.Column = int32(position(w.cols[i]))
		}
	}
	if len(w.keys) == 0 {
		l.plan.Spread = 1
	}
	w.out.order = upTo(w.out.space.input)
	results := plan.FinalColumns(p)
	if w.inner != nil {
		p.Identity = positions(w.inner.identity(), position)
		if !w.coversInner() {
			l.plan.Spread = 1
		}
		w.out.id = l.cloud.add(from.id, &plan.Node{Schema: results, Op: &plan.Node_ChainWindow{ChainWindow: p}})
		l.kids(w.out)
		return
	}
	columns, err := plan.PartialColumns(p)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	partial := l.edge.add(from.id, &plan.Node{Schema: columns, Op: &plan.Node_PartialWindow{PartialWindow: p}})
	if w.late != nil {
		late := &lnode{space: from.space, order: append(slices.Clone(from.order), lateColumn)}
		late.id = l.edge.add(partial, &plan.Node{
			Schema: plan.LateColumns(l.edge.schemaOf(from)), Op: &plan.Node_Late{Late: &plan.Late{}},
		})
		l.output(w.late, late, true)
	}
	final := &plan.Node{Schema: results, Op: &plan.Node_FinalWindow{FinalWindow: p}}
	if w.edge {
		w.out.id = l.edge.add(partial, final)
	} else {
		w.out.id = l.partialPorts(w, partial, columns, final)
	}
	l.kids(w.out)
}

// partialPorts leads partials and forwarded rows to the final window in the cloud.
func (l *layout) partialPorts(w *windowPlan, partial int32, columns []*plan.Column, final *plan.Node) int32 {
	port := func(kind plan.Port_Kind, schema []*plan.Column) *plan.Port {
		p := &plan.Port{Kind: kind, Schema: schema, FreshnessMicros: w.freshness, FreshnessWindow: w.freshAtEnd}
		for i := range w.keys {
			p.Keys = append(p.Keys, uint32(i))
		}
		return p
	}
	end := l.port(partial, port(plan.Port_PARTIALS, columns))
	id := l.cloud.add(end, final)
	end = l.port(partial, port(plan.Port_WINDOW_ROWS, plan.RowColumns(w.plan)))
	l.cloud.add(end, &plan.Node{Op: &plan.Node_WindowRows{WindowRows: &plan.WindowRows{Window: uint32(id)}}})
	return id
}

// coversInner tells whether the keys of the window whose results this one
// reads are all among its own: then results that meet are in one partition.
func (w *windowPlan) coversInner() bool {
	for i := range w.inner.keys {
		has := slices.ContainsFunc(w.keys, func(k binding) bool { return w.in.columns[k.col].origin == originKey+i })
		if !has {
			return false
		}
	}
	return true
}

// output lays out the sinks of a branch, or of late rows: the columns come into their final
// order on the side of from, and what goes to sinks in the cloud leaves by a port.
func (l *layout) output(o *output, from *lnode, late bool) {
	at := l.finish(o, from, late)
	f := l.side(from.cloud)
	schema := f.schemaOf(at)
	edge, cloud := o.split()
	for _, s := range edge {
		f.add(at.id, &plan.Node{Schema: schema, Op: &plan.Node_Sink{Sink: s.plan}})
	}
	if len(cloud) == 0 {
		return
	}
	id := at.id
	if !from.cloud {
		id = l.port(at.id, l.freshRows(&plan.Port{Kind: plan.Port_ROWS, Schema: schema}))
	}
	for _, s := range cloud {
		l.cloud.add(id, &plan.Node{Schema: schema, Op: &plan.Node_Sink{Sink: s.plan}})
	}
}

// finish puts the columns into their final order under their final names: by
// the last projection where only this output reads it, else by one more, unless they stand so already.
func (l *layout) finish(o *output, from *lnode, late bool) *lnode {
	f, position := l.side(from.cloud), positionIn(from.order)
	have := f.schemaOf(from)
	cols := make([]*plan.Column, len(o.cols))
	order := make([]int, len(o.cols))
	same := len(o.cols) == len(from.order)
	for i, b := range o.cols {
		typ := uint32(batch.Int)
		if b.col != lateColumn {
			typ = uint32(from.space.columns[b.col].typ)
		}
		cols[i], order[i] = &plan.Column{Name: b.name, Type: typ}, b.col
		same = same && position(b.col) == i && pb.Equal(have[i], cols[i])
	}
	if same {
		return from
	}
	out := &lnode{space: from.space, cloud: from.cloud, order: order}
	if last := f.projection(from); last != nil && !late && len(from.kids) == 1 {
		p := last.GetProject()
		exprs := make([]*plan.Expr, len(order))
		for i, col := range order {
			exprs[i] = moved(p.Columns[position(col)], func(c int) int { return c })
		}
		p.Columns, last.Schema, out.id = exprs, cols, from.id
		return out
	}
	p := &plan.Project{}
	for i, col := range order {
		p.Columns = append(p.Columns, columnRef(position(col), batch.Type(cols[i].Type)))
	}
	out.id = f.add(from.id, &plan.Node{Schema: cols, Op: &plan.Node_Project{Project: p}})
	return out
}

// projection is the node of a laid out step if it is a projection.
func (f *fragment) projection(n *lnode) *plan.Node {
	if n.exprs == nil || n.id < 0 || f.nodes[n.id].GetProject() == nil {
		return nil
	}
	return f.nodes[n.id]
}
