package compile

// stepNames are the steps there are.
var stepNames = []string{"where", "select", "add", "drop", "lookup", "alert", "changed", "sample", "dedupe", "window"}

func stepKeys() *shape {
	column := text("The name of a column.")
	return &shape{
		kind: kindObject, doc: "One step.",
		choice: stepNames,
		fields: []field{
			{name: "where", shape: expression("Rows for which this is true go on; false and null do not.")},
			{name: "select", shape: &shape{
				kind: kindAny, doc: "The columns that go on, in this order: a list of names, or new names with expressions.",
				list:    listOf(column, "Names of columns."),
				mapping: mapOf(expression("The value of the column."), "New names and their expressions over the columns before this step."),
			}},
			{name: "add", shape: mapOf(expression("The value of the new column."), "New columns after those there are. An expression may use the columns added above it.")},
			{name: "drop", shape: listOf(column, "The columns that do not go on.")},
			{name: "lookup", shape: lookupKeys()},
			{name: "alert", shape: alertKeys()},
			{name: "changed", shape: changedKeys()},
			{name: "sample", shape: sampleKeys()},
			{name: "dedupe", shape: dedupeKeys()},
			{name: "window", shape: windowKeys()},
			{name: "place", def: "the edge up to the first window; dedupe in the cloud", shape: place("Where the step runs. Nothing after a step in the cloud runs on the edge.")},
		},
		later: []string{"keyed", "udf"},
	}
}

func place(doc string) *shape {
	return &shape{kind: kindWord, words: []string{"edge", "cloud"}, doc: doc}
}

func byKeys(doc string) *shape { return listOf(text("The name of a column."), doc) }

// positive is a duration that may not be 0.
func positive(doc string, words ...string) *shape {
	s := duration(doc, words...)
	s.min = 1000
	return s
}

func alertKeys() *shape {
	return &shape{
		kind: kindObject, doc: "Rows become rows about a condition: raised, cleared or silent, for each key.",
		fields: []field{
			{name: "by", def: "[]: one group of all rows", shape: byKeys("The columns that make the groups.")},
			{name: "when", required: true, shape: expression("The condition.")},
			{name: "for", def: "0s: at once", shape: duration("How long the condition must hold, by event time, before it is raised.")},
			{name: "clear", def: "when is false", shape: expression("What ends it.")},
			{name: "silent", def: "never", shape: positive("A key without a row for that long gives one row that says so.")},
		},
	}
}

func changedKeys() *shape {
	dead := &shape{kind: kindNumber, min: 0, max: maxNumber, doc: "Numbers that differ by no more count as equal."}
	return &shape{
		kind: kindObject, doc: "A row goes on where it is the first of its key, or differs from the last one that went on.",
		fields: []field{
			{name: "by", def: "[]: one group of all rows", shape: byKeys("The columns that make the groups.")},
			{name: "columns", def: "all but those of by and the event time", shape: listOf(text("The name of a column."), "The columns that are compared.")},
			{name: "deadband", def: "0", shape: &shape{
				kind: kindAny, doc: "How far a number may move and still count as equal: one number for all columns, or a mapping of column to number.",
				scalar: dead, mapping: mapOf(dead, "Columns and their deadbands."),
			}},
			{name: "heartbeat", def: "never", shape: positive("A row goes on at least that often, by event time.")},
		},
	}
}

func sampleKeys() *shape {
	return &shape{
		kind: kindObject, doc: "The first row of each key in each interval of event time goes on.",
		fields: []field{
			{name: "by", def: "[]: one group of all rows", shape: byKeys("The columns that make the groups.")},
			{name: "every", required: true, shape: positive("The length of the intervals, which begin at multiples of it since 1970-01-01T00:00:00Z.")},
		},
	}
}

func dedupeKeys() *shape {
	return &shape{
		kind: kindObject, doc: "A row is dropped where a row of its key went on less than \"within\" before or after, by event time.",
		fields: []field{
			{name: "by", required: true, shape: byKeys("The columns that tell rows apart.")},
			{name: "within", required: true, shape: positive("How far apart in event time rows count as the same.")},
		},
	}
}

