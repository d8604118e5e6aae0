package compile

import (
	"fmt"
	"strings"

	"github.com/leatio/leat/engine/plan"
)

// Tables that Leat makes itself.
var reservedTables = []string{"rejects", "late"}

// checkSinks tells the mistakes of the sinks.
func (b *builder) checkSinks(v *value) {
	if v == nil {
		return
	}
	const most = 64
	if len(v.node.Content) == 0 {
		b.c.at(v.node, "there are no sinks", "at least one of table, stdout, file")
	} else if len(v.node.Content) > most {
		b.c.at(v.node, fmt.Sprintf("there are %d sinks", len(v.node.Content)), fmt.Sprintf("at most %d", most))
		return
	}
	seen := map[string]bool{}
	for _, s := range v.list {
		for _, e := range s.entries {
			if e.value == nil {
				continue
			}
			if e.key.Value == "table" {
				b.checkTable(e.value)
			}
			id := e.key.Value + " " + e.value.get("name").textOr("") + e.value.get("path").textOr("")
			if seen[id] {
				b.c.at(e.key, fmt.Sprintf("the sink %s stands here a second time", strings.TrimSpace(id)), "only one")
			}
			seen[id] = true
		}
	}
}

func (b *builder) checkTable(v *value) {
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
	r := b.cur
	if r.lost {
		return
	}
	folded := map[string]string{}
	for _, bind := range r.visible {
		low := strings.ToLower(bind.name)
		if other, taken := folded[low]; taken {
			b.c.at(v.node, fmt.Sprintf("the columns %q and %q differ only in case, which a table cannot hold", other, bind.name), "columns with different names")
		}
		folded[low] = bind.name
	}
	if b.window == nil || len(r.broken) > 0 {
		return
	}
	for origin, name := range b.identity() {
		if b.finalOf(originStart+origin) < 0 {
			b.c.at(v.node, fmt.Sprintf("the column %q does not reach this table, which tells rows apart by it", name), "select and drop steps that let "+strings.Join(b.identity(), ", ")+" through")
		}
	}
}

// identity names the columns that identify a window's result, in the order of their origins.
func (b *builder) identity() []string {
	names := []string{plan.WindowStart, plan.WindowEnd}
	for _, k := range b.window.keys {
		names = append(names, k.name)
	}
	return names
}

// finalOf is the position in the output of the column with an origin, or -1.
func (b *builder) finalOf(origin int) int {
	for i, bind := range b.cur.visible {
		if b.cur.columns[bind.col].origin == origin {
			return i
		}
	}
	return -1
}

// sinkNodes makes the nodes of the sinks, all with the same parent.
func (b *builder) sinkNodes(v *value, schema []*plan.Column) []*plan.Node {
	var nodes []*plan.Node
	for _, s := range v.list {
		sink := &plan.Sink{}
		e := s.entries[0]
		switch e.key.Value {
		case "table":
			sink.Kind = &plan.Sink_Table{Table: b.table(e.value)}
		case "stdout":
			sink.Kind = &plan.Sink_Stdout{Stdout: &plan.StdoutSink{}}
		case "file":
			sink.Kind = &plan.Sink_File{File: &plan.FileSink{Path: e.value.get("path").textOr("")}}
		}
		nodes = append(nodes, &plan.Node{Schema: schema, Op: &plan.Node_Sink{Sink: sink}})
	}
	return nodes
}

func (b *builder) table(v *value) *plan.TableSink {
	t := &plan.TableSink{Name: v.get("name").textOr(""), KeepMicros: v.get("keep").microsOr(defaultKeep)}
	if b.window == nil {
		for i, bind := range b.cur.visible {
			if bind.col == b.edge.time {
				t.HasTimeColumn, t.TimeColumn = true, uint32(i)
			}
		}
		return t
	}
	for origin := range b.identity() {
		t.Keys = append(t.Keys, uint32(b.finalOf(originStart+origin)))
	}
	t.HasTimeColumn, t.TimeColumn = true, t.Keys[1]
	return t
}
