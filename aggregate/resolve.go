package aggregate

import (
	"fmt"
	"slices"

	"github.com/leatio/leat/engine/batch"
)

// Functions lists the aggregate functions, sorted.
func Functions() []string {
	return []string{"approx_count_distinct", "avg", "bool_and", "bool_or", "count", "first", "increase", "last", "max", "min",
		"quantile", "stddev_pop", "stddev_samp", "sum", "top_k", "var_pop", "var_samp"}
}

// TakesParam tells whether a function has a second argument, and what it is.
func TakesParam(function string) (what string, ok bool) {
	switch function {
	case "quantile":
		return "a number from 0 to 1", true
	case "top_k":
		return "a whole number from 1 to 100", true
	}
	return "", false
}

// Arguments tells what a function takes, for error messages.
func Arguments(function string) string {
	switch function {
	case "min", "max":
		return "any type but bytes"
	case "bool_and", "bool_or":
		return "bool"
	case "count", "first", "last", "approx_count_distinct", "top_k":
		return "any type"
	}
	return "int or double"
}

const maxTop = 100

// Resolve tells which accumulators a function needs and the type of its
// result. star means count(*); arg is the type of the argument otherwise, and
// param the second argument of the functions that take one, else 0.
func Resolve(function string, star bool, arg batch.Type, param float64) (specs []Spec, result batch.Type, err error) {
	if !slices.Contains(Functions(), function) {
		return nil, 0, fmt.Errorf("%s: %w", function, ErrFunction)
	}
	if star && function != "count" {
		return nil, 0, fmt.Errorf("%s(*): %w: only count takes *", function, ErrType)
	}
	if !ValidParam(function, param) {
		what, ok := TakesParam(function)
		if !ok {
			what = "absent"
		}
		return nil, 0, fmt.Errorf("%s(x, %v): %w: the second argument is %s", function, param, ErrParam, what)
	}
	s := Spec{In: arg}
	switch function {
	case "count":
		s.Kind, result = CountValue, batch.Int
		if star {
			s = Spec{Kind: Count}
		}
	case "avg":
		s.Kind, result = Sum, batch.Double
		specs = []Spec{s, {Kind: CountValue, In: arg}}
	case "bool_and":
		s.Kind, result = Min, batch.Bool
	case "bool_or":
		s.Kind, result = Max, batch.Bool
	case "sum", "min", "max", "first", "last", "increase":
		s.Kind, result = function, arg
	case "quantile":
		s.Kind, s.Param, result = DDSketch, ddAccuracy, batch.Double
	case "approx_count_distinct":
		s.Kind, s.Param, result = HyperLogLog, hllBits, batch.Int
	case "top_k":
		s.Kind, s.Param, result = SpaceSaving, float64(topCapacity(int(param))), batch.String
	default:
		s.Kind, result = Moments, batch.Double
	}
	if specs == nil {
		specs = []Spec{s}
	}
	if _, err := StateTypes(s); err != nil || (function == "bool_and" || function == "bool_or") && arg != batch.Bool {
		return nil, 0, fmt.Errorf("%s(%s): %w: it takes %s", function, arg, ErrType, Arguments(function))
	}
	return specs, result, nil
}

// ValidParam tells whether the second argument of a function may be param; of
// functions that have none it is 0.
func ValidParam(function string, param float64) bool {
	switch function {
	case "quantile":
		return param >= 0 && param <= 1
	case "top_k":
		return param >= 1 && param <= maxTop && param == float64(int(param))
	}
	return param == 0
}
