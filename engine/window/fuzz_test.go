package window

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

// fuzzBatch makes a batch of schema from bytes: any values, slices that often fit, columns that at times do not.
func fuzzBatch(data []byte, s batch.Schema, nk int) *batch.Batch {
	next := func() (v uint64) {
		var w [8]byte
		n := copy(w[:], data)
		data = data[n:]
		return binary.LittleEndian.Uint64(w[:])
	}
	small := func() (v byte) {
		if len(data) > 0 {
			v, data = data[0], data[1:]
		}
		return v
	}
	b := batch.New(s)
	b.N = int(small() % 9)
	for i := range b.Cols {
		c := &b.Cols[i]
		for range b.N {
			switch how := small(); {
			case how%8 == 0:
				c.AppendNull()
			case i == nk || i == nk+1: // slice_start, slice_end
				v := int64(how%5) * 10
				if i == nk+1 && how < 250 {
					v = c10(b.Cols[nk].Ints[len(c.Ints)])
				}
				appendValue(c, v)
			case c.Type == batch.Bool:
				appendValue(c, how%2 == 0)
			case c.Type == batch.Double:
				appendValue(c, math.Float64frombits(next()))
			case c.Type == batch.String:
				appendValue(c, string(data[:min(len(data), int(how%4))]))
			case c.Type == batch.Bytes:
				appendValue(c, append([]byte{}, data[:min(len(data), int(how%4))]...))
			default:
				appendValue(c, int64(next()))
			}
		}
	}
	switch bad := small(); {
	case bad == 255 && len(b.Cols) > 0:
		b.Cols = b.Cols[1:]
	case bad == 254:
		b.N++
	case bad == 253 && b.N > 0:
		for i := range b.Cols {
			if c := &b.Cols[i]; c.Type == batch.String {
				c.Codes[0] = 1 << 30
			}
		}
	case bad == 252:
		b.Cols[0].Valid = batch.Bitmap{}
	case bad > 200 && b.N > 1:
		b.Sel = []uint32{uint32(b.N - 1)}
	}
	return b
}

func c10(start int64) int64 { return start + 10 }

// FuzzFinal feeds batches as a decoder may give them: Merge and Restore take them or
// refuse them, and afterwards the Final still fires, snapshots and restores.
func FuzzFinal(f *testing.F) {
	f.Add([]byte{2, 1, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9})
	f.Add([]byte{8, 255, 3, 3, 3, 3, 3, 3, 3, 3, 0x1, 0x2, 0x7F, 0xF8})
	f.Fuzz(func(t *testing.T, data []byte) {
		keys := []batch.Type{batch.String, batch.Double, batch.Bytes}
		w := testWindow(t, keys, 10, 5)
		fin := newTestFinal(t, w, FinalConfig{MaxStates: 12})
		before := fin.States()
		b := fuzzBatch(data, fin.shape.partial, len(keys))
		if err := fin.Merge(b); err != nil && fin.States() != before {
			t.Fatalf("a refused batch left %d states", fin.States())
		} else if err == nil {
			p := newTestPartial(t, w, keys, PartialConfig{})
			if err := p.Merge(b); err != nil {
				t.Fatalf("Final took what Partial refused: %v", err)
			}
			p.Drain(batch.New(fin.shape.partial))
		}
		held := fin.States()
		early := countResults(t, fin, 25)
		snap := snapshotOf(t, fin, true)
		again := newTestFinal(t, w, FinalConfig{})
		restoreTo(t, again, snap)
		again.Resume(25, 0)
		if n := early + countResults(t, again, 1000); n != held {
			t.Fatalf("%d states, %d results", held, n)
		}
		other := newTestFinal(t, w, FinalConfig{MaxStates: 12})
		restoreTo(t, other, snap[:1])
		for section, schema := range fin.SnapshotSchemas() {
			if err := other.Restore(section, fuzzBatch(data, schema, len(keys))); err != nil {
				t.Log(err)
			}
		}
	})
}

func countResults(t *testing.T, f *Final, fire int64) (n int) {
	if err := f.Advance(fire, 0, func(b *batch.Batch) error { n += b.N; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}
