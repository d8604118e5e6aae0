package simengine

import (
	"math/rand/v2"
	"testing"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
	"github.com/leatio/leat/transport/wire/columnar"
)

// agent is one gateway of the fleet.
type agent struct {
	t    *testing.T
	name string
	plan *plan.Plan
	edge *engine.Edge
	dict *batch.Dict

	rows    []row
	events  []event  // for the oracle
	journal [][]byte // payloads that were committed since the last flush
	state   [][]byte // payloads of the steps' state
	dirty   bool     // rows were taken since the last commit

	sent   int64 // watermark of the last frame
	seq    uint64
	sum    uint32
	outbox []frame
	next   int // first frame of the outbox that was not delivered yet
	idle   bool
	away   bool
}

// frame is an agent's frame as the gateway splits it: a payload for each partition.
type frame struct {
	entry    record.Entry
	payloads [][]byte
}

func newAgent(t *testing.T, name string, p *plan.Plan, rows []row) *agent {
	t.Helper()
	a := &agent{t: t, name: name, plan: p, rows: rows, sent: engine.NoWatermark}
	a.open()
	return a
}

func (a *agent) open() {
	var err error
	if a.edge, err = engine.NewEdge(a.plan, engine.EdgeConfig{}); err != nil {
		a.t.Fatal(err)
	}
	a.dict = batch.NewDict()
}

// process takes up to n rows from the source. When the agent was idle, it first
// raises its watermark to the cloud's.
func (a *agent) process(n int, cloud int64) {
	if a.idle {
		a.idle = false
		a.raise(cloud)
	}
	n = min(n, len(a.rows))
	b := batch.New(a.plan.Source.Schema())
	for i := range a.rows[:n] {
		a.events = append(a.events, event{row: &a.rows[i]})
		a.append(b, &a.rows[i])
	}
	a.rows = a.rows[n:]
	if err := a.edge.Process(b, 0); err != nil {
		a.t.Fatal(err)
	}
	a.dirty = true
}

// append decodes a row.
func (a *agent) append(b *batch.Batch, r *row) {
	for i, col := range a.plan.Source.Columns {
		c := &b.Cols[i]
		present := true
		switch {
		case col.Name == "device" && r.device != nil:
			c.Dict = a.dict
			c.Codes = append(c.Codes, a.dict.CodeString(*r.device))
		case col.Name == "area" && r.area != nil:
			c.Ints = append(c.Ints, *r.area)
		case col.Name == "ts":
			c.Ints = append(c.Ints, r.ts*1000)
		case col.Name == "temp" && r.temp != nil:
			c.Doubles = append(c.Doubles, *r.temp)
		case col.Name == "on" && r.on != nil:
			c.Bools = append(c.Bools, *r.on)
		default:
			if c.Type == batch.String && c.Dict == nil {
				c.Dict = a.dict
			}
			c.AppendNull()
			present = false
		}
		if present && c.Valid != nil {
			c.Valid = c.Valid.Append(b.N, true)
		}
	}
	b.N++
}

