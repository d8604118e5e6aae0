package compile

import (
	"fmt"
	"strings"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Explain says for people what a plan does and where: the split into edge and
// cloud, the columns at each step, and estimates of what leaves the agent.
func Explain(p *plan.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %s", p.Pipeline)
	if p.Version > 0 {
		fmt.Fprintf(&b, ", version %d", p.Version)
	}
	agents := p.Agents
	if agents == "" {
		agents = "all"
	}
	fmt.Fprintf(&b, "\nagents: %s\n", agents)
	for _, m := range p.Modules {
		fmt.Fprintf(&b, "module %s@%s, %d bytes, sha256 %x\n", m.Name, m.Version, m.SizeBytes, m.Sha256)
	}
	b.WriteString("\nedge (on the agents)\n")
	explainSource(&b, p.Source)
	source := plan.ColumnsOf(p.Source.Schema())
	explainFragment(&b, p, p.Edge, source)
	b.WriteString("\nuplink\n")
	for i, port := range p.Ports {
		explainPort(&b, i, port)
	}
	fmt.Fprintf(&b, "  freshness: %s\n  partitions: %d\n", freshness(p), p.Spread)
	b.WriteString("\ncloud\n")
	explainFragment(&b, p, p.Cloud, nil)
	return b.String()
}

func freshness(p *plan.Plan) string {
	if p.FreshnessWindow {
		return "at the window's end"
	}
	return FormatDuration(p.FreshnessMicros)
}

func explainSource(b *strings.Builder, s *plan.Source) {
	switch k := s.Kind.(type) {
	case *plan.Source_Mqtt:
		fmt.Fprintf(b, "  source: mqtt %s, QoS %d, topics %s, %s\n", k.Mqtt.Broker, k.Mqtt.Qos, strings.Join(k.Mqtt.Topics, " "), s.Format)
	case *plan.Source_File:
		fmt.Fprintf(b, "  source: file %s, %s\n", strings.Join(k.File.Paths, " "), s.Format)
	case *plan.Source_Sim:
		fmt.Fprintf(b, "  source: sim, %d devices, %s\n", k.Sim.Devices, s.Format)
	}
	fmt.Fprintf(b, "    columns: %s\n", columnList(plan.ColumnsOf(s.Schema())))
	if s.HasEventTime {
		idle, future := "idle after "+FormatDuration(s.IdleAfterMicros), "at most "+FormatDuration(s.MaxFutureMicros)+" ahead"
		if s.IdleAfterMicros == 0 {
			idle = "never idle"
		}
		if s.MaxFutureMicros == 0 {
			future = "any time ahead"
		}
		fmt.Fprintf(b, "    event time: %s, disorder %s, %s, %s\n",
			s.Columns[s.EventTime].Name, FormatDuration(s.MaxDisorderMicros), idle, future)
	}
}

func explainFragment(b *strings.Builder, p *plan.Plan, f *plan.Fragment, source []*plan.Column) {
	for _, n := range f.Nodes {
		in := source
		if n.Input >= 0 {
			in = f.Nodes[n.Input].Schema
		}
		explainNode(b, p, n, in)
	}
}

func explainNode(b *strings.Builder, p *plan.Plan, n *plan.Node, in []*plan.Column) {
	switch op := n.Op.(type) {
	case *plan.Node_Where:
		fmt.Fprintf(b, "  where: %s\n", exprText(op.Where.Condition, in))
	case *plan.Node_Project:
		b.WriteString("  columns:\n")
		for i, e := range op.Project.Columns {
			c, text := n.Schema[i], exprText(e, in)
			if text == identifier(c.Name) {
				fmt.Fprintf(b, "    %s %s\n", c.Name, batch.Type(c.Type))
			} else {
				fmt.Fprintf(b, "    %s %s = %s\n", c.Name, batch.Type(c.Type), text)
			}
		}
	case *plan.Node_PartialWindow:
		fmt.Fprintf(b, "  window, partial stage: %s\n", windowText(op.PartialWindow))
		for i, a := range op.PartialWindow.Accumulators {
			fmt.Fprintf(b, "    accumulator %d: %s\n", i, accumulatorText(a, in))
		}
		fmt.Fprintf(b, "    partials: %s\n", columnList(n.Schema))
	case *plan.Node_PortOut:
		fmt.Fprintf(b, "  to port %d\n", op.PortOut.Port)
	case *plan.Node_PortIn:
		fmt.Fprintf(b, "  from port %d\n", op.PortIn.Port)
	case *plan.Node_FinalWindow:
		fmt.Fprintf(b, "  window, final stage: %s\n", windowText(op.FinalWindow))
		for _, r := range op.FinalWindow.Results {
			fmt.Fprintf(b, "    %s %s = %s of accumulators %v\n", r.Name, batch.Type(r.Type), r.Function, r.Accumulators)
		}
	case *plan.Node_Sink:
		explainSink(b, op.Sink, in)
	}
}

func explainSink(b *strings.Builder, s *plan.Sink, in []*plan.Column) {
	switch k := s.Kind.(type) {
	case *plan.Sink_Table:
		keep := "for ever"
		if k.Table.KeepMicros > 0 && k.Table.HasTimeColumn {
			keep = FormatDuration(k.Table.KeepMicros)
		}
		fmt.Fprintf(b, "  sink: table %s, kept %s\n", k.Table.Name, keep)
		if len(k.Table.Keys) > 0 {
			keys := make([]string, len(k.Table.Keys))
			for i, c := range k.Table.Keys {
				keys[i] = in[c].Name
			}
			fmt.Fprintf(b, "    rows are told apart by: %s\n", strings.Join(keys, ", "))
		}
	case *plan.Sink_Stdout:
		b.WriteString("  sink: stdout\n")
	case *plan.Sink_File:
		fmt.Fprintf(b, "  sink: file %s\n", k.File.Path)
	}
	fmt.Fprintf(b, "    columns: %s\n", columnList(in))
}

func windowText(w *plan.Window) string {
	parts := []string{"tumbling " + FormatDuration(w.SliceMicros)}
	if len(w.Keys) > 0 {
		names := make([]string, len(w.Keys))
		for i, k := range w.Keys {
			names[i] = k.Name
		}
		parts = append(parts, "by "+strings.Join(names, ", "))
	} else {
		parts = append(parts, "one group of all rows")
	}
	return strings.Join(append(parts, "lateness "+FormatDuration(w.AllowedLatenessMicros)), ", ")
}

func accumulatorText(a *plan.Accumulator, in []*plan.Column) string {
	if a.Column < 0 {
		return a.Kind
	}
	return fmt.Sprintf("%s of %s (%s)", a.Kind, in[a.Column].Name, batch.Type(a.Type))
}

func columnList(cols []*plan.Column) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = c.Name + " " + batch.Type(c.Type).String()
	}
	return strings.Join(parts, ", ")
}

