package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// maxColumns bounds the columns of a schema, of a step's output and of a
// window's result; maxSteps the steps.
const (
	maxColumns = 1000
	maxMade    = 2 * maxColumns // columns that the steps of a fragment make in all, the source's included
	maxSteps   = 200
)

// hiddenColumns are known to the agent without standing in the payload.
// Expressions may use them; they are in a result only where the file says so.
var hiddenColumns = []struct {
	name string
	typ  batch.Type
	kind plan.Hidden
}{
	{"_topic", batch.String, plan.Hidden_HIDDEN_TOPIC},
	{"_agent", batch.String, plan.Hidden_HIDDEN_AGENT},
	{"_received_at", batch.Timestamp, plan.Hidden_HIDDEN_RECEIVED_AT},
}

// sourceColumns is the source with all columns that it could give; which of
// them the plan keeps is known when the steps are.
type sourceColumns struct {
	plan *plan.Source
	all  []*plan.SourceColumn
	rows *rows
}

func (c *compiler) source(v *value) sourceColumns {
	out := sourceColumns{plan: &plan.Source{}, rows: newRows(c, nil)}
	if v == nil {
		out.rows.lost = true
		return out
	}
	src := out.plan
	src.Format = v.get("format").textOr("json")
	switch {
	case v.get("mqtt") != nil:
		src.Kind = &plan.Source_Mqtt{Mqtt: c.mqtt(v.get("mqtt"))}
	case v.get("file") != nil:
		src.Kind = &plan.Source_File{File: c.file(v.get("file"))}
	case v.get("sim") != nil:
		src.Kind = &plan.Source_Sim{Sim: c.sim(v.get("sim"), v)}
	}
	c.schema(v, &out)
	c.eventTime(v, &out)
	c.format(v, &out)
	return out
}

var schemaUnits = map[string]plan.TimeUnit{
	"timestamp":    plan.TimeUnit_TIME_UNIT_RFC3339,
	"timestamp_s":  plan.TimeUnit_TIME_UNIT_SECONDS,
	"timestamp_ms": plan.TimeUnit_TIME_UNIT_MILLIS,
	"timestamp_us": plan.TimeUnit_TIME_UNIT_MICROS,
	"timestamp_ns": plan.TimeUnit_TIME_UNIT_NANOS,
}

// columnType is what the name of a type in a schema stands for.
func columnType(text string) (batch.Type, plan.TimeUnit) {
	if unit, isTime := schemaUnits[text]; isTime {
		return batch.Timestamp, unit
	}
	t, _ := batch.ParseType(text)
	return t, plan.TimeUnit_TIME_UNIT_RFC3339
}

func (c *compiler) schema(v *value, out *sourceColumns) {
	schema := v.get("schema")
	if schema == nil {
		out.rows.lost = true
	} else if len(schema.entries) == 0 {
		c.at(schema.node, "the schema has no columns", "at least one, as in {device: string}")
		out.rows.lost = true
	} else if len(schema.entries) > maxColumns {
		c.at(schema.node, fmt.Sprintf("the schema has %d columns", len(schema.entries)), fmt.Sprintf("at most %d", maxColumns))
		out.rows.lost = true
		return
	}
	if schema != nil {
		for _, e := range schema.entries {
			if wrong := columnName(e.key.Value); wrong != "" {
				c.at(e.key, wrong, "another name")
				continue
			}
			if e.value == nil {
				out.rows.broken[e.key.Value] = true
				continue
			}
			t, unit := columnType(e.value.text)
			col := &plan.SourceColumn{Name: e.key.Value, Type: uint32(t), Unit: unit}
			out.all = append(out.all, col)
			out.rows.show(col.Name, out.rows.column(col.Name, batch.Type(col.Type)))
		}
	}
	for _, h := range hiddenColumns {
		out.all = append(out.all, &plan.SourceColumn{Name: h.name, Type: uint32(h.typ), Hidden: h.kind})
		out.rows.hidden = append(out.rows.hidden, binding{h.name, out.rows.column(h.name, h.typ)})
	}
}

