package compile

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/engine/sql"
	"github.com/leatio/leat/internal/pb"
)

// windowPlan is a window step while the columns that it reads still have their
// positions from before pruning.
type windowPlan struct {
	plan *plan.Window
	keys []binding // of the edge's rows
	args []int     // columns of the edge's rows that the accumulators take
}

// addWindow makes the window step; what flows from here on are its results.
func (b *builder) addWindow(v *value) {
	r := b.edge
	w := &windowPlan{plan: &plan.Window{
		SliceMicros:           v.get("tumbling").microsOr(1),
		AllowedLatenessMicros: v.get("allowed_lateness").microsOr(0),
	}}
	w.plan.Windows = []*plan.WindowSpec{{Kind: plan.WindowSpec_TUMBLING, SizeMicros: w.plan.SliceMicros}}
	b.window = w
	if r.time < 0 && !r.timeLost && !r.lost {
		b.c.at(v.node, "a window needs an event time, and the source has none", "event_time: {column: ...} in source")
	}
	out := newRows(b.c)
	out.lost = r.lost
	out.columns = []column{{plan.WindowStart, batch.Timestamp, originStart}, {plan.WindowEnd, batch.Timestamp, originEnd}}
	out.show(plan.WindowStart, 0)
	out.show(plan.WindowEnd, 1)
	b.windowKeys(v.get("by"), out)
	b.windowEmit(v.get("emit"), out)
	b.cur = out
}

func (b *builder) windowKeys(by *value, out *rows) {
	if by == nil || b.edge.lost {
		return
	}
	w, bs := b.window, b.edge.bindings()
	for _, item := range by.list {
		at := find(bs, item.text)
		switch {
		case find(w.keys, item.text) >= 0:
			b.c.at(item.node, fmt.Sprintf("the column %q stands here a second time", item.text), "only one")
		case slices.Contains([]string{plan.WindowStart, plan.WindowEnd, plan.SliceStart, plan.SliceEnd}, item.text):
			b.c.at(item.node, fmt.Sprintf("the column %q has the name of a column that the window makes", item.text), "a step before that selects it under another name")
		case b.edge.broken[item.text]:
			out.broken[item.text] = true
		case at < 0:
			b.noColumn(item)
			out.broken[item.text] = true
		default:
			key := bs[at]
			typ := b.edge.columns[key.col].typ
			out.columns = append(out.columns, column{key.name, typ, originKey + len(w.keys)})
			out.show(key.name, len(out.columns)-1)
			w.keys = append(w.keys, key)
			w.plan.Keys = append(w.plan.Keys, &plan.Column{Name: key.name, Type: uint32(typ)})
		}
	}
}

// emitted is one entry of emit, bound.
type emitted struct {
	name    string
	expr    *plan.Expr // over the calls
	results []int      // by call: position in Window.results
}

func (b *builder) windowEmit(emit *value, out *rows) {
	if emit == nil {
		out.lost = true
		return
	}
	if len(emit.entries) == 0 && len(emit.node.Content) == 0 {
		b.c.at(emit.node, "the window emits nothing", "at least one column, as in {n: count(*)}")
	}
	var calls []sql.AggCall
	var columns []emitted
	for _, e := range emit.entries {
		name := e.key.Value
		if len(columns) == maxColumns {
			b.c.at(e.key, "the window emits too many columns", fmt.Sprintf("at most %d", maxColumns))
			break
		}
		if wrong := b.emitName(name, out); wrong != "" {
			b.c.at(e.key, wrong, "another name")
			continue
		}
		agg := b.bindAggregates(e.value)
		if agg == nil {
			out.broken[name] = true
			continue
		}
		col := emitted{name: name, expr: agg.Expr}
		for _, call := range agg.Calls {
			at := slices.IndexFunc(calls, func(have sql.AggCall) bool { return sameCall(have, call) })
			if at < 0 {
				at = len(calls)
				calls = append(calls, call)
			}
			col.results = append(col.results, at)
		}
		columns = append(columns, col)
	}
	b.windowResults(calls, columns, emit, out)
}