// explainPort tells what goes over the line and about how much.
func explainPort(b *strings.Builder, i int, port *plan.Port) {
	unit, total := "row", 0.0
	if port.Kind == plan.Port_PARTIALS {
		unit = "partial"
	}
	for k, c := range port.Schema {
		total += estimatedBytes(port, k, c)
	}
	split := "by agent"
	if len(port.Keys) > 0 {
		names := make([]string, len(port.Keys))
		for k, at := range port.Keys {
			names[k] = port.Schema[at].Name
		}
		split = "by " + strings.Join(names, ", ")
	}
	fmt.Fprintf(b, "  port %d: %ss, split %s\n    columns: %s\n", i, unit, split, columnList(port.Schema))
	fmt.Fprintf(b, "    estimate: %.1f bytes per %s in frames of 1,000 %ss, compressed\n", total, unit, unit)
}

// typeBytes are rough figures of the columnar codec for one value of sensor
// data in a frame of 1,000 rows, compressed: regular times, dictionary-coded
// names, readings with one or two decimals. Together they give the measured 2.1
// bytes of a row (device, ts, temp, humidity). Blobs are a guess.
var typeBytes = [...]float64{
	batch.Bool: 0.1, batch.Int: 0.8, batch.Double: 0.6, batch.String: 0.7, batch.Bytes: 16, batch.Timestamp: 0.2,
}

// exactDoubleBytes is for doubles that use all their digits, as sums of squares do.
const exactDoubleBytes = 7

func estimatedBytes(port *plan.Port, at int, c *plan.Column) float64 {
	if port.Kind == plan.Port_PARTIALS && batch.Type(c.Type) == batch.Double {
		exact := strings.HasPrefix(c.Name, "_") && (strings.Contains(c.Name, "_"+aggregate.Moments) || strings.Contains(c.Name, "_"+aggregate.Sum))
		if exact && at >= len(port.Keys) {
			return exactDoubleBytes
		}
	}
	return typeBytes[batch.Type(c.Type)]
}
