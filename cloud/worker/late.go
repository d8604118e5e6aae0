package worker

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/internal/jsonl"
)

// maxLate bounds the rows of the table late that a log record gives; one more
// row for each entry sums up what goes beyond.
const maxLate = 100

// lateRow is what the table late says of one partial, or of several.
type lateRow struct {
	key        string
	start, end int64
	rows       int64
	counted    bool
	partials   int64
}

// late copies partials that came too late for everything.
func (r *results) late(p *pipeline, n *plan.Node, b *batch.Batch) {
	w := n.GetFinalWindow()
	if w == nil {
		return // results of another window: what they come of is in its table or was told before
	}
	count := -1
	if at := slices.IndexFunc(w.Accumulators, func(a *plan.Accumulator) bool { return a.Kind == "count" }); at >= 0 {
		count, _ = stateColumns(w, at)
	}
	var rest lateRow
	each(b, func(i int) {
		l := lateOf(w, b, i, count)
		if r.lateLeft > 0 {
			r.lateLeft--
			r.appendLate(p, l)
			return
		}
		rest.add(l)
	})
	if rest.partials > 0 {
		r.appendLate(p, rest)
	}
}

// add sums up.
func (l *lateRow) add(o lateRow) {
	if l.partials == 0 {
		*l = o
		l.key = ""
		return
	}
	l.start, l.end = min(l.start, o.start), max(l.end, o.end)
	l.rows, l.counted = l.rows+o.rows, l.counted && o.counted
	l.partials += o.partials
}

func lateOf(w *plan.Window, b *batch.Batch, i, count int) lateRow {
	nk := len(w.Keys)
	keys := batch.Batch{Cols: b.Cols[:nk], N: b.N, Sel: []uint32{uint32(i)}}
	l := lateRow{
		key:   string(bytes.TrimSpace(jsonl.Append(nil, plan.SchemaOf(w.Keys), &keys))),
		start: b.Cols[nk].Ints[i], end: b.Cols[nk+1].Ints[i], partials: 1,
	}
	if count >= 0 && !b.Cols[count].Null(i) {
		l.rows, l.counted = b.Cols[count].Ints[i], true
	}
	return l
}

func (r *results) appendLate(p *pipeline, l lateRow) {
	w := r.open[r.lateKey]
	if w == nil {
		w = r.openWrite(r.lateKey, sink.LateTable())
	}
	c := w.rows.Cols
	text := func(col int, s string) {
		if s == "" {
			c[col].AppendNull()
			return
		}
		appendText(&c[col], w.rows.N, s)
	}
	number := func(col int, v int64, known bool) {
		if !known {
			c[col].AppendNull()
			return
		}
		c[col].Ints = append(c[col].Ints, v)
		if c[col].Valid != nil {
			c[col].Valid = c[col].Valid.Append(w.rows.N, true)
		}
	}
	text(0, p.plan.Pipeline)
	text(1, r.agent)
	text(2, l.key)
	number(3, l.start, true)
	number(4, l.end, true)
	number(5, l.rows, l.counted)
	number(6, p.keep, p.keep != record.NoWatermark)
	number(7, l.partials, true)
	w.rows.N++
	w.ids = append(w.ids, fmt.Sprintf("late/%s%d", r.id, r.lates))
	r.lates++
	r.rows++
}

func appendText(c *batch.Column, row int, s string) {
	if c.Dict == nil {
		c.Dict = batch.NewDict()
	}
	c.Codes = append(c.Codes, c.Dict.CodeString(s))
	if c.Valid != nil {
		c.Valid = c.Valid.Append(row, true)
	}
}
