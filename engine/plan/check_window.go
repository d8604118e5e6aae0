package plan

import (
	"errors"
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/internal/pb"
)

func (c *checker) partial(w *Window, n *Node, in []*Column) error {
	if err := c.window(w, in); err != nil {
		return err
	}
	if len(w.Identity) > 0 || w.InnerLatenessMicros != 0 {
		return errors.New("a window over rows that has what only windows over results have")
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

// edgeFinal checks a final window whose results stay on the edge.
func (c *checker) edgeFinal(w *Window, n, parent *Node) error {
	p := parent.GetPartialWindow()
	if p == nil || w == nil || !pb.Equal(p, w) {
		return errors.New("a final window on the edge that does not read its other half")
	}
	return finalSchema(w, n)
}

func (c *checker) late(n, parent *Node) error {
	if parent.GetPartialWindow() == nil {
		return errors.New("late rows of something that is no window")
	}
	in := ColumnsOf(c.plan.Source.Schema())
	if parent.Input >= 0 {
		in = c.plan.Edge.Nodes[parent.Input].Schema
	}
	if !sameColumns(n.Schema, LateColumns(in), true) {
		return errors.New("its columns are not those of late rows")
	}
	return nil
}

func (c *checker) portOut(op *PortOut, n, parent *Node, in []*Column) error {
	k := op.GetPort()
	if int64(k) >= int64(len(c.written)) || c.written[k] {
		return fmt.Errorf("port %d of %d is not there or is written twice", k, len(c.written))
	}
	c.written[k] = true
	port, w := c.plan.Ports[k], parent.GetPartialWindow()
	if (w != nil) != (port.Kind != Port_ROWS) {
		return fmt.Errorf("port %d of the kind %s is fed by something else", k, port.Kind)
	}
	if port.Kind == Port_WINDOW_ROWS {
		in, c.rows[k] = RowColumns(w), w
	} else {
		c.partials[k] = w
	}
	if !sameColumns(in, port.Schema, true) || !sameColumns(n.Schema, port.Schema, true) {
		return fmt.Errorf("its columns are not those of port %d", k)
	}
	return nil
}

func (c *checker) portIn(op *PortIn, n *Node) error {
	if n.Input != -1 {
		return errors.New("a port reads another node")
	}
	k := op.GetPort()
	if int64(k) >= int64(len(c.plan.Ports)) {
		return fmt.Errorf("port %d of %d", k, len(c.plan.Ports))
	}
	if !sameColumns(n.Schema, c.plan.Ports[k].Schema, true) {
		return fmt.Errorf("its columns are not those of port %d", k)
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
	c.finals[port.Port], c.byNode[n.Id] = w, w
	return finalSchema(w, n)
}

func finalSchema(w *Window, n *Node) error {
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

func (c *checker) windowRows(op *WindowRows, n, parent *Node) error {
	port := parent.GetPortIn()
	if port == nil || c.plan.Ports[port.Port].Kind != Port_WINDOW_ROWS {
		return errors.New("it does not read a port of forwarded rows")
	}
	w := c.byNode[op.GetWindow()]
	if op.GetWindow() >= n.Id || w == nil {
		return fmt.Errorf("node %d is no final window that stands before it", op.GetWindow())
	}
	if c.arrived[port.Port] != nil {
		return fmt.Errorf("port %d is read twice", port.Port)
	}
	if len(n.Schema) != 0 {
		return errors.New("it has columns and gives nothing")
	}
	c.arrived[port.Port] = w
	return nil
}

// chain checks a window over the results of another.
func (c *checker) chain(w *Window, n *Node, in []*Column) error {
	inner := c.windowBefore(n)
	if inner == nil {
		return errors.New("a window over results that reads no other window's")
	}
	if err := c.window(w, in); err != nil {
		return err
	}
	if w.Session() {
		return errors.New("sessions over results")
	}
	if err := distinct("identity of the window", w.Identity, len(in)); err != nil {
		return err
	}
	if len(w.Identity) != 2+len(inner.Keys) {
		return fmt.Errorf("%d columns tell the results of a window with %d keys apart", len(w.Identity), len(inner.Keys))
	}
	for _, at := range w.Identity[:2] {
		if err := timestampAt("identity of the window", at, in); err != nil {
			return err
		}
	}
	if w.InnerLatenessMicros < 0 || w.ForwardRows || w.MaxGroups != 0 {
		return errors.New("a window over results with a negative lateness, or what only windows over rows have")
	}
	if _, err := PartialColumns(w); err != nil { // its accumulators are known
		return err
	}
	found := false
	for _, col := range in {
		found = found || col.Name == Revision && batch.Type(col.Type) == batch.Int
	}
	if !found {
		return errors.New("a window over results that does not see their revisions")
	}
	return finalSchema(w, n)
}

// windowBefore is the last window before a node of the cloud, or nil.
func (c *checker) windowBefore(n *Node) *Window {
	nodes := c.plan.Cloud.Nodes
	for n.Input >= 0 {
		n = nodes[n.Input]
		if w := n.GetChainWindow(); w != nil {
			return w
		}
		if w := n.GetFinalWindow(); w != nil {
			return w
		}
	}
	return nil
}

// window checks a window over the columns of a batch of rows or results.
func (c *checker) window(w *Window, in []*Column) error {
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
	if w.TimeZone != "" && !c.zones[w.TimeZone] {
		return fmt.Errorf("the rules of the time zone %q are missing", w.TimeZone)
	}
	if _, known := Overflow_name[int32(w.Overflow)]; !known {
		return fmt.Errorf("the unknown overflow %d", w.Overflow)
	}
	if w.MaxGroups > math.MaxInt32 || w.EarlyMicros < 0 || len(w.Name) > MaxNameBytes || len(w.KeyTexts) > len(w.Keys) {
		return errors.New("a window with too many groups, a negative duration or too long a name")
	}
	if err := windowSpecs(w); err != nil {
		return err
	}
	return accumulators(w, in)
}

// maxSlices bounds the slices of one window, and the windows that share an instant.
const maxSlices = 100_000

func windowSpecs(w *Window) error {
	if len(w.Windows) == 0 || len(w.Windows) > MaxNodes {
		return fmt.Errorf("%d windows", len(w.Windows))
	}
	if w.AllowedLatenessMicros < 0 {
		return errors.New("a negative lateness")
	}
	for _, s := range w.Windows {
		if _, known := WindowSpec_Kind_name[int32(s.GetKind())]; !known {
			return fmt.Errorf("a window of the unknown kind %d", s.GetKind())
		}
		if s.Kind == WindowSpec_SESSION {
			if len(w.Windows) != 1 || s.EveryMicros <= 0 || s.SizeMicros != 0 || w.SliceMicros != 0 || w.TimeZone != "" {
				return errors.New("a session without a gap, beside others, or with slices or a time zone")
			}
			return nil
		}
		if err := windowSpec(w, s); err != nil {
			return err
		}
	}
	return nil
}

// windowSpec checks windows that slices of a fixed length cut.
func windowSpec(w *Window, s *WindowSpec) error {
	if w.SliceMicros <= 0 {
		return errors.New("a slice of no length")
	}
	if s.SizeMicros <= 0 || s.SizeMicros%w.SliceMicros != 0 || s.SizeMicros/w.SliceMicros > maxSlices {
		return errors.New("a window that its slices do not fill, or too many of them")
	}
	switch s.Kind {
	case WindowSpec_TUMBLING:
		if s.EveryMicros != 0 {
			return errors.New("a tumbling window with a step")
		}
	case WindowSpec_HOPPING, WindowSpec_CUMULATIVE:
		if s.EveryMicros <= 0 || s.EveryMicros > s.SizeMicros || s.EveryMicros%w.SliceMicros != 0 {
			return errors.New("a window whose step its slices do not fill")
		}
		if s.Kind == WindowSpec_CUMULATIVE && s.SizeMicros%s.EveryMicros != 0 {
			return errors.New("a cumulative window that its steps do not fill")
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
		case math.IsNaN(a.Param) || math.IsInf(a.Param, 0) || len(a.Argument) > MaxNameBytes:
			return fmt.Errorf("accumulator %d has no usable parameter, or too long an argument", i)
		case a.Column == -1 && a.Type != 0, a.Column < -1, int64(a.Column) >= int64(len(in)):
			return fmt.Errorf("accumulator %d reads column %d of %d", i, a.Column, len(in))
		case a.Column >= 0 && a.Type != in[a.Column].Type:
			return fmt.Errorf("accumulator %d reads a column of another type", i)
		}
	}
	for i, r := range w.Results {
		if r == nil || r.Function == "" || !validType(r.Type) || math.IsNaN(r.Param) || math.IsInf(r.Param, 0) {
			return fmt.Errorf("result %d has no function or no known type", i)
		}
		if err := distinct(fmt.Sprintf("accumulators of result %q", r.Name), r.Accumulators, len(w.Accumulators)); err != nil {
			return err
		}
	}
	return nil
}
