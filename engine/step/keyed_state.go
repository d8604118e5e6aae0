package step

import (
	"encoding/binary"
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

func (s *Keyed) grow(n int) {
	s.slots = append(s.slots, make([]keyedState, n-len(s.slots))...)
	s.groupOf = append(s.groupOf, make([]uint32, n-len(s.groupOf))...)
}

func (s *Keyed) begin(slot uint32) {
	k := &s.slots[slot]
	*k = keyedState{newest: NoWatermark, due: noDeadline, clockDue: noDeadline}
}

func (s *Keyed) end(slot uint32) {
	k := &s.slots[slot]
	k.state, k.timers, k.has = nil, nil, false
}

const timerBytes = 21 // kind, id, at, due

func (s *Keyed) save(cols []batch.Column, slot uint32) {
	k := &s.slots[slot]
	cols[0].Ints = append(cols[0].Ints, k.newest)
	if k.has {
		n := cols[1].Len()
		cols[1].AppendBlob(k.state)
		if cols[1].Valid != nil {
			cols[1].Valid = cols[1].Valid.Append(n, true)
		}
	} else {
		cols[1].AppendNull()
	}
	var b []byte
	for _, t := range k.timers {
		b = binary.LittleEndian.AppendUint32(append(b, byte(t.Kind)), t.ID)
		b = appendInt64(appendInt64(b, t.At), t.due)
	}
	cols[2].AppendBlob(b)
}

func (s *Keyed) check(cols []batch.Column, row int) error {
	if cols[0].Null(row) || cols[2].Null(row) || len(cols[2].Blob(row))%timerBytes != 0 {
		return fmt.Errorf("no time, or damaged timers")
	}
	for b := cols[2].Blob(row); len(b) > 0; b = b[timerBytes:] {
		if TimerKind(b[0]) > ProcessingTime {
			return fmt.Errorf("a timer of the unknown kind %d", b[0])
		}
	}
	return nil
}

func (s *Keyed) load(cols []batch.Column, row int, slot uint32) {
	k := &s.slots[slot]
	k.newest, k.has = cols[0].Ints[row], !cols[1].Null(row)
	k.state, k.timers = k.state[:0], k.timers[:0]
	if k.has {
		k.state = append(k.state, cols[1].Blob(row)...)
	}
	for b := cols[2].Blob(row); len(b) > 0; b = b[timerBytes:] {
		t := Timer{TimerKind(b[0]), binary.LittleEndian.Uint32(b[1:]), int64At(b[5:])}
		k.timers = append(k.timers, setTimer{t, int64At(b[13:])})
	}
	s.wake(slot)
}
