package compile

import (
	"fmt"
	"strings"

	"github.com/leatio/leat/engine/plan"
)

func (b *builder) where(v *value, cloud bool) {
	if e := b.condition(v, cloud); e != nil {
		b.cur.step(&lnode{where: e, cloud: cloud})
	}
}

func (b *builder) add(v *value, cloud bool) {
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
			expr = r.bind(e.value, cloud)
		}
		if expr == nil {
			r.broken[name] = true
			continue
		}
		r.show(name, r.extend(name, expr, cloud))
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
func (b *builder) selectExprs(v *value, cloud bool) {
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
			expr = r.bind(e.value, cloud)
		}
		if expr == nil {
			broken[name] = true
			continue
		}
		kept = append(kept, binding{name, r.extend(name, expr, cloud)})
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

// freshness reads the key of the same name, which may lean on windows.
func (b *builder) freshness(f *value) {
	v := f.get("freshness")
	b.plan.FreshnessMicros = defaultFreshness
	if v == nil {
		return
	}
	b.plan.FreshnessMicros = v.micros
	if v.text == "window" {
		b.plan.FreshnessMicros, b.plan.FreshnessWindow = 0, true
		if len(b.windows) == 0 && !b.cur.lost {
			b.c.at(v.node, "\"freshness: window\" stands in a pipeline without a window", "a duration such as 1s")
		}
	}
}
