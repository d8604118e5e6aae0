package aggregate

import (
	"fmt"

	"github.com/leatio/leat/engine/batch"
)

// Resolve tells which accumulators a function needs and the type of its
// result. star means count(*); arg is the type of the argument otherwise.
func Resolve(function string, star bool, arg batch.Type) (kinds []string, result batch.Type, err error) {
	if star {
		if function != "count" {
			return nil, 0, fmt.Errorf("%s(*): %w: only count takes *", function, ErrType)
		}
		return []string{Count}, batch.Int, nil
	}
	switch function {
	case "count":
		kinds, result = []string{CountValue}, batch.Int
	case "sum":
		kinds, result = []string{Sum}, arg
	case "avg":
		kinds, result = []string{Sum, CountValue}, batch.Double
	case "min", "max", "first", "last":
		kinds, result = []string{function}, arg
	case "var_pop", "var_samp", "stddev_pop", "stddev_samp":
		kinds, result = []string{Moments}, batch.Double
	default:
		return nil, 0, fmt.Errorf("%s: %w", function, ErrFunction)
	}
	for _, k := range kinds {
		if _, err := StateTypes(k, arg); err != nil {
			return nil, 0, fmt.Errorf("%s(%s): %w", function, arg, ErrType)
		}
	}
	return kinds, result, nil
}