func (b *builder) emitName(name string, out *rows) string {
	if wrong := columnName(name); wrong != "" {
		return wrong
	}
	if find(out.visible, name) >= 0 || out.broken[name] {
		return fmt.Sprintf("the result has a column %q already", name)
	}
	return ""
}

func (b *builder) bindAggregates(v *value) *sql.AggExpr {
	r := b.edge
	if v == nil {
		return nil
	}
	if r.lost || mentions(v.text, r.broken) {
		if _, err := sql.Parse(v.text); err != nil {
			b.c.expression(v, err)
		}
		return nil
	}
	bs := r.bindings()
	agg, err := sql.BindAggregates(v.text, b.c.scope(r.schema(bs), true))
	if err != nil {
		b.c.expression(v, err)
		return nil
	}
	if !batch.Type(agg.Expr.Type).Valid() {
		b.c.at(v.node, "the type of this expression is not known", "a cast, as in CAST(NULL AS double)")
		return nil
	}
	for i := range agg.Calls {
		agg.Calls[i].Arg = moved(agg.Calls[i].Arg, func(c int) int { return bs[c].col })
	}
	return agg
}

func sameCall(a, b sql.AggCall) bool {
	return a.Function == b.Function && a.Star == b.Star && a.Param == b.Param && pb.Equal(a.Arg, b.Arg)
}

// windowResults makes the accumulators and results of the calls, and of the
// emitted expressions columns of the cloud's rows.
func (b *builder) windowResults(calls []sql.AggCall, columns []emitted, emit *value, out *rows) {
	first := len(out.columns)
	for i, call := range calls {
		name := fmt.Sprintf("_result%d", i)
		for _, col := range columns {
			if at, isBare := bare(col.expr); isBare && col.results[at] == i {
				name = col.name
				break
			}
		}
		typ := b.windowResult(name, call, emit)
		out.columns = append(out.columns, column{name: name, typ: typ})
	}
	out.columns = append(out.columns, column{name: plan.Revision, typ: batch.Int})
	out.input = len(out.columns)
	for _, col := range columns {
		expr := moved(col.expr, func(i int) int { return first + col.results[i] })
		out.show(col.name, out.extend(col.name, expr))
	}
}

// revision is the position of the revision among the columns of a window's results.
func (w *windowPlan) revision() int { return 2 + len(w.plan.Keys) + len(w.plan.Results) }

func (b *builder) windowResult(name string, call sql.AggCall, emit *value) batch.Type {
	w, col, in := b.window, -1, batch.Type(0)
	if call.Arg != nil {
		in = batch.Type(call.Arg.Type)
		col = b.argument(call.Arg)
	}
	specs, typ, err := aggregate.Resolve(call.Function, call.Star, in, call.Param)
	if err != nil {
		b.c.at(emit.node, err.Error(), "")
		return call.Type
	}
	res := &plan.Result{Name: name, Function: call.Function, Type: uint32(typ), Param: call.Param}
	for _, s := range specs {
		acc := &plan.Accumulator{Kind: s.Kind, Column: int32(col), Type: uint32(s.In), Param: s.Param}
		at := slices.IndexFunc(w.plan.Accumulators, func(have *plan.Accumulator) bool { return pb.Equal(have, acc) })
		if at < 0 {
			at = len(w.plan.Accumulators)
			w.plan.Accumulators = append(w.plan.Accumulators, acc)
		}
		res.Accumulators = append(res.Accumulators, uint32(at))
	}
	w.plan.Results = append(w.plan.Results, res)
	return typ
}

// argument is the column of the edge's rows that holds an aggregate's
// argument; equal arguments share one.
func (b *builder) argument(e *plan.Expr) int {
	r, w := b.edge, b.window
	col, isBare := bare(e)
	if !isBare {
		col = r.computed(e)
	}
	if col < 0 {
		col = r.extend(fmt.Sprintf("_arg%d", len(w.args)), e)
	}
	if !slices.Contains(w.args, col) {
		w.args = append(w.args, col)
	}
	return col
}

// computed is the column that a step has made by the same expression already, or -1.
func (r *rows) computed(e *plan.Expr) int {
	for _, s := range r.steps {
		for i, have := range s.exprs {
			if pb.Equal(have, e) {
				return s.base + i
			}
		}
	}
	return -1
}
