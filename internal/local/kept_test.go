package local

import (
	"slices"
	"testing"

	"github.com/leatio/leat/engine/batch"
)

func TestBoundedRunsWriteNoDeletedRows(t *testing.T) {
	b := batch.New(batch.Schema{{Name: "n", Type: batch.Int}})
	b.N, b.Cols[0].Ints, b.Deleted = 4, []int64{0, 1, 2, 3}, batch.NewBitmap(4, false)
	b.Deleted.Set(1)
	b.Deleted.Set(2)
	var k kept
	if out := k.without(b); !slices.Equal(out.Sel, []uint32{0, 3}) || out.Deleted != nil {
		t.Errorf("kept %v", out.Sel)
	}
	b.Sel = []uint32{1, 2}
	if out := k.without(b); out.Len() != 0 {
		t.Errorf("kept %d rows of two deleted ones", out.Len())
	}
}
