package compile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Case is one of a pipeline's own test cases.
type Case struct {
	Name   string
	File   string // where it stands
	Line   int
	Labels map[string]string
	Params map[string]string
	// Input are messages in JSON with their topics, or InputFile is read in the source's format.
	Input     []CaseMessage
	InputFile string
	Expect    []Expected
	Late      int64
	Rejects   int64
}

// CaseMessage is one row that goes in.
type CaseMessage struct {
	Topic   string
	Payload []byte
}

// Expected is what a branch should give.
type Expected struct {
	Branch  string // empty where the file has no branches
	Line    int
	Columns []string // that some row names, in the order of the branch's columns
	Rows    []map[string]Cell
	File    string // of JSON lines, instead of Rows
}

// Cell is one expected value.
type Cell struct {
	Type  batch.Type
	Value *plan.Value // with nothing set: null
}

// CaseFile is a file of cases beside a pipeline file.
type CaseFile struct {
	Name string
	Text []byte
}

// Cases compiles a pipeline file and reads its test cases: those within, and
// those of a file beside it, which may be nil. The error is of type Mistakes.
func Cases(src []byte, o Options, beside *CaseFile) ([]Case, error) {
	c := newCompiler(src, o)
	c.beside = beside
	c.compile()
	if len(c.mistakes) > 0 {
		return nil, c.mistakes.sorted().capped()
	}
	return c.cases, nil
}

// tests reads the cases of the file and of the one beside it.
func (c *compiler) tests(v *value, b *builder) {
	c.readCases(v, b)
	if c.beside == nil {
		return
	}
	file, src, lines := c.o.File, c.src, c.lines
	defer func() { c.o.File, c.src, c.lines = file, src, lines }()
	c.o.File, c.src = c.beside.Name, c.beside.Text
	c.lines = linesOf(c.src)
	root := c.readYAML()
	if root == nil {
		return
	}
	f := c.read(root, &shape{kind: kindObject, doc: "Test cases.", fields: []field{{name: "tests", required: true, shape: testsKeys()}}})
	c.readCases(f.get("tests"), b)
}

func (c *compiler) readCases(v *value, b *builder) {
	if v == nil {
		return
	}
	seen := map[string]bool{}
	for _, item := range v.list {
		k := Case{
			Name: item.get("name").textOr(""), File: c.o.File, Line: item.node.Line, Labels: map[string]string{}, Params: map[string]string{},
			Late: int64(item.get("late").numberOr(0)), Rejects: int64(item.get("rejects").numberOr(0)),
		}
		if seen[k.Name] && k.Name != "" {
			c.at(item.get("name").node, fmt.Sprintf("a case named %q stands here already", k.Name), "another name")
		}
		seen[k.Name] = true
		if labels := item.get("labels"); labels != nil {
			for _, e := range labels.entries {
				k.Labels[e.key.Value] = e.value.textOr("")
			}
		}
		c.caseParams(item.get("params"), &k)
		c.caseInput(item.get("input"), &k, b)
		c.caseExpect(item.get("expect"), &k, b)
		c.cases = append(c.cases, k)
	}
}

func (c *compiler) caseParams(v *value, k *Case) {
	if v == nil {
		return
	}
	for _, e := range v.entries {
		p := c.params[e.key.Value]
		switch {
		case e.value == nil || c.brokenParams[e.key.Value]:
		case p == nil:
			c.at(e.key, fmt.Sprintf("there is no parameter %q", shorten(e.key.Value)), oneOf(c.paramNames()))
		case c.paramValue(e.value, batch.Type(p.plan.Type)) != nil:
			k.Params[e.key.Value] = e.value.text
		}
	}
}

// caseInput makes messages of the rows that go in.
func (c *compiler) caseInput(v *value, k *Case, b *builder) {
	if v == nil {
		return
	}
	if file := v.get("file"); file != nil {
		k.InputFile = file.text
		return
	}
	for _, row := range v.list {
		m := CaseMessage{Topic: "test"}
		var fields []string
		for _, e := range row.entries {
			at := slices.IndexFunc(b.source.all, func(col *plan.SourceColumn) bool { return col.Name == e.key.Value })
			switch {
			case e.value == nil:
			case e.key.Value == "_topic":
				m.Topic = e.value.text
			case at < 0 && !b.source.rows.lost && !b.source.rows.broken[e.key.Value], at >= 0 && b.source.all[at].Hidden != plan.Hidden_HIDDEN_NONE:
				c.at(e.key, fmt.Sprintf("the schema has no column %q", shorten(e.key.Value)), oneOf(b.source.rows.names()))
			case at >= 0:
				name, _ := json.Marshal(e.key.Value)
				fields = append(fields, string(name)+":"+messageValue(e.value.node, b.source.all[at]))
			}
		}
		m.Payload = []byte("{" + strings.Join(fields, ",") + "}")
		k.Input = append(k.Input, m)
	}
}