func (c *compiler) eventTime(v *value, out *sourceColumns) {
	et := v.get("event_time")
	if et == nil {
		out.rows.timeLost = v.has("event_time")
		return
	}
	src := out.plan
	src.MaxDisorderMicros = et.get("max_disorder").microsOr(0)
	src.IdleAfterMicros = et.get("idle_after").microsOr(defaultIdleAfter)
	src.MaxFutureMicros = et.get("max_future").microsOr(defaultMaxFuture)
	out.rows.timeLost = true
	column := et.get("column")
	if column == nil || out.rows.lost || out.rows.broken[column.text] {
		return
	}
	var times, names []string
	for _, b := range out.rows.visible {
		names = append(names, b.name)
		if out.rows.columns[b.col].typ == batch.Timestamp {
			times = append(times, b.name)
		}
	}
	expected := oneOf(times)
	if len(times) == 0 {
		expected = "a column of the schema with the type timestamp, timestamp_s, timestamp_ms, timestamp_us or timestamp_ns"
	}
	i := slices.Index(names, column.text)
	switch {
	case i < 0:
		c.at(column.node, fmt.Sprintf("the schema has no column %q", column.text), expected)
	case out.rows.columns[i].typ != batch.Timestamp:
		c.at(column.node, fmt.Sprintf("the column %q is of the type %s", column.text, out.rows.columns[i].typ), expected)
	default:
		src.HasEventTime = true
		out.rows.time, out.rows.timeLost = i, false
	}
}

// connection reads how a broker is reached.
func (c *compiler) connection(v *value) *plan.MqttSource {
	m := &plan.MqttSource{
		Broker:             v.get("broker").textOr(""),
		Username:           v.get("username").textOr(""),
		Password:           v.get("password").textOr(""),
		ClientId:           v.get("client_id").textOr(""),
		CaFile:             v.get("ca_file").textOr(""),
		CertFile:           v.get("cert_file").textOr(""),
		KeyFile:            v.get("key_file").textOr(""),
		InsecureSkipVerify: v.get("insecure_skip_verify") != nil && v.get("insecure_skip_verify").flag,
	}
	if !strings.HasPrefix(c.withDefaults(m.Broker), "ssl://") && v.get("broker") != nil {
		for _, key := range []string{"ca_file", "cert_file", "key_file", "insecure_skip_verify"} {
			if v.has(key) {
				c.at(v.key(key), fmt.Sprintf("%q needs TLS, and the broker %s has none", key, m.Broker), "a broker ssl://host:port")
			}
		}
	}
	if v.has("cert_file") != v.has("key_file") {
		has, lacks := "cert_file", "key_file"
		if v.has(lacks) {
			has, lacks = lacks, has
		}
		c.at(v.key(has), fmt.Sprintf("%q stands without %q", has, lacks), "both or none")
	}
	return m
}

func (c *compiler) mqtt(v *value) *plan.MqttSource {
	m := c.connection(v)
	m.Qos = uint32(v.get("qos").numberOr(1))
	topics := v.get("topics")
	if topics == nil {
		return m
	}
	if len(topics.list) == 0 && len(topics.node.Content) == 0 {
		c.at(topics.node, "there are no topics", "at least one topic filter")
	}
	seen := map[string]bool{}
	for _, t := range topics.list {
		if wrong := topicFilter(c.withDefaults(t.text)); wrong != "" {
			c.at(t.node, fmt.Sprintf("%q is not a topic filter: %s", t.text, wrong), "levels joined by '/', each of them text, '+', or at the end '#'")
		} else if seen[t.text] {
			c.at(t.node, fmt.Sprintf("the topic filter %q stands here a second time", t.text), "only one")
		}
		seen[t.text] = true
		m.Topics = append(m.Topics, t.text)
	}
	return m
}

// topicFilter says what is wrong with an MQTT topic filter.
func topicFilter(s string) string {
	levels := strings.Split(s, "/")
	for i, l := range levels {
		switch {
		case l == "#" && i != len(levels)-1:
			return "'#' must be the last level"
		case len(l) > 1 && strings.ContainsAny(l, "#+"):
			return "'#' and '+' must stand alone in their level"
		}
	}
	return ""
}

func (c *compiler) file(v *value) *plan.FileSource {
	f := &plan.FileSource{}
	path := v.get("path")
	if path == nil {
		return f
	}
	items := path.list
	if path.kind != kindList {
		items = []*value{path}
	} else if len(path.node.Content) == 0 {
		c.at(path.node, "there are no paths", "at least one")
	}
	for _, item := range items {
		if item.text == "-" && len(items) > 1 {
			c.at(item.node, "standard input stands beside other files", "\"-\" alone")
		}
		f.Paths = append(f.Paths, item.text)
	}
	return f
}

func (c *compiler) sim(v, source *value) *plan.SimSource {
	if format := source.get("format"); format != nil && format.text != "json" {
		c.at(format.node, "simulated sensors send JSON", "json")
	}
	return &plan.SimSource{
		Devices: uint32(v.get("devices").numberOr(100)),
		Rate:    v.get("rate").numberOr(100),
		Rows:    uint64(v.get("rows").numberOr(0)),
		Seed:    uint64(v.get("seed").numberOr(1)),
	}
}
