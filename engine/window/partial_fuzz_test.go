package window

import (
	"testing"

	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// FuzzPartial gives a Partial batches as a decoder may give them: Merge and MergeRows take them or refuse them
// as a whole, and what they took comes out again, equal after another round.
func FuzzPartial(f *testing.F) {
	f.Add([]byte{0, 2, 1, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9})
	f.Add([]byte{1, 4, 3, 3, 3, 3, 3, 3, 3, 3, 0x1, 0x2, 0x7F, 0xF8})
	f.Add([]byte{2, 8, 255, 3, 3, 3, 3, 3, 3, 3, 3, 0x1, 0x2, 0x7F, 0xF8, 7, 7, 7})
	f.Add([]byte{7, 8, 25, 3, 3, 3, 3, 3, 3, 3, 3, 0x1, 0x2, 0x7F, 0xF8, 7, 7, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		how, data := data[0], data[1:]
		keys := []batch.Type{batch.String, batch.Double, batch.Bytes}[:how>>2%4]
		w := testWindow(t, keys, 10, 5)
		setSpecs(w, "", [][]*plan.WindowSpec{{tumbling(10)}, {hopping(30, 10)}, {session(10)}, {tumbling(10), cumulative(40, 20)}}[how%4]...)
		p := newTestPartial(t, w, keys, PartialConfig{CanForward: true})
		b := fuzzBatch(data, p.shape.partial, len(keys))
		if c := p.shape.firstEnd; c >= 0 && c < len(b.Cols) && b.Cols[c].Type == batch.Timestamp && b.Cols[c-1].Type == batch.Timestamp {
			for i, end := range b.Cols[c-1].Ints[:min(len(b.Cols[c-1].Ints), len(b.Cols[c].Ints))] {
				b.Cols[c].Ints[i] = end + int64(how>>4%4)*10
			}
		}
		again := newTestPartial(t, w, keys, PartialConfig{CanForward: true})
		if err := p.Merge(b); err != nil {
			if p.Rows() != 0 || p.keys.len() != 0 {
				t.Fatalf("a refused batch left %d partials and %d keys", p.Rows(), p.keys.len())
			}
		} else {
			if p.Rows() > b.Len() {
				t.Fatalf("%d partials of %d", p.Rows(), b.Len())
			}
			p.check()
			first, second := batch.New(p.shape.partial), batch.New(p.shape.partial)
			p.Drain(first)
			if err := again.Merge(first); err != nil {
				t.Fatalf("what Drain gave is refused: %v", err)
			}
			again.Drain(second)
			sameRows(t, first, second)
		}
		rows := fuzzBatch(data, p.shape.rows, len(keys))
		if err := p.MergeRows(rows); err != nil {
			if p.ForwardedRows() != 0 {
				t.Fatalf("a refused batch left %d rows", p.ForwardedRows())
			}
			return
		}
		first, second := batch.New(p.shape.rows), batch.New(p.shape.rows)
		p.DrainRows(first)
		if err := again.MergeRows(first); err != nil {
			t.Fatalf("what DrainRows gave is refused: %v", err)
		}
		if again.DrainRows(second); first.N != rows.Len() {
			t.Fatalf("%d rows of %d", first.N, rows.Len())
		}
		sameRows(t, first, second)
	})
}

func sameRows(t *testing.T, a, b *batch.Batch) {
	t.Helper()
	if a.N != b.N {
		t.Fatalf("%d rows, and %d after another round", a.N, b.N)
	}
	for i := range a.N {
		if x, y := showRow(a, i, 0, len(a.Cols)), showRow(b, i, 0, len(b.Cols)); x != y {
			t.Fatalf("row %d: %s, and after another round %s", i, x, y)
		}
	}
}
