package window

import (
	"errors"
	"testing"

	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
)

// A partial whose encoded state is damaged is refused as a whole, before anything of it counts.
func TestDamagedStatesAreRefused(t *testing.T) {
	w := testWindow(t, nil, 10, 0)
	schema, err := PartialSchema(w)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFinal(w, nil, FinalConfig{})
	if err != nil {
		t.Fatal(err)
	}
	b := batch.New(schema)
	damaged := 0
	for i := range b.Cols {
		switch c := &b.Cols[i]; c.Type {
		case batch.Timestamp:
			c.Ints = []int64{0}
		case batch.Bytes:
			c.AppendBlob([]byte{0xEE})
			damaged++
		default:
			c.AppendNull()
		}
	}
	b.Cols[1].Ints[0] = 10 // slice_end
	b.N = 1
	if damaged == 0 {
		t.Fatal("no accumulator of the test has an encoded state")
	}
	if err := f.Merge(b); !errors.Is(err, ErrBatch) || !errors.Is(err, aggregate.ErrState) {
		t.Errorf("a damaged state: %v, want ErrBatch and ErrState", err)
	}
	for i := range b.Cols {
		if c := &b.Cols[i]; c.Type == batch.Bytes {
			c.Offsets, c.Data = []uint32{0, 0}, nil
		}
	}
	if err := f.Merge(b); err != nil {
		t.Errorf("the same without states: %v", err)
	}
}
