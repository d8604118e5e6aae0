package step

import (
	"fmt"
	"math"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Changed lets a row through where it is the first of its key, or differs in
// one of some columns from the last row of its key that it let through, or came heartbeat or
// more after it. Numbers that differ by no more than the column's deadband are
// equal, as are two nulls and two NaNs; a null differs from every value.
//
// At the bound on keys the key known longest is forgotten; its next row counts as its first.
type Changed struct {
	*memory
	in        batch.Schema
	time      int // -1 = none
	heartbeat int64
	cols      []compared
	passed    []int64 // by slot: event time of the last row let through; noTimeYet = it had none
	sel       []uint32
	out       batch.Batch
}

const noTimeYet = math.MinInt64

// compared is a column that is compared, and its last values by slot.
type compared struct {
	at       int
	typ      batch.Type
	deadband float64

	null    []bool
	ints    []int64 // also bools
	doubles []float64
	strings []string
	blobs   [][]byte

	// The codes of strings, as long as the dictionary is the same.
	dict  *batch.Dict
	codes []uint32 // code+1; 0 = look at the string
}

// NewChanged makes the step.
func NewChanged(c *plan.Changed, in batch.Schema, cfg Config) (*Changed, error) {
	s := &Changed{in: in, time: -1, heartbeat: c.GetHeartbeatMicros(), sel: make([]uint32, 0, 1)}
	if s.heartbeat < 0 || s.heartbeat > maxDuration || s.heartbeat > 0 && !c.GetHasTime() {
		return nil, fmt.Errorf("%w: a heartbeat of %d us, event time: %t", ErrPlan, s.heartbeat, c.GetHasTime())
	}
	var err error
	if c.GetHasTime() {
		if s.time, err = timeColumn(in, c.TimeColumn); err != nil {
			return nil, err
		}
	}
	state := batch.Schema{{Name: "_passed", Type: batch.Timestamp}}
	for i, p := range c.GetColumns() {
		at, band := p.GetColumn(), p.GetDeadband()
		if int64(at) >= int64(len(in)) {
			return nil, fmt.Errorf("%w: column %d of %d", ErrPlan, at, len(in))
		}
		number := in[at].Type == batch.Int || in[at].Type == batch.Double
		if band < 0 || band != band || band != 0 && !number {
			return nil, fmt.Errorf("%w: a deadband of %g for column %q (%s)", ErrPlan, band, in[at].Name, in[at].Type)
		}
		s.cols = append(s.cols, compared{at: int(at), typ: in[at].Type, deadband: band})
		state = append(state, batch.Field{Name: fmt.Sprintf("_%d_%s", i, in[at].Name), Type: in[at].Type})
	}
	if s.memory, err = newMemory(in, c.GetKeys(), state, cfg, s); err != nil {
		return nil, err
	}
	s.evicts = true
	return s, nil
}

// Process lets rows through.
func (s *Changed) Process(b *batch.Batch, watermarks []int64, emit Emit) error {
	if err := checkRows(b, s.in, watermarks); err != nil {
		return err
	}
	for k := range s.cols {
		s.cols[k].use(b.Cols[s.cols[k].at].Dict)
	}
	s.sel = s.sel[:0]
	for n := range b.Len() {
		i := rowOf(b, n)
		t := int64(noTimeYet)
		if s.time >= 0 && !b.Cols[s.time].Null(i) {
			t = b.Cols[s.time].Ints[i]
		}
		slot, fresh := s.slot(b, i)
		if !fresh && !s.differs(b, i, slot) && !s.isDue(slot, t) {
			continue
		}
		s.passed[slot] = t
		for k := range s.cols {
			s.cols[k].set(&b.Cols[s.cols[k].at], i, slot)
		}
		s.touch(slot)
		s.sel = append(s.sel, uint32(i))
	}
	if len(s.sel) == 0 {
		return nil
	}
	s.out = *b
	s.out.Sel = s.sel
	return emit(&s.out, watermarks)
}

// isDue tells whether the last row let through is a heartbeat ago.
func (s *Changed) isDue(slot uint32, t int64) bool {
	if s.heartbeat == 0 || t == noTimeYet {
		return false
	}
	return s.passed[slot] == noTimeYet || t-s.passed[slot] >= s.heartbeat
}

func (s *Changed) differs(b *batch.Batch, i int, slot uint32) bool {
	for k := range s.cols {
		if c := &s.cols[k]; c.differs(&b.Cols[c.at], i, slot) {
			return true
		}
	}
	return false
}

// use forgets the codes of another dictionary.
func (c *compared) use(d *batch.Dict) {
	if c.typ == batch.String && c.dict != d {
		c.dict = d
		clear(c.codes)
	}
}

// differs tells whether row i of col differs from the last value of the slot.
func (c *compared) differs(col *batch.Column, i int, slot uint32) bool {
	if null := col.Null(i); null || c.null[slot] {
		return null != c.null[slot]
	}
	switch c.typ {
	case batch.Bool:
		return col.Bools[i] != (c.ints[slot] != 0)
	case batch.Double:
		a, b := col.Doubles[i], c.doubles[slot]
		return a != b && !(a != a && b != b) && !(math.Abs(a-b) <= c.deadband)
	case batch.String:
		if c.codes[slot] == col.Codes[i]+1 {
			return false
		}
		return c.strings[slot] != col.Str(i)
	case batch.Bytes:
		return string(c.blobs[slot]) != string(col.Blob(i))
	default:
		a, b := col.Ints[i], c.ints[slot]
		if a < b {
			a, b = b, a
		}
		return a != b && float64(uint64(a)-uint64(b)) > c.deadband
	}
}

// set makes row i of col the last value of the slot.
func (c *compared) set(col *batch.Column, i int, slot uint32) {
	c.null[slot] = col.Null(i)
	if c.null[slot] {
		return
	}
	switch c.typ {
	case batch.Bool:
		c.ints[slot] = 0
		if col.Bools[i] {
			c.ints[slot] = 1
		}
	case batch.Double:
		c.doubles[slot] = col.Doubles[i]
	case batch.String:
		c.strings[slot] = col.Str(i)
		c.codes[slot] = 0
		if col.Dict == c.dict {
			c.codes[slot] = col.Codes[i] + 1
		}
	case batch.Bytes:
		c.blobs[slot] = append(c.blobs[slot][:0], col.Blob(i)...)
	default:
		c.ints[slot] = col.Ints[i]
	}
}

func (c *compared) grow(n int) {
	c.null = append(c.null, make([]bool, n-len(c.null))...)
	switch c.typ {
	case batch.Double:
		c.doubles = append(c.doubles, make([]float64, n-len(c.doubles))...)
	case batch.String:
		c.strings = append(c.strings, make([]string, n-len(c.strings))...)
		c.codes = append(c.codes, make([]uint32, n-len(c.codes))...)
	case batch.Bytes:
		c.blobs = append(c.blobs, make([][]byte, n-len(c.blobs))...)
	default:
		c.ints = append(c.ints, make([]int64, n-len(c.ints))...)
	}
}

// save appends the slot's last value to dst.
func (c *compared) save(dst *batch.Column, slot uint32) {
	if c.null[slot] {
		dst.AppendNull()
		return
	}
	n := dst.Len()
	switch c.typ {
	case batch.Bool:
		dst.Bools = append(dst.Bools, c.ints[slot] != 0)
	case batch.Double:
		dst.Doubles = append(dst.Doubles, c.doubles[slot])
	case batch.String:
		if dst.Dict == nil {
			dst.Dict = batch.NewDict()
		}
		dst.Codes = append(dst.Codes, dst.Dict.CodeString(c.strings[slot]))
	case batch.Bytes:
		dst.AppendBlob(c.blobs[slot])
	default:
		dst.Ints = append(dst.Ints, c.ints[slot])
	}
	if dst.Valid != nil {
		dst.Valid = dst.Valid.Append(n, true)
	}
}

// Advance does nothing: what is passed on does not depend on the watermark.
func (s *Changed) Advance(int64, Emit) error { return nil }

// Resume does nothing.
func (s *Changed) Resume(int64) {}

// Stats gives the counters.
func (s *Changed) Stats() Stats {
	st := s.stats
	st.Keys, st.SizeBytes = s.index.Len(), s.sizeBytes()+8*cap(s.passed)
	for k := range s.cols {
		c := &s.cols[k]
		st.SizeBytes += cap(c.null) + 8*cap(c.ints) + 8*cap(c.doubles) + 16*cap(c.strings) + 4*cap(c.codes) + 24*cap(c.blobs)
		for _, p := range c.blobs {
			st.SizeBytes += cap(p)
		}
	}
	return st
}

func (s *Changed) grow(n int) {
	s.passed = append(s.passed, make([]int64, n-len(s.passed))...)
	for k := range s.cols {
		s.cols[k].grow(n)
	}
}

func (s *Changed) begin(uint32) {}

func (s *Changed) end(slot uint32) {
	for k := range s.cols {
		if c := &s.cols[k]; c.typ == batch.String {
			c.strings[slot] = ""
		} else if c.typ == batch.Bytes {
			c.blobs[slot] = nil
		}
	}
}

func (s *Changed) save(cols []batch.Column, slot uint32) {
	if s.passed[slot] == noTimeYet {
		cols[0].AppendNull()
	} else {
		n := cols[0].Len()
		cols[0].Ints = append(cols[0].Ints, s.passed[slot])
		if cols[0].Valid != nil {
			cols[0].Valid = cols[0].Valid.Append(n, true)
		}
	}
	for k := range s.cols {
		s.cols[k].save(&cols[1+k], slot)
	}
}

func (s *Changed) check([]batch.Column, int) error { return nil }

func (s *Changed) load(cols []batch.Column, row int, slot uint32) {
	s.passed[slot] = noTimeYet
	if !cols[0].Null(row) {
		s.passed[slot] = cols[0].Ints[row]
	}
	for k := range s.cols {
		s.cols[k].set(&cols[1+k], row, slot)
	}
}
