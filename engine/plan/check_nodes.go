package plan

import (
	"errors"
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

func (c *checker) edge() error {
	s := c.plan.Source
	input := make([]*Column, len(s.Columns))
	for i, col := range s.Columns {
		input[i] = &Column{Name: col.Name, Type: col.Type}
	}
	c.onEdge, c.written = true, make([]bool, len(c.plan.Ports))
	err := c.fragment(c.plan.Edge, func(n *Node, parent *Node, in []*Column) error {
		switch op := n.Op.(type) {
		case *Node_PartialWindow:
			if !s.HasEventTime {
				return errors.New("a window without an event time")
			}
			return c.partial(op.PartialWindow, n, in)
		case *Node_FinalWindow:
			return c.edgeFinal(op.FinalWindow, n, parent)
		case *Node_Late:
			return c.late(n, parent)
		case *Node_PortOut:
			return c.portOut(op.PortOut, n, parent, in)
		case *Node_Sink:
			return c.sink(op.Sink, in)
		default:
			return fmt.Errorf("%T has no place on the edge", n.Op)
		}
	}, input)
	if err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	for i, w := range c.written {
		if !w {
			return fmt.Errorf("edge: nothing writes port %d", i)
		}
	}
	return nil
}

func (c *checker) cloud() error {
	c.onEdge = false
	err := c.fragment(c.plan.Cloud, func(n *Node, parent *Node, in []*Column) error {
		switch op := n.Op.(type) {
		case *Node_PortIn:
			return c.portIn(op.PortIn, n)
		case *Node_FinalWindow:
			return c.final(op.FinalWindow, n, parent)
		case *Node_WindowRows:
			return c.windowRows(op.WindowRows, n, parent)
		case *Node_ChainWindow:
			return c.chain(op.ChainWindow, n, in)
		case *Node_Sink:
			return c.sink(op.Sink, in)
		default:
			return fmt.Errorf("%T has no place in the cloud", n.Op)
		}
	}, nil)
	if err != nil {
		return fmt.Errorf("cloud: %w", err)
	}
	return nil
}

// fragment checks the shape of a tree and the nodes that both tiers have;
// special checks the others.
func (c *checker) fragment(f *Fragment, special func(n, parent *Node, in []*Column) error, input []*Column) error {
	nodes := f.GetNodes()
	least := 1
	if f == c.plan.Cloud && len(c.plan.Ports) == 0 {
		least = 0 // everything ends on the edge
	}
	if len(nodes) < least || len(nodes) > MaxNodes {
		return fmt.Errorf("%d nodes, allowed are %d to %d", len(nodes), least, MaxNodes)
	}
	for i, n := range nodes {
		if n == nil || int64(n.Id) != int64(i) {
			return fmt.Errorf("node %d does not carry its number", i)
		}
		if n.Input < -1 || int64(n.Input) >= int64(i) {
			return fmt.Errorf("node %d reads node %d, which does not stand before it", i, n.Input)
		}
		in, parent := input, (*Node)(nil)
		if n.Input >= 0 {
			parent = nodes[n.Input]
			in = parent.Schema
			if isLeaf(parent) {
				return fmt.Errorf("node %d reads node %d, which gives nothing", i, n.Input)
			}
		}
		if err := columns(fmt.Sprintf("node %d", i), n.Schema); err != nil {
			return err
		}
		if err := c.node(n, parent, in, special); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
	}
	return nil
}

// isLeaf tells whether nothing can read a node: sinks, and ports to the cloud.
func isLeaf(n *Node) bool {
	return n.GetSink() != nil || n.GetPortOut() != nil || n.GetWindowRows() != nil
}

func (c *checker) node(n, parent *Node, in []*Column, special func(n, parent *Node, in []*Column) error) error {
	if parent == nil && in == nil && n.GetPortIn() == nil {
		return errors.New("it reads the input, and there is none")
	}
	if parent.GetPartialWindow() != nil && n.GetPortOut() == nil && n.GetLate() == nil && n.GetFinalWindow() == nil {
		return errors.New("partials can only go to a port or a final window")
	}
	if k := parent.GetPortIn(); k != nil {
		switch kind := c.plan.Ports[k.Port].Kind; {
		case kind == Port_PARTIALS && n.GetFinalWindow() == nil:
			return errors.New("partials can only go to a window")
		case kind == Port_WINDOW_ROWS && n.GetWindowRows() == nil:
			return errors.New("forwarded rows can only go to a window")
		}
	}
	switch op := n.Op.(type) {
	case *Node_Where:
		if !sameColumns(n.Schema, in, true) {
			return errors.New("a condition changes the columns")
		}
		return c.expr(op.Where.GetCondition(), uint32(batch.Bool), in)
	case *Node_Project:
		exprs := op.Project.GetColumns()
		if len(exprs) != len(n.Schema) {
			return fmt.Errorf("%d expressions for %d columns", len(exprs), len(n.Schema))
		}
		for i, e := range exprs {
			if err := c.expr(e, n.Schema[i].Type, in); err != nil {
				return fmt.Errorf("column %q: %w", n.Schema[i].Name, err)
			}
		}
		return nil
	case *Node_Alert:
		return c.alert(op.Alert, n, in)
	case *Node_Changed:
		return c.changed(op.Changed, n, in)
	case *Node_Sample:
		return c.sample(op.Sample, n, in)
	case *Node_Dedupe:
		return c.dedupe(op.Dedupe, n, in)
	case *Node_Lookup:
		return c.lookup(op.Lookup, n, in)
	case *Node_Keyed:
		return c.keyed(op.Keyed, in)
	}
	return special(n, parent, in)
}

// expr checks an expression of a wanted type over some columns.
func (c *checker) expr(e *Expr, want uint32, in []*Column) error {
	nodes := MaxExprNodes
	if err := c.walk(e, in, MaxExprDepth, &nodes); err != nil {
		return err
	}
	if e.Type != want {
		return fmt.Errorf("an expression of the type %s where %s is due", batch.Type(e.Type), batch.Type(want))
	}
	return nil
}

func (c *checker) walk(e *Expr, in []*Column, depth int, nodes *int) error {
	*nodes--
	c.budget--
	if e == nil || depth < 0 || *nodes < 0 || c.budget < 0 {
		return errors.New("an expression is empty, too deep or too large")
	}
	if !validType(e.Type) {
		return fmt.Errorf("an expression of the unknown type %d", e.Type)
	}
	switch k := e.Kind.(type) {
	case *Expr_Column:
		if int64(k.Column) >= int64(len(in)) {
			return fmt.Errorf("column %d of %d", k.Column, len(in))
		}
		if in[k.Column].Type != e.Type {
			return fmt.Errorf("column %q is of another type", in[k.Column].Name)
		}
		return nil
	case *Expr_Literal:
		return literal(k.Literal, batch.Type(e.Type))
	case *Expr_Call:
		if err := name("a call", k.Call.GetOp()); err != nil {
			return err
		}
		if err := c.setting(k.Call, e.Type); err != nil {
			return err
		}
		for _, a := range k.Call.Args {
			if err := c.walk(a, in, depth-1, nodes); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("an expression of an unknown kind")
}

// setting checks the calls that Resolve replaces on the agent.
func (c *checker) setting(call *Call, t uint32) error {
	if call.Op != ParamOp && call.Op != LabelOp {
		return nil
	}
	if len(call.Args) != 1 || call.Args[0].GetLiteral().GetString_() == "" {
		return fmt.Errorf("%s without a name", call.Op)
	}
	if !c.onEdge {
		return fmt.Errorf("%s has no place in the cloud", call.Op)
	}
	name := call.Args[0].GetLiteral().GetString_()
	if call.Op == LabelOp {
		if batch.Type(t) != batch.String {
			return errors.New("a label that is no string")
		}
		return nil
	}
	if want, known := c.params[name]; !known || want != t {
		return fmt.Errorf("there is no parameter %q of the type %s", name, batch.Type(t))
	}
	return nil
}

func literal(v *Value, t batch.Type) error {
	var ok bool
	switch v.GetKind().(type) {
	case nil:
		ok = v != nil
	case *Value_Bool:
		ok = t == batch.Bool
	case *Value_Int:
		ok = t == batch.Int || t == batch.Timestamp
	case *Value_Double:
		ok = t == batch.Double
	case *Value_String_:
		ok = t == batch.String
	case *Value_Bytes:
		ok = t == batch.Bytes
	}
	if !ok {
		return fmt.Errorf("a literal that is not of the type %s", t)
	}
	return nil
}