// messageValue writes a scalar of the file as JSON. A timestamp in RFC 3339 may
// stand for a number of the column's unit.
func messageValue(n *yaml.Node, col *plan.SourceColumn) string {
	switch tag := n.ShortTag(); {
	case tag == "!!null":
		return "null"
	case (tag == "!!str" || tag == "!!timestamp") && batch.Type(col.Type) == batch.Timestamp && col.Unit != plan.TimeUnit_TIME_UNIT_RFC3339:
		if at, err := time.Parse(time.RFC3339Nano, n.Value); err == nil {
			switch col.Unit {
			case plan.TimeUnit_TIME_UNIT_SECONDS:
				return decimal(at.UnixMicro(), 6)
			case plan.TimeUnit_TIME_UNIT_MILLIS:
				return decimal(at.UnixMicro(), 3)
			case plan.TimeUnit_TIME_UNIT_MICROS:
				return strconv.FormatInt(at.UnixMicro(), 10)
			default:
				return strconv.FormatInt(at.UnixNano(), 10)
			}
		}
	case tag == "!!int" || tag == "!!float":
		if json.Valid([]byte(n.Value)) {
			return n.Value
		}
	case tag == "!!bool":
		return strings.ToLower(n.Value)
	}
	text, _ := json.Marshal(n.Value)
	return string(text)
}

// decimal writes n / 10^digits without a rest where there is none.
func decimal(n int64, digits int) string {
	unit := int64(math.Pow10(digits))
	if n%unit == 0 {
		return strconv.FormatInt(n/unit, 10)
	}
	return strconv.FormatFloat(float64(n)/float64(unit), 'f', -1, 64)
}

// caseExpect reads what the branches should give.
func (c *compiler) caseExpect(v *value, k *Case, b *builder) {
	if v == nil {
		return
	}
	if v.kind == kindList {
		if o := b.outputOf(""); o != nil {
			k.Expect = append(k.Expect, c.expectedRows(v, o))
		} else if len(b.outputs) > 0 {
			c.at(v.node, "the pipeline has branches, and nothing says which of them should give these rows", "a mapping of branch to rows")
		}
		return
	}
	for _, e := range v.entries {
		if e.value == nil {
			continue
		}
		if main := b.outputOf(""); main != nil && e.key.Value == "file" && e.value.kind == kindString {
			k.Expect = append(k.Expect, Expected{Line: e.key.Line, File: e.value.text})
			continue
		}
		o := b.outputOf(e.key.Value)
		switch {
		case o == nil && len(b.outputs) > 0:
			c.at(e.key, fmt.Sprintf("the pipeline has no branch %q", shorten(e.key.Value)), b.branchNames())
		case e.value.kind == kindString:
			c.at(e.value.node, "this is "+describe(e.value.node), "a list of rows, or {file: ...}")
		case o == nil:
		case e.value.get("file") != nil:
			k.Expect = append(k.Expect, Expected{Branch: o.branch, Line: e.key.Line, File: e.value.get("file").text})
		default:
			k.Expect = append(k.Expect, c.expectedRows(e.value, o))
		}
	}
}

// outputOf is the output of a branch; nil where there is none.
func (b *builder) outputOf(branch string) *output {
	for _, o := range b.outputs {
		if o.branch == branch && !o.late {
			return o
		}
	}
	return nil
}

func (b *builder) branchNames() string {
	var names []string
	for _, o := range b.outputs {
		if !o.late && o.branch != "" {
			names = append(names, o.branch)
		}
	}
	if len(names) == 0 {
		return "a list of rows, or {file: ...}"
	}
	return oneOf(names)
}

// expectedRows reads rows that a branch should give.
func (c *compiler) expectedRows(v *value, o *output) Expected {
	x := Expected{Branch: o.branch, Line: v.node.Line, Rows: []map[string]Cell{}}
	named := map[string]bool{}
	for _, row := range v.list {
		cells := map[string]Cell{}
		for _, e := range row.entries {
			name := e.key.Value
			at := find(o.cols, name)
			switch {
			case e.value == nil || o.rows.lost || o.rows.broken[name]:
				continue
			case at < 0 || !slices.Contains(o.names(), name):
				what := fmt.Sprintf("the result has no column %q", shorten(name))
				if near := nearest(name, o.names()); near != "" {
					what += fmt.Sprintf(" (did you mean %q?)", near)
				}
				c.at(e.key, what, oneOf(o.names()))
				continue
			}
			t := o.rows.columns[o.cols[at].col].typ
			v := expectedValue(e.value.node, t)
			if v == nil {
				c.at(e.value.node, "this is "+describe(e.value.node), "a value of the type "+typeWord(t)+", or null")
			}
			cells[name], named[name] = Cell{t, v}, true
		}
		x.Rows = append(x.Rows, cells)
	}
	for _, bind := range o.cols {
		if named[bind.name] {
			x.Columns = append(x.Columns, bind.name)
		}
	}
	return x
}

// expectedValue reads a scalar of the file as results are written; nil where it is no such value.
func expectedValue(n *yaml.Node, t batch.Type) *plan.Value {
	tag := n.ShortTag()
	if tag == "!!null" {
		return &plan.Value{}
	}
	if t == batch.Double && tag == "!!str" && slices.Contains([]string{"NaN", "Infinity", "-Infinity"}, n.Value) {
		v, _ := plan.ParseValue(n.Value, t)
		return v
	}
	if t == batch.Bytes {
		raw, err := base64.StdEncoding.DecodeString(n.Value)
		if err != nil || tag != "!!str" {
			return nil
		}
		return &plan.Value{Kind: &plan.Value_Bytes{Bytes: raw}}
	}
	return scalarValue(n, t)
}
