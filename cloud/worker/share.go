package worker

import (
	"github.com/leatio/leat/aggregate"
	"github.com/leatio/leat/engine/batch"
	"github.com/leatio/leat/engine/plan"
)

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
