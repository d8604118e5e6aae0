package step

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/keys"
)

// made is the rows that calls made, until they are emitted in order of arrival.
type made struct {
	out   *batch.Batch
	place []uint32 // in the chunk
	wms   []int64

	order  []uint32
	sorted *batch.Batch
	swms   []int64
	first  int // of the function's columns
}

func newMade(out batch.Schema, nkeys int, give batch.Schema) made {
	return made{out: batch.New(out), sorted: batch.New(out), first: len(out) - len(give)}
}

// emit gives the rows in order of their places and forgets them.
func (m *made) emit(emit Emit) error {
	if m.out.N == 0 {
		return nil
	}
	out, wms := m.out, m.wms
	if !slices.IsSorted(m.place) {
		m.order = m.order[:0]
		for i := range m.out.N {
			m.order = append(m.order, uint32(i))
		}
		slices.SortStableFunc(m.order, func(a, b uint32) int { return int(m.place[a]) - int(m.place[b]) })
		resetRows(m.sorted)
		m.swms = m.swms[:0]
		for k := range m.sorted.Cols {
			for _, i := range m.order {
				m.sorted.Cols[k].AppendFrom(&m.out.Cols[k], int(i))
			}
		}
		for _, i := range m.order {
			m.swms = append(m.swms, m.wms[i])
		}
		m.sorted.N = m.out.N
		out, wms = m.sorted, m.swms
	}
	err := emit(out, wms)
	resetRows(m.out)
	m.place, m.wms = m.place[:0], m.wms[:0]
	return err
}

// resetRows empties a batch; dictionaries that are full are replaced.
func resetRows(b *batch.Batch) {
	b.Reset()
	for i := range b.Cols {
		if c := &b.Cols[i]; c.Dict != nil && c.Dict.Full() {
			c.Dict = nil
		}
	}
}

// callRows gives the rows that wait to the function, and what it makes of them to emit.
func (s *Keyed) callRows(b *batch.Batch, emit Emit) error {
	if len(s.chunk) == 0 {
		return nil
	}
	s.beginCall()
	s.order = s.order[:0] // group of each row of the chunk + 1; 0 = rejected
	for _, r := range s.chunk {
		s.order = append(s.order, s.groupOfRow(b, int(r)))
	}
	if len(s.groups) > 0 {
		places := s.fillRows(b)
		err := s.invoke(places, b.Cols[s.time].Ints)
		if err == nil && len(s.failed) > 0 {
			err = s.oneByOne(b, places)
		}
		if err != nil {
			return err
		}
	}
	s.endCall()
	s.chunk, s.wms = s.chunk[:0], s.wms[:0]
	return s.made.emit(emit)
}

// groupOfRow finds or makes the group of a row's key.
func (s *Keyed) groupOfRow(b *batch.Batch, r int) uint32 {
	if b.Cols[s.time].Null(r) {
		s.rejectRow(b, r, noTime)
		return 0
	}
	slot, _, ok := s.slotIfRoom(b, r)
	if !ok {
		s.rejectRow(b, r, fmt.Sprintf("keyed: more than %d keys; choose keys with fewer values, or a ttl", s.max))
		return 0
	}
	k := &s.slots[slot]
	k.newest = max(k.newest, b.Cols[s.time].Ints[r])
	return s.group(slot)
}

// group is the group + 1 of a slot in the call that is made.
func (s *Keyed) group(slot uint32) uint32 {
	if s.groupOf[slot] == 0 {
		s.groups = append(s.groups, slot)
		s.groupOf[slot] = uint32(len(s.groups))
	}
	return s.groupOf[slot]
}

func (s *Keyed) beginCall() {
	for _, slot := range s.groups {
		s.groupOf[slot] = 0
	}
	s.groups = s.groups[:0]
}

// endCall sees to timers, and forgets keys of which nothing is left.
func (s *Keyed) endCall() {
	for _, slot := range s.groups {
		if !s.index.Live(slot) {
			continue
		}
		s.touch(slot)
		if k := &s.slots[slot]; !k.has && len(k.timers) == 0 {
			s.forget(slot)
			continue
		}
		s.wake(slot)
	}
}

// fillRows lays the rows of the chunk out group by group; places[row of the
// call] is its place in the chunk.
func (s *Keyed) fillRows(b *batch.Batch) (places []uint32) {
	c := &s.call
	c.RowStart = append(c.RowStart[:0], make([]uint32, len(s.groups)+1)...)
	n := uint32(0)
	for _, g := range s.order {
		if g > 0 {
			c.RowStart[g]++
			n++
		}
	}
	for g := range s.groups {
		c.RowStart[g+1] += c.RowStart[g]
	}
	places = append(s.places[:0], make([]uint32, n)...)
	at := append(s.starts[:0], c.RowStart...)
	s.places, s.starts = places, at
	for place, g := range s.order {
		if g > 0 {
			places[at[g-1]] = uint32(place)
			at[g-1]++
		}
	}
	s.copyRows(b, places)
	c.TimerStart = append(c.TimerStart[:0], make([]uint32, len(s.groups)+1)...)
	c.Timers = c.Timers[:0]
	return places
}

