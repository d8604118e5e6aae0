package compile

import (
	"regexp"
)

var (
	namePattern  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	tablePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	urlPattern   = regexp.MustCompile(`^(tcp|ssl)://[^\s/?#@]+:[0-9]{1,5}$`)
	textPattern  = regexp.MustCompile(`^[^\x00-\x1f\x7f]{1,1000}$`)
)

const exactDoubles = 1 << 53 // largest run of whole numbers that YAML readers agree on

func expression(doc string) *shape { return &shape{kind: kindExpr, doc: doc} }

func text(doc string) *shape {
	return &shape{kind: kindString, doc: doc, pattern: textPattern, hint: "text of up to 1,000 characters in one line"}
}

func duration(doc string, words ...string) *shape {
	return &shape{kind: kindDuration, doc: doc, words: words}
}

func truth(doc string) *shape { return &shape{kind: kindBool, doc: doc} }

func listOf(elem *shape, doc string) *shape { return &shape{kind: kindList, elem: elem, doc: doc} }

func mapOf(elem *shape, doc string) *shape { return &shape{kind: kindMap, elem: elem, doc: doc} }

// fileKeys is the table of the file's keys: what may stand where, what it
// means, and what a later version builds. The parser walks along it, the JSON
// Schema is written from it, and a test holds docs/reference/pipeline.md against it.
func fileKeys() *shape {
	return &shape{
		kind: kindObject,
		doc:  "A Leat pipeline: one source, steps, and sinks.",
		fields: []field{
			{name: "name", required: true, shape: &shape{
				kind: kindString, pattern: namePattern, hint: "up to 63 of a-z, 0-9, '_' and '-', beginning with a letter",
				doc: "The name of the pipeline.",
			}},
			{name: "agents", def: "all agents", shape: &shape{
				kind: kindString, doc: "The agents that run the edge part, by their labels: label=value and label!=value, joined by commas; all must hold.",
			}},
			{name: "source", required: true, shape: sourceKeys()},
			{name: "freshness", def: "1s", shape: duration("The longest time from the commit of a row on the agent to offering its effect to the uplink. \"window\" sends once, at the window's end.", "window")},
			{name: "udfs", def: "none", shape: listOf(&shape{
				kind: kindString, pattern: textPattern, hint: "name@version or the path of a .wasm file",
				doc: "A module: name@version, or a path that ends in .wasm and is relative to this file.",
			}, "The UDF modules whose functions the expressions call.")},
			{name: "steps", def: "none", shape: listOf(stepKeys(), "What is done with the rows, in order.")},
			{name: "sinks", required: true, shape: listOf(sinkKeys(), "Where the results go; each sink gets all of them.")},
		},
		later: []string{"params", "branches", "away", "durability", "uplink", "time_zone", "completeness", "late", "outbox", "max_lag", "tests"},
	}
}

