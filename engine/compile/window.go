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
	plan  *plan.Window
	in    *rows       // what it reads
	inner *windowPlan // the window whose results it reads; nil = it reads rows
	edge  bool        // its results come about on the edge
	keys  []binding   // of in
	args  []int       // columns of in that the accumulators take
	cols  []int       // by accumulator: its column of in; -1 = none
	time  int         // column of in
	out   *lnode      // the root of its results
	late  *output     // nil = late rows are counted and dropped
	// freshness is the step's own; freshAtEnd stands for "window".
	freshness  int64
	freshAtEnd bool
}

// uses calls f for each column of its input that it reads.
func (w *windowPlan) uses(f func(col int)) {
	f(w.time)
	for _, k := range w.keys {
		f(k.col)
	}
	for _, c := range w.args {
		f(c)
	}
	if w.inner != nil {
		for _, c := range w.inner.identity() {
			f(c)
		}
		f(w.inner.revision())
	}
	if w.late != nil {
		for _, b := range w.late.cols {
			if b.col != lateColumn {
				f(b.col)
			}
		}
	}
}

// identity are the columns of a window's results that tell them apart: start, end, keys.
func (w *windowPlan) identity() []int { return upTo(2 + len(w.keys)) }

// revision is the position of the revision among the columns of a window's results.
func (w *windowPlan) revision() int { return len(plan.FinalColumns(w.plan)) - 1 }

// effectiveLateness is how long results may change after their window's end. A session may be joined until a row just before
// its end is late, which is a gap later.
func (w *windowPlan) effectiveLateness() int64 {
	lateness := w.plan.AllowedLatenessMicros + w.plan.InnerLatenessMicros
	if w.plan.Session() {
		lateness += w.plan.Windows[0].EveryMicros
	}
	return lateness
}

// addWindow makes the window step; what flows from here on are its results.
func (b *builder) addWindow(e entry, place string) {
	v, r := e.value, b.cur
	w := &windowPlan{plan: &plan.Window{}, in: r, inner: r.window, time: r.time, edge: place == "edge"}
	if !b.windowPlace(e, w, place) {
		r.lost = true
		return
	}
	b.windowKinds(v, w)
	b.windowOptions(v, w)
	if w.inner == nil && r.time < 0 && !r.timeLost && !r.lost {
		b.c.at(v.node, "a window needs an event time, and the source has none", "event_time: {column: ...} in source")
	}
	out := newRows(b.c, w)
	out.lost, out.at.cloud = r.lost, !w.edge
	w.out = out.at
	out.columns = []column{{name: plan.WindowStart, typ: batch.Timestamp, origin: originStart}, {name: plan.WindowEnd, typ: batch.Timestamp, origin: originEnd}}
	out.show(plan.WindowStart, 0)
	out.show(plan.WindowEnd, 1)
	b.windowKeys(v.get("by"), w, out)
	b.windowEmit(v.get("emit"), w, out)
	b.lateSinks(v.get("late"), w)
	r.step(&lnode{window: w})
	b.windows = append(b.windows, w)
	b.cur = out
}

// windowPlace checks where the window stands and runs.
func (b *builder) windowPlace(e entry, w *windowPlan, place string) bool {
	if w.inner == nil {
		if w.in.at.cloud {
			b.c.at(e.key, "this window stands after a step that runs in the cloud"+b.cloudStep()+", and lateness is decided on the agents", "steps before it on the edge, as with place: edge there")
			return false
		}
		w.plan.Name = b.branchName()
		w.plan.ForwardRows = place == "cloud"
		return true
	}
	if w.inner.edge {
		b.c.at(e.key, "a window after one with place: edge is not built yet in this version", "place: cloud there")
		return false
	}
	for _, name := range []string{"freshness", "late", "groups"} {
		if e.value.has(name) {
			b.c.at(e.value.key(name), fmt.Sprintf("%q stands in a window that reads another's results, in the cloud", name), "it in the first window")
		}
	}
	if e.value.has("session") {
		b.c.at(e.value.key("session"), "sessions over the results of a window are not built yet in this version", "other windows there")
	}
	w.time = 1 // the inner window's end
	w.plan.InnerLatenessMicros = w.inner.effectiveLateness()
	depth := 2
	for i := w.inner; i.inner != nil; i = i.inner {
		depth++
	}
	w.plan.Name = fmt.Sprintf("%s.%d", b.branchName(), depth)
	return true
}

// branchName is how parts of the plan are named after the branch.
func (b *builder) branchName() string {
	if b.branch == "" {
		return "main"
	}
	return b.branch
}

