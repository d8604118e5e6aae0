package step

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// FuzzRestore gives steps a state made of any bytes, then rows: what is
// refused changes nothing, what is taken can be worked with and is given back.
func FuzzRestore(f *testing.F) {
	f.Add(uint8(0), []byte("some bytes that make rows"))
	f.Add(uint8(3), make([]byte, 300))
	for which := range uint8(5) {
		f.Add(which, []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		s := fuzzStep(t, which)
		state := stateOf(s.StateSchema(), data)
		if err := s.Restore(state); err != nil {
			if !errors.Is(err, ErrState) || s.Stats().Keys != 0 {
				t.Fatalf("%v, %d keys", err, s.Stats().Keys)
			}
			return
		}
		s.Resume(second)
		emit := func(*batch.Batch, []int64) error { return nil }
		b, wms := batchOf([]row{{site: "a", ts: second, wm: second}, {site: "b", ts: 5 * second, wm: 3 * second}}, batch.NewDict(), batch.NewDict())
		if err := errors.Join(s.Process(b, wms, emit), s.Advance(9*second, emit)); err != nil {
			t.Fatal(err)
		}
		again := batch.New(s.StateSchema())
		s.Changes(true, again)
		if again.N != s.Stats().Keys {
			t.Fatalf("%d keys, a state of %d", s.Stats().Keys, again.N)
		}
		if err := fuzzStep(t, which).Restore(again); err != nil {
			t.Fatalf("its own state: %v", err)
		}
	})
}

func fuzzStep(t *testing.T, which uint8) (s Step) {
	t.Helper()
	cfg := Config{MaxKeys: 3}
	var err error
	switch which % 5 {
	case 0:
		s, err = NewDedupe(&plan.Dedupe{Keys: byKeys, TimeColumn: 2, WithinMicros: second}, rowSchema, cfg)
	case 1:
		s, err = NewSample(&plan.Sample{Keys: byKeys, TimeColumn: 2, EveryMicros: second}, rowSchema, cfg)
	case 2:
		s, err = NewChanged(&plan.Changed{Keys: byKeys, TimeColumn: 2, HasTime: true, HeartbeatMicros: 1, Columns: []*plan.ChangedColumn{{Column: 3}, {Column: 4}, {Column: 6}}}, rowSchema, cfg)
	case 3:
		p := &plan.Alert{Keys: byKeys, TimeColumn: 2, When: call(batch.Bool, ">", column(3, batch.Double), number(2)), SilentMicros: second}
		s, err = NewAlert(p, rowSchema, alertSchema(rowSchema), cfg)
	default:
		s, err = newCounter(&counter{lenient: true}, 2*second, cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stateOf makes rows of a schema of bytes.
func stateOf(s batch.Schema, data []byte) *batch.Batch {
	b := batch.New(s)
	take := func() uint64 {
		var word [8]byte
		data = data[copy(word[:], data):]
		return binary.LittleEndian.Uint64(word[:])
	}
	for len(data) > 0 && b.N < 100 {
		for k := range b.Cols {
			c, v := &b.Cols[k], take()
			if v%17 == 16 {
				c.AppendNull()
				continue
			}
			one := batch.Column{Type: c.Type, Dict: batch.NewDict()}
			switch c.Type {
			case batch.Bool:
				one.Bools = []bool{v%3 == 1}
			case batch.Double:
				one.Doubles = []float64{float64(v)}
			case batch.String:
				one.Codes = []uint32{one.Dict.CodeString(string(rune('a' + v%3)))}
			case batch.Bytes:
				n := min(int(v%70), len(data))
				one.AppendBlob(data[:n])
				data = data[n:]
			default:
				one.Ints = []int64{int64(v % (1 << 50))}
			}
			c.AppendFrom(&one, 0)
		}
		b.N++
	}
	return b
}
