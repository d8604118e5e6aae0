package worker

import (
	"fmt"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// moved is how what comes for a version, and its state, becomes that of the version that
// took over its windows. Batches are cut anew column by column; nothing is copied.
type moved struct {
	ports    map[uint32]target // by port of the older version; without one it keeps its rows
	sections map[int]pair      // by node of the older version
}

// target is where a port's batches go.
type target struct {
	gone bool // the newer version does not have the window
	port uint32
	cut  recut
}

// pair is a final window of both versions.
type pair struct {
	next     uint32 // node
	old, new *plan.Window
	change   plan.WindowChange
}

// root is the version that has the windows.
func (p *pipeline) root() *pipeline {
	for p.into != nil {
		p = p.into
	}
	return p
}

// route gives the version, the port and the batch that a batch for p belongs to.
func (p *pipeline) route(port uint32, b *batch.Batch) (*pipeline, uint32, *batch.Batch) {
	for p.into != nil {
		t, ok := p.moved.ports[port]
		if !ok {
			return p, port, b
		}
		if t.gone {
			return nil, 0, nil
		}
		b = t.cut.apply(b)
		p, port = p.into, t.port
	}
	return p, port, b
}

// takeOver moves the windows' states, the agents and the watermarks of the version before into next.
func (s *state) takeOver(next, before *pipeline) error {
	change := plan.Compare(before.plan, next.plan)
	if change.Kept == plan.KeptNothing {
		return fmt.Errorf("the plans do not fit: %v", change.Reasons)
	}
	m, err := newMoved(before.plan, next.plan, change)
	if err != nil {
		return err
	}
	if !s.restoring {
		if err := m.state(before, next); err != nil {
			return err
		}
		if before.fire != record.NoWatermark {
			next.cloud.Resume(before.fire, before.keep)
		}
		s.needsFull = true
	}
	r := before.roster
	r.maxLag, r.quorum, r.calm, r.changed = next.roster.maxLag, next.roster.quorum, false, true
	next.roster, next.fire, next.keep, next.reference = r, before.fire, before.keep, before.reference
	old := before.cloud
	if err := s.makeCloud(before); err != nil { // its windows are gone; rows without a window still pass
		before.cloud = old
		return err
	}
	before.into, before.moved = next, m
	return old.Close()
}

// state moves the states.
func (m *moved) state(before, next *pipeline) error {
	numbers := map[[2]int]uint32{}
	for i := uint32(0); next.cloud.StateSection(i).Schema != nil; i++ {
		sec := next.cloud.StateSection(i)
		numbers[[2]int{sec.Node, sec.Index}] = i
	}
	return before.cloud.Changes(true, func(section uint32, b *batch.Batch) error {
		sec := before.cloud.StateSection(section)
		w, ok := m.sections[sec.Node]
		if !ok {
			return nil // the newer version does not have the window
		}
		number, ok := numbers[[2]int{int(w.next), sec.Index}]
		if !ok {
			return fmt.Errorf("node %d has no section %d", w.next, sec.Index)
		}
		cut, err := w.recut(sec.Schema, next.cloud.StateSection(number).Schema)
		if err != nil {
			return err
		}
		return next.cloud.RestoreState(number, cut.apply(b))
	})
}

func newMoved(before, next *plan.Plan, change plan.Change) (*moved, error) {
	m := &moved{ports: map[uint32]target{}, sections: map[int]pair{}}
	for _, n := range before.Cloud.Nodes {
		if n.GetFinalWindow() == nil {
			continue
		}
		partials, rows := plan.WindowPorts(before, n.Id)
		for _, port := range []int{partials, rows} {
			if port >= 0 {
				m.ports[uint32(port)] = target{gone: true}
			}
		}
	}
	for _, c := range change.Windows {
		w := pair{next: c.Next, change: c, old: before.Cloud.Nodes[c.Old].GetFinalWindow(), new: next.Cloud.Nodes[c.Next].GetFinalWindow()}
		m.sections[int(c.Old)] = w
		from, fromRows := plan.WindowPorts(before, c.Old)
		to, toRows := plan.WindowPorts(next, c.Next)
		if from >= 0 && to >= 0 {
			cut, err := w.recut(plan.SchemaOf(before.Ports[from].Schema), plan.SchemaOf(next.Ports[to].Schema))
			if err != nil {
				return nil, err
			}
			m.ports[uint32(from)] = target{port: uint32(to), cut: cut}
		}
		if fromRows >= 0 && toRows >= 0 {
			m.ports[uint32(fromRows)] = target{port: uint32(toRows), cut: w.recutRows(plan.SchemaOf(next.Ports[toRows].Schema))}
		}
	}
	return m, nil
}

// recut makes batches of one schema from those of another.
type recut struct {
	from []int          // by column: that of the older batch, or -1
	fill []batch.Column // by column: what it is where from is -1, one row
}

func (r recut) apply(b *batch.Batch) *batch.Batch {
	out := &batch.Batch{N: b.N, Sel: b.Sel, Deleted: b.Deleted, Origin: b.Origin, Cols: make([]batch.Column, len(r.from))}
	for i, from := range r.from {
		if from >= 0 {
			out.Cols[i] = b.Cols[from]
			continue
		}
		out.Cols[i].Type = r.fill[i].Type
		for range b.N {
			out.Cols[i].AppendFrom(&r.fill[i], 0)
		}
	}
	return out
}

// recut cuts batches with states of the older window's accumulators: those that it does not have are empty.
func (w *pair) recut(from, to batch.Schema) (recut, error) {
	names, empty, err := w.states()
	if err != nil {
		return recut{}, err
	}
	r := recut{from: make([]int, len(to)), fill: make([]batch.Column, len(to))}
	for i, f := range to {
		name, ok := names[f.Name]
		if !ok {
			name = f.Name
		}
		if r.from[i] = from.Index(name); r.from[i] >= 0 && from[r.from[i]].Type == f.Type {
			continue
		}
		if _, ok := empty[f.Name]; !ok {
			return r, fmt.Errorf("column %q of %v has no counterpart", f.Name, f.Type)
		}
		r.from[i], r.fill[i] = -1, empty[f.Name]
	}
	return r, nil
}

// states gives, by the names of the newer window's state columns, those of the older one's
// (an impossible name where there is none), and the states of nothing.
func (w *pair) states() (names map[string]string, empty map[string]batch.Column, err error) {
	oldCols, err := plan.PartialColumns(w.old)
	if err != nil {
		return nil, nil, err
	}
	newCols, err := plan.PartialColumns(w.new)
	if err != nil {
		return nil, nil, err
	}
	names, empty = map[string]string{}, map[string]batch.Column{}
	for i, old := range w.change.Accumulators {
		first, n := stateColumns(w.new, i)
		states := batch.New(plan.SchemaOf(newCols[first : first+n])).Cols
		acc, err := aggregate.New(specOf(w.new.Accumulators[i]))
		if err != nil {
			return nil, nil, err
		}
		acc.Grow(1)
		acc.AppendState(states, []uint32{0})
		before := 0
		if old >= 0 {
			before, _ = stateColumns(w.old, old)
		}
		for k := range n {
			name := newCols[first+k].Name
			names[name], empty[name] = "", states[k]
			if old >= 0 {
				names[name] = oldCols[before+k].Name
			}
		}
	}
	return names, empty, nil
}

// recutRows cuts forwarded rows: what only the newer window's accumulators take is null.
func (w *pair) recutRows(to batch.Schema) recut {
	keys := len(w.new.Keys) + 2 // and the event time and first_end
	r := recut{from: make([]int, len(to)), fill: make([]batch.Column, len(to))}
	for i := range keys {
		r.from[i] = i
	}
	olds := w.old.ArgumentColumns()
	for i, at := range w.new.ArgumentColumns() {
		r.from[keys+i] = -1
		r.fill[keys+i].Type = to[keys+i].Type
		r.fill[keys+i].AppendNull()
		for k, a := range w.new.Accumulators {
			if old := w.change.Accumulators[k]; a.Column == at && old >= 0 {
				r.from[keys+i] = keys + indexOf(olds, w.old.Accumulators[old].Column)
				break
			}
		}
	}
	return r
}

func indexOf(list []int32, v int32) int {
	for i, x := range list {
		if x == v {
			return i
		}
	}
	panic("BUG: an accumulator's column is not among the window's")
}

// specOf describes an accumulator to its package.
func specOf(a *plan.Accumulator) aggregate.Spec {
	return aggregate.Spec{Kind: a.GetKind(), In: batch.Type(a.GetType()), Param: a.GetParam()}
}

// stateColumns tells which columns of a window's partials hold the state of an accumulator: n from first on.
func stateColumns(w *plan.Window, accumulator int) (first, n int) {
	first = len(w.Keys) + 2
	if w.HasFirstEnd() {
		first++
	}
	for i, a := range w.Accumulators[:accumulator+1] {
		types, err := aggregate.StateTypes(specOf(a))
		if err != nil {
			panic("BUG: an accumulator of a checked plan: " + err.Error())
		}
		if n = len(types); i < accumulator {
			first += n
		}
	}
	return first, n
}
