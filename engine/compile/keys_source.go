package compile

// formats are how messages may be decoded.
var formats = []string{"json", "csv", "senml", "influx", "cbor", "raw"}

// columnTypes are the types of the schema, as the file names them.
var columnTypes = []string{"bool", "int", "double", "string", "bytes", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_us", "timestamp_ns"}

func typeKeys() *shape {
	return &shape{kind: kindWord, doc: "The type of a column.", words: columnTypes}
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
					scalar: onAgent(text("A path or a glob; \"-\" is standard input.")),
					list:   listOf(onAgent(text("A path or a glob.")), "Paths and globs."),
				}}},
				later: []string{"follow"},
			}},
			{name: "sim", shape: simKeys()},
			{name: "format", required: true, shape: &shape{
				kind: kindWord, words: formats,
				later: []string{"protobuf", "sparkplug_b"},
				doc:   "How a message is decoded: json (an object, or a list of objects), csv (with a header line), senml (RFC 8428), influx (line protocol), cbor (a map, or a list of maps) or raw (the payload is the value of the only column).",
			}},
			{name: "tolerant_numbers", def: "false", shape: truth("senml: numbers that are given as strings count as numbers.")},
			{name: "schema", required: true, shape: mapOf(typeKeys(), "The columns of a row and their types. Fields of a message that are not named here are passed over.")},
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

// connectionKeys are those of a connection to an MQTT broker; the broker stands first.
func connectionKeys() []field {
	return []field{
		{name: "broker", required: true, shape: onAgent(&shape{
			kind: kindString, pattern: urlPattern, hint: "tcp://host:port or ssl://host:port", doc: "The broker: tcp://host:port, or ssl://host:port with TLS.",
		})},
		{name: "username", def: "none", shape: credential("The user name. ${secret.name} is put in on the agent and never enters the plan.")},
		{name: "password", def: "none", shape: credential("The password. ${secret.name} is put in on the agent and never enters the plan.")},
		{name: "client_id", def: "made from the agent and the pipeline", shape: onAgent(text("The client identifier. It must be the same at each start: the session is found by it."))},
		{name: "ca_file", def: "the system's", shape: onAgent(text("The certificates that the broker's is checked against (PEM), a path on the agent."))},
		{name: "cert_file", def: "none", shape: onAgent(text("The agent's client certificate (PEM), a path on the agent."))},
		{name: "key_file", def: "none", shape: onAgent(text("The key of cert_file (PEM), a path on the agent."))},
		{name: "insecure_skip_verify", def: "false", shape: truth("Accept any certificate of the broker. Only for experiments.")},
	}
}

func mqttKeys() *shape {
	c := connectionKeys()
	fields := append([]field{c[0],
		{name: "topics", required: true, shape: listOf(onAgent(text("A topic filter; + stands for one level, # for all that follow.")), "The topic filters to subscribe to.")},
		{name: "qos", def: "1", shape: &shape{kind: kindInt, min: 0, max: 1, doc: "The quality of service: 0 or 1. With 1, a message is acknowledged when it is committed on the agent."}},
	}, c[1:]...)
	return &shape{kind: kindObject, doc: "A subscription to an MQTT broker (MQTT 3.1.1).", fields: fields}
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
