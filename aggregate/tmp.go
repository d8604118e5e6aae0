package aggregate

import "github.com/leatio/leat/engine/batch"

func build(kind string, in batch.Type) Accumulator { panic("BUG: not built yet") }

// Finish appends the function's value for each slot to out; accs stand in the order of Resolve's kinds.
func Finish(function string, accs []Accumulator, slots []uint32, out *batch.Column) error {
	panic("BUG: not built yet")
}
