package compile

import "regexp"

var (
	namePattern  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	tablePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	urlPattern   = regexp.MustCompile(`^(tcp|ssl)://[^\s/?#@]+:[0-9]{1,5}$`)
	textPattern  = regexp.MustCompile(`^[^\x00-\x1f\x7f]{1,1000}$`)
	zonePattern  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+/-]{0,63}$`)
)

const (
	exactDoubles = 1 << 53 // largest run of whole numbers that YAML readers agree on
	maxNumber    = 1e15
)

func expression(doc string) *shape { return &shape{kind: kindExpr, doc: doc} }

func text(doc string) *shape {
	return &shape{kind: kindString, doc: doc, pattern: textPattern, hint: "text of up to 1,000 characters in one line"}
}

// credential is text that ${secret.name} may stand in.
func credential(doc string) *shape {
	s := onAgent(text(doc))
	s.secret = true
	return s
}

// onAgent marks text in which the agent puts ${param.name} in.
func onAgent(s *shape) *shape {
	s.onAgent = true
	return s
}

func duration(doc string, words ...string) *shape {
	return &shape{kind: kindDuration, doc: doc, words: words}
}

func size(doc string) *shape { return &shape{kind: kindSize, doc: doc} }

func truth(doc string) *shape { return &shape{kind: kindBool, doc: doc} }

func listOf(elem *shape, doc string) *shape { return &shape{kind: kindList, elem: elem, doc: doc} }

func mapOf(elem *shape, doc string) *shape { return &shape{kind: kindMap, elem: elem, doc: doc} }

func literal(doc string) *shape { return &shape{kind: kindLiteral, doc: doc} }

func selector(doc string) *shape { return &shape{kind: kindString, doc: doc, fixed: true} }

// fileKeys is the table of the file's keys: what may stand where, what it
// means, and what a later version builds. The parser walks along it, the JSON
// Schema is written from it, and a test holds docs/reference/pipeline.md against it.
func fileKeys() *shape {
	steps := func() *shape { return listOf(stepKeys(), "What is done with the rows, in order.") }
	sinks := func() *shape { return listOf(sinkKeys(), "Where the results go; each sink gets all of them.") }
	return &shape{
		kind: kindObject,
		doc:  "A Leat pipeline: one source, steps, and either sinks or branches.",
		fields: []field{
			{name: "name", required: true, shape: &shape{
				kind: kindString, pattern: namePattern, hint: "up to 63 of a-z, 0-9, '_' and '-', beginning with a letter",
				doc: "The name of the pipeline.", fixed: true,
			}},
			{name: "agents", def: "all agents", shape: selector("The agents that run the edge part, by their labels: label=value and label!=value, joined by commas; all must hold.")},
			{name: "params", def: "none", shape: mapOf(paramKeys(), "Values that expressions take by param('name') and texts by ${param.name}.")},
			{name: "source", required: true, shape: sourceKeys()},
			{name: "freshness", def: "1s", shape: freshnessKeys()},
			{name: "time_zone", def: "UTC", shape: zoneKeys()},
			{name: "completeness", def: "false", shape: truth("Window results carry _agents_seen, _agents_expected and _revision.")},
			{name: "away", def: "{wait: 30s, quorum: 1, keep: 30d}", shape: awayKeys()},
			{name: "max_lag", def: "0s: no bound", shape: duration("An agent whose watermark lags the newest one by more counts as away.")},
			{name: "udfs", def: "none", shape: listOf(&shape{
				kind: kindString, pattern: textPattern, hint: "name@version or the path of a .wasm file",
				doc: "A module: name@version, or a path that ends in .wasm and is relative to this file.",
			}, "The UDF modules whose functions the expressions call.")},
			{name: "steps", def: "none", shape: steps()},
			{name: "sinks", shape: sinks()},
			{name: "branches", shape: mapOf(&shape{
				kind: kindObject, doc: "A branch goes on where the common steps end.",
				fields: []field{
					{name: "steps", def: "none", shape: steps()},
					{name: "sinks", required: true, shape: sinks()},
				},
			}, "Named branches, instead of sinks.")},
			{name: "tests", def: "none", shape: testsKeys()},
		},
		choice: []string{"sinks", "branches"}, choiceIs: "where the results go",
		later: []string{"durability", "uplink", "late", "outbox"},
	}
}

func paramKeys() *shape {
	return &shape{
		kind: kindObject, doc: "One parameter.",
		fields: []field{
			{name: "type", required: true, shape: &shape{kind: kindWord, words: paramTypes, doc: "The type of the parameter."}},
			{name: "default", required: true, shape: literal("The value where nothing else is set.")},
			{name: "set", def: "none", shape: listOf(&shape{
				kind: kindObject, doc: "Another value for some agents.",
				fields: []field{
					{name: "agents", required: true, shape: selector("The agents, by their labels.")},
					{name: "value", required: true, shape: literal("Their value.")},
				},
			}, "Values for agents by their labels; the first whose selector holds counts.")},
		},
	}
}

func awayKeys() *shape {
	return &shape{
		kind: kindObject, doc: "How windows treat agents that cannot be reached.",
		fields: []field{
			{name: "wait", def: "30s", shape: duration("How long windows wait for agents that are away.")},
			{name: "quorum", def: "1: all", shape: &shape{kind: kindNumber, min: 0.000001, max: 1, doc: "The share of the expected agents that is enough."}},
			{name: "keep", def: "30d", shape: duration("How long state waits for what agents that are away still hold.")},
		},
	}
}

func testsKeys() *shape {
	rows := func(doc string) *shape {
		return &shape{
			kind: kindAny, doc: doc,
			list: listOf(mapOf(literal("The value of a column."), "A row: columns and values."), "Rows."),
			mapping: &shape{kind: kindObject, doc: "Rows of a file.", fields: []field{
				{name: "file", required: true, shape: text("A file of rows, relative to this one.")},
			}},
		}
	}
	branch := rows("The rows of the branch: objects, or a file of JSON lines.")
	branch.scalar = text("A file of JSON lines.")
	count := &shape{kind: kindInt, min: 0, max: exactDoubles, doc: "How many."}
	return listOf(&shape{
		kind: kindObject, doc: "A case for leat test: rows in, results out.",
		fields: []field{
			{name: "name", required: true, shape: text("The name of the case.")},
			{name: "labels", def: "none", shape: mapOf(text("The value of the label."), "The labels of the agent.")},
			{name: "params", def: "the defaults", shape: mapOf(literal("The value of the parameter."), "Values of parameters.")},
			{name: "input", required: true, shape: rows("The rows that go in: objects, or a file in the source's format.")},
			{name: "expect", required: true, shape: &shape{
				kind: kindAny, doc: "The results: rows where there are no branches, else a mapping of branch to rows.",
				list:    listOf(mapOf(literal("The value of a column."), "A row: columns and values."), "Rows."),
				mapping: mapOf(branch, "Branches and their rows; where there are none, {file: ...} names a file of JSON lines."),
			}},
			{name: "late", def: "0", shape: count},
			{name: "rejects", def: "0", shape: count},
		},
	}, "The pipeline's own test cases. They may also stand in a file beside it, NAME.test.yaml.")
}

// Defaults of the durations above, in microseconds.
const (
	defaultFreshness = 1_000_000
	defaultIdleAfter = 30_000_000
	defaultMaxFuture = 60_000_000
	defaultKeep      = 90 * 86_400_000_000
	defaultAwayWait  = 30_000_000
	defaultAwayKeep  = 30 * 86_400_000_000
)

// defaultSpread is the number of partitions of a pipeline. One group of all
// rows needs only one.
const defaultSpread = 4
