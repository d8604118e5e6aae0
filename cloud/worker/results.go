package worker

import (
	"fmt"
	"strconv"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// results gathers what goes to the tables until the shell takes it.
type results struct {
	writes []*write
	open   map[*plan.Node]*write // by the sink of a pipeline version, as versions differ in their columns; nil = rejects
	rows   int

	// Where the rows of the entry being applied come from, for their ids.
	id    []byte
	row   int
	agent string
	name  string // of the pipeline

	lateKey  *plan.Node // in open, of the table late
	lateLeft int        // rows that the log record being applied may still give that table
	lates    int        // given by the entry being applied
}

// write is the rows for one table, copied.
type write struct {
	table     sink.Table
	rows      *batch.Batch
	revisions []int64
	ids       []string
}

func newResults() *results { return &results{open: map[*plan.Node]*write{}, lateKey: &plan.Node{}} }

// from says that the rows that follow come from an entry. Its rows are named
// by agent, store epoch, pipeline, version, lane, frame, partition and row.
func (r *results) from(p *plan.Plan, partition int, e *record.Entry) {
	r.id = fmt.Appendf(r.id[:0], "%s/%d/%s/%d/%d/%d/%d/", e.Agent, e.Epoch, e.Pipeline, e.Version, e.Lane, e.To, partition)
	r.row, r.lates, r.agent, r.name = 0, 0, e.Agent, p.Pipeline
}

// windows says that the rows that follow are a pipeline's window results.
func (r *results) windows(p *plan.Plan) { r.name = p.Pipeline }

func (r *results) nextID() string {
	r.row++
	return string(strconv.AppendInt(r.id, int64(r.row-1), 10))
}

// add copies results for a sink node.
func (r *results) add(n *plan.Node, s batch.Schema, b *batch.Batch) error {
	t := n.GetSink().GetTable()
	if t == nil {
		return fmt.Errorf("pipeline %q: sink %T cannot run in the cloud", r.name, n.GetSink().GetKind())
	}
	revision := s.Index(plan.Revision)
	w := r.open[n]
	if w == nil {
		w = r.openWrite(n, tableOf(t, s, revision))
	}
	narrow := *b
	if revision >= 0 {
		narrow.Cols = without(b.Cols, revision)
	}
	w.rows.AppendRows(&narrow)
	r.rows += b.Len()
	each(b, func(i int) {
		if revision >= 0 {
			w.revisions = append(w.revisions, b.Cols[revision].Ints[i])
		} else {
			w.ids = append(w.ids, r.nextID())
		}
	})
	return nil
}

// without leaves out one item.
func without[T any](s []T, at int) []T { return append(s[:at:at], s[at+1:]...) }

// tableOf describes the table of a sink; _revision is not one of its columns.
func tableOf(t *plan.TableSink, s batch.Schema, revision int) sink.Table {
	out := sink.Table{Name: t.Name, Schema: s, KeepMicros: t.KeepMicros, TimeColumn: -1}
	place := func(column uint32) int {
		if revision >= 0 && int(column) > revision {
			return int(column) - 1
		}
		return int(column)
	}
	if t.HasTimeColumn {
		out.TimeColumn = place(t.TimeColumn)
	}
	if revision >= 0 {
		out.Schema = without(s, revision)
	}
	for _, k := range t.Keys {
		out.Keys = append(out.Keys, place(k))
	}
	return out
}

// Tables gives the result tables of a plan.
func Tables(p *plan.Plan) []sink.Table {
	var out []sink.Table
	for _, n := range p.Cloud.Nodes {
		if t := n.GetSink().GetTable(); t != nil && n.Input >= 0 {
			s := plan.SchemaOf(p.Cloud.Nodes[n.Input].Schema)
			out = append(out, tableOf(t, s, s.Index(plan.Revision)))
		}
	}
	return out
}

// rejects copies a section of sampled rejects.
func (r *results) rejects(b *batch.Batch) {
	w := r.open[nil]
	if w == nil {
		w = r.openWrite(nil, sink.RejectsTable())
	}
	appendRejects(w.rows, b, r.name, r.agent)
	r.rows += b.Len()
	each(b, func(int) { w.ids = append(w.ids, "rejects/"+r.nextID()) })
}

func (r *results) openWrite(k *plan.Node, t sink.Table) *write {
	w := &write{table: t, rows: batch.New(t.Schema)}
	r.open[k] = w
	r.writes = append(r.writes, w)
	return w
}

// take gives the gathered writes and starts anew.
func (r *results) take() []sink.Write {
	out := make([]sink.Write, len(r.writes))
	for i, w := range r.writes {
		out[i] = sink.Write{Table: w.table, Rows: w.rows, Revisions: w.revisions, IDs: w.ids}
	}
	r.writes, r.rows = nil, 0
	clear(r.open)
	return out
}

// each calls f for every counting row.
func each(b *batch.Batch, f func(row int)) {
	if b.Sel != nil {
		for _, i := range b.Sel {
			f(int(i))
		}
		return
	}
	for i := range b.N {
		f(i)
	}
}