// copyRows makes the columns of the call of rows of the chunk, and its keys and states.
func (s *Keyed) copyRows(b *batch.Batch, places []uint32) {
	for k, at := range s.take {
		dst, src := &s.call.Rows[k], &b.Cols[at]
		dst.Reset()
		dst.Dict = src.Dict
		for _, p := range places {
			dst.AppendFrom(src, int(s.chunk[p]))
		}
	}
	s.fillGroups()
}

// fillGroups sets the keys and states of the groups, and empties the answer.
func (s *Keyed) fillGroups() {
	c := &s.call
	for k := range c.Keys {
		c.Keys[k].Reset()
		if d := c.Keys[k].Dict; d != nil && d.Full() {
			c.Keys[k].Dict = nil
		}
	}
	c.State = c.State[:0]
	for _, slot := range s.groups {
		keys.AppendColumns(c.Keys, s.index.Key(slot))
		if k := &s.slots[slot]; k.has {
			c.State = append(c.State, k.state[:len(k.state):len(k.state)])
		} else {
			c.State = append(c.State, nil)
		}
	}
	c.EventTime, c.Clock, c.Groups = s.now, s.clock, len(s.groups)
	resetRows(c.Out.Rows)
	c.Out = Answer{Rows: c.Out.Rows, Group: c.Out.Group[:0], Row: c.Out.Row[:0], States: c.Out.States[:0], Timers: c.Out.Timers[:0], Errors: c.Out.Errors[:0]}
}

// invoke makes the call and takes over what it gave for the groups that did
// not fail; those that did are in s.failed.
func (s *Keyed) invoke(places []uint32, times []int64) error {
	if err := s.fn.Call(&s.call); err != nil {
		return fmt.Errorf("keyed function: %w", err)
	}
	if err := s.checkAnswer(len(places)); err != nil {
		return fmt.Errorf("keyed function: %w", err)
	}
	s.failed = s.failed[:0]
	for _, e := range s.call.Out.Errors {
		s.failed = append(s.failed, e.Group)
	}
	for _, st := range s.call.Out.States {
		if len(st.State) > s.maxState {
			s.failGroup(st.Group, fmt.Sprintf("the state has %d bytes, the limit is %d", len(st.State), s.maxState))
		}
	}
	s.checkTimers()
	slices.Sort(s.failed)
	s.failed = slices.Compact(s.failed)
	s.takeRows(places, times)
	s.takeStates()
	return nil
}

func (s *Keyed) failGroup(group uint32, reason string) {
	s.failed = append(s.failed, group)
	s.call.Out.Errors = append(s.call.Out.Errors, GroupError{group, reason})
}

func (s *Keyed) hasFailed(group uint32) bool {
	_, bad := slices.BinarySearch(s.failed, group)
	return bad
}

// checkTimers fails groups that would have too many timers.
func (s *Keyed) checkTimers() {
	if len(s.call.Out.Timers) == 0 {
		return
	}
	sets := map[uint32]int{}
	for _, t := range s.call.Out.Timers {
		if !t.Delete {
			if sets[t.Group]++; sets[t.Group]+len(s.slots[s.groups[t.Group]].timers) == MaxTimers+1 {
				s.failGroup(t.Group, fmt.Sprintf("more than %d timers", MaxTimers))
			}
		}
	}
}

// checkAnswer tells whether the answer is about the call.
func (s *Keyed) checkAnswer(rows int) error {
	a, groups := &s.call.Out, uint32(len(s.groups))
	if a.Rows == nil || len(a.Rows.Cols) != len(s.made.out.Cols)-s.made.first || len(a.Group) != a.Rows.N || len(a.Row) != a.Rows.N || a.Rows.Sel != nil {
		return fmt.Errorf("%w: rows without their groups", ErrFunction)
	}
	for k := range a.Rows.Cols {
		if c := &a.Rows.Cols[k]; c.Len() != a.Rows.N || c.Type != s.made.out.Cols[s.made.first+k].Type {
			return fmt.Errorf("%w: column %d is %s with %d rows of %d", ErrFunction, k, c.Type, c.Len(), a.Rows.N)
		}
	}
	for i, g := range a.Group {
		if g >= groups || a.Row[i] != NoRow && (int64(a.Row[i]) >= int64(rows) || a.Row[i] < s.call.RowStart[g] || a.Row[i] >= s.call.RowStart[g+1]) {
			return fmt.Errorf("%w: a row of group %d of %d, from row %d", ErrFunction, g, groups, a.Row[i])
		}
	}
	bad := slices.ContainsFunc(a.States, func(c StateChange) bool { return c.Group >= groups }) ||
		slices.ContainsFunc(a.Timers, func(c TimerChange) bool { return c.Group >= groups || c.Timer.Kind > ProcessingTime }) ||
		slices.ContainsFunc(a.Errors, func(c GroupError) bool { return c.Group >= groups })
	if bad {
		return fmt.Errorf("%w: a state, timer or error of a group that is not there", ErrFunction)
	}
	return nil
}

