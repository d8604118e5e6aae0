package compile

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/sql"
)

// builder makes the plan of a file whose keys are right.
type builder struct {
	c      *compiler
	plan   *plan.Plan
	source sourceColumns
	zone   string // default of windows; empty = UTC
	branch string // that is being built; empty = the file has none
	cur    *rows  // what flows after the steps so far
	// completeness is the windows' default.
	completeness bool
	windows      []*windowPlan // of all branches
	outputs      []*output     // of all branches
	tables       map[string]bool
	files        map[string]bool
	// overfull says that the bounds on columns are reached.
	overfull bool
}

// maxBranches bounds the branches of a file.
const maxBranches = 64

// file reads the steps, the branches and the sinks.
func (b *builder) file(f *value) {
	b.tables, b.files = map[string]bool{}, map[string]bool{}
	b.cur = b.source.rows
	b.completeness = f.get("completeness") != nil && f.get("completeness").flag
	b.steps(f.get("steps"))
	if branches := f.get("branches"); branches != nil {
		b.branches(branches)
	} else {
		b.end(f.get("sinks"))
	}
	b.freshness(f)
}

func (b *builder) branches(v *value) {
	if len(v.node.Content) == 0 || len(v.entries) > maxBranches {
		b.c.at(v.node, fmt.Sprintf("there are %d branches", len(v.entries)), fmt.Sprintf("between 1 and %d, or sinks instead", maxBranches))
		return
	}
	head := b.cur
	if head.window != nil {
		b.c.at(v.node, "branches begin after a window, which is not built yet in this version", "common steps without a window; the branches may have windows each")
		return
	}
	for _, e := range v.entries {
		if !namePattern.MatchString(e.key.Value) {
			b.c.at(e.key, fmt.Sprintf("%q names no branch", shorten(e.key.Value)), "up to 63 of a-z, 0-9, '_' and '-', beginning with a letter")
			continue
		}
		if e.value == nil {
			continue
		}
		b.branch, b.cur = e.key.Value, head.fork()
		b.steps(e.value.get("steps"))
		b.end(e.value.get("sinks"))
	}
}

// steps applies the steps in order.
func (b *builder) steps(v *value) {
	if v == nil {
		return
	}
	if len(v.list) > maxSteps {
		b.c.at(v.node, fmt.Sprintf("there are %d steps", len(v.list)), fmt.Sprintf("at most %d", maxSteps))
		b.cur.lost = true
		return
	}
	// A step that could not be read may have made or taken away any column.
	b.cur.lost = b.cur.lost || len(v.list) != len(v.node.Content)
	for _, s := range v.list {
		b.step(s)
		if b.overfull {
			return
		}
	}
}

// full tells a mistake, once, when no further column may be made at n, beside
// the ones there are at the time.
func (b *builder) full(n *yaml.Node, beside int) bool {
	if b.overfull {
		return true
	}
	if len(b.cur.columns) >= maxMade || beside >= maxColumns {
		b.overfull, b.cur.lost = true, true
		b.c.at(n, "the steps make too many columns", fmt.Sprintf("at most %d at a time, and %d in all", maxColumns, maxMade))
	}
	return b.overfull
}

// afterWindow are the steps that may follow a window.
var afterWindow = []string{"where", "select", "add", "drop", "lookup", "window"}

func (b *builder) step(s *value) {
	r := b.cur
	e, ok := s.chosen(stepNames)
	if !ok {
		r.lost = true
		return
	}
	name := e.key.Value
	if e.value == nil {
		r.lost = r.lost || !slices.Contains([]string{"where", "changed", "sample", "dedupe"}, name)
		return
	}
	if r.window != nil && !slices.Contains(afterWindow, name) {
		b.c.at(e.key, fmt.Sprintf("%q stands after a window", name), "one of where, select, add, drop, lookup, window there")
		r.lost = r.lost || name == "alert"
		return
	}
	cloud, ok := b.place(s, name)
	if !ok {
		return
	}
	switch name {
	case "where":
		b.where(e.value, cloud)
	case "add":
		b.add(e.value, cloud)
	case "select":
		if e.value.kind == kindList {
			b.selectNames(e.value)
		} else {
			b.selectExprs(e.value, cloud)
		}
	case "drop":
		b.drop(e.value)
	case "lookup":
		b.lookup(e, cloud)
	case "alert":
		b.alert(e, cloud)
	case "changed":
		b.changed(e, cloud)
	case "sample":
		b.sample(e, cloud)
	case "dedupe":
		b.dedupe(e, cloud)
	case "window":
		b.addWindow(e, s.get("place").textOr(""))
	}
}

// place tells whether a step runs in the cloud; ok is false after a mistake.
func (b *builder) place(s *value, name string) (cloud, ok bool) {
	before := b.cur.at.cloud
	v := s.get("place")
	switch {
	case v == nil:
		return before || name == "dedupe", true
	case v.text == "cloud":
		return true, true
	case before:
		b.c.at(v.node, "this step cannot run on the edge: the step before it runs in the cloud"+b.cloudStep(), "place: cloud, or place: edge there too")
		return false, false
	}
	return false, true
}

// cloudStep names the first step in the cloud of the branch so far.
func (b *builder) cloudStep() string {
	if b.cur.window != nil {
		return " (it is a window's result)"
	}
	var first *lnode
	for n := b.cur.at; n != nil && n.cloud; n = n.parent {
		first = n
	}
	if first != nil && first.keyed != nil {
		return fmt.Sprintf(" (%s in line %d)", first.keyed.name, first.keyed.node.Line)
	}
	return ""
}

// bind makes an expression over the columns of r; nil after a mistake.
func (r *rows) bind(v *value, cloud bool) *plan.Expr {
	if r.lost || mentions(v.text, r.broken) {
		if _, err := sql.Parse(v.text); err != nil {
			r.c.expression(v, err)
		}
		return nil
	}
	bs := r.bindings()
	e, err := sql.Bind(v.text, r.c.scope(r.schema(bs), false))
	if err != nil {
		r.c.expression(v, err)
		return nil
	}
	if !batch.Type(e.Type).Valid() {
		r.c.at(v.node, "the type of this expression is not known", "a cast, as in CAST(NULL AS double)")
		return nil
	}
	e = moved(e, func(i int) int { return bs[i].col })
	if cloud || r.at.cloud {
		if err := r.c.fixParams(e); err != nil {
			r.c.at(v.node, err.Error(), "a step on the edge, before anything that runs in the cloud")
			return nil
		}
	}
	return e
}

// condition is an expression of the type bool; nil after a mistake.
func (b *builder) condition(v *value, cloud bool) *plan.Expr {
	if v == nil {
		return nil
	}
	e := b.cur.bind(v, cloud)
	if e == nil {
		return nil
	}
	if t := batch.Type(e.Type); t != batch.Bool {
		b.c.at(v.node, fmt.Sprintf("this expression is of the type %s", t), "a condition (bool) such as temp > 0")
		return nil
	}
	return e
}
