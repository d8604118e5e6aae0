package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/pb"
)

// Tables that Leat makes itself.
var reservedTables = []string{"rejects", "late"}

// lateColumn stands for _late_for among an output's columns: it is in no space.
const lateColumn = -1

const maxSinks = 64 // of a branch

// end is where a branch ends in its sinks.
func (b *builder) end(v *value) {
	r := b.cur
	o := &output{branch: b.branch, rows: r}
	for _, bind := range r.visible {
		if bind.name != plan.Revision {
			o.cols = append(o.cols, bind)
		}
	}
	if r.window != nil && !r.lost { // a window with mistakes may have no results
		o.cols = append(o.cols, binding{plan.Revision, r.window.revision()})
	}
	b.sinks(v, o)
	o.at = r.step(&lnode{output: o})
	b.outputs = append(b.outputs, o)
}

// lateSinks reads where the late rows of a window go.
func (b *builder) lateSinks(v *value, w *windowPlan) {
	if v == nil || w.inner != nil {
		return
	}
	o := &output{branch: b.branch, late: true, rows: w.in, cols: slices.Clone(w.in.visible)}
	o.cols = append(o.cols, binding{plan.LateFor, lateColumn})
	b.sinks(v, o)
	w.late = o
	b.outputs = append(b.outputs, o)
}

// sinks reads the sinks of an output and tells their mistakes.
func (b *builder) sinks(v *value, o *output) {
	if v == nil {
		return
	}
	if n := len(v.node.Content); n == 0 {
		b.c.at(v.node, "there are no sinks", "at least one of "+strings.Join(sinkNames, ", "))
	} else if n > maxSinks {
		b.c.at(v.node, fmt.Sprintf("there are %d sinks", n), fmt.Sprintf("at most %d", maxSinks))
		return
	}
	seen := map[string]bool{}
	for _, s := range v.list {
		e, ok := s.chosen(sinkNames)
		if !ok || e.value == nil {
			continue
		}
		sink := b.sink(s, e, o)
		if sink == nil {
			continue
		}
		id := strings.TrimSpace(e.key.Value + " " + sinkTarget(sink.plan))
		if known := sinkTarget(sink.plan) != "" || e.key.Value == "stdout"; known && (seen[id] || b.taken(sink.plan)) {
			b.c.at(e.key, fmt.Sprintf("the sink %s stands here a second time", id), "only one")
		}
		seen[id] = true
		sink.plan.Name = b.branchName() + "/" + id
		if o.late {
			sink.plan.Name = b.branchName() + "/late/" + id
		}
		sink.plan.Branch, sink.plan.Late = o.branch, o.late
		o.sinks = append(o.sinks, sink)
	}
}

// taken tells whether another branch writes the same table or file.
func (b *builder) taken(s *plan.Sink) bool {
	set, name := b.tables, s.GetTable().GetName()
	if f := s.GetFile(); f != nil {
		set, name = b.files, f.Path
	}
	if name == "" {
		return false
	}
	was := set[name]
	set[name] = true
	return was
}

func sinkTarget(s *plan.Sink) string {
	switch k := s.Kind.(type) {
	case *plan.Sink_Table:
		return k.Table.Name
	case *plan.Sink_File:
		return k.File.Path
	case *plan.Sink_Mqtt:
		return k.Mqtt.Topic
	}
	return ""
}

