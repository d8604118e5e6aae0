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
	written := make([]bool, len(c.plan.Ports))
	err := c.fragment(c.plan.Edge, func(n *Node, parent *Node, in []*Column) error {
		switch op := n.Op.(type) {
		case *Node_PartialWindow:
			if !s.HasEventTime {
				return errors.New("a window without an event time")
			}
			return c.partial(op.PartialWindow, n, in)
		case *Node_PortOut:
			return c.portOut(op.PortOut, n, parent, in, written)
		case *Node_Sink:
			return sink(op.Sink, in)
		default:
			return fmt.Errorf("%T has no place on the edge", n.Op)
		}
	}, input)
	if err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	for i, w := range written {
		if !w {
			return fmt.Errorf("edge: nothing writes port %d", i)
		}
	}
	return nil
}

func (c *checker) cloud() error {
	err := c.fragment(c.plan.Cloud, func(n *Node, parent *Node, in []*Column) error {
		switch op := n.Op.(type) {
		case *Node_PortIn:
			if n.Input != -1 {
				return errors.New("a port reads another node")
			}
			k := op.PortIn.GetPort()
			if int64(k) >= int64(len(c.plan.Ports)) {
				return fmt.Errorf("port %d of %d", k, len(c.plan.Ports))
			}
			if !sameColumns(n.Schema, c.plan.Ports[k].Schema, true) {
				return fmt.Errorf("its columns are not those of port %d", k)
			}
			return nil
		case *Node_FinalWindow:
			return c.final(op.FinalWindow, n, parent)
		case *Node_Sink:
			return sink(op.Sink, in)
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
	if len(nodes) == 0 || len(nodes) > MaxNodes {
		return fmt.Errorf("%d nodes, allowed are 1 to %d", len(nodes), MaxNodes)
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
func isLeaf(n *Node) bool { return n.GetSink() != nil || n.GetPortOut() != nil }

func (c *checker) node(n, parent *Node, in []*Column, special func(n, parent *Node, in []*Column) error) error {
	if parent == nil && in == nil && n.GetPortIn() == nil {
		return errors.New("it reads the input, and there is none")
	}
	if parent.GetPartialWindow() != nil && n.GetPortOut() == nil {
		return errors.New("partials can only go to a port")
	}
	if k := parent.GetPortIn(); k != nil && c.plan.Ports[k.Port].Kind == Port_PARTIALS && n.GetFinalWindow() == nil {
		return errors.New("partials can only go to a window")
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
	}
	return special(n, parent, in)
}

func (c *checker) partial(w *Window, n *Node, in []*Column) error {
	if err := window(w, in); err != nil {
		return err
	}
	want, err := PartialColumns(w)
	if err != nil {
		return err
	}
	if !sameColumns(n.Schema, want, false) {
		return errors.New("its columns are not those of its window's partials")
	}
	return nil
}

func (c *checker) portOut(op *PortOut, n, parent *Node, in []*Column, written []bool) error {
	k := op.GetPort()
	if int64(k) >= int64(len(written)) || written[k] {
		return fmt.Errorf("port %d of %d is not there or is written twice", k, len(written))
	}
	written[k] = true
	port := c.plan.Ports[k]
	if !sameColumns(in, port.Schema, true) || !sameColumns(n.Schema, port.Schema, true) {
		return fmt.Errorf("its columns are not those of port %d", k)
	}
	c.partials[k] = parent.GetPartialWindow()
	if (c.partials[k] != nil) != (port.Kind == Port_PARTIALS) {
		return fmt.Errorf("port %d of the kind %s is fed by something else", k, port.Kind)
	}
	return nil
}

func (c *checker) final(w *Window, n, parent *Node) error {
	port := parent.GetPortIn()
	if port == nil || c.plan.Ports[port.Port].Kind != Port_PARTIALS {
		return errors.New("a window that does not read a port of partials")
	}
	if c.finals[port.Port] != nil {
		return fmt.Errorf("port %d is read by two windows", port.Port)
	}
	if c.partials[port.Port] == nil || w == nil {
		return errors.New("a window without its other half")
	}
	c.finals[port.Port] = w
	for _, r := range w.Results {
		if r == nil {
			return errors.New("a result is missing")
		}
	}
	if !sameColumns(n.Schema, FinalColumns(w), true) {
		return errors.New("its columns are not those of its window's results")
	}
	return nil
}

// window checks a window over the columns of a row batch.
func window(w *Window, in []*Column) error {
	if w == nil {
		return errors.New("an empty window")
	}
	if err := columns("the window's keys", w.Keys); err != nil {
		return err
	}
	if len(w.KeyColumns) != len(w.Keys) {
		return fmt.Errorf("%d key columns for %d keys", len(w.KeyColumns), len(w.Keys))
	}
	if err := distinct("key columns", w.KeyColumns, len(in)); err != nil {
		return err
	}
	for i, k := range w.KeyColumns {
		if in[k].Type != w.Keys[i].Type {
			return fmt.Errorf("key %q is of another type than its column", w.Keys[i].Name)
		}
	}
	if err := timestampAt("time of the window", w.TimeColumn, in); err != nil {
		return err
	}
	if err := windowSpecs(w); err != nil {
		return err
	}
	return accumulators(w, in)
}

func windowSpecs(w *Window) error {
	if len(w.Windows) == 0 || len(w.Windows) > MaxNodes {
		return fmt.Errorf("%d windows", len(w.Windows))
	}
	if w.SliceMicros <= 0 || w.AllowedLatenessMicros < 0 {
		return errors.New("a slice of no length, or a negative lateness")
	}
	for _, s := range w.Windows {
		if _, known := WindowSpec_Kind_name[int32(s.GetKind())]; !known {
			return fmt.Errorf("a window of the unknown kind %d", s.GetKind())
		}
		// Slices of a fixed length cut every kind but sessions.
		if s.GetSizeMicros() < 0 || s.GetEveryMicros() < 0 || s.GetKind() != WindowSpec_SESSION && (s.GetSizeMicros() == 0 || s.GetSizeMicros()%w.SliceMicros != 0) {
			return errors.New("a window that its slices do not fill")
		}
	}
	return nil
}

func accumulators(w *Window, in []*Column) error {
	if len(w.Accumulators) > MaxColumns || len(w.Results) > MaxColumns {
		return fmt.Errorf("%d accumulators and %d results, at most %d", len(w.Accumulators), len(w.Results), MaxColumns)
	}
	for i, a := range w.Accumulators {
		switch {
		case a == nil || a.Kind == "":
			return fmt.Errorf("accumulator %d has no kind", i)
		case a.Column == -1 && a.Type != 0, a.Column < -1, int64(a.Column) >= int64(len(in)):
			return fmt.Errorf("accumulator %d reads column %d of %d", i, a.Column, len(in))
		case a.Column >= 0 && a.Type != in[a.Column].Type:
			return fmt.Errorf("accumulator %d reads a column of another type", i)
		}
	}
	for i, r := range w.Results {
		if r == nil || r.Function == "" || !validType(r.Type) {
			return fmt.Errorf("result %d has no function or no known type", i)
		}
		if err := distinct(fmt.Sprintf("accumulators of result %q", r.Name), r.Accumulators, len(w.Accumulators)); err != nil {
			return err
		}
	}
	return nil
}

func sink(s *Sink, in []*Column) error {
	switch k := s.GetKind().(type) {
	case *Sink_Table:
		t := k.Table
		if err := name("a table", t.GetName()); err != nil {
			return err
		}
		if t.KeepMicros < 0 {
			return errors.New("a negative duration")
		}
		if t.HasTimeColumn {
			if err := timestampAt("time of the table", t.TimeColumn, in); err != nil {
				return err
			}
		}
		return distinct("keys of the table", t.Keys, len(in))
	case *Sink_Stdout:
		return nil
	case *Sink_File:
		return name("a file", k.File.GetPath())
	}
	return errors.New("a sink of an unknown kind")
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
		for _, a := range k.Call.Args {
			if err := c.walk(a, in, depth-1, nodes); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("an expression of an unknown kind")
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
