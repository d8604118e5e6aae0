package aggregate

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// build makes the accumulator of a Spec that StateTypes knows.
func build(spec Spec) Accumulator {
	kind, in := spec.Kind, spec.In
	switch kind {
	case Count:
		return &counter{}
	case CountValue:
		return &counter{values: true}
	case Sum:
		if in == batch.Int {
			return &sumInt{}
		}
		return &sumDouble{}
	case Min, Max:
		return buildExtreme(kind == Max, in)
	case Moments:
		return &moments{ints: in == batch.Int}
	}
	return newTimed(kind, in)
}

func buildExtreme(maximum bool, in batch.Type) Accumulator {
	switch in {
	case batch.Bool:
		return &extremeBool{max: maximum}
	case batch.Double:
		return &extremeDouble{max: maximum}
	case batch.String:
		return &extremeString{max: maximum}
	default:
		a := &extremeInt{}
		if maximum {
			a.flip = -1
		}
		return a
	}
}

// single is an accumulator whose result is a function of its state alone.
type single interface {
	appendResult(out *batch.Column, slots []uint32)
}

// summer is an accumulator of a sum; ok is false where sum(x) is null.
type summer interface {
	reported(slot uint32) (sum float64, ok bool)
}

// Finish appends the function's value for each slot to out, whose type is
// that of Resolve; param is Resolve's as well, and accs stand in the order of its specs. Aggregates of no
// rows are null and counts 0; so are integer sums that do not fit in 64 bits, and averages of those.
func Finish(function string, param float64, accs []Accumulator, slots []uint32, out *batch.Column) error {
	_ = param
	switch function {
	case "count", "sum", "min", "max", "first", "last":
		if len(accs) == 1 {
			if a, ok := accs[0].(single); ok {
				a.appendResult(out, slots)
				return nil
			}
		}
	case "avg":
		if len(accs) == 2 {
			sum, ok1 := accs[0].(summer)
			n, ok2 := accs[1].(*counter)
			if ok1 && ok2 {
				appendAverage(sum, n, slots, out)
				return nil
			}
		}
	case "var_pop", "var_samp", "stddev_pop", "stddev_samp":
		if len(accs) == 1 {
			if a, ok := accs[0].(*moments); ok {
				a.appendVariance(out, slots, function == "var_samp" || function == "stddev_samp", function[0] == 's')
				return nil
			}
		}
	default:
		return fmt.Errorf("%s: %w", function, ErrFunction)
	}
	return fmt.Errorf("%s: %w: its accumulators are not those that Resolve names", function, ErrKind)
}

// appendAverage appends sum(x), as reported, divided by count(x).
func appendAverage(sum summer, n *counter, slots []uint32, out *batch.Column) {
	for _, s := range slots {
		v, ok := sum.reported(s)
		if !ok || n.n[s] <= 0 {
			out.AppendNull()
			continue
		}
		putDouble(out, v/float64(n.n[s]))
	}
}