func lookupKeys() *shape {
	column := text("The name of a column.")
	return &shape{
		kind: kindObject, doc: "Columns of a reference table are added to the rows.",
		choice: []string{"file", "table"},
		fields: []field{
			{name: "file", shape: text("A .csv or .json file, relative to this one.")},
			{name: "table", shape: text("A result table of the cloud node.")},
			{name: "on", required: true, shape: mapOf(text("A column of the table."), "Columns of the rows, and the columns of the table that equal them.")},
			{name: "add", required: true, shape: &shape{
				kind: kindAny, doc: "The columns to add: a list of names, or new names with the table's names.",
				list: listOf(column, "Columns of the table."), mapping: mapOf(column, "New names and columns of the table."),
			}},
			{name: "schema", required: true, shape: mapOf(typeKeys(), "The columns of the table and their types.")},
			{name: "refresh", def: "0s: never", shape: duration("How often the cloud node reads a result table anew. A file is read when the pipeline is applied: apply it again after a change.")},
			{name: "missing", def: "keep", shape: &shape{kind: kindWord, words: []string{"keep", "drop"}, doc: "What happens with a row that the table has no match for: keep gives nulls."}},
		},
	}
}

// windowChoice are the kinds of windows.
var windowChoice = []string{"tumbling", "hopping", "cumulative", "session", "windows"}

func windowKeys() *shape {
	spec := windowSpecs()
	return &shape{
		kind: kindObject, doc: "Rows are gathered by window of event time and by the columns of \"by\", and give one row each.",
		choice: windowChoice,
		fields: append(append([]field{
			{name: "by", def: "[]: one group of all rows", shape: byKeys("The columns that make the groups.")},
		}, spec...), []field{
			{name: "windows", shape: listOf(&shape{
				kind: kindObject, doc: "One kind of windows.", choice: windowChoice[:3], fields: spec[:3],
			}, "Several kinds of windows over the same rows.")},
			{name: "allowed_lateness", def: "0s", shape: duration("How long after a window's end its late rows still count.")},
			{name: "early", def: "never", shape: positive("Unfinished windows are emitted each time the watermark passes a multiple of this.")},
			{name: "freshness", def: "the pipeline's", shape: freshnessKeys()},
			{name: "time_zone", def: "the pipeline's", shape: zoneKeys()},
			{name: "completeness", def: "the pipeline's", shape: truth("Results carry _agents_seen, _agents_expected and _revision.")},
			{name: "groups", def: "the agent's bound, forward", shape: &shape{
				kind: kindObject, doc: "A bound on the groups that one slice of time has on an agent.",
				fields: []field{
					{name: "max", required: true, shape: &shape{kind: kindInt, min: 1, max: 100_000_000, doc: "How many groups."}},
					{name: "overflow", def: "forward", shape: &shape{kind: kindWord, words: []string{"forward", "reject"}, doc: "What happens with rows of further groups: they travel as they are, or go to the rejects."}},
				},
			}},
			{name: "late", def: "late rows are counted and dropped", shape: listOf(sinkKeys(), "Sinks for rows that were late: the window's input and _late_for, for how many windows.")},
			{name: "emit", required: true, shape: mapOf(expression("An expression over aggregates such as avg(temp)."), "The columns of the result and their expressions.")},
		}...),
	}
}

func windowSpecs() []field {
	const length = "They begin at multiples of it since 1970-01-01T00:00:00Z, or in the time zone where they are an hour or longer."
	return []field{
		{name: "tumbling", shape: positive("Windows of this length that follow one another. " + length)},
		{name: "hopping", shape: &shape{kind: kindObject, doc: "Windows that overlap.", fields: []field{
			{name: "size", required: true, shape: positive("The length of the windows.")},
			{name: "every", required: true, shape: positive("A new window begins at each multiple of this.")},
		}}},
		{name: "cumulative", shape: &shape{kind: kindObject, doc: "Windows that begin together and grow.", fields: []field{
			{name: "size", required: true, shape: positive("The length of the longest. " + length)},
			{name: "step", required: true, shape: positive("A window ends at every step, up to the size, of which it is a part without rest.")},
		}}},
		{name: "session", shape: &shape{kind: kindObject, doc: "Rows of a key that follow one another.", fields: []field{
			{name: "gap", required: true, shape: positive("Rows less than this apart belong together; a session ends this long after its last row.")},
		}}},
	}
}

func freshnessKeys() *shape {
	return duration("The longest time from the commit of a row on the agent to offering its effect to the uplink. \"window\" sends when a slice of the window has ended, and with it what the next one has so far.", "window")
}

func zoneKeys() *shape {
	return &shape{
		kind: kindString, pattern: zonePattern, hint: "a time zone of IANA's database such as Europe/Berlin",
		doc: "The time zone in which windows of an hour and more begin, such as Europe/Berlin.",
	}
}
