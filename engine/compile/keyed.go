package compile

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// by reads the key columns of a step.
func (b *builder) by(v *value) (keys []binding, ok bool) {
	r := b.cur
	if v == nil || r.lost {
		return nil, !r.lost
	}
	ok = len(v.list) == len(v.node.Content)
	bs := r.bindings()
	for _, item := range v.list {
		at := find(bs, item.text)
		switch {
		case find(keys, item.text) >= 0:
			b.c.at(item.node, fmt.Sprintf("the column %q stands here a second time", item.text), "only one")
		case r.broken[item.text]:
			ok = false
		case at < 0:
			b.noColumn(item)
			ok = false
		default:
			keys = append(keys, bs[at])
		}
	}
	return keys, ok
}

// timed is the event time's column for a step that needs it.
func (b *builder) timed(step string, at *yaml.Node) (int, bool) {
	r := b.cur
	if r.lost || r.timeLost {
		return 0, false
	}
	if r.time < 0 {
		b.c.at(at, step+" needs an event time, and the source has none", "event_time: {column: ...} in source")
		return 0, false
	}
	return r.time, true
}

func columnsOf(keys []binding) []int {
	out := make([]int, len(keys))
	for i, k := range keys {
		out[i] = k.col
	}
	return out
}

func positions(cols []int, position func(int) int) []uint32 {
	var out []uint32
	for _, c := range cols {
		out = append(out, uint32(position(c)))
	}
	return out
}

// remember appends a step that keeps something by key.
func (b *builder) remember(e entry, keys []binding, cloud bool, uses []int, exprs []*plan.Expr, op func(func(int) int, []bool) *plan.Node) *lnode {
	k := columnsOf(keys)
	return b.cur.step(&lnode{cloud: cloud, keyed: &keyedStep{
		name: e.key.Value, node: e.key, keys: k, uses: append(slices.Clone(k), uses...), exprs: exprs, op: op,
	}})
}

func (b *builder) alert(e entry, cloud bool) {
	v, r := e.value, b.cur
	keys, ok := b.by(v.get("by"))
	time, timed := b.timed("alert", e.key)
	when := b.condition(v.get("when"), cloud)
	var ending *plan.Expr
	if v.has("clear") {
		ending = b.condition(v.get("clear"), cloud)
		ok = ok && ending != nil
	}
	for _, name := range []string{"alert", "since"} {
		if find(r.visible, name) >= 0 {
			b.c.at(e.key, fmt.Sprintf("the step makes a column %q, and there is one already", name), "a step before it that drops it or selects it under another name")
			ok = false
		}
	}
	if !ok || !timed || when == nil {
		for _, name := range []string{"alert", "since"} {
			if find(r.visible, name) < 0 {
				r.broken[name] = true
			}
		}
		return
	}
	exprs := []*plan.Expr{when}
	if ending != nil {
		exprs = append(exprs, ending)
	}
	k := columnsOf(keys)
	n := b.remember(e, keys, cloud, []int{time}, exprs, func(position func(int) int, _ []bool) *plan.Node {
		return &plan.Node{Op: &plan.Node_Alert{Alert: &plan.Alert{
			Keys: positions(k, position), TimeColumn: uint32(position(time)),
			When: moved(when, position), ForMicros: v.get("for").microsOr(0),
			Clear: moved(ending, position), SilentMicros: v.get("silent").microsOr(0),
		}}}
	})
	n.keyed.fixed = true
	r.show("alert", r.makes("alert", batch.String))
	r.show("since", r.makes("since", batch.Timestamp))
}

func (b *builder) changed(e entry, cloud bool) {
	v, r := e.value, b.cur
	keys, ok := b.by(v.get("by"))
	compared, good := b.compared(v, keys)
	time := r.time
	if v.has("heartbeat") {
		var timed bool
		time, timed = b.timed("a heartbeat", e.key)
		ok = ok && timed
	}
	if !ok || !good {
		return
	}
	uses := make([]int, 0, len(compared)+1)
	for _, c := range compared {
		uses = append(uses, c.col)
	}
	if time >= 0 {
		uses = append(uses, time)
	}
	k := columnsOf(keys)
	b.remember(e, keys, cloud, uses, nil, func(position func(int) int, _ []bool) *plan.Node {
		c := &plan.Changed{Keys: positions(k, position), HeartbeatMicros: v.get("heartbeat").microsOr(0)}
		if time >= 0 {
			c.HasTime, c.TimeColumn = true, uint32(position(time))
		}
		for _, x := range compared {
			c.Columns = append(c.Columns, &plan.ChangedColumn{Column: uint32(position(x.col)), Deadband: x.deadband})
		}
		return &plan.Node{Op: &plan.Node_Changed{Changed: c}}
	})
}

