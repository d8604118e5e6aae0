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
	case DDSketch:
		return &ddsketch{ints: in == batch.Int}
	case HyperLogLog:
		return &hyperLogLog{}
	case SpaceSaving:
		return newTopK(in, int(spec.Param))
	case Increase:
		return newIncrease(in)
	}
	return newTimed(kind, in)
}

func newIncrease(in batch.Type) Accumulator {
	if in == batch.Int {
		return &increase{values: (&timedInt{}).values, rises: intRises{}}
	}
	return &increase{doubles: true, values: doubleKeys(), rises: doubleRises{}}
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
	ok := false
	switch function {
	case "count", "sum", "min", "max", "first", "last", "bool_and", "bool_or", "increase", "approx_count_distinct":
		var a single
		if a, ok = only[single](accs); ok {
			a.appendResult(out, slots)
		}
	case "avg":
		if len(accs) != 2 {
			break
		}
		sum, ok1 := accs[0].(summer)
		n, ok2 := accs[1].(*counter)
		if ok = ok1 && ok2; ok {
			appendAverage(sum, n, slots, out)
		}
	case "var_pop", "var_samp", "stddev_pop", "stddev_samp":
		var a *moments
		if a, ok = only[*moments](accs); ok {
			a.appendVariance(out, slots, function == "var_samp" || function == "stddev_samp", function[0] == 's')
		}
	case "quantile":
		var a *ddsketch
		if a, ok = only[*ddsketch](accs); ok {
			a.appendQuantile(out, slots, param)
		}
	case "top_k":
		var a topper
		if a, ok = only[topper](accs); ok {
			a.top(out, slots, int(param))
		}
	default:
		return fmt.Errorf("%s: %w", function, ErrFunction)
	}
	if !ok {
		return fmt.Errorf("%s: %w: its accumulators are not those that Resolve names", function, ErrKind)
	}
	return nil
}

// only is the one accumulator that there is, if it is an A.
func only[A any](accs []Accumulator) (a A, ok bool) {
	if len(accs) == 1 {
		a, ok = accs[0].(A)
	}
	return a, ok
}

// topper is a topK of any type.
type topper interface {
	top(out *batch.Column, slots []uint32, k int)
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
