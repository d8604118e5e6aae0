package compile

import (
	"fmt"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Explanation says what a plan does and where.
type Explanation struct {
	Pipeline   string        `json:"pipeline"`
	Version    uint64        `json:"version,omitempty"`
	Agents     string        `json:"agents"`
	Head       []string      `json:"head,omitempty"` // modules, parameters, reference tables, time zones
	Source     []string      `json:"source"`
	Edge       []Explained   `json:"edge"`
	Ports      []PortExplain `json:"ports"`
	Freshness  string        `json:"freshness"`
	Partitions uint32        `json:"partitions"`
	OneLane    bool          `json:"one_lane,omitempty"`
	Cloud      []Explained   `json:"cloud"`
	Load       *Load         `json:"load,omitempty"`
}

// Explained is one node of a fragment.
type Explained struct {
	ID      uint32   `json:"id"`
	Input   int32    `json:"input"` // the node that it reads; -1 = the source, or a port
	Kind    string   `json:"kind"`
	Text    string   `json:"text"`
	Details []string `json:"details,omitempty"`
	Columns []string `json:"columns"` // of its output: name and type
	depth   int      // how many forks lie above it
}

// Explain says what a plan does and where: the split into edge and cloud, the
// columns after each step, the slices of windows, and what leaves the agents.
func Explain(p *plan.Plan) *Explanation {
	e := &Explanation{
		Pipeline: p.Pipeline, Version: p.Version, Agents: p.Agents, Head: headOf(p), Source: sourceOf(p.Source),
		Freshness: freshness(p.FreshnessMicros, p.FreshnessWindow), Partitions: p.Spread, OneLane: p.OneLane,
	}
	if e.Agents == "" {
		e.Agents = "all"
	}
	e.Edge = fragmentOf(p, p.Edge, plan.ColumnsOf(p.Source.Schema()))
	e.Cloud = fragmentOf(p, p.Cloud, nil)
	for i, port := range p.Ports {
		e.Ports = append(e.Ports, portOf(p, i, port))
	}
	return e
}

func freshness(micros int64, atEnd bool) string {
	if atEnd {
		return "at the window's end"
	}
	return FormatDuration(micros)
}

// headOf tells what the plan names beside its steps.
func headOf(p *plan.Plan) []string {
	var out []string
	for _, m := range p.Modules {
		out = append(out, fmt.Sprintf("module %s@%s, %d bytes, sha256 %x", m.Name, m.Version, m.SizeBytes, m.Sha256))
	}
	for _, x := range p.Params {
		text := fmt.Sprintf("parameter %s %s = %s", x.Name, batch.Type(x.Type), literalText(x.Value, batch.Type(x.Type)))
		for _, s := range x.Sets {
			text += fmt.Sprintf(", %s on %s", literalText(s.Value, batch.Type(x.Type)), s.Agents)
		}
		out = append(out, text)
	}
	for _, l := range p.Lookups {
		text := fmt.Sprintf("reference table %s, %d bytes, sha256 %x", l.Name, l.SizeBytes, l.Sha256)
		if l.RefreshMicros > 0 {
			text += ", looked for anew every " + FormatDuration(l.RefreshMicros)
		}
		out = append(out, text)
	}
	for _, z := range p.Zones {
		out = append(out, fmt.Sprintf("time zone %s, %d changes of its clock from 1900 to 2100", z.Name, len(z.Changes)))
	}
	away := "all of them"
	if p.AwayQuorum > 0 {
		away = fmt.Sprintf("%g of them", p.AwayQuorum)
	}
	text := fmt.Sprintf("windows wait for agents that are away up to %s, or until %s have passed; their state waits %s", FormatDuration(p.AwayWaitMicros), away, FormatDuration(p.KeepMicros))
	if p.MaxLagMicros > 0 {
		text += "; an agent that lags more than " + FormatDuration(p.MaxLagMicros) + " counts as away"
	}
	return append(out, text)
}

func sourceOf(s *plan.Source) []string {
	var out []string
	switch k := s.Kind.(type) {
	case *plan.Source_Mqtt:
		out = append(out, fmt.Sprintf("mqtt %s, QoS %d, topics %s, %s", k.Mqtt.Broker, k.Mqtt.Qos, strings.Join(k.Mqtt.Topics, " "), s.Format))
	case *plan.Source_File:
		out = append(out, fmt.Sprintf("file %s, %s", strings.Join(k.File.Paths, " "), s.Format))
	case *plan.Source_Sim:
		out = append(out, fmt.Sprintf("sim, %d devices, %s", k.Sim.Devices, s.Format))
	}
	out = append(out, "columns: "+columnList(plan.ColumnsOf(s.Schema())))
	if s.HasEventTime {
		idle, future := "idle after "+FormatDuration(s.IdleAfterMicros), "at most "+FormatDuration(s.MaxFutureMicros)+" ahead"
		if s.IdleAfterMicros == 0 {
			idle = "never idle"
		}
		if s.MaxFutureMicros == 0 {
			future = "any time ahead"
		}
		out = append(out, fmt.Sprintf("event time: %s, disorder %s, %s, %s", s.Columns[s.EventTime].Name, FormatDuration(s.MaxDisorderMicros), idle, future))
	}
	return out
}

func fragmentOf(p *plan.Plan, f *plan.Fragment, source []*plan.Column) []Explained {
	kids := make(map[int32]int, len(f.Nodes))
	for _, n := range f.Nodes {
		kids[n.Input]++
	}
	out := make([]Explained, len(f.Nodes))
	for i, n := range f.Nodes {
		in, depth := source, 0
		if n.Input >= 0 {
			in, depth = f.Nodes[n.Input].Schema, out[n.Input].depth
		}
		if kids[n.Input] > 1 && (n.Input >= 0 || source != nil) {
			depth++
		}
		out[i] = explainNode(p, n, in)
		out[i].ID, out[i].Input, out[i].depth, out[i].Columns = n.Id, n.Input, depth, []string{}
		for _, c := range n.Schema {
			out[i].Columns = append(out[i].Columns, c.Name+" "+batch.Type(c.Type).String())
		}
	}
	return out
}

func explainNode(p *plan.Plan, n *plan.Node, in []*plan.Column) Explained {
	switch op := n.Op.(type) {
	case *plan.Node_Where:
		return Explained{Kind: "where", Text: exprText(op.Where.Condition, in)}
	case *plan.Node_Project:
		return Explained{Kind: "columns", Details: projectText(n, op.Project, in)}
	case *plan.Node_PartialWindow:
		return partialText(n, op.PartialWindow, in)
	case *plan.Node_FinalWindow:
		return Explained{Kind: "window, final stage", Text: windowText(op.FinalWindow), Details: resultsText(op.FinalWindow)}
	case *plan.Node_ChainWindow:
		e := partialText(n, op.ChainWindow, in)
		e.Kind, e.Details = "window over results", append(e.Details, resultsText(op.ChainWindow)...)
		return e
	case *plan.Node_Late:
		return Explained{Kind: "late rows"}
	case *plan.Node_PortOut:
		return Explained{Kind: fmt.Sprintf("to port %d", op.PortOut.Port)}
	case *plan.Node_PortIn:
		return Explained{Kind: fmt.Sprintf("from port %d", op.PortIn.Port)}
	case *plan.Node_WindowRows:
		return Explained{Kind: "forwarded rows", Text: fmt.Sprintf("into the window of node %d", op.WindowRows.Window)}
	case *plan.Node_Sink:
		return sinkText(op.Sink, in)
	}
	return stepText(p, n, in)
}

func projectText(n *plan.Node, p *plan.Project, in []*plan.Column) []string {
	var out []string
	for i, e := range p.Columns {
		c, text := n.Schema[i], exprText(e, in)
		line := fmt.Sprintf("%s %s", c.Name, batch.Type(c.Type))
		if text != identifier(c.Name) {
			line += " = " + text
		}
		out = append(out, line)
	}
	return out
}

// stepText tells about the steps that remember something.
func stepText(p *plan.Plan, n *plan.Node, in []*plan.Column) Explained {
	var e Explained
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch op := n.Op.(type) {
	case *plan.Node_Alert:
		a := op.Alert
		e.Kind = "alert"
		add("%s when %s", byText(a.Keys, in), exprText(a.When, in))
		if a.ForMicros > 0 {
			add("for %s", FormatDuration(a.ForMicros))
		}
		if a.Clear != nil {
			add("cleared when %s", exprText(a.Clear, in))
		}
		if a.SilentMicros > 0 {
			add("silent after %s", FormatDuration(a.SilentMicros))
		}
	case *plan.Node_Changed:
		e.Kind = "changed"
		add("%s", byText(op.Changed.Keys, in))
		for _, c := range op.Changed.Columns {
			text := "in " + in[c.Column].Name
			if c.Deadband > 0 {
				text += fmt.Sprintf(" by more than %g", c.Deadband)
			}
			add("%s", text)
		}
		if op.Changed.HeartbeatMicros > 0 {
			add("and every %s", FormatDuration(op.Changed.HeartbeatMicros))
		}
	case *plan.Node_Sample:
		e.Kind = "sample"
		add("%s every %s", byText(op.Sample.Keys, in), FormatDuration(op.Sample.EveryMicros))
	case *plan.Node_Dedupe:
		e.Kind = "dedupe"
		add("%s within %s", byText(op.Dedupe.Keys, in), FormatDuration(op.Dedupe.WithinMicros))
	case *plan.Node_Lookup:
		l := op.Lookup
		e.Kind = "lookup"
		for i, k := range l.Keys {
			add("%s = %s", identifier(in[k].Name), identifier(l.On[i]))
		}
		e.Text = "in " + p.Lookups[l.Lookup].Name + ", " + strings.Join(parts, " AND ")
		if l.DropMissing {
			e.Text += ", rows without a match are dropped"
		}
		return e
	case *plan.Node_Keyed:
		e.Kind = "keyed"
		add("%s by %s", byText(op.Keyed.Keys, in), op.Keyed.Function)
	}
	e.Text = strings.Join(parts, ", ")
	return e
}

func byText(keys []uint32, in []*plan.Column) string {
	if len(keys) == 0 {
		return "over all rows"
	}
	return "by " + namesAt(keys, in)
}

func namesAt(at []uint32, in []*plan.Column) string {
	names := make([]string, len(at))
	for i, k := range at {
		names[i] = in[k].Name
	}
	return strings.Join(names, ", ")
}

func sinkText(s *plan.Sink, in []*plan.Column) Explained {
	e := Explained{Kind: "sink"}
	switch k := s.Kind.(type) {
	case *plan.Sink_Table:
		keep := "for ever"
		if k.Table.KeepMicros > 0 && k.Table.HasTimeColumn {
			keep = FormatDuration(k.Table.KeepMicros)
		}
		e.Text = fmt.Sprintf("table %s, kept %s", k.Table.Name, keep)
		if len(k.Table.Keys) > 0 {
			e.Details = append(e.Details, "rows are told apart by: "+namesAt(k.Table.Keys, in))
		}
	case *plan.Sink_Stdout:
		e.Text = "stdout"
	case *plan.Sink_File:
		e.Text = "file " + k.File.Path
	case *plan.Sink_Mqtt:
		e.Text = fmt.Sprintf("mqtt %s, topic %s, QoS %d", k.Mqtt.Connection.Broker, k.Mqtt.Topic, k.Mqtt.Qos)
	}
	if s.Branch != "" {
		e.Text += ", of the branch " + s.Branch
	}
	e.Details = append(e.Details, "columns: "+columnList(in))
	return e
}

func columnList(cols []*plan.Column) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = c.Name + " " + batch.Type(c.Type).String()
	}
	return strings.Join(parts, ", ")
}