func sourceKeys() *shape {
	return &shape{
		kind:   kindObject,
		doc:    "Where the rows come from: one of mqtt, file and sim, how a message is decoded, and which time counts.",
		choice: []string{"mqtt", "file", "sim"},
		fields: []field{
			{name: "mqtt", shape: mqttKeys()},
			{name: "file", shape: &shape{
				kind: kindObject, doc: "Files, read once from their beginning to their end.",
				fields: []field{{name: "path", required: true, shape: &shape{
					kind: kindAny, doc: "A path, a glob, or a list of them, read in the order of the names; \"-\" is standard input.",
					scalar: text("A path or a glob; \"-\" is standard input."),
					list:   listOf(text("A path or a glob."), "Paths and globs."),
				}}},
				later: []string{"follow"},
			}},
			{name: "sim", shape: simKeys()},
			{name: "format", required: true, shape: &shape{
				kind: kindWord, words: []string{"json", "csv"},
				later: []string{"senml", "influx", "cbor", "protobuf", "sparkplug_b", "raw"},
				doc:   "How a message is decoded: json (an object, or a list of objects) or csv (with a header line).",
			}},
			{name: "schema", required: true, shape: mapOf(&shape{
				kind: kindWord, doc: "The type of a column.",
				words: []string{"bool", "int", "double", "string", "bytes", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_us", "timestamp_ns"},
			}, "The columns of a row and their types. Fields of a message that are not named here are passed over.")},
			{name: "event_time", def: "none; a window needs it", shape: &shape{
				kind: kindObject, doc: "Which column tells when a row happened, and how far to trust it.",
				fields: []field{
					{name: "column", required: true, shape: text("A column of the schema with a timestamp type.")},
					{name: "max_disorder", def: "0s", shape: duration("How much older than the newest row a row may be and still count as in order: the watermark is the largest event time minus this.")},
					{name: "idle_after", def: "30s", shape: duration("After this long without rows, a source that is connected counts as idle, and windows no longer wait for it. 0s: never.")},
					{name: "max_future", def: "1m", shape: duration("A row whose time lies further in the future goes to the rejects. 0s: no bound.")},
				},
			}},
		},
		later: []string{"http", "kafka", "nats", "opcua", "modbus", "postgres", "late"},
	}
}

func mqttKeys() *shape {
	return &shape{
		kind: kindObject, doc: "A subscription to an MQTT broker (MQTT 3.1.1).",
		fields: []field{
			{name: "broker", required: true, shape: &shape{
				kind: kindString, pattern: urlPattern, hint: "tcp://host:port or ssl://host:port", doc: "The broker: tcp://host:port, or ssl://host:port with TLS.",
			}},
			{name: "topics", required: true, shape: listOf(text("A topic filter; + stands for one level, # for all that follow."), "The topic filters to subscribe to.")},
			{name: "qos", def: "1", shape: &shape{kind: kindInt, min: 0, max: 1, doc: "The quality of service: 0 or 1. With 1, a message is acknowledged when it is committed on the agent."}},
			{name: "username", def: "none", shape: text("The user name.")},
			{name: "password", def: "none", shape: &shape{
				kind: kindString, pattern: textPattern, hint: "text of up to 1,000 characters in one line", secret: true, doc: "The password. ${secret.name} is put in on the agent and never enters the plan.",
			}},
			{name: "client_id", def: "made from the agent and the pipeline", shape: text("The client identifier. It must be the same at each start: the session is found by it.")},
			{name: "ca_file", def: "the system's", shape: text("The certificates that the broker's is checked against (PEM), a path on the agent.")},
			{name: "cert_file", def: "none", shape: text("The agent's client certificate (PEM), a path on the agent.")},
			{name: "key_file", def: "none", shape: text("The key of cert_file (PEM), a path on the agent.")},
			{name: "insecure_skip_verify", def: "false", shape: truth("Accept any certificate of the broker. Only for experiments.")},
		},
	}
}

func simKeys() *shape {
	return &shape{
		kind: kindObject, doc: "Simulated sensors that send JSON messages with device, ts (milliseconds), temp and humidity.",
		fields: []field{
			{name: "devices", def: "100", shape: &shape{kind: kindInt, min: 1, max: 1_000_000, doc: "How many devices."}},
			{name: "rate", def: "100", shape: &shape{kind: kindNumber, min: 0, max: 10_000_000, doc: "Messages per second in all; 0: as fast as possible."}},
			{name: "rows", def: "0", shape: &shape{kind: kindInt, min: 0, max: exactDoubles, doc: "How many messages; 0: without end."}},
			{name: "seed", def: "1", shape: &shape{kind: kindInt, min: 0, max: exactDoubles, doc: "Equal seeds give equal values."}},
		},
	}
}

func stepKeys() *shape {
	column := text("The name of a column.")
	return &shape{
		kind: kindObject, doc: "One step.",
		choice: []string{"where", "select", "add", "drop", "window"},
		fields: []field{
			{name: "where", shape: expression("Rows for which this is true go on; false and null do not.")},
			{name: "select", shape: &shape{
				kind: kindAny, doc: "The columns that go on, in this order: a list of names, or new names with expressions.",
				list:    listOf(column, "Names of columns."),
				mapping: mapOf(expression("The value of the column."), "New names and their expressions over the columns before this step."),
			}},
			{name: "add", shape: mapOf(expression("The value of the new column."), "New columns after those there are. An expression may use the columns added above it.")},
			{name: "drop", shape: listOf(column, "The columns that do not go on.")},
			{name: "window", shape: windowKeys()},
		},
		later: []string{"alert", "changed", "sample", "lookup", "dedupe", "keyed", "udf", "place"},
	}
}

func windowKeys() *shape {
	size := duration("The length of the windows. They begin at multiples of it since 1970-01-01T00:00:00Z.")
	size.min = 1000
	return &shape{
		kind: kindObject, doc: "Rows are gathered by window of event time and by the columns of \"by\", and give one row each.",
		fields: []field{
			{name: "by", def: "[]: one group of all rows", shape: listOf(text("The name of a column."), "The columns that make the groups.")},
			{name: "tumbling", required: true, shape: size},
			{name: "allowed_lateness", def: "0s", shape: duration("How long after a window's end its late rows still count.")},
			{name: "emit", required: true, shape: mapOf(expression("An expression over aggregates such as avg(temp)."), "The columns of the result and their expressions.")},
		},
		later: []string{"hopping", "cumulative", "session", "freshness", "early", "time_zone", "completeness", "late", "place"},
	}
}

func sinkKeys() *shape {
	return &shape{
		kind: kindObject, doc: "One sink.",
		choice: []string{"table", "stdout", "file"},
		fields: []field{
			{name: "table", shape: &shape{
				kind: kindObject, doc: "A result table of the cloud node, for leat query.",
				fields: []field{
					{name: "name", required: true, shape: &shape{
						kind: kindString, pattern: tablePattern, hint: "up to 63 of a-z, 0-9 and '_', beginning with a letter", doc: "The name of the table.",
					}},
					{name: "keep", def: "90d", shape: duration("How long rows are kept, by the end of their window or by their event time. 0s: for ever.")},
				},
			}},
			{name: "stdout", shape: &shape{kind: kindObject, doc: "JSON lines on standard output."}},
			{name: "file", shape: &shape{
				kind: kindObject, doc: "JSON lines in a file.",
				fields: []field{{name: "path", required: true, shape: text("The path of the file.")}},
			}},
		},
		later: []string{"postgres", "mqtt", "kafka", "nats", "parquet", "webhook", "late", "place", "when", "influx"},
	}
}

// Defaults of the durations above, in microseconds.
const (
	defaultFreshness = 1_000_000
	defaultIdleAfter = 30_000_000
	defaultMaxFuture = 60_000_000
	defaultKeep      = 90 * 86_400_000_000
	// What windows wait for agents that are away; the file's keys for it come later.
	awayWait = 30_000_000
	awayKeep = 30 * 86_400_000_000
)

// defaultSpread is the number of partitions of a pipeline. One group of all
// rows needs only one.
const defaultSpread = 4
