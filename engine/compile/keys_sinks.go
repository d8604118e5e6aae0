package compile

// sinkNames are the sinks there are.
var sinkNames = []string{"table", "stdout", "file", "mqtt"}

func sinkKeys() *shape {
	return &shape{
		kind: kindObject, doc: "One sink.",
		choice: sinkNames,
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
				fields: []field{
					{name: "path", required: true, shape: onAgent(text("The path of the file."))},
					{name: "max_size", def: "0: without bound", shape: size("On the edge: at this size the file is renamed to path.1, and a new one begins.")},
					budgetField(),
				},
			}},
			{name: "mqtt", shape: mqttSinkKeys()},
			{name: "place", def: "edge for mqtt, else cloud", shape: place("Where the sink acts. On the edge it acts on the gateway, link or no link.")},
		},
		later: []string{"postgres", "kafka", "nats", "parquet", "webhook", "when", "influx"},
	}
}

func budgetField() field {
	return field{name: "budget", def: "the agent's", shape: size("On the edge: how much may wait for the sink; the oldest rows go first.")}
}

func mqttSinkKeys() *shape {
	fields := []field{
		{name: "topic", required: true, shape: onAgent(text("The topic; {column} stands for the row's value."))},
		{name: "qos", def: "1", shape: &shape{kind: kindInt, min: 0, max: 1, doc: "The quality of service: 0 or 1."}},
		{name: "retain", def: "false", shape: truth("The broker keeps the last message of a topic.")},
		budgetField(),
	}
	connection := connectionKeys()
	connection[0].required, connection[0].def = false, "the source's, with its credentials"
	return &shape{kind: kindObject, doc: "Each row is published as a JSON object, from the agent.", fields: append(fields, connection...)}
}
