package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leatio/leat/internal/pb"
)

// half says in terms of the source's columns what comes into a window.
type half struct {
	rows, time         string
	keys, accumulators []string
}

// WindowPorts gives the ports at which partials and forwarded rows of a final window
// arrive in the cloud; -1 = there is none.
func WindowPorts(p *Plan, final uint32) (partials, rows int) {
	rows = -1
	port := func(input int32) int {
		if input >= 0 {
			if in := p.Cloud.Nodes[input].GetPortIn(); in != nil {
				return int(in.Port)
			}
		}
		return -1
	}
	partials = port(p.Cloud.Nodes[final].Input)
	for _, n := range p.Cloud.Nodes {
		if wr := n.GetWindowRows(); wr != nil && wr.Window == final {
			rows = port(n.Input)
		}
	}
	return partials, rows
}

// halfOf describes the edge's half of a final window of the cloud.
func halfOf(p *Plan, final uint32) (half, bool) {
	port, _ := WindowPorts(p, final)
	for _, out := range p.Edge.GetNodes() {
		if o := out.GetPortOut(); o == nil || int(o.Port) != port || out.Input < 0 {
			continue
		}
		node := p.Edge.Nodes[out.Input]
		w := node.GetPartialWindow()
		if w == nil {
			return half{}, false
		}
		in := originOf(p, node.Input)
		d := half{rows: in.rows, time: in.column(w.TimeColumn)}
		for _, k := range w.KeyColumns {
			d.keys = append(d.keys, in.column(k))
		}
		for _, a := range w.Accumulators {
			arg := "*"
			if a.Column >= 0 {
				arg = in.column(uint32(a.Column))
			}
			d.accumulators = append(d.accumulators, fmt.Sprintf("%s(%s type %d, %v)", a.Kind, arg, a.Type, a.Param))
		}
		return d, true
	}
	return half{}, false
}

// origin says in terms of the source's columns which rows leave a node, and what its columns are.
type origin struct {
	rows    string
	columns []string
}

func (o origin) column(i uint32) string {
	if int(i) >= len(o.columns) {
		return fmt.Sprintf("column %d", i)
	}
	return o.columns[i]
}

// originOf walks from a node of the edge fragment, or -1, up to the source.
func originOf(p *Plan, node int32) origin {
	if node < 0 {
		var o origin
		for _, c := range p.Source.GetColumns() {
			o.columns = append(o.columns, fmt.Sprintf("source %q type %d hidden %d", c.Name, c.Type, c.Hidden))
		}
		return o
	}
	n := p.Edge.Nodes[node]
	in := originOf(p, n.Input)
	switch op := n.Op.(type) {
	case *Node_Where:
		in.rows += " where " + in.text(p, op.Where.GetCondition())
		return in
	case *Node_Project:
		out := origin{rows: in.rows}
		for _, e := range op.Project.GetColumns() {
			out.columns = append(out.columns, in.text(p, e))
		}
		return out
	default:
		return in.through(n)
	}
}

// through is the origin behind a step that remembers rows or joins some: its input's columns, then its own.
// Steps are taken for equal where they read the same columns in the same way.
func (o origin) through(n *Node) origin {
	step := pb.Clone(n)
	step.Id, step.Input, step.Schema = 0, 0, nil
	b, err := pb.Append(nil, step)
	if err != nil {
		panic("BUG: a node of a plan cannot be written: " + err.Error())
	}
	name := fmt.Sprintf(" step %x over (%s)", b, strings.Join(o.columns, ", "))
	out := origin{rows: o.rows + name, columns: slices.Clone(o.columns)}
	for i := len(out.columns); i < len(n.Schema); i++ {
		out.columns = append(out.columns, fmt.Sprintf("%s behind%s%s", n.Schema[i].Name, o.rows, name))
	}
	return out
}

// text writes an expression so that equal texts mean equal values.
func (o origin) text(p *Plan, e *Expr) string {
	switch k := e.GetKind().(type) {
	case *Expr_Column:
		return o.column(k.Column)
	case *Expr_Call:
		args := make([]string, len(k.Call.GetArgs()))
		for i, a := range k.Call.GetArgs() {
			args[i] = o.text(p, a)
		}
		return fmt.Sprintf("%q type %d (%s)%s", k.Call.GetOp(), e.Type, strings.Join(args, ", "), meaning(p, k.Call.GetOp()))
	default:
		b, err := pb.Append(nil, e)
		if err != nil {
			panic("BUG: an expression of a plan cannot be written: " + err.Error())
		}
		return fmt.Sprintf("literal %x", b)
	}
}

// meaning adds what a call means beside its name: a function depends on the modules, a parameter on its values.
func meaning(p *Plan, op string) string {
	var out strings.Builder
	add := func(m pb.Message) {
		b, err := pb.Append(nil, m)
		if err != nil {
			panic("BUG: a part of a plan cannot be written: " + err.Error())
		}
		fmt.Fprintf(&out, " %x", b)
	}
	switch {
	case strings.HasPrefix(op, "udf:"):
		for _, m := range p.Modules {
			add(m)
		}
	case op == ParamOp:
		for _, param := range p.Params {
			add(param)
		}
	}
	return out.String()
}