// sink reads one sink; nil after a mistake that leaves nothing of it.
func (b *builder) sink(s *value, e entry, o *output) *sinkPlan {
	v, kind := e.value, e.key.Value
	out := &sinkPlan{plan: &plan.Sink{}, edge: kind == "mqtt"}
	if place := s.get("place"); place != nil {
		out.edge = place.text == "edge"
		switch {
		case out.edge && (kind == "table" || kind == "stdout"):
			b.c.at(place.node, fmt.Sprintf("a %s sink cannot stand on the edge", kind), "place: cloud, or a sink of mqtt or file")
			return nil
		case !out.edge && kind == "mqtt":
			b.c.at(place.node, "mqtt sinks in the cloud are not built yet in this version", "place: edge")
			return nil
		}
	}
	if !b.sinkPlace(s, e, o, out.edge) {
		return nil
	}
	switch kind {
	case "table":
		b.checkTable(v, o)
		out.plan.Kind = &plan.Sink_Table{Table: b.table(v, o)}
	case "stdout":
		out.plan.Kind = &plan.Sink_Stdout{Stdout: &plan.StdoutSink{}}
	case "file":
		out.plan.Kind = &plan.Sink_File{File: b.fileSink(v, out.edge)}
		out.plan.BudgetBytes = v.get("budget").bytesOr(0)
	case "mqtt":
		out.plan.Kind = &plan.Sink_Mqtt{Mqtt: b.mqttSink(v, o)}
		out.plan.BudgetBytes = v.get("budget").bytesOr(0)
	}
	return out
}

// sinkPlace tells whether a sink may stand where it does.
func (b *builder) sinkPlace(s *value, e entry, o *output, edge bool) bool {
	cloud := o.rows.at.cloud && !o.late
	node := e.key
	if place := s.get("place"); place != nil {
		node = place.node
	}
	switch {
	case edge && cloud && o.rows.window != nil:
		b.c.at(node, fmt.Sprintf("this %s sink acts on the edge, and the window's results come about in the cloud", e.key.Value), "place: edge on the window, or another sink")
	case edge && cloud:
		b.c.at(node, fmt.Sprintf("this %s sink acts on the edge, and a step before it runs in the cloud%s", e.key.Value, b.cloudStep()), "place: edge on all steps before it")
	case !edge && !cloud && !o.late && o.rows.window != nil:
		b.c.at(node, "the results of a window with place: edge stay on their agent", "place: edge here (mqtt or file), or a branch whose window has its results in the cloud")
	default:
		return true
	}
	return false
}

func (v *value) bytesOr(def uint64) uint64 {
	if v == nil {
		return def
	}
	return v.bytes
}

func (b *builder) fileSink(v *value, edge bool) *plan.FileSink {
	f := &plan.FileSink{Path: v.get("path").textOr(""), MaxBytes: v.get("max_size").bytesOr(0)}
	if edge {
		return f
	}
	f.Path = b.c.same(v.get("path"))
	for _, key := range []string{"max_size", "budget"} {
		if v.has(key) {
			b.c.at(v.key(key), fmt.Sprintf("%q is for files on the edge", key), "place: edge beside file")
		}
	}
	return f
}

func (b *builder) mqttSink(v *value, o *output) *plan.MqttSink {
	m := &plan.MqttSink{
		Topic: v.get("topic").textOr(""), Qos: uint32(v.get("qos").numberOr(1)),
		Retain: v.get("retain") != nil && v.get("retain").flag,
	}
	if v.has("broker") {
		m.Connection = b.c.connection(v)
	} else {
		source := b.source.plan.GetMqtt()
		if source == nil {
			b.c.at(v.node, "no broker is named, and the source has none", "the key broker")
			source = &plan.MqttSource{}
		}
		m.Connection = pb.Clone(source)
		m.Connection.Topics, m.Connection.Qos, m.Connection.ClientId = nil, 0, v.get("client_id").textOr("")
		for _, key := range connectionKeys() {
			if v.has(key.name) && key.name != "client_id" {
				b.c.at(v.key(key.name), fmt.Sprintf("%q stands without a broker", key.name), "a broker, or the source's broker with its credentials")
			}
		}
	}
	if topic := v.get("topic"); topic != nil {
		b.checkTopic(topic, o)
	}
	return m
}