// raise lifts the watermark from outside.
func (a *agent) raise(watermark int64) {
	if watermark == engine.NoWatermark {
		return
	}
	a.events = append(a.events, event{raise: floorDiv(watermark, 1000)})
	// The oracle counts in milliseconds.
	if err := a.edge.AdvanceTo(floorDiv(watermark, 1000) * 1000); err != nil {
		a.t.Fatal(err)
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (a *agent) schema(port uint32) batch.Schema { return a.edge.PortSchema(port) }

func (a *agent) sectionSchema(section uint32) batch.Schema {
	return a.edge.StateSection(section).Schema
}

// commit makes durable what came since the last commit.
func (a *agent) commit() {
	a.dirty = false
	err := a.edge.Journal(func(port uint32, b *batch.Batch) error {
		a.journal = append(a.journal, columnar.AppendPayload(nil, []columnar.Section{{Port: port, Batch: b}}, a.schema))
		return nil
	})
	if err == nil {
		err = a.edge.Changes(false, func(section uint32, b *batch.Batch) error {
			a.state = append(a.state, columnar.AppendPayload(nil, []columnar.Section{{Port: section, Batch: b}}, a.sectionSchema))
			return nil
		})
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// restart is a crash behind a commit.
func (a *agent) restart() {
	a.commit()
	watermark := a.edge.Watermark()
	a.open()
	for _, payload := range a.state {
		a.sections(payload, a.sectionSchema, a.edge.RestoreState)
	}
	for _, payload := range a.journal {
		a.sections(payload, a.schema, a.edge.Restore)
	}
	a.edge.Resume(watermark)
}

func (a *agent) sections(payload []byte, schemas func(uint32) batch.Schema, give func(uint32, *batch.Batch) error) {
	sections, err := columnar.DecodePayload(payload, schemas, columnar.Limits{})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, s := range sections {
		if err := give(s.Port, s.Batch); err != nil {
			a.t.Fatal(err)
		}
	}
}

// flush makes a frame of what waits at some of the ports, or at all.
func (a *agent) flush(rng *rand.Rand, partitions int, all bool) {
	due := func(uint32) bool { return all || rng.IntN(3) > 0 }
	chosen := map[uint32]bool{}
	for k := range a.plan.Ports {
		chosen[uint32(k)] = due(uint32(k))
	}
	parts := make([][]columnar.Section, partitions)
	err := a.edge.Flush(func(port uint32) bool { return chosen[port] }, func(port uint32, b *batch.Batch) error {
		for p, rows := range split(a.plan, a.name, port, b, partitions) {
			if rows.N > 0 {
				parts[p] = append(parts[p], columnar.Section{Port: port, Batch: rows})
			}
		}
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.journal = nil
	a.sent = max(a.sent, a.edge.FlushWatermark())
	a.holdBack(chosen)
	a.seq++
	f := frame{entry: record.Entry{
		Agent: a.name, Epoch: 1, Pipeline: a.plan.PipelineId, Version: a.plan.Version, From: a.seq, To: a.seq,
		Before: a.sum, Sum: uint32(a.seq*77 + 5), Watermark: a.sent,
	}, payloads: make([][]byte, partitions)}
	if a.idle {
		f.entry.Flags |= record.FlagIdle
	}
	for p, sections := range parts {
		if len(sections) > 0 {
			f.payloads[p] = columnar.AppendPayload(nil, sections, a.schema)
		}
	}
	a.sum = f.entry.Sum
	a.outbox = append(a.outbox, f)
}

// holdBack journals anew what waits at the ports that were not flushed, as a frame ends the journal.
func (a *agent) holdBack(flushed map[uint32]bool) {
	first := len(a.journal)
	err := a.edge.Flush(func(port uint32) bool { return !flushed[port] }, func(port uint32, b *batch.Batch) error {
		a.journal = append(a.journal, columnar.AppendPayload(nil, []columnar.Section{{Port: port, Batch: b}}, a.schema))
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, payload := range a.journal[first:] {
		a.sections(payload, a.schema, a.edge.Restore)
	}
}

// split cuts a batch by key group, as the gateway does.
func split(p *plan.Plan, agent string, port uint32, b *batch.Batch, partitions int) []*batch.Batch {
	var by []int
	for _, k := range p.Ports[port].Keys {
		by = append(by, int(k))
	}
	out := make([]*batch.Batch, partitions)
	for i := range out {
		out[i] = &batch.Batch{Cols: make([]batch.Column, len(b.Cols))}
		for c := range b.Cols {
			out[i].Cols[c].Type = b.Cols[c].Type
		}
	}
	one := *b
	for k := range b.Len() {
		r := uint32(k)
		if b.Sel != nil {
			r = b.Sel[k]
		}
		at := 0
		if len(by) > 0 {
			at = batch.Partition(batch.KeyGroup(batch.AppendKey(nil, b.Cols, by, int(r))), partitions)
		}
		one.Sel = []uint32{r}
		out[at].AppendRows(&one)
	}
	return out
}
