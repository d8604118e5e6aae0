package compile

import (
	"fmt"
	"strings"
)

// format checks what formats ask of a source, as package decode will.
func (c *compiler) format(v *value, out *sourceColumns) {
	format := v.get("format")
	name := out.plan.Format
	if t := v.get("tolerant_numbers"); t != nil {
		out.plan.TolerantNumbers = t.flag
		if name != "senml" && format != nil {
			c.at(v.key("tolerant_numbers"), "\"tolerant_numbers\" is for senml", "format: senml")
		}
	}
	switch {
	case format == nil:
	case name == "csv" && v.get("mqtt") != nil:
		c.at(format.node, "messages have no header line", "json, senml, influx, cbor or raw")
	case name == "cbor" && v.get("file") != nil:
		c.at(format.node, "CBOR has no lines, so files of it cannot be cut", "json, csv, senml, influx or raw")
	}
	schema := v.get("schema")
	if schema == nil || out.rows.lost {
		return
	}
	switch name {
	case "raw":
		c.rawSchema(schema)
	case "influx":
		c.columnsAre(schema, name, map[string][]string{"measurement": {"string"}, "time": timestampWords})
	case "senml":
		c.senmlSchema(schema)
	}
}

var timestampWords = []string{"timestamp", "timestamp_s", "timestamp_ms", "timestamp_us", "timestamp_ns"}

func (c *compiler) rawSchema(schema *value) {
	ok := len(schema.entries) == 1
	if ok && schema.entries[0].value != nil {
		word := schema.entries[0].value.text
		ok = word == "bytes" || word == "string"
	}
	if !ok {
		c.at(schema.node, "a raw payload is one value", "one column of the type bytes or string, as in {payload: bytes}")
	}
}

// columnsAre checks the types of columns that have a meaning of their own in a format.
func (c *compiler) columnsAre(schema *value, format string, types map[string][]string) {
	for _, e := range schema.entries {
		words := types[e.key.Value]
		if words == nil || e.value == nil {
			continue
		}
		fits := false
		for _, w := range words {
			fits = fits || w == e.value.text
		}
		if !fits {
			c.at(e.value.node, fmt.Sprintf("column %q of %s cannot be %s", e.key.Value, format, e.value.text), strings.Join(words, ", "))
		}
	}
}

// senmlSchema checks the columns of a schema with a row per record, which names one of a record's values; see docs/reference/formats.md.
func (c *compiler) senmlSchema(schema *value) {
	byRecord := map[string][]string{
		"n": {"string"}, "v": {"double", "int"}, "vs": {"string"}, "vb": {"bool"}, "vd": {"bytes"},
		"s": {"double"}, "u": {"string"}, "t": timestampWords, "bn": {"string"},
	}
	narrow := false
	for _, e := range schema.entries {
		switch e.key.Value {
		case "n", "v", "vs", "vb", "vd":
			narrow = true
		}
	}
	if !narrow {
		c.columnsAre(schema, "senml", map[string][]string{"t": timestampWords, "bn": {"string"}})
		return
	}
	c.columnsAre(schema, "senml", byRecord)
	for _, e := range schema.entries {
		if byRecord[e.key.Value] == nil {
			c.at(e.key, fmt.Sprintf("column %q cannot stand beside n, v, vs, vb or vd, which ask for a row per record", e.key.Value), "s, u, t, bn, or a schema without these five")
		}
	}
}