// checkTopic tells what is wrong with the topic template of a sink.
func (b *builder) checkTopic(v *value, o *output) {
	if strings.ContainsAny(v.text, "+#") {
		b.c.at(v.node, fmt.Sprintf("the topic %q holds + or #, which stand for others only in subscriptions", v.text), "a topic")
		return
	}
	if o.rows.lost {
		return
	}
	names := o.names()
	for i := 0; i < len(v.text); i++ {
		if v.text[i] == '}' {
			b.c.inside(v.node, i, "this } closes nothing", "{column}")
			return
		}
		if v.text[i] != '{' {
			continue
		}
		end := strings.IndexByte(v.text[i:], '}')
		if end < 0 {
			b.c.inside(v.node, i, "this { is not closed", "{column}")
			return
		}
		name, isParam := v.text[i+1:i+end], i > 0 && v.text[i-1] == '$'
		if !isParam && !o.rows.broken[name] && !slices.Contains(names, name) {
			what := fmt.Sprintf("there is no column %q here", shorten(name))
			if near := nearest(name, names); near != "" {
				what += fmt.Sprintf(" (did you mean %q?)", near)
			}
			b.c.inside(v.node, i, what, oneOf(names))
		}
		i += end
	}
}

// names are the columns that the sinks get, as the file sees them.
func (o *output) names() []string {
	var out []string
	for _, bind := range o.cols {
		if bind.name != plan.Revision || o.rows.window.plan.Completeness {
			out = append(out, bind.name)
		}
	}
	return out
}

func (b *builder) checkTable(v *value, o *output) {
	if name := v.get("name"); name != nil {
		for _, taken := range reservedTables {
			if name.text == taken {
				b.c.at(name.node, fmt.Sprintf("the table name %q is kept for Leat's own table", name.text), "another name")
			}
		}
		if strings.HasPrefix(name.text, "sqlite_") {
			b.c.at(name.node, fmt.Sprintf("the table name %q begins with sqlite_, which the database keeps for itself", name.text), "another name")
		}
	}
	r := o.rows
	if r.lost {
		return
	}
	folded := map[string]string{}
	for _, bind := range o.cols {
		low := strings.ToLower(bind.name)
		if other, taken := folded[low]; taken {
			b.c.at(v.node, fmt.Sprintf("the columns %q and %q differ only in case, which a table cannot hold", other, bind.name), "columns with different names")
		}
		folded[low] = bind.name
	}
	if r.window == nil || o.late || len(r.broken) > 0 {
		return
	}
	identity := r.window.identityNames()
	for origin, name := range identity {
		if o.positionOf(originStart+origin) < 0 {
			b.c.at(v.node, fmt.Sprintf("the column %q does not reach this table, which tells rows apart by it", name), "select and drop steps that let "+strings.Join(identity, ", ")+" through")
		}
	}
}

// identityNames names the columns that identify a window's result, in the order of their origins.
func (w *windowPlan) identityNames() []string {
	names := []string{plan.WindowStart, plan.WindowEnd}
	for _, k := range w.keys {
		names = append(names, k.name)
	}
	return names
}

// positionOf is the position in the output of the column with an origin, or -1.
func (o *output) positionOf(origin int) int {
	for i, bind := range o.cols {
		if bind.col != lateColumn && o.rows.columns[bind.col].origin == origin {
			return i
		}
	}
	return -1
}

func (b *builder) table(v *value, o *output) *plan.TableSink {
	t := &plan.TableSink{Name: v.get("name").textOr(""), KeepMicros: v.get("keep").microsOr(defaultKeep)}
	r := o.rows
	if r.window == nil || o.late {
		for i, bind := range o.cols {
			if bind.col == r.time && r.time >= 0 && r.columns[bind.col].typ == batch.Timestamp {
				t.HasTimeColumn, t.TimeColumn = true, uint32(i)
			}
		}
		return t
	}
	for origin := range r.window.identityNames() {
		t.Keys = append(t.Keys, uint32(max(o.positionOf(originStart+origin), 0)))
	}
	t.HasTimeColumn, t.TimeColumn = true, t.Keys[1]
	return t
}