// takeRows takes the rows of the groups that did not fail.
func (s *Keyed) takeRows(places []uint32, times []int64) {
	a, m := &s.call.Out, &s.made
	for i, g := range a.Group {
		if s.hasFailed(g) {
			continue
		}
		from := a.Row[i]
		if last := s.call.RowStart[g+1]; from == NoRow && last > s.call.RowStart[g] {
			from = last - 1
		}
		place, wm := g, s.now
		var t int64
		if from == NoRow {
			t = s.timerTime(g)
		} else {
			place = places[from]
			wm, t = s.wms[place], times[s.chunk[place]]
		}
		for k := range s.call.Keys {
			m.out.Cols[k].AppendFrom(&s.call.Keys[k], int(g))
		}
		c := &m.out.Cols[s.nkeys]
		c.Ints = append(c.Ints, t)
		for k := range a.Rows.Cols {
			m.out.Cols[m.first+k].AppendFrom(&a.Rows.Cols[k], i)
		}
		m.out.N++
		m.place, m.wms = append(m.place, place), append(m.wms, wm)
	}
}

// timerTime is the event time of rows that the timers of a group make.
func (s *Keyed) timerTime(g uint32) int64 {
	if t := s.call.Timers[s.call.TimerStart[g]]; t.Kind == EventTime {
		return t.At
	}
	if s.now == NoWatermark {
		return s.slots[s.groups[g]].newest
	}
	return s.now
}

// takeStates takes states and timers of the groups that did not fail.
func (s *Keyed) takeStates() {
	for _, c := range s.call.Out.States {
		if s.hasFailed(c.Group) {
			continue
		}
		k := &s.slots[s.groups[c.Group]]
		k.has = c.State != nil
		k.state = append(k.state[:0], c.State...)
	}
	for _, c := range s.call.Out.Timers {
		if s.hasFailed(c.Group) {
			continue
		}
		k := &s.slots[s.groups[c.Group]]
		k.timers = slices.DeleteFunc(k.timers, func(t setTimer) bool { return t.Kind == c.Timer.Kind && t.ID == c.Timer.ID })
		if c.Delete || s.ended {
			continue
		}
		due := c.Timer.At
		if c.Timer.Kind == EventTime {
			due = ceilSecond(min(max(due, -maxDuration), maxDuration))
			if s.now != NoWatermark {
				due = max(due, s.now+TimerResolution)
			}
		}
		k.timers = append(k.timers, setTimer{c.Timer, due})
	}
}

// oneByOne works on the groups that failed, a row at a time.
func (s *Keyed) oneByOne(b *batch.Batch, places []uint32) error {
	failed, slots := slices.Clone(s.failed), slices.Clone(s.groups)
	starts := slices.Clone(s.call.RowStart)
	for _, g := range failed {
		s.groups = append(s.groups[:0], slots[g])
		for _, place := range places[starts[g]:starts[g+1]] {
			one := []uint32{place}
			s.call.RowStart, s.call.TimerStart = append(s.call.RowStart[:0], 0, 1), append(s.call.TimerStart[:0], 0, 0)
			s.copyRows(b, one)
			if err := s.invoke(one, b.Cols[s.time].Ints); err != nil {
				return err
			}
			if len(s.failed) > 0 {
				s.rejectRow(b, int(s.chunk[place]), "keyed: "+s.call.Out.Errors[0].Reason)
			}
		}
	}
	s.groups = append(s.groups[:0], slots...)
	return nil
}

// callTimers fires the timers of some slots that are due at a time. A group that
// fails loses these timers, which is counted as a reject.
func (s *Keyed) callTimers(slots []uint32, kind TimerKind, now int64, emit Emit) error {
	s.beginCall()
	c := &s.call
	c.Timers, c.TimerStart = c.Timers[:0], append(c.TimerStart[:0], 0)
	slices.SortFunc(slots, func(a, b uint32) int { return compare(s.born[a], s.born[b]) })
	for _, slot := range slots {
		k, from := &s.slots[slot], len(c.Timers)
		k.timers = slices.DeleteFunc(k.timers, func(t setTimer) bool {
			due := t.Kind == kind && t.due <= now
			if due {
				c.Timers = append(c.Timers, t.Timer)
			}
			return due
		})
		if len(c.Timers) == from {
			continue
		}
		slices.SortFunc(c.Timers[from:], func(a, b Timer) int {
			if a.At != b.At {
				return compare(a.At, b.At)
			}
			return int(int64(a.ID) - int64(b.ID))
		})
		s.group(slot)
		c.TimerStart = append(c.TimerStart, uint32(len(c.Timers)))
	}
	if len(s.groups) == 0 {
		return nil
	}
	for k := range c.Rows {
		c.Rows[k].Reset()
	}
	c.RowStart = append(c.RowStart[:0], make([]uint32, len(s.groups)+1)...)
	s.fillGroups()
	if err := s.invoke(nil, nil); err != nil {
		return err
	}
	for _, g := range s.failed {
		at := slices.IndexFunc(c.Out.Errors, func(e GroupError) bool { return e.Group == g })
		s.rejectRow(&batch.Batch{}, 0, "keyed, timer: "+c.Out.Errors[at].Reason)
	}
	s.endCall()
	return s.made.emit(emit)
}