// comparedColumn is a column whose changes count.
type comparedColumn struct {
	binding
	deadband float64
}

// compared reads the columns of a changed step and their deadbands.
func (b *builder) compared(v *value, keys []binding) (out []comparedColumn, ok bool) {
	r := b.cur
	if r.lost {
		return nil, false
	}
	if names := v.get("columns"); names != nil {
		ok = len(names.list) == len(names.node.Content)
		bs := r.bindings()
		for _, item := range names.list {
			at := find(bs, item.text)
			switch {
			case slices.ContainsFunc(out, func(c comparedColumn) bool { return c.name == item.text }):
				b.c.at(item.node, fmt.Sprintf("the column %q stands here a second time", item.text), "only one")
			case r.broken[item.text]:
				ok = false
			case at < 0:
				b.noColumn(item)
				ok = false
			default:
				out = append(out, comparedColumn{binding: bs[at]})
			}
		}
	} else {
		for _, bind := range r.visible {
			if find(keys, bind.name) < 0 && bind.col != r.time {
				out = append(out, comparedColumn{binding: bind})
			}
		}
		ok = len(r.broken) == 0
	}
	if ok && len(out) == 0 {
		b.c.at(v.node, "no column is compared", "columns that are neither in \"by\" nor the event time")
		ok = false
	}
	return out, b.deadbands(v.get("deadband"), out) && ok
}

func (b *builder) deadbands(v *value, cols []comparedColumn) bool {
	if v == nil {
		return true
	}
	number := func(c comparedColumn) bool {
		t := b.cur.columns[c.col].typ
		return t == batch.Int || t == batch.Double
	}
	if v.kind != kindMap {
		numbers := 0
		for i := range cols {
			if number(cols[i]) {
				cols[i].deadband = v.number
				numbers++
			}
		}
		if numbers == 0 && len(cols) > 0 {
			b.c.at(v.node, "no column that is compared is a number", "no deadband, or columns of the types int or double")
			return false
		}
		return true
	}
	good := true
	for _, e := range v.entries {
		at := slices.IndexFunc(cols, func(c comparedColumn) bool { return c.name == e.key.Value })
		switch {
		case e.value == nil:
			good = false
		case at < 0 && b.cur.broken[e.key.Value]:
			good = false
		case at < 0:
			b.c.at(e.key, fmt.Sprintf("the column %q is not compared", shorten(e.key.Value)), oneOf(comparedNames(cols)))
			good = false
		case !number(cols[at]):
			b.c.at(e.key, fmt.Sprintf("the column %q is of the type %s", e.key.Value, b.cur.columns[cols[at].col].typ), "a column of the type int or double")
			good = false
		default:
			cols[at].deadband = e.value.number
		}
	}
	return good
}

func comparedNames(cols []comparedColumn) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.name
	}
	return out
}

func (b *builder) sample(e entry, cloud bool) {
	v := e.value
	keys, ok := b.by(v.get("by"))
	time, timed := b.timed("sample", e.key)
	if !ok || !timed {
		return
	}
	k := columnsOf(keys)
	b.remember(e, keys, cloud, []int{time}, nil, func(position func(int) int, _ []bool) *plan.Node {
		return &plan.Node{Op: &plan.Node_Sample{Sample: &plan.Sample{
			Keys: positions(k, position), TimeColumn: uint32(position(time)), EveryMicros: v.get("every").microsOr(1),
		}}}
	})
}

func (b *builder) dedupe(e entry, cloud bool) {
	v := e.value
	keys, ok := b.by(v.get("by"))
	time, timed := b.timed("dedupe", e.key)
	if by := v.get("by"); by != nil && len(by.node.Content) == 0 {
		b.c.at(by.node, "no column tells rows apart", "at least one column")
		ok = false
	}
	if !ok || !timed {
		return
	}
	k := columnsOf(keys)
	b.remember(e, keys, cloud, []int{time}, nil, func(position func(int) int, _ []bool) *plan.Node {
		return &plan.Node{Op: &plan.Node_Dedupe{Dedupe: &plan.Dedupe{
			Keys: positions(k, position), TimeColumn: uint32(position(time)), WithinMicros: v.get("within").microsOr(1),
		}}}
	})
}
