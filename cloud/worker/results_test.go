package worker

import (
	"fmt"
	"testing"

	"github.com/leatio/leat/cloud/record"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

// Results of windows keep their marks of deleted rows, whatever stands before or behind their revision.
func TestResultsOfSeveralSinks(t *testing.T) {
	s := batch.Schema{{Name: "window_end", Type: batch.Timestamp}, {Name: plan.Revision, Type: batch.Int}, {Name: "device", Type: batch.Int}}
	table := func(name string) *plan.Node {
		return &plan.Node{Op: &plan.Node_Sink{Sink: &plan.Sink{Kind: &plan.Sink_Table{Table: &plan.TableSink{
			Name: name, Keys: []uint32{0, 2}, HasTimeColumn: true,
		}}}}}
	}
	b := batch.New(s)
	b.Cols[0].Ints, b.Cols[1].Ints, b.Cols[2].Ints, b.N = []int64{10, 20, 30}, []int64{1, 2, 3}, []int64{7, 8, 9}, 3
	b.Deleted = batch.NewBitmap(3, false)
	b.Deleted.Set(2)
	b.Sel = []uint32{0, 2}
	r := newResults()
	r.from(&plan.Plan{Pipeline: "p"}, 0, &record.Entry{Agent: "a"})
	one, two := table("one"), table("two")
	for _, n := range []*plan.Node{one, two, one} {
		if err := r.add(n, s, b); err != nil {
			t.Fatal(err)
		}
	}
	writes := r.take()
	if len(writes) != 2 || writes[0].Rows.N != 4 || writes[1].Rows.N != 2 {
		t.Fatalf("%+v", writes)
	}
	for _, w := range writes {
		if err := w.Validate(); err != nil {
			t.Error(err)
		}
		for i := range w.Rows.N {
			got := fmt.Sprint(w.Rows.Cols[0].Ints[i], w.Rows.Cols[1].Ints[i], w.Revisions[i], w.Rows.Deleted.Get(i))
			if want := []string{"10 7 1 false", "30 9 3 true"}[i%2]; got != want {
				t.Errorf("%s, row %d: %s, want %s", w.Table.Name, i, got, want)
			}
		}
	}
}