func (b *builder) windowKeys(by *value, w *windowPlan, out *rows) {
	r := w.in
	if by == nil || r.lost {
		return
	}
	made := []string{plan.WindowStart, plan.WindowEnd, plan.SliceStart, plan.SliceEnd, plan.FirstEnd}
	bs := r.bindings()
	for _, item := range by.list {
		at := find(bs, item.text)
		switch {
		case find(w.keys, item.text) >= 0:
			b.c.at(item.node, fmt.Sprintf("the column %q stands here a second time", item.text), "only one")
		case slices.Contains(made, item.text):
			b.c.at(item.node, fmt.Sprintf("the column %q has the name of a column that the window makes", item.text), "a step before that selects it under another name")
		case r.broken[item.text]:
			out.broken[item.text] = true
		case at < 0:
			b.noColumn(item)
			out.broken[item.text] = true
		default:
			key := bs[at]
			typ := r.columns[key.col].typ
			out.columns = append(out.columns, column{name: key.name, typ: typ, origin: originKey + len(w.keys)})
			out.show(key.name, len(out.columns)-1)
			w.keys = append(w.keys, key)
			w.plan.Keys = append(w.plan.Keys, &plan.Column{Name: key.name, Type: uint32(typ)})
			w.plan.KeyTexts = append(w.plan.KeyTexts, r.text(key.col))
		}
	}
}

// emitted is one entry of emit, bound.
type emitted struct {
	name    string
	value   *value
	expr    *plan.Expr // over the calls
	results []int      // by call: position in Window.results
}

func (b *builder) windowEmit(emit *value, w *windowPlan, out *rows) {
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
		agg := b.bindAggregates(e.value, w)
		if agg == nil {
			out.broken[name] = true
			continue
		}
		col := emitted{name: name, value: e.value, expr: agg.Expr}
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
	b.windowResults(calls, columns, emit, w, out)
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

func (b *builder) bindAggregates(v *value, w *windowPlan) *sql.AggExpr {
	r := w.in
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
		if w.inner != nil && !b.fixed(agg.Calls[i].Arg, v) {
			return nil
		}
	}
	agg.Expr = moved(agg.Expr, func(c int) int { return c })
	if !w.edge && !b.fixed(agg.Expr, v) {
		return nil
	}
	return agg
}

// fixed puts the parameters into an expression that runs in the cloud.
func (b *builder) fixed(e *plan.Expr, v *value) bool {
	if e == nil {
		return true
	}
	if err := b.c.fixParams(e); err != nil {
		b.c.at(v.node, err.Error(), "a step on the edge, before anything that runs in the cloud")
		return false
	}
	return true
}

func sameCall(a, b sql.AggCall) bool {
	return a.Function == b.Function && a.Star == b.Star && a.Param == b.Param && pb.Equal(a.Arg, b.Arg)
}

// windowResults makes the accumulators and results of the calls, and of the
// emitted expressions columns of the window's rows.
func (b *builder) windowResults(calls []sql.AggCall, columns []emitted, emit *value, w *windowPlan, out *rows) {
	first := len(out.columns)
	for i, call := range calls {
		name := fmt.Sprintf("_result%d", i)
		for _, col := range columns {
			if at, isBare := bare(col.expr); isBare && col.results[at] == i {
				name = col.name
				break
			}
		}
		typ := b.windowResult(name, call, emit, w)
		out.columns = append(out.columns, column{name: name, typ: typ})
	}
	if w.plan.Completeness {
		out.columns = append(out.columns, column{name: plan.AgentsSeen, typ: batch.Int}, column{name: plan.AgentsExpected, typ: batch.Int})
	}
	out.columns = append(out.columns, column{name: plan.Revision, typ: batch.Int})
	out.input = len(out.columns)
	for _, col := range columns {
		expr := moved(col.expr, func(i int) int { return first + col.results[i] })
		out.show(col.name, out.extend(col.name, expr, false))
	}
	if w.plan.Completeness {
		for i, name := range []string{plan.AgentsSeen, plan.AgentsExpected, plan.Revision} {
			out.show(name, out.input-3+i)
		}
	}
}

func (b *builder) windowResult(name string, call sql.AggCall, emit *value, w *windowPlan) batch.Type {
	col, in, argument := -1, batch.Type(0), ""
	if call.Arg != nil {
		in = batch.Type(call.Arg.Type)
		col = b.argument(call.Arg, w)
		argument = w.in.text(col)
	}
	specs, typ, err := aggregate.Resolve(call.Function, call.Star, in, call.Param)
	if err != nil {
		b.c.at(emit.node, err.Error(), "")
		return call.Type
	}
	res := &plan.Result{Name: name, Function: call.Function, Type: uint32(typ), Param: call.Param}
	for _, s := range specs {
		acc := &plan.Accumulator{Kind: s.Kind, Column: -1, Type: uint32(s.In), Param: s.Param}
		at := -1
		if s.In != 0 {
			at, acc.Argument = col, argument
		}
		i := 0
		for i < len(w.cols) && (w.cols[i] != at || !pb.Equal(w.plan.Accumulators[i], acc)) {
			i++
		}
		if i == len(w.cols) {
			w.plan.Accumulators = append(w.plan.Accumulators, acc)
			w.cols = append(w.cols, at)
		}
		res.Accumulators = append(res.Accumulators, uint32(i))
	}
	w.plan.Results = append(w.plan.Results, res)
	return typ
}

// argument is the column of the window's input that holds an aggregate's
// argument; equal arguments share one.
func (b *builder) argument(e *plan.Expr, w *windowPlan) int {
	col, isBare := bare(e)
	if !isBare {
		col = w.in.computed(e)
	}
	if col < 0 {
		col = w.in.extend(fmt.Sprintf("_arg%d", len(w.args)), e, false)
	}
	if !slices.Contains(w.args, col) {
		w.args = append(w.args, col)
	}
	return col
}
