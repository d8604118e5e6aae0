package compile

import (
	"errors"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/sql"
)

// Options tell what the file itself does not hold. The zero value compiles a
// file that uses no functions of its own.
type Options struct {
	File    string  // name of the file in messages; default "pipeline.yaml"
	Modules Modules // resolves udfs; nil: every entry of udfs is a mistake
	Lookups Lookups // resolves reference tables; nil: every lookup step is a mistake
	// Params are values by the names of parameters, instead of those in the file.
	Params     map[string]string
	PipelineID string // given at creation; default: empty
	Version    uint64 // version of the pipeline; default 0
}

// Modules finds UDF modules.
type Modules interface {
	// Resolve finds the module that an entry of udfs names: "name@version", or
	// the path of a .wasm file, relative to the pipeline file.
	Resolve(ref string) (*ModuleInfo, error)
}

// ModuleInfo is what the compiler needs to know of a UDF module.
type ModuleInfo struct {
	Name, Version string
	SHA256        [32]byte
	Size          uint64                   // bytes of the module
	Functions     map[string]sql.Signature // its scalar functions by name
}

// Compile makes the plan of a pipeline file. The error is of type Mistakes and
// holds all mistakes of the file, sorted by place.
func Compile(src []byte, o Options) (*plan.Plan, error) {
	c := newCompiler(src, o)
	p := c.compile()
	if len(c.mistakes) > 0 {
		return nil, c.mistakes.sorted().capped()
	}
	if err := plan.Check(p); err != nil {
		// What the file may hold and what a plan may hold are bounded apart.
		c.tell(1, 1, "this pipeline cannot become a plan: "+err.Error(), "")
		return nil, c.mistakes
	}
	return p, nil
}

func newCompiler(src []byte, o Options) *compiler {
	if o.File == "" {
		o.File = "pipeline.yaml"
	}
	return &compiler{o: o, src: src, lines: linesOf(src), functions: map[string]sql.Signature{}}
}

// linesOf are the lines of a file; nil where it is too large.
func linesOf(src []byte) []string {
	if len(src) > maxFileBytes {
		return nil
	}
	return strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")
}

// compiler holds what one run of Compile gathers.
type compiler struct {
	o         Options
	src       []byte
	lines     []string
	mistakes  Mistakes
	visited   int // values of the file so far, see maxNodes
	textBytes int // and their texts, see maxTextBytes
	overfull  bool
	functions map[string]sql.Signature
	// owners is the module of each function, by its position in modules.
	owners  map[string]int
	modules []*plan.Module
	// brokenModules says that some function may be unknown because its module
	// could not be resolved.
	brokenModules bool
	params        map[string]*param
	brokenParams  map[string]bool
	paramOrder    []string
	zones         map[string]bool // that the file names
	beside        *CaseFile       // of test cases; may be nil
	cases         []Case
}

func (c *compiler) compile() *plan.Plan {
	root := c.readYAML()
	if root == nil {
		return nil
	}
	c.readParams(root)
	f := c.read(root, fileKeys())
	if f == nil {
		return nil
	}
	p := &plan.Plan{
		Format:         plan.Format,
		Pipeline:       f.get("name").textOr(""),
		PipelineId:     c.o.PipelineID,
		Version:        c.o.Version,
		Agents:         c.agents(f.get("agents")),
		AwayWaitMicros: f.get("away").get("wait").microsOr(defaultAwayWait),
		KeepMicros:     f.get("away").get("keep").microsOr(defaultAwayKeep),
		AwayQuorum:     f.get("away").get("quorum").numberOr(0),
		MaxLagMicros:   f.get("max_lag").microsOr(0),
	}
	c.resolveModules(f.get("udfs"))
	b := &builder{c: c, plan: p, source: c.source(f.get("source")), zone: c.zone(f.get("time_zone"))}
	b.file(f)
	c.tests(f.get("tests"), b)
	if len(c.mistakes) > 0 || b.source.rows.lost {
		return nil
	}
	b.layOut()
	c.planParams(p)
	c.planZones(p)
	c.keepUsedModules(p)
	return p
}

// tell notes a mistake.
func (c *compiler) tell(line, column int, what, expected string) {
	if len(c.mistakes) > maxMistakes {
		return
	}
	c.mistakes = append(c.mistakes, Mistake{File: c.o.File, Line: max(line, 1), Column: max(column, 1), What: what, Expected: expected})
}

// at notes a mistake at a node.
func (c *compiler) at(n *yaml.Node, what, expected string) { c.tell(n.Line, n.Column, what, expected) }

// inside notes a mistake inside the text of a scalar.
func (c *compiler) inside(n *yaml.Node, offset int, what, expected string) {
	line, column := c.place(n, offset)
	c.tell(line, column, what, expected)
}

func (c *compiler) agents(v *value) string {
	if v == nil {
		return ""
	}
	_, err := plan.ParseSelector(v.text)
	var se *plan.SelectorError
	if errors.As(err, &se) {
		c.inside(v.node, se.Offset, se.Msg, "")
		return ""
	}
	return v.text
}

// scope is what expressions see at some point.
func (c *compiler) scope(cols batch.Schema, aggregates bool) sql.Scope {
	params := make(map[string]batch.Type, len(c.params))
	for name, p := range c.params {
		params[name] = batch.Type(p.plan.Type)
	}
	return sql.Scope{Columns: cols, Functions: c.functions, Aggregates: aggregates, Params: params, Zones: c}
}

// expression notes the mistakes that the parser or type checker found in v.
func (c *compiler) expression(v *value, err error) {
	found := sql.Errors(err)
	if len(found) == 0 {
		c.at(v.node, err.Error(), "")
	}
	for _, e := range found {
		if c.brokenModules && strings.HasPrefix(e.Msg, "unknown function") {
			continue // perhaps one of the module that could not be resolved
		}
		if len(c.brokenParams) > 0 && strings.HasPrefix(e.Msg, "unknown parameter") {
			continue // perhaps one whose mistake has been told
		}
		c.inside(v.node, e.Offset, e.Msg, "")
	}
}

// mentions tells whether an expression's text holds one of the names as a
// word: a mistake in it may only follow from an earlier one.
func mentions(text string, names map[string]bool) bool {
	const tooMany = 100 // names to look for
	if len(names) == 0 || len(names) > tooMany {
		return len(names) > 0
	}
	folded := strings.ToLower(text)
	for name := range names {
		name = strings.ToLower(name)
		for rest := folded; name != ""; {
			i := strings.Index(rest, name)
			if i < 0 {
				break
			}
			if !wordEnd(rest[:i]) && !wordStart(rest[i+len(name):]) {
				return true
			}
			rest = rest[i+len(name):]
		}
	}
	return false
}

func wordEnd(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return s != "" && wordRune(r)
}

func wordStart(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && wordRune(r)
}

func wordRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
}
