package compile

import (
	"fmt"
	"strings"

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
	edge   *rows       // what flows on the edge
	cur    *rows       // what flows after the steps so far: edge, or after a window the cloud's
	window *windowPlan // nil without a window
	// overfull says that the bounds on columns are reached.
	overfull bool
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

func (b *builder) step(s *value) {
	r := b.cur
	if len(s.entries) == 0 {
		r.lost = true
		return
	}
	e := s.entries[0]
	name := e.key.Value
	if e.value == nil {
		r.lost = r.lost || name != "where"
		return
	}
	switch name {
	case "where":
		b.where(e.value)
	case "add":
		b.add(e.value)
	case "select":
		if e.value.kind == kindList {
			b.selectNames(e.value)
		} else {
			b.selectExprs(e.value)
		}
	case "drop":
		b.drop(e.value)
	case "window":
		if b.window != nil {
			b.c.at(e.key, "a second window is not built yet in this version", "one of where, select, add, drop after a window")
			r.lost = true
			return
		}
		b.addWindow(e.value)
	}
}

// bind makes an expression over the columns of r; nil after a mistake.
func (r *rows) bind(v *value) *plan.Expr {
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
	return moved(e, func(i int) int { return bs[i].col })
}

func (b *builder) where(v *value) {
	e := b.cur.bind(v)
	if e == nil {
		return
	}
	if t := batch.Type(e.Type); t != batch.Bool {
		b.c.at(v.node, fmt.Sprintf("this expression is of the type %s", t), "a condition (bool) such as temp > 0")
		return
	}
	b.cur.filter(e)
}

func (b *builder) add(v *value) {
	r := b.cur
	if len(v.entries) == 0 {
		b.c.at(v.node, "nothing is added", "names and expressions, as in {double_temp: 2 * temp}")
	}
	for _, e := range v.entries {
		name := e.key.Value
		if b.full(e.key, len(r.visible)) {
			return
		}
		if wrong := columnName(name); wrong != "" {
			b.c.at(e.key, wrong, "another name")
			continue
		}
		if find(r.visible, name) >= 0 || r.broken[name] {
			b.c.at(e.key, fmt.Sprintf("there is a column %q already", name), fmt.Sprintf("another name, or a step before this one that drops %q or selects under another name", name))
			continue
		}
		var expr *plan.Expr
		if e.value != nil {
			expr = r.bind(e.value)
		}
		if expr == nil {
			r.broken[name] = true
			continue
		}
		r.show(name, r.extend(name, expr))
	}
}

// selectNames keeps the named columns in the order of the names.
func (b *builder) selectNames(v *value) {
	r := b.cur
	if len(v.node.Content) == 0 {
		b.c.at(v.node, "nothing is selected", "at least one column")
	}
	if r.lost {
		return
	}
	bs := r.bindings()
	var kept []binding
	broken := map[string]bool{}
	for _, item := range v.list {
		name := item.text
		at := find(bs, name)
		switch {
		case find(kept, name) >= 0 || broken[name]:
			b.c.at(item.node, fmt.Sprintf("the column %q is selected a second time", name), "only one")
		case r.broken[name]:
			broken[name] = true
		case at < 0:
			b.noColumn(item)
			broken[name] = true
		default:
			kept = append(kept, bs[at])
		}
	}
	r.visible, r.broken = kept, broken
}

// selectExprs makes the named columns, all over the columns before this step.
func (b *builder) selectExprs(v *value) {
	r := b.cur
	if len(v.entries) == 0 {
		b.c.at(v.node, "nothing is selected", "at least one column")
	}
	var kept []binding
	broken := map[string]bool{}
	for _, e := range v.entries {
		name := e.key.Value
		if b.full(e.key, len(kept)) {
			return
		}
		if wrong := columnName(name); wrong != "" && !b.sameHidden(e) {
			b.c.at(e.key, wrong, "another name")
			continue
		}
		var expr *plan.Expr
		if e.value != nil {
			expr = r.bind(e.value)
		}
		if expr == nil {
			broken[name] = true
			continue
		}
		kept = append(kept, binding{name, r.extend(name, expr)})
	}
	r.visible, r.broken = kept, broken
}

// sameHidden tells whether an entry of select only names a hidden column.
func (b *builder) sameHidden(e entry) bool {
	return e.value != nil && strings.TrimSpace(e.value.text) == e.key.Value && find(b.cur.hidden, e.key.Value) >= 0
}

func (b *builder) drop(v *value) {
	r := b.cur
	if len(v.node.Content) == 0 {
		b.c.at(v.node, "nothing is dropped", "at least one column")
	}
	if r.lost {
		return
	}
	gone := map[string]bool{}
	for _, item := range v.list {
		at := find(r.visible, item.text)
		switch {
		case at >= 0:
			r.visible = append(r.visible[:at:at], r.visible[at+1:]...)
		case gone[item.text]:
			b.c.at(item.node, fmt.Sprintf("the column %q is dropped a second time", item.text), "only one")
		case r.broken[item.text]:
			delete(r.broken, item.text)
		default:
			b.noColumn(item)
		}
		gone[item.text] = true
	}
	if len(r.visible) == 0 && len(r.broken) == 0 {
		b.c.at(v.node, "no column is left", "at least one that goes on")
	}
}

// noColumn tells that a name is no column of the current rows.
func (b *builder) noColumn(item *value) {
	names := b.cur.names()
	what := fmt.Sprintf("there is no column %q here", shorten(item.text))
	if near := nearest(item.text, names); near != "" {
		what += fmt.Sprintf(" (did you mean %q?)", near)
	}
	b.c.at(item.node, what, oneOf(names))
}

// freshness reads the key of the same name, which may lean on the window.
func (b *builder) freshness(f *value) {
	v := f.get("freshness")
	b.plan.FreshnessMicros = defaultFreshness
	if v == nil {
		return
	}
	b.plan.FreshnessMicros = v.micros
	if v.text == "window" {
		b.plan.FreshnessMicros = 0
		b.plan.FreshnessWindow = true
		if b.window == nil && !b.cur.lost {
			b.c.at(v.node, "\"freshness: window\" stands in a pipeline without a window", "a duration such as 1s")
		}
	}
}
